package claude

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

// message is any line of the program. Its keys come in any order.
type message struct {
	Type    string `json:"type"`
	Subtype string `json:"subtype"`
	Session string `json:"session_id"`

	Message struct {
		Model   string    `json:"model"`
		Content []content `json:"content"`
	} `json:"message"`
	Parent     string     `json:"parent_tool_use_id"`
	Error      string     `json:"error"`
	ToolResult toolResult `json:"tool_use_result"`

	// system
	Model      string  `json:"model"`
	Servers    []mcp   `json:"mcp_servers"`
	Attempt    int     `json:"attempt"`
	MaxRetries int     `json:"max_retries"`
	DelayMS    float64 `json:"retry_delay_ms"`
	Status     int     `json:"error_status"`
	Tool       string  `json:"tool_name"`

	RateLimit rateLimit `json:"rate_limit_info"`

	result
}

type content struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	Thinking string          `json:"thinking"`
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Input    json.RawMessage `json:"input"`
	Call     string          `json:"tool_use_id"`
	Content  json.RawMessage `json:"content"`
	IsError  bool            `json:"is_error"`
}

// toolResult has a path on its first level only where the file was changed.
type toolResult struct {
	Path string `json:"filePath"`
}

type mcp struct {
	Name   string `json:"name"`
	Status string `json:"status"`
}

type rateLimit struct {
	Status   string `json:"status"`
	ResetsAt int64  `json:"resetsAt"`
}

type result struct {
	Result    string                     `json:"result"`
	IsError   bool                       `json:"is_error"`
	Errors    []string                   `json:"errors"`
	APIStatus int                        `json:"api_error_status"`
	Terminal  string                     `json:"terminal_reason"`
	Cost      float64                    `json:"total_cost_usd"`
	Usage     usage                      `json:"usage"`
	SinceLast map[string]json.RawMessage `json:"model_usage_since_last_result"`
	Denials   []struct {
		Tool string `json:"tool_name"`
	} `json:"permission_denials"`
}

type usage struct {
	Input      int64 `json:"input_tokens"`
	CacheWrite int64 `json:"cache_creation_input_tokens"`
	CacheRead  int64 `json:"cache_read_input_tokens"`
	Output     int64 `json:"output_tokens"`
	Details    struct {
		Thinking int64 `json:"thinking_tokens"`
	} `json:"output_tokens_details"`
}

// decoder understands `--output-format stream-json`.
type decoder struct {
	before provider.Usage

	session string
	model   string
	last    string            // the agent's last words
	tools   map[string]string // names by the id of the call
	denied  []string
	resets  time.Time
	final   *result
	subtype string
}

func newDecoder(t provider.Turn) *decoder {
	return &decoder{before: t.Before, tools: map[string]string{}}
}

// Decode takes a line.
func (d *decoder) Decode(line []byte) []provider.Event {
	var m message
	if !stream.Object(line, &m) {
		return stream.Plain(line)
	}
	var events []provider.Event
	if m.Session != "" && m.Session != d.session {
		d.session = m.Session
		events = append(events, provider.Event{Kind: provider.EventSession, Session: m.Session})
	}
	switch m.Type {
	case "system":
		return append(events, d.system(&m)...)
	case "assistant":
		return append(events, d.assistant(&m)...)
	case "user":
		return append(events, d.toolResults(&m)...)
	case "rate_limit_event":
		if m.RateLimit.Status == "rejected" && m.RateLimit.ResetsAt > 0 {
			d.resets = time.Unix(m.RateLimit.ResetsAt, 0)
		}
	case "result":
		d.final, d.subtype = &m.result, m.Subtype
		for _, denial := range m.Denials {
			d.deny(denial.Tool)
		}
		if u := d.usage(); u != (provider.Usage{}) {
			events = append(events, provider.Event{Kind: provider.EventUsage, Usage: u})
		}
	}
	return events
}

func (d *decoder) system(m *message) []provider.Event {
	switch m.Subtype {
	case "init":
		d.model = m.Model
		var events []provider.Event
		for _, s := range m.Servers {
			if s.Status == "failed" {
				events = append(events, notice("MCP server "+s.Name+" did not start: its tools are missing"))
			}
		}
		return events
	case "api_retry":
		why := m.Error
		if m.Status != 0 {
			why = fmt.Sprintf("%s (%d)", why, m.Status)
		}
		text := fmt.Sprintf("%s: try %d of %d in %.1f s", why, m.Attempt, m.MaxRetries, m.DelayMS/1000)
		return []provider.Event{{Kind: provider.EventRetry, Text: text}}
	case "permission_denied":
		d.deny(m.Tool)
		return []provider.Event{notice("not permitted: " + m.Tool)}
	}
	return nil
}

