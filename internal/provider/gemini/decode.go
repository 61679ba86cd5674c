package gemini

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

// line is any line of `-o stream-json`.
type line struct {
	Type    string          `json:"type"`
	Session string          `json:"session_id"`
	Model   string          `json:"model"`
	Role    string          `json:"role"`
	Content string          `json:"content"`
	Delta   bool            `json:"delta"`
	Tool    string          `json:"tool_name"`
	ID      string          `json:"tool_id"`
	Params  json.RawMessage `json:"parameters"`
	Status  string          `json:"status"`
	Output  string          `json:"output"`
	Message string          `json:"message"`
	Level   string          `json:"severity"`
	Error   struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
	Stats struct {
		Total  int64 `json:"total_tokens"`
		Input  int64 `json:"input_tokens"`
		Output int64 `json:"output_tokens"`
		Cached int64 `json:"cached"`
	} `json:"stats"`
}

type call struct {
	tool string
	path string // that it changes
}

// decoder understands the lines of one turn.
type decoder struct {
	session string
	model   string
	text    strings.Builder // comes in pieces
	last    string
	calls   map[string]call
	denied  []string
	trouble string // the last error before the result
	loop    bool
	final   *line
}

func newDecoder() *decoder { return &decoder{calls: map[string]call{}} }

// writers are the tools that change the file of their argument "file_path".
var writers = map[string]bool{"write_file": true, "replace": true}

// Decode takes a line.
func (d *decoder) Decode(b []byte) []provider.Event {
	var l line
	if !stream.Object(b, &l) {
		return stream.Plain(b)
	}
	switch l.Type {
	case "init":
		d.session, d.model = l.Session, l.Model
		return []provider.Event{{Kind: provider.EventSession, Session: l.Session}}
	case "message":
		if l.Role != "assistant" {
			return nil
		}
		var events []provider.Event
		if !l.Delta {
			events = d.Flush()
		}
		d.text.WriteString(l.Content)
		return events
	case "tool_use":
		return append(d.Flush(), d.begin(&l))
	case "tool_result":
		return append(d.Flush(), d.end(&l)...)
	case "error":
		if strings.Contains(l.Message, "Loop detected") {
			d.loop = true
		}
		d.trouble = l.Message
		return append(d.Flush(), provider.Event{Kind: provider.EventNotice, Text: l.Message})
	case "result":
		events := d.Flush()
		d.final = &l
		if u := d.usage(); u.Input+u.Output > 0 {
			events = append(events, provider.Event{Kind: provider.EventUsage, Usage: u})
		}
		return events
	}
	return nil
}

// Flush returns the text that came in pieces so far.
func (d *decoder) Flush() []provider.Event {
	if d.text.Len() == 0 {
		return nil
	}
	d.last = d.text.String()
	d.text.Reset()
	return []provider.Event{{Kind: provider.EventText, Text: d.last}}
}

func (d *decoder) begin(l *line) provider.Event {
	c := call{tool: l.Tool}
	if c.tool == "" {
		c.tool = "tool"
	}
	var params struct {
		Path string `json:"file_path"`
	}
	if writers[c.tool] && stream.Object(l.Params, &params) {
		c.path = params.Path
	}
	d.calls[l.ID] = c
	return provider.Event{Kind: provider.EventToolCall, Call: l.ID, Tool: c.tool, Input: stream.JSON(l.Params)}
}

var refusal = regexp.MustCompile(`(?i)denied by policy|not allowed by|requires (user )?(approval|confirmation)|user (rejected|denied)`)

func (d *decoder) end(l *line) []provider.Event {
	c := d.calls[l.ID]
	failed := l.Status == "error"
	text := l.Output
	if l.Error.Message != "" && l.Error.Message != text {
		text = strings.TrimSpace(text + "\n" + l.Error.Message)
	}
	if failed && refusal.MatchString(text) && c.tool != "" && !slices.Contains(d.denied, c.tool) {
		d.denied = append(d.denied, c.tool)
	}
	events := []provider.Event{{
		Kind: provider.EventToolResult, Call: l.ID, Tool: c.tool, Text: text, Failed: failed,
	}}
	if c.path != "" && !failed {
		events = append(events, provider.Event{Kind: provider.EventEdit, Call: l.ID, Paths: []string{c.path}})
	}
	return events
}

// usage is of this turn: the program counts for each process. What it calls output is the answer without the thoughts,
// which only its total has.
func (d *decoder) usage() provider.Usage {
	s := &d.final.Stats
	thoughts := max(s.Total-s.Input-s.Output, 0)
	return provider.Usage{
		Input: s.Input, Output: s.Output + thoughts, Reasoning: thoughts, Cached: s.Cached, Model: d.model,
	}
}

// advice follows every error that a limit causes. It speaks of logging in, which is not what is wrong.
var advice = regexp.MustCompile(`(?s)\nPlease wait and try again later\..*`)

// Verdict judges by the result.
func (d *decoder) Verdict(time.Time) stream.Verdict {
	v := stream.Verdict{Session: d.session, Summary: d.last, Denied: d.denied}
	if d.text.Len() > 0 {
		v.Summary = d.text.String()
	}
	if d.final == nil {
		return v
	}
	v.Ended, v.Usage = true, d.usage()
	switch {
	case d.final.Status == "success" && d.loop:
		v.Kind, v.Error = provider.KindTurns, d.trouble
	case d.final.Status == "success":
	case d.final.Error.Type == "FatalTurnLimitedError":
		v.Kind, v.Error = provider.KindTurns, d.final.Error.Message
	default:
		v.Error = d.final.Error.Message
		if v.Error == "" {
			v.Error = d.trouble
		}
		if v.Error == "" {
			v.Error = "the turn ended by " + stream.Cut(d.final.Status, 100)
		}
		v.Kind, v.Unsure = stream.Classify(0, advice.ReplaceAllString(v.Error, "")), true
	}
	return v
}
