package stubmodel

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// anthropic is the Messages API.
type anthropic struct{}

func (anthropic) name() string { return "anthropic" }

func (anthropic) read(q *Request, body []byte) error {
	var doc struct {
		Model    string          `json:"model"`
		Stream   bool            `json:"stream"`
		System   json.RawMessage `json:"system"`
		Messages []struct {
			Role    string          `json:"role"`
			Content json.RawMessage `json:"content"`
		} `json:"messages"`
		Tools []struct {
			Name   string          `json:"name"`
			Schema json.RawMessage `json:"input_schema"`
		} `json:"tools"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	q.Model, q.Stream = doc.Model, doc.Stream
	q.System = readContent("system", doc.System).Text
	for _, m := range doc.Messages {
		q.Messages = append(q.Messages, readContent(m.Role, m.Content))
	}
	for _, t := range doc.Tools {
		q.Tools = append(q.Tools, Tool{Name: t.Name, Args: argumentTypes(t.Schema)})
	}
	return nil
}

// readContent reads what is either a text or a list of blocks, as it is in all dialects but Gemini's.
func readContent(role string, raw json.RawMessage) Message {
	m := Message{Role: role}
	if json.Unmarshal(raw, &m.Text) == nil {
		return m
	}
	var blocks []struct {
		Type    string          `json:"type"`
		Text    string          `json:"text"`
		Name    string          `json:"name"`
		Content json.RawMessage `json:"content"`
	}
	if json.Unmarshal(raw, &blocks) != nil {
		return m // null, or a kind of content that holds no text
	}
	for _, b := range blocks {
		switch b.Type {
		case "text", "input_text", "output_text":
			if m.Text != "" {
				m.Text += "\n"
			}
			m.Text += b.Text
		case "tool_use":
			m.Calls = append(m.Calls, b.Name)
		case "tool_result":
			m.Results = append(m.Results, readContent("", b.Content).Text)
		}
	}
	return m
}

func (anthropic) stream(out *output, q Request, act reply) {
	send := func(kind string, fields object) {
		fields["type"] = kind
		out.event(kind, fields)
	}
	message := anthropicMessage(q, act, true)
	send("message_start", object{"message": message})
	send("content_block_start", object{"index": 0, "content_block": object{"type": "text", "text": ""}})
	whole := out.speak(act, func(part string) {
		send("content_block_delta", object{"index": 0, "delta": object{"type": "text_delta", "text": part}})
	}, func() {
		send("error", object{"error": object{"type": "overloaded_error", "message": "Overloaded"}})
	})
	if !whole {
		return
	}
	send("content_block_stop", object{"index": 0})
	if act.call != nil {
		send("content_block_start", object{"index": 1, "content_block": object{"type": "tool_use", "id": callID("toolu", q), "name": act.call.Name, "input": object{}}})
		for _, part := range parts(quoted(act.call.Args)) {
			send("content_block_delta", object{"index": 1, "delta": object{"type": "input_json_delta", "partial_json": part}})
		}
		send("content_block_stop", object{"index": 1})
	}
	send("message_delta", object{"delta": object{"stop_reason": anthropicStop(act), "stop_sequence": nil}, "usage": object{"output_tokens": OutputTokens}})
	send("message_stop", object{})
}

func (anthropic) whole(w http.ResponseWriter, q Request, act reply) {
	writeJSON(w, http.StatusOK, anthropicMessage(q, act, false))
}

// anthropicMessage is the answer, or the envelope that a stream begins with.
func anthropicMessage(q Request, act reply, begun bool) object {
	usage := object{
		"input_tokens": InputTokens - CachedTokens - CacheWriteTokens, "cache_creation_input_tokens": CacheWriteTokens,
		"cache_read_input_tokens": CachedTokens, "output_tokens": 1,
	}
	m := object{
		"id": callID("msg", q), "type": "message", "role": "assistant", "model": q.Model, "content": []any{},
		"stop_reason": nil, "stop_sequence": nil, "usage": usage,
	}
	if begun {
		return m
	}
	content := []any{object{"type": "text", "text": act.text}}
	if act.call != nil {
		content = append(content, object{"type": "tool_use", "id": callID("toolu", q), "name": act.call.Name, "input": act.call.Args})
	}
	usage["output_tokens"] = OutputTokens
	m["content"], m["stop_reason"] = content, anthropicStop(act)
	return m
}

func anthropicStop(act reply) string {
	if act.call != nil {
		return "tool_use"
	}
	return "end_turn"
}

// callID makes an id that no other answer has.
func callID(prefix string, q Request) string { return fmt.Sprintf("%s_%06d", prefix, q.Number) }

func (anthropic) fail(w http.ResponseWriter, status int, c complaint) {
	kinds := map[int]string{
		400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
		429: "rate_limit_error", 500: "api_error", 529: "overloaded_error",
	}
	kind := kinds[status]
	if kind == "" {
		kind = "api_error"
	}
	switch c.topic {
	case FaultContext:
		c.text = "prompt is too long: 210000 tokens > 200000 maximum"
	case FaultUsage:
		c.text = "This request would exceed your account's rate limit. Please try again in " + c.seconds() + " seconds."
	case FaultCredit:
		status, kind = http.StatusBadRequest, "invalid_request_error"
		c.text = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."
	}
	writeJSON(w, status, object{"type": "error", "error": object{"type": kind, "message": c.text}})
}