func (d *decoder) assistant(m *message) []provider.Event {
	said := provider.EventText
	if m.Parent != "" {
		said = provider.EventThought // an agent of the agent's speaks to it
	}
	var events []provider.Event
	for _, c := range m.Message.Content {
		switch c.Type {
		case "text":
			if said == provider.EventText {
				d.last = c.Text
			}
			events = append(events, provider.Event{Kind: said, Text: c.Text})
		case "thinking":
			events = append(events, provider.Event{Kind: provider.EventThought, Text: c.Thinking})
		case "tool_use":
			d.tools[c.ID] = c.Name
			events = append(events, provider.Event{
				Kind: provider.EventToolCall, Call: c.ID, Tool: c.Name, Input: stream.JSON(c.Input),
			})
		}
	}
	return events
}

func (d *decoder) toolResults(m *message) []provider.Event {
	var events []provider.Event
	for _, c := range m.Message.Content {
		if c.Type != "tool_result" {
			continue
		}
		events = append(events, provider.Event{
			Kind: provider.EventToolResult, Call: c.Call, Tool: d.tools[c.Call], Text: textOf(c.Content), Failed: c.IsError,
		})
		if m.ToolResult.Path != "" && !c.IsError {
			events = append(events, provider.Event{Kind: provider.EventEdit, Call: c.Call, Paths: []string{m.ToolResult.Path}})
		}
	}
	return events
}

// textOf is a tool's output: a string, or a list of parts.
func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var parts []content
	if json.Unmarshal(raw, &parts) != nil {
		return stream.JSON(raw)
	}
	texts := make([]string, 0, len(parts))
	for _, p := range parts {
		if p.Type == "text" {
			texts = append(texts, p.Text)
		}
	}
	return strings.Join(texts, "\n")
}

func (d *decoder) deny(tool string) {
	if tool != "" && !slices.Contains(d.denied, tool) {
		d.denied = append(d.denied, tool)
	}
}

// usage is of this turn: the program counts tokens for each process, but money since the session began. Versions
// before 2.1.330, which do not say what is new since the last result, counted money for each process too.
func (d *decoder) usage() provider.Usage {
	u := d.final.Usage
	out := provider.Usage{
		Input:  u.Input + u.CacheWrite + u.CacheRead,
		Cached: u.CacheRead, CacheWrite: u.CacheWrite,
		Output: u.Output, Reasoning: u.Details.Thinking,
		Cost: d.final.Cost, Model: d.model,
	}
	out.Priced = out.Input+out.Output > 0 || d.final.Cost > 0
	if d.final.SinceLast != nil && d.final.Cost >= d.before.Cost {
		out.Cost -= d.before.Cost
	}
	if !out.Priced {
		return provider.Usage{}
	}
	return out
}

// Verdict judges by the result, which calls an error of the model's server a "success" with is_error.
func (d *decoder) Verdict(time.Time) stream.Verdict {
	v := stream.Verdict{Session: d.session, Summary: d.last, Counters: d.before, Denied: d.denied}
	if d.final == nil {
		return v
	}
	f := d.final
	v.Ended, v.Usage = true, d.usage()
	v.Counters = provider.Usage{Cost: max(f.Cost, 0), Priced: true, Model: d.model}
	if f.Cost == 0 {
		v.Counters = d.before // a process that failed before it asked counts nothing
	}
	if f.Result != "" {
		v.Summary = f.Result
	}
	if !f.IsError && d.subtype == "success" && f.APIStatus == 0 {
		return v
	}
	v.Error = strings.Join(append(f.Errors, f.Result), "\n")
	v.Error = strings.TrimSpace(v.Error)
	if v.Error == "" {
		v.Error = strings.Trim(d.subtype+" "+f.Terminal, " ")
	}
	switch {
	case d.subtype == "error_max_turns", d.subtype == "error_max_budget_usd":
		v.Kind = provider.KindTurns
	case strings.HasPrefix(f.Terminal, "aborted"):
		v.Kind, v.Error = provider.KindCrashed, "the turn was interrupted ("+f.Terminal+")"
	default:
		v.Kind = stream.Classify(f.APIStatus, v.Error)
	}
	if v.Kind == provider.KindLimit {
		v.RetryAt = d.resets
	}
	return v
}

func notice(text string) provider.Event {
	return provider.Event{Kind: provider.EventNotice, Text: text}
}
