package opencode

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

// line is any line of `--format json`.
type line struct {
	Type    string  `json:"type"`
	Time    float64 `json:"timestamp"` // milliseconds since 1970
	Session string  `json:"sessionID"`
	Part    struct {
		Text   string `json:"text"`
		Tool   string `json:"tool"`
		Call   string `json:"callID"`
		State  state  `json:"state"`
		Reason string `json:"reason"`
		Tokens struct {
			Input     int64 `json:"input"`
			Output    int64 `json:"output"`
			Reasoning int64 `json:"reasoning"`
			Cache     struct {
				Read  int64 `json:"read"`
				Write int64 `json:"write"`
			} `json:"cache"`
		} `json:"tokens"`
		Cost float64 `json:"cost"`
	} `json:"part"`
	Error struct {
		Name string `json:"name"`
		Data struct {
			Message string            `json:"message"`
			Status  int               `json:"statusCode"`
			Headers map[string]string `json:"responseHeaders"`
			Body    string            `json:"responseBody"`
		} `json:"data"`
	} `json:"error"`
}

type state struct {
	Status   string          `json:"status"`
	Input    json.RawMessage `json:"input"`
	Output   string          `json:"output"`
	Error    string          `json:"error"`
	Metadata struct {
		Path string `json:"filepath"`
	} `json:"metadata"`
}

// decoder understands the lines of one turn. The zero value is ready.
type decoder struct {
	model string

	session string
	last    string
	ended   bool
	reason  string // of the last step's end
	usage   provider.Usage
	denied  []string
	kind    provider.Kind // of the error
	failure string
	retryAt time.Time
}

// Decode takes a line.
func (d *decoder) Decode(b []byte) []provider.Event {
	var l line
	if !stream.Object(b, &l) {
		return stream.Plain(b)
	}
	var events []provider.Event
	if l.Session != "" && l.Session != d.session {
		d.session = l.Session
		events = append(events, provider.Event{Kind: provider.EventSession, Session: l.Session})
	}
	switch l.Type {
	case "step_start":
		d.ended = false
	case "text":
		d.last = l.Part.Text
		return append(events, provider.Event{Kind: provider.EventText, Text: l.Part.Text})
	case "reasoning":
		return append(events, provider.Event{Kind: provider.EventThought, Text: l.Part.Text})
	case "tool_use":
		return append(events, d.tool(&l)...)
	case "step_finish":
		return append(events, d.step(&l))
	case "error":
		return append(events, d.fail(&l))
	}
	return events
}

// tool takes a call that is over; the program does not tell when it begins.
func (d *decoder) tool(l *line) []provider.Event {
	p := &l.Part
	if p.Tool == "" {
		p.Tool = "tool"
	}
	failed := p.State.Status == "error"
	if failed && strings.Contains(p.State.Error, "rejected permission") && !slices.Contains(d.denied, p.Tool) {
		d.denied = append(d.denied, p.Tool)
	}
	events := []provider.Event{
		{Kind: provider.EventToolCall, Call: p.Call, Tool: p.Tool, Input: stream.JSON(p.State.Input)},
		{Kind: provider.EventToolResult, Call: p.Call, Tool: p.Tool, Text: p.State.Output + p.State.Error, Failed: failed},
	}
	if path := p.State.Metadata.Path; path != "" && !failed && (p.Tool == "write" || p.Tool == "edit") {
		events = append(events, provider.Event{Kind: provider.EventEdit, Call: p.Call, Paths: []string{path}})
	}
	return events
}

// step adds up usage, which is told for each call of the model.
func (d *decoder) step(l *line) provider.Event {
	t := &l.Part.Tokens
	d.usage.Input += t.Input + t.Cache.Read + t.Cache.Write
	d.usage.Cached += t.Cache.Read
	d.usage.CacheWrite += t.Cache.Write
	d.usage.Output += t.Output + t.Reasoning
	d.usage.Reasoning += t.Reasoning
	d.usage.Cost += l.Part.Cost
	d.usage.Priced = d.usage.Cost > 0 // without prices in its configuration it says 0
	d.usage.Model = d.model
	d.reason = l.Part.Reason
	if d.ended = d.reason == "stop"; d.ended {
		d.kind, d.failure = "", "" // what went wrong before was overcome
	}
	return provider.Event{Kind: provider.EventUsage, Usage: d.usage}
}

// names are errors whose name says their kind.
var names = map[string]provider.Kind{
	"ProviderAuthError":          provider.KindAuth,
	"ContextOverflowError":       provider.KindContext,
	"MessageAbortedError":        provider.KindCrashed,
	"ProviderModelNotFoundError": provider.KindModel,
}

// fail takes an error, with which the turn ends unless a step follows. They are the best that any agent gives: with
// the status and the headers of the answer.
func (d *decoder) fail(l *line) provider.Event {
	e := &l.Error
	text := e.Data.Message
	if text == "" {
		text = e.Name
	}
	if text == "" {
		text = "an error without a reason"
	}
	d.failure = text
	if e.Data.Status != 0 {
		d.failure = fmt.Sprintf("%s (%d)", text, e.Data.Status)
	}
	var known bool
	switch d.kind, known = names[e.Name]; {
	case known:
	case e.Name == "UnknownError" && strings.HasPrefix(text, "Unexpected server error"):
		// Its own server is meant, not the model's: it answers so for a model that it does not know.
		d.kind = provider.KindFailed
		d.failure += " Is the model spelt right?"
	default:
		d.kind = stream.Classify(e.Data.Status, text+"\n"+e.Data.Body)
	}
	d.retryAt = time.Time{}
	at := time.UnixMilli(int64(l.Time))
	for name, value := range e.Data.Headers {
		if strings.EqualFold(name, "retry-after") && l.Time > 0 {
			d.retryAt = stream.RetryHeader(value, at)
		}
	}
	if d.retryAt.IsZero() {
		d.retryAt = stream.RetryAt(text, at)
	}
	return provider.Event{Kind: provider.EventNotice, Text: d.failure}
}

// Verdict needs a last step that stopped by itself: the program tells no result.
func (d *decoder) Verdict(time.Time) stream.Verdict {
	v := stream.Verdict{
		Ended: d.ended, Session: d.session, Summary: d.last, Usage: d.usage, Counters: d.usage, Denied: d.denied,
	}
	switch {
	case d.failure != "":
		v.Kind, v.Error = d.kind, d.failure
		if v.Kind == provider.KindLimit || v.Kind == provider.KindTransient {
			v.RetryAt = d.retryAt
		}
	case !d.ended && d.reason == "tool-calls" && len(d.denied) > 0:
		v.Ended = true // a refusal ends the turn without another step
	}
	return v
}
