package progress

import (
	"fmt"
	"io"
	"strings"
	"time"

	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

const (
	maxOutput = 12 // lines of a failing output
	maxCauses = 5  // failures that are named
	maxNames  = 8  // ids in a list
)

// Closing says how to print the block that closes a run. The zero value is right for a log: ASCII, no colour.
type Closing struct {
	Unicode bool
	Color   bool
	Now     time.Time // for the elapsed time of a run that is not over
	// Workspaces are the folders that are kept, by task.
	Workspaces map[string]string
	// Home is shown as ~ at the start of a path; empty = paths are shown whole.
	Home string
}

// Summary prints what a person needs at the end: how the run stands, the root cause first when it failed, what
// was kept, and last the commands that lead on. Errors are those of w.
func Summary(w io.Writer, run *view.Run, c Closing) error {
	s := summary{run: run, Closing: c, glyphs: view.GlyphsFor(c.Unicode)}
	s.headline()
	switch run.State {
	case scheduler.RunFailed, scheduler.RunCompleted:
		s.causes()
	case scheduler.RunCanceled:
		s.reason()
	default:
		s.reason()
		s.waits()
		s.causes()
	}
	s.kept()
	s.next()
	if _, err := io.WriteString(w, s.text.String()); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

// summary collects the block.
type summary struct {
	Closing
	run    *view.Run
	glyphs *view.Glyphs
	text   strings.Builder
}

func (s *summary) line(format string, args ...any) {
	s.text.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// The colours of the headline's glyph.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (s *summary) paint(color, text string) string {
	if !s.Color {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

func (s *summary) headline() {
	r := s.run
	elapsed := view.Duration(r.Elapsed(s.Now))
	counts := r.Tally(" " + s.glyphs.Dot + " ")
	glyph, color, what := s.glyphs.Of(view.Running), yellow, "goes on in the background"
	switch r.State {
	case scheduler.RunCompleted:
		glyph, color, what = s.glyphs.Of(view.Done), green, "done in "+elapsed
	case scheduler.RunFailed:
		glyph, color, what = s.glyphs.Of(view.Failed), red, "failed after "+elapsed
		if failures := r.Failures(); len(failures) > 0 && failures[0].Allowed {
			what = "finished with failures after " + elapsed
		}
	case scheduler.RunCanceled:
		glyph, what = s.glyphs.Of(view.Cancelled), "cancelled after "+elapsed
	case scheduler.RunPaused:
		glyph, what = s.glyphs.Paused, "paused after "+elapsed
	case scheduler.RunWaiting:
		glyph, what = s.glyphs.Of(view.NeedsYou), "waits for you after "+elapsed
	}
	s.line("%s %s %s.  %s", s.paint(color, glyph), r.Title(), what, counts)
	if r.State == scheduler.RunCompleted && s.merges() {
		s.line("  branch %s%s", r.Branch, prefixed(" from ", r.From()))
	}
}

// reason says why the run is in its state, where the events say so.
func (s *summary) reason() {
	for _, text := range []string{s.run.Reason, s.run.Error} {
		if text != "" {
			s.line("  %s", text)
		}
	}
}

// causes names what failed: the first with its output and what was not run because of it, the others briefly.
func (s *summary) causes() {
	failures := s.run.Failures()
	if len(failures) == 0 {
		if s.run.Error != "" {
			s.line("\nCause: %s", s.run.Error)
		}
		return
	}
	for i, t := range failures {
		if i == maxCauses {
			s.line("\nAlso failed: %s", view.List(view.IDs(failures[i:]), maxNames))
			break
		}
		title := "Cause"
		switch {
		case t.Allowed:
			title = "Failed (allowed)"
		case i > 0:
			title = "Also failed"
		}
		s.line("\n%s: %s%s", title, t.ID, who(t))
		s.line("  %s", t.Why())
		if i == 0 {
			for _, output := range view.LastLines(t.Output, maxOutput) {
				s.line("    %s", output)
			}
		}
		if skipped := s.run.NotRun(t); len(skipped) > 0 {
			s.line("  Not run because of it: %s", view.List(view.IDs(skipped), maxNames))
		}
	}
	if s.run.Error != "" {
		s.line("\n%s", s.run.Error)
	}
}

// who is " (claude, 3 attempts)".
func who(t *view.Task) string {
	var parts []string
	if t.Agent != "" {
		parts = append(parts, t.Agent)
	}
	if t.Attempt > 0 {
		parts = append(parts, view.Plural(t.Attempt, "attempt"))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// waits names what waits for a person.
func (s *summary) waits() {
	for _, t := range s.run.Waits() {
		switch {
		case t.Wants == "budget":
			s.line("\n%s: %s", t.ID, t.Reason)
			continue
		case t.Wants != "":
			s.line("\n%s %s", t.ID, t.Reason)
			continue
		}
		s.line("\n%s could not be merged%s", t.ID, prefixed(": ", t.Error))
		for i, path := range t.Paths {
			if i == maxNames {
				s.line("  and %d more", len(t.Paths)-i)
				break
			}
			s.line("  conflict in %s", path)
		}
	}
}

// kept names the work of tasks that are not done, where it is.
func (s *summary) kept() {
	tasks := append(s.run.Failures(), s.run.Waits()...)
	first := true
	for _, t := range tasks[:min(len(tasks), maxCauses)] {
		place := t.Ref
		if path := s.Workspaces[t.ID]; path != "" {
			place = "workspace " + s.tilde(path)
		}
		if place == "" {
			continue
		}
		if first {
			s.line("")
			first = false
		}
		s.line("Kept: %s%s", place, prefixed("  ", changed(t)))
	}
}

func changed(t *view.Task) string {
	if t.Files == 0 {
		return ""
	}
	return fmt.Sprintf("(%s changed)", view.Plural(t.Files, "file"))
}

func (s *summary) tilde(path string) string {
	path = view.SanitizeLine(path)
	if rest, ok := strings.CutPrefix(path, s.Home); ok && s.Home != "" && strings.HasPrefix(rest, "/") {
		return "~" + rest
	}
	return path
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
