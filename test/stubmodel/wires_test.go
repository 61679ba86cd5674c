package stubmodel

import (
	"encoding/json"
	"strings"
	"testing"
)

// A wire is one dialect as an agent speaks it: how it puts a conversation with the tools, and what it makes of the
// answer.
type wire struct {
	name, path string
	stream     bool
	ask        func(turns []string, tools bool) any // user, assistant, user, …; "=text" is the result of a tool
	hear       func(t *testing.T, body string) heard
	errorText  func(body []byte) string
}

// heard is what an agent understood.
type heard struct {
	text, tool, args string
	input, output    int // tokens
	broken           bool
}

func wires() []wire {
	return []wire{
		{"anthropic", "/v1/messages", true, askAnthropic, hearAnthropic, errorOf("error", "message")},
		{"responses", "/v1/responses", true, askResponses, hearResponses, errorOf("error", "message")},
		{"chat", "/v1/chat/completions", true, askChat, hearChat, errorOf("error", "message")},
		{"gemini", "/v1beta/models/m:streamGenerateContent?alt=sse", true, askGemini, hearGemini, errorOf("error", "message")},
	}
}

func errorOf(keys ...string) func([]byte) string {
	return func(body []byte) string {
		var v any
		if json.Unmarshal(body, &v) != nil {
			return ""
		}
		for _, key := range keys {
			m, _ := v.(map[string]any)
			v = m[key]
		}
		text, _ := v.(string)
		return text
	}
}

const askSchema = `{"type":"object","properties":{"command":{"type":"string"}}}`

func role(i int) string { return []string{"user", "assistant"}[i%2] }

func askAnthropic(turns []string, tools bool) any {
	var messages []any
	for i, text := range turns {
		var content any = text
		if result, ok := strings.CutPrefix(text, "="); ok {
			content = []any{object{"type": "tool_result", "tool_use_id": "x", "content": result}}
		}
		messages = append(messages, object{"role": role(i), "content": content})
	}
	doc := object{"model": "m", "stream": true, "messages": messages, "system": []any{object{"type": "text", "text": "be good"}}}
	if tools {
		doc["tools"] = []any{object{"name": "Bash", "input_schema": json.RawMessage(askSchema)}}
	}
	return doc
}

func askResponses(turns []string, tools bool) any {
	items := []any{object{"type": "message", "role": "developer", "content": []any{object{"type": "input_text", "text": "be good"}}}}
	if tools {
		items = append(items, object{"type": "additional_tools", "tools": []any{object{"type": "custom", "name": "exec"}}})
	}
	for i, text := range turns {
		if result, ok := strings.CutPrefix(text, "="); ok {
			items = append(items, object{"type": "custom_tool_call_output", "call_id": "x", "output": result})
			continue
		}
		items = append(items, object{"type": "message", "role": role(i), "content": []any{object{"type": "input_text", "text": text}}})
	}
	return object{"model": "m", "stream": true, "input": items}
}

func askChat(turns []string, tools bool) any {
	messages := []any{object{"role": "system", "content": "be good"}}
	for i, text := range turns {
		if result, ok := strings.CutPrefix(text, "="); ok {
			messages = append(messages, object{"role": "tool", "tool_call_id": "x", "content": result})
			continue
		}
		messages = append(messages, object{"role": role(i), "content": text})
	}
	doc := object{"model": "m", "stream": true, "messages": messages}
	if tools {
		doc["tools"] = []any{object{"type": "function", "function": object{"name": "shell", "parameters": json.RawMessage(askSchema)}}}
	}
	return doc
}

func askGemini(turns []string, tools bool) any {
	var contents []any
	for i, text := range turns {
		part := object{"text": text}
		if result, ok := strings.CutPrefix(text, "="); ok {
			part = object{"functionResponse": object{"response": object{"output": result}}}
		}
		contents = append(contents, object{"role": []string{"user", "model"}[i%2], "parts": []any{part}})
	}
	doc := object{"contents": contents, "systemInstruction": object{"parts": []any{object{"text": "be good"}}}}
	if tools {
		doc["tools"] = []any{object{"functionDeclarations": []any{object{"name": "run_shell_command", "parametersJsonSchema": json.RawMessage(askSchema)}}}}
	}
	return doc
}

// events returns the data of a stream's events.
func events(t *testing.T, body string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(body) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var e map[string]any
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatalf("event %q: %v", data, err)
		}
		all = append(all, e)
	}
	return all
}

// at follows keys and indices into a decoded document; nil = nothing there.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			list, _ := v.([]any)
			if p >= len(list) {
				return nil
			}
			v = list[p]
		}
	}
	return v
}

func text(v any) string { s, _ := v.(string); return s }
func number(v any) int  { f, _ := v.(float64); return int(f) }

func hearAnthropic(t *testing.T, body string) (h heard) {
	for _, e := range events(t, body) {
		switch e["type"] {
		case "message_start":
			u := at(e, "message", "usage")
			h.input = number(at(u, "input_tokens")) + number(at(u, "cache_read_input_tokens")) + number(at(u, "cache_creation_input_tokens"))
		case "content_block_start":
			h.tool += text(at(e, "content_block", "name"))
		case "content_block_delta":
			h.text += text(at(e, "delta", "text"))
			h.args += text(at(e, "delta", "partial_json"))
		case "message_delta":
			h.output = number(at(e, "usage", "output_tokens"))
		case "error":
			h.broken = true
		}
	}
	return h
}

func hearResponses(t *testing.T, body string) (h heard) {
	for i, e := range events(t, body) {
		if number(e["sequence_number"]) != i {
			t.Errorf("event %d has number %v", i, e["sequence_number"])
		}
		switch e["type"] {
		case "response.output_text.delta":
			h.text += text(e["delta"])
		case "response.output_item.done":
			h.tool += text(at(e, "item", "name"))
			h.args += text(at(e, "item", "input"))
		case "response.completed":
			h.input, h.output = number(at(e, "response", "usage", "input_tokens")), number(at(e, "response", "usage", "output_tokens"))
		case "response.failed":
			h.broken = true
		}
	}
	return h
}

func hearChat(t *testing.T, body string) (h heard) {
	for _, e := range events(t, body) {
		delta := at(e, "choices", 0, "delta")
		h.text += text(at(delta, "content"))
		h.tool += text(at(delta, "tool_calls", 0, "function", "name"))
		h.args += text(at(delta, "tool_calls", 0, "function", "arguments"))
		h.input += number(at(e, "usage", "prompt_tokens"))
		h.output += number(at(e, "usage", "completion_tokens"))
		h.broken = h.broken || e["error"] != nil
	}
	return h
}

func hearGemini(t *testing.T, body string) (h heard) {
	for _, e := range events(t, body) {
		part := at(e, "candidates", 0, "content", "parts", 0)
		h.text += text(at(part, "text"))
		h.tool += text(at(part, "functionCall", "name"))
		if args := at(part, "functionCall", "args"); args != nil {
			h.args += quoted(args)
		}
		u := e["usageMetadata"]
		h.input += number(at(u, "promptTokenCount"))
		h.output += number(at(u, "candidatesTokenCount")) + number(at(u, "thoughtsTokenCount"))
		h.broken = h.broken || e["error"] != nil
	}
	return h
}
