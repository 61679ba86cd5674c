package stream

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
)

// judge joins what the agent said of its turn, how its program ended, and what that complained of.
//
// Success needs the agent's own word, no denied tool, and an exit that does not contradict it. An exit that we or a
// crash of ours caused contradicts nothing.
func judge(v Verdict, exit process.Exit, complaints string, at time.Time) provider.Result {
	r := provider.Result{
		Kind: v.Kind, Error: v.Error, Summary: v.Summary, Output: v.Summary,
		Session: v.Session, Usage: v.Usage, Counters: v.Counters, RetryAt: v.RetryAt, Denied: v.Denied,
	}
	if exit.Signal == "" && !exit.Lost {
		r.ExitCode = &exit.Code
	}
	if v.Unsure && r.Kind == provider.KindFailed {
		r.Kind = Classify(0, complaints)
	}
	forced := exit.Lost || exit.Stopped
	switch {
	case v.Kind != "":
	case !v.Ended:
		r.Kind, r.Error = silent(exit, forced, complaints)
	case exit.Signal != "" && !forced:
		r.Kind, r.Error = provider.KindCrashed, "ended by signal "+exit.Signal+" after it had finished"
	case exit.Code != 0 && !forced:
		r.Kind, r.Error = provider.KindFailed, fmt.Sprintf("it said that it had finished, then exit %d", exit.Code)
	case len(v.Denied) > 0:
		r.Kind = provider.KindRefused
		r.Error = "not permitted: " + strings.Join(v.Denied, ", ") + " (see `permissions` of the agent)"
	}
	if r.Kind != "" && strings.TrimSpace(r.Error) == "" {
		r.Error = "the agent failed without saying why"
	}
	if r.Kind == provider.KindLimit || r.Kind == provider.KindTransient {
		if r.RetryAt.IsZero() {
			r.RetryAt = RetryAt(r.Error, at)
		}
	}
	if r.Kind != "" && complaints != "" {
		r.Output = strings.TrimSpace(r.Output + "\n" + complaints)
	}
	return r
}

// silent is an end without a word of the agent about it.
func silent(exit process.Exit, forced bool, complaints string) (provider.Kind, string) {
	last := LastLine(complaints)
	switch {
	case forced:
		return provider.KindCrashed, "it was ended before its turn was over"
	case exit.Signal != "":
		return provider.KindCrashed, "ended by signal " + exit.Signal
	}
	how := fmt.Sprintf("exit %d", exit.Code)
	if exit.Code == 0 {
		how = "it ended without saying how its turn went"
	}
	if last != "" {
		how += ": " + last
	}
	if kind := Classify(0, complaints); kind != provider.KindFailed {
		return kind, how
	}
	switch {
	case usage.MatchString(complaints):
		return provider.KindInvalid, how
	case exit.Code == 0:
		return provider.KindCrashed, how
	}
	return provider.KindFailed, how
}

// usage is how programs say that they were started in a way that they do not take.
var usage = regexp.MustCompile(`(?i)unknown (option|argument|flag)|unexpected argument|unrecognized|invalid value|requires --|is already in use|already exists|must be a valid|cannot be used with|invalid configuration`)

// LastLine is the last line of a text that is not blank, cut to what fits a line of an error message.
func LastLine(text string) string {
	text = strings.TrimSpace(text)
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = strings.TrimSpace(text[i+1:])
	}
	return Cut(text, 400)
}

// Cut shortens a text to at most limit bytes, between characters, and makes it valid UTF-8.
func Cut(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
