package acp

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

// update is any update of a session. Only what is used of it is here.
type update struct {
	Kind      string          `json:"sessionUpdate"`
	Content   json.RawMessage `json:"content"`
	Call      string          `json:"toolCallId"`
	Title     string          `json:"title"`
	Tool      string          `json:"kind"`
	Status    string          `json:"status"`
	Input     json.RawMessage `json:"rawInput"`
	Locations []place         `json:"locations"`
	Cost      *struct {
		Amount   float64 `json:"amount"`
		Currency string  `json:"currency"`
	} `json:"cost"`
	Meta struct {
		Codex struct {
			Error struct {
				Details string `json:"additionalDetails"`
				Message string `json:"message"`
			} `json:"error"`
			Thread struct {
				Type string `json:"type"`
			} `json:"threadStatus"`
		} `json:"codex"`
	} `json:"_meta"`
}

type place struct {
	Path string `json:"path"`
}

type part struct {
	Type    string `json:"type"`
	Text    string `json:"text"`
	Path    string `json:"path"`
	Content struct {
		Text string `json:"text"`
	} `json:"content"`
}

type ending struct {
	Stop  string `json:"stopReason"`
	Usage struct {
		Input      int64 `json:"inputTokens"`
		Output     int64 `json:"outputTokens"`
		CacheRead  int64 `json:"cachedReadTokens"`
		CacheWrite int64 `json:"cachedWriteTokens"`
		Thought    int64 `json:"thoughtTokens"`
		Total      int64 `json:"totalTokens"`
	} `json:"usage"`
	Meta struct {
		Quota struct {
			Count struct {
				Input  int64 `json:"input_tokens"`
				Output int64 `json:"output_tokens"`
			} `json:"token_count"` // Gemini's
		} `json:"quota"`
	} `json:"_meta"`
}

type tool struct {
	name  string
	kind  string
	paths []string
	done  bool
}

// decoder understands the records of one turn.
type decoder struct {
	profile profile
	before  provider.Usage

	session string
	tools   map[string]*tool
	kind    provider.EventKind // of the text that comes in pieces
	text    strings.Builder
	last    string
	denied  []string
	cost    *float64
	end     *ending
	fault   *record
	failure string // that the agent's own program told of
}

func newDecoder(t provider.Turn, p profile) *decoder {
	return &decoder{profile: p, before: t.Before, tools: map[string]*tool{}}
}

// Decode takes a record.
func (d *decoder) Decode(b []byte) []provider.Event {
	var r record
	if !stream.Object(b, &r) {
		return stream.Plain(b)
	}
	switch r.Record {
	case "session":
		d.session = r.Session
		return []provider.Event{{Kind: provider.EventSession, Session: r.Session}}
	case "update":
		var u update
		if stream.Object(r.Update, &u) {
			return d.update(&u)
		}
	case "notice":
		return []provider.Event{{Kind: provider.EventNotice, Text: r.Text}}
	case "permission":
		if r.Allowed {
			return nil
		}
		if !slices.Contains(d.denied, r.Tool) {
			d.denied = append(d.denied, r.Tool)
		}
		return append(d.Flush(), provider.Event{Kind: provider.EventNotice, Text: "not permitted: " + r.Tool})
	case "error":
		d.fault = &r
		return d.Flush()
	case "end":
		d.end = &ending{}
		if !stream.Object(r.End, d.end) {
			d.end = nil
			return nil
		}
		events := d.Flush()
		if u := d.usage(); u != (provider.Usage{}) {
			events = append(events, provider.Event{Kind: provider.EventUsage, Usage: u})
		}
		return events
	}
	return nil
}

func (d *decoder) update(u *update) []provider.Event {
	switch u.Kind {
	case "agent_message_chunk":
		return d.piece(provider.EventText, u)
	case "agent_thought_chunk":
		return d.piece(provider.EventThought, u)
	case "tool_call", "tool_call_update":
		return append(d.Flush(), d.call(u)...)
	case "usage_update":
		if u.Cost != nil && u.Cost.Currency == "USD" {
			d.cost = &u.Cost.Amount
		}
	case "session_info_update":
		return d.codex(u)
	}
	return nil
}

// codex takes the errors that codex-acp tells beside the protocol; it says end_turn all the same.
func (d *decoder) codex(u *update) []provider.Event {
	c := u.Meta.Codex
	text := c.Error.Details
	if text == "" {
		text = c.Error.Message
	}
	switch {
	case text != "":
		d.failure = text
		return []provider.Event{{Kind: provider.EventRetry, Text: text}}
	case c.Thread.Type == "systemError" && d.failure == "":
		d.failure = "the agent reports a system error"
	case c.Thread.Type == "active":
		d.failure = ""
	}
	return nil
}

func (d *decoder) piece(kind provider.EventKind, u *update) []provider.Event {
	var p part
	if !stream.Object(u.Content, &p) || p.Text == "" {
		return nil
	}
	var events []provider.Event
	if kind != d.kind {
		events = d.Flush()
		d.kind = kind
	}
	d.text.WriteString(p.Text)
	return events
}

// Flush returns the text that came in pieces so far.
func (d *decoder) Flush() []provider.Event {
	if d.text.Len() == 0 {
		return nil
	}
	text := d.text.String()
	d.text.Reset()
	if d.kind == provider.EventText {
		d.last = text
	}
	return []provider.Event{{Kind: d.kind, Text: text}}
}

