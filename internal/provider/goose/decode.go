package goose

import (
	"encoding/json"
	"strings"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

// line is any line of `--output-format stream-json`.
type line struct {
	Type    string  `json:"type"`
	Message message `json:"message"`
	Error   string  `json:"error"`

	Input      int64 `json:"input_tokens"`
	Output     int64 `json:"output_tokens"`
	CacheRead  int64 `json:"cache_read_input_tokens"`
	CacheWrite int64 `json:"cache_write_input_tokens"`
}

type message struct {
	ID       string    `json:"id"`
	Role     string    `json:"role"`
	Content  []content `json:"content"`
	Metadata struct {
		Inference *struct {
			Model string `json:"requestedModel"`
		} `json:"inference"` // missing in what the program says by itself
	} `json:"metadata"`
}

type content struct {
	Type    string `json:"type"`
	Text    string `json:"text"`
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Msg     string `json:"msg"`
	ID      string `json:"id"`
	Call    struct {
		Status string `json:"status"`
		Value  struct {
			Name string          `json:"name"`
			Args json.RawMessage `json:"arguments"`
		} `json:"value"`
		Error string `json:"error"`
	} `json:"toolCall"`
	Result struct {
		Status string `json:"status"`
		Value  struct {
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
			IsError bool `json:"isError"`
		} `json:"value"`
		Error string `json:"error"`
	} `json:"toolResult"`
}

// interrupted is the error of a turn that SIGINT ended.
const interrupted = "Headless run interrupted"

type call struct {
	tool string
	path string // that it changes
}

// writers are the tools that change the file in their argument "path".
var writers = map[string]bool{"write": true, "edit": true, "text_editor": true, "developer__text_editor": true}

// decoder understands the lines of one turn.
type decoder struct {
	session string
	before  provider.Usage

	told     bool // the session
	model    string
	textID   string // message that text belongs to
	text     strings.Builder
	last     string
	calls    map[string]call
	ended    bool
	failure  string
	plain    []string // lines that are no events
	tired    string   // what it said when it came to its limit of steps
	counters provider.Usage
}

func newDecoder(t provider.Turn) *decoder {
	return &decoder{session: t.Session, before: t.Before, calls: map[string]call{}}
}

// Decode takes a line.
func (d *decoder) Decode(b []byte) []provider.Event {
	var l line
	if !stream.Object(b, &l) {
		if len(d.plain) < 50 {
			d.plain = append(d.plain, stream.Cut(string(b), 1<<10))
		}
		return stream.Plain(b)
	}
	var events []provider.Event
	if !d.told && d.session != "" && (l.Type == "message" || l.Type == "complete") {
		d.told = true
		events = append(events, provider.Event{Kind: provider.EventSession, Session: d.session})
	}
	switch l.Type {
	case "message":
		return append(events, d.message(&l.Message)...)
	case "error":
		d.ended, d.failure = true, l.Error
		return append(events, d.Flush()...)
	case "complete":
		d.ended = true
		events = append(events, d.Flush()...)
		u := provider.Usage{Input: l.Input, Output: l.Output, Cached: l.CacheRead, CacheWrite: l.CacheWrite, Model: d.model}
		if u.Input+u.Output == 0 {
			return events // its model was not reached
		}
		d.counters = u
		return append(events, provider.Event{Kind: provider.EventUsage, Usage: stream.Minus(u, d.before)})
	}
	return events
}

func (d *decoder) message(m *message) []provider.Event {
	var events []provider.Event
	if m.ID != d.textID {
		events = d.Flush()
		d.textID = m.ID
	}
	if i := m.Metadata.Inference; i != nil {
		d.model, d.failure, d.tired = i.Model, "", "" // what went wrong before was overcome
	}
	for i := range m.Content {
		events = append(events, d.content(m, &m.Content[i])...)
	}
	return events
}

func (d *decoder) content(m *message, c *content) []provider.Event {
	switch c.Type {
	case "text":
		if m.Role != "assistant" {
			return nil
		}
		if m.Metadata.Inference == nil && strings.HasPrefix(m.ID, "msg_") {
			return d.own(c.Text)
		}
		d.text.WriteString(c.Text)
		return nil
	case "thinking", "reasoning":
		return []provider.Event{{Kind: provider.EventThought, Text: c.Text}}
	case "error":
		d.failure = c.Message
		if d.failure == "" {
			d.failure = c.Kind
		}
		return nil
	case "systemNotification":
		return []provider.Event{{Kind: provider.EventNotice, Text: c.Msg + c.Text}}
	case "toolRequest":
		events := d.Flush()
		v := c.Call.Value
		if v.Name == "" {
			v.Name = "unknown"
		}
		known := call{tool: v.Name}
		var args struct {
			Path string `json:"path"`
		}
		if writers[v.Name] && stream.Object(v.Args, &args) {
			known.path = args.Path
		}
		d.calls[c.ID] = known
		return append(events, provider.Event{
			Kind: provider.EventToolCall, Call: c.ID, Tool: v.Name, Input: stream.JSON(v.Args),
		})
	case "toolResponse":
		return append(d.Flush(), d.result(c)...)
	}
	return nil
}

// own is what the program, not the model, says in the model's name: an error that it gives up at, while it goes on
// to exit 0 and call the turn complete.
func (d *decoder) own(text string) []provider.Event {
	switch {
	case strings.HasPrefix(text, "Ran into this error:"), strings.HasPrefix(text, "Network error:"):
		d.failure = text
	case strings.HasPrefix(text, "I've reached the maximum number of actions"):
		d.tired = text
	}
	return []provider.Event{{Kind: provider.EventNotice, Text: text}}
}

func (d *decoder) result(c *content) []provider.Event {
	known := d.calls[c.ID]
	texts := make([]string, 0, len(c.Result.Value.Content))
	for _, part := range c.Result.Value.Content {
		texts = append(texts, part.Text)
	}
	failed := c.Result.Status == "error" || c.Result.Value.IsError
	events := []provider.Event{{
		Kind: provider.EventToolResult, Call: c.ID, Tool: known.tool,
		Text: strings.Join(texts, "\n") + c.Result.Error, Failed: failed,
	}}
	if known.path != "" && !failed {
		events = append(events, provider.Event{Kind: provider.EventEdit, Call: c.ID, Paths: []string{known.path}})
	}
	return events
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

// Complaints are the lines that are no events: where the program cannot begin, it says so there.
func (d *decoder) Complaints() string { return strings.Join(d.plain, "\n") }

// Verdict needs the word complete, and no error in the program's own name after the model's last.
func (d *decoder) Verdict(time.Time) stream.Verdict {
	v := stream.Verdict{Ended: d.ended, Summary: d.last, Counters: d.before}
	if d.text.Len() > 0 {
		v.Summary = d.text.String()
	}
	if d.told {
		v.Session = d.session
	}
	if d.counters != (provider.Usage{}) {
		v.Counters, v.Usage = d.counters, stream.Minus(d.counters, d.before)
	}
	switch {
	case d.failure == interrupted:
		v.Kind, v.Error = provider.KindCrashed, d.failure
	case d.failure != "":
		// "Please retry if you think …" is advice to a person, no time.
		text, _, _ := strings.Cut(d.failure, "\n\nPlease re")
		v.Kind, v.Error = stream.Classify(0, text), text
	case d.tired != "":
		v.Kind, v.Error = provider.KindTurns, d.tired
	}
	return v
}
