package codex

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

// line is any line of `codex exec --json`.
type line struct {
	Type   string `json:"type"`
	Thread string `json:"thread_id"`
	Item   item   `json:"item"`
	Usage  struct {
		Input      int64 `json:"input_tokens"`
		Cached     int64 `json:"cached_input_tokens"`
		CacheWrite int64 `json:"cache_write_input_tokens"`
		Output     int64 `json:"output_tokens"`
		Reasoning  int64 `json:"reasoning_output_tokens"`
	} `json:"usage"`
	Message string `json:"message"`
	Error   struct {
		Message string `json:"message"`
	} `json:"error"`
}

type item struct {
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Status   string          `json:"status"`
	Text     string          `json:"text"`
	Message  string          `json:"message"`
	Command  string          `json:"command"`
	Output   string          `json:"aggregated_output"`
	ExitCode *int            `json:"exit_code"`
	Changes  []change        `json:"changes"`
	Server   string          `json:"server"`
	Tool     string          `json:"tool"`
	Args     json.RawMessage `json:"arguments"`
	Query    string          `json:"query"`
	Result   struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	} `json:"result"`
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
}

type change struct {
	Path string `json:"path"`
}

// patience is how often the program may say that it waits for the network, about every half minute. It would wait
// for ever.
const patience = 2

// decoder understands the lines of one turn.
type decoder struct {
	before provider.Usage
	want   string // the thread to go on with; empty = a new one

	thread   string
	last     string
	begun    map[string]bool // items whose beginning was told
	denied   []string
	waits    int
	trouble  string
	counters provider.Usage
	ended    bool
	failure  string
}

func newDecoder(t provider.Turn) *decoder {
	d := &decoder{before: t.Before, begun: map[string]bool{}}
	if t.Resume {
		d.want = t.Session
	}
	return d
}

// Decode takes a line.
func (d *decoder) Decode(b []byte) []provider.Event {
	var l line
	if !stream.Object(b, &l) {
		return stream.Plain(b)
	}
	switch l.Type {
	case "thread.started":
		d.thread = l.Thread
		if l.Thread == "" || d.stray() {
			return nil // somebody else's session must not become this task's
		}
		return []provider.Event{{Kind: provider.EventSession, Session: l.Thread}}
	case "item.started":
		return d.begin(&l.Item)
	case "item.completed":
		return d.complete(&l.Item)
	case "error":
		return d.complain(l.Message)
	case "turn.completed":
		d.ended = true
		u := l.Usage
		d.counters = provider.Usage{
			Input: u.Input, Cached: u.Cached, CacheWrite: u.CacheWrite, Output: u.Output, Reasoning: u.Reasoning,
		}
		return []provider.Event{{Kind: provider.EventUsage, Usage: stream.Minus(d.counters, d.before)}}
	case "turn.failed":
		d.ended, d.failure = true, l.Error.Message
		if d.failure == "" {
			d.failure = "the turn failed without a reason"
		}
	}
	return nil
}

// stray is true in a thread that is not the one to go on with.
func (d *decoder) stray() bool {
	return d.want != "" && d.thread != "" && !strings.EqualFold(d.thread, d.want)
}

// GivenUp is true when the program waits for a network, or works in the wrong thread.
func (d *decoder) GivenUp() bool { return d.waits >= patience || d.stray() }

// complain takes an error that the program goes on after, until it says otherwise.
func (d *decoder) complain(text string) []provider.Event {
	d.trouble = text
	if !strings.HasPrefix(text, "Reconnecting") {
		return []provider.Event{{Kind: provider.EventNotice, Text: text}}
	}
	if strings.Contains(text, "waiting for network") {
		d.waits++
	}
	return []provider.Event{{Kind: provider.EventRetry, Text: text}}
}

func (d *decoder) begin(i *item) []provider.Event {
	tool, input := i.call()
	if tool == "" {
		return nil
	}
	d.begun[i.ID] = true
	return []provider.Event{{Kind: provider.EventToolCall, Call: i.ID, Tool: tool, Input: input}}
}

// call is the tool that an item is a call of; empty for one that is none.
func (i *item) call() (tool, input string) {
	switch i.Type {
	case "command_execution":
		return "shell", object("command", i.Command)
	case "mcp_tool_call":
		return i.Server + "." + i.Tool, stream.JSON(i.Args)
	case "web_search":
		return "web_search", object("query", i.Query)
	case "file_change":
		return "apply_patch", ""
	}
	return "", ""
}

func object(key, value string) string {
	b, err := json.Marshal(map[string]string{key: value})
	if err != nil {
		return "" // never: strings can be encoded
	}
	return string(b)
}

func (d *decoder) complete(i *item) []provider.Event {
	switch i.Type {
	case "agent_message":
		d.last, d.waits = i.Text, 0
		return []provider.Event{{Kind: provider.EventText, Text: i.Text}}
	case "reasoning":
		return []provider.Event{{Kind: provider.EventThought, Text: i.Text}}
	case "error":
		return []provider.Event{{Kind: provider.EventNotice, Text: i.Message}}
	}
	tool, _ := i.call()
	if tool == "" {
		return nil
	}
	var events []provider.Event
	if !d.begun[i.ID] {
		events = d.begin(i)
	}
	if i.Status == "declined" && !slices.Contains(d.denied, tool) {
		d.denied = append(d.denied, tool)
	}
	failed := i.Status == "failed" || i.Status == "declined"
	events = append(events, provider.Event{
		Kind: provider.EventToolResult, Call: i.ID, Tool: tool, Text: i.output(), Failed: failed,
	})
	if i.Type == "file_change" && !failed && len(i.Changes) > 0 {
		paths := make([]string, 0, len(i.Changes))
		for _, c := range i.Changes {
			paths = append(paths, c.Path)
		}
		events = append(events, provider.Event{Kind: provider.EventEdit, Call: i.ID, Paths: paths})
	}
	return events
}

func (i *item) output() string {
	texts := []string{i.Output, i.Error.Message}
	for _, c := range i.Result.Content {
		texts = append(texts, c.Text)
	}
	if i.ExitCode != nil && *i.ExitCode != 0 {
		texts = append(texts, fmt.Sprintf("exit %d", *i.ExitCode))
	}
	var b strings.Builder
	for _, text := range texts {
		if text = strings.TrimSuffix(text, "\n"); text != "" {
			b.WriteString(text + "\n")
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Verdict judges by turn.completed and turn.failed; errors before them were overcome.
func (d *decoder) Verdict(time.Time) stream.Verdict {
	v := stream.Verdict{Ended: d.ended, Session: d.thread, Summary: d.last, Denied: d.denied, Counters: d.before}
	if d.counters != (provider.Usage{}) {
		v.Counters, v.Usage = d.counters, stream.Minus(d.counters, d.before)
	}
	switch {
	case d.stray():
		v.Session, v.Usage, v.Counters = d.want, provider.Usage{}, d.before
		v.Kind, v.Error = provider.KindSession, "session "+d.want+" does not exist: it began another"
	case d.failure != "":
		v.Kind, v.Error = stream.Classify(0, d.failure), d.failure
	case !d.ended && d.waits >= patience:
		v.Kind, v.Error = provider.KindTransient, d.trouble
	}
	return v
}