// call takes the beginning of a tool call, and what becomes of it. Agents fill in later what they did not know.
func (d *decoder) call(u *update) []provider.Event {
	var events []provider.Event
	t, known := d.tools[u.Call]
	if !known {
		t = &tool{name: stream.Cut(u.Title, 200)}
		if t.name == "" {
			t.name = "tool"
		}
		d.tools[u.Call] = t
		events = append(events, provider.Event{
			Kind: provider.EventToolCall, Call: u.Call, Tool: t.name, Input: stream.JSON(u.Input),
		})
	}
	if u.Tool != "" {
		t.kind = u.Tool
	}
	text, diffs := contents(u.Content)
	t.paths = append(t.paths, diffs...)
	for _, l := range u.Locations {
		if t.kind == "edit" && l.Path != "" {
			t.paths = append(t.paths, l.Path)
		}
	}
	if t.done || u.Status != "completed" && u.Status != "failed" {
		return events
	}
	t.done = true
	failed := u.Status == "failed"
	events = append(events, provider.Event{
		Kind: provider.EventToolResult, Call: u.Call, Tool: t.name, Text: text, Failed: failed,
	})
	slices.Sort(t.paths)
	if paths := slices.Compact(t.paths); len(paths) > 0 && !failed {
		events = append(events, provider.Event{Kind: provider.EventEdit, Call: u.Call, Paths: paths})
	}
	return events
}

func contents(raw json.RawMessage) (text string, diffs []string) {
	var parts []part
	_ = json.Unmarshal(raw, &parts) // parts of odd types say nothing
	texts := make([]string, 0, len(parts))
	for _, p := range parts {
		switch {
		case p.Type == "diff" && p.Path != "":
			diffs = append(diffs, p.Path)
		case p.Content.Text != "":
			texts = append(texts, p.Content.Text)
		}
	}
	return strings.Join(texts, "\n"), diffs
}

// usage is of this turn. The agents' input leaves out what came from the cache; whether their output leaves out the
// thoughts shows in the total.
func (d *decoder) usage() provider.Usage {
	u := d.end.Usage
	out := provider.Usage{
		Input: u.Input + u.CacheRead + u.CacheWrite, Cached: u.CacheRead, CacheWrite: u.CacheWrite,
		Output: u.Output, Reasoning: u.Thought,
	}
	if u.Total == out.Input+u.Output+u.Thought {
		out.Output += u.Thought
	}
	if u.Total == 0 {
		out.Input, out.Output = d.end.Meta.Quota.Count.Input, d.end.Meta.Quota.Count.Output
	}
	if d.cost != nil {
		out.Cost, out.Priced = *d.cost, true
		if d.profile.grows && out.Cost >= d.before.Cost {
			out.Cost -= d.before.Cost
		}
	}
	return out
}

// stops are the reasons to stop that are no success.
var stops = map[string]struct {
	kind provider.Kind
	text string
}{
	"max_tokens":        {provider.KindFailed, "the answer became longer than the model may write"},
	"max_turn_requests": {provider.KindTurns, "the agent came to its limit of requests in one turn"},
	"refusal":           {provider.KindFailed, "the model refused to go on"},
	"cancelled":         {provider.KindCrashed, "the turn was canceled"},
}

// Verdict judges by the answer to the prompt.
func (d *decoder) Verdict(time.Time) stream.Verdict {
	v := stream.Verdict{Session: d.session, Summary: d.last, Denied: d.denied, Counters: d.before}
	if d.text.Len() > 0 && d.kind == provider.EventText {
		v.Summary = d.text.String()
	}
	if d.cost != nil && d.profile.grows {
		v.Counters = provider.Usage{Cost: *d.cost, Priced: true}
	}
	switch {
	case d.fault != nil:
		v.Ended = true
		v.Kind, v.Error = d.blame(d.fault)
		return v
	case d.end == nil:
		return v
	}
	v.Ended, v.Usage = true, d.usage()
	if s, ok := stops[d.end.Stop]; ok {
		v.Kind, v.Error = s.kind, s.text
		return v
	}
	if d.end.Stop != "end_turn" {
		v.Kind, v.Error = provider.KindFailed, "the turn ended by "+stream.Cut(d.end.Stop, 100)
		return v
	}
	for _, beginning := range d.profile.errors {
		if strings.HasPrefix(v.Summary, beginning) {
			d.failure, _, _ = strings.Cut(v.Summary, "\n\nPlease re")
		}
	}
	if d.failure != "" {
		v.Kind, v.Error = stream.Classify(0, d.failure), d.failure
	}
	return v
}

const authRequired = -32000

// blame classifies a refusal, by its code where that says something.
func (d *decoder) blame(r *record) (provider.Kind, string) {
	text := r.Text
	if data := stream.JSON(r.Data); data != "" && data != "null" {
		text += " " + data
	}
	if text = strings.TrimSpace(text); text == "" {
		text = "the agent refused without a reason"
	}
	status := 0
	if r.Code >= 400 && r.Code < 600 {
		status = r.Code
	}
	kind := stream.Classify(status, text)
	switch {
	case r.Code == authRequired:
		kind = provider.KindAuth
	case kind != provider.KindFailed:
	case r.At == "session/load" || r.At == "session/resume":
		kind = provider.KindSession
	case r.At == "session/set_mode":
		kind = provider.KindInvalid
	case r.At == "session/set_model":
		kind = provider.KindModel
	}
	return kind, stream.Cut(r.At+": "+text, 2<<10)
}
