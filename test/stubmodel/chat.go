package stubmodel

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// chat is OpenAI's Chat Completions API.
type chat struct{}

func (chat) name() string { return "chat" }

func (chat) read(q *Request, body []byte) error {
	var doc struct {
		Model    string `json:"model"`
		Stream   bool   `json:"stream"`
		Messages []struct {
			Role    string          `json:"role"`
			Content json.RawMessage `json:"content"`
			Calls   []struct {
				Function struct {
					Name string `json:"name"`
				} `json:"function"`
			} `json:"tool_calls"`
		} `json:"messages"`
		Tools []struct {
			Function struct {
				Name   string          `json:"name"`
				Schema json.RawMessage `json:"parameters"`
			} `json:"function"`
		} `json:"tools"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	q.Model, q.Stream = doc.Model, doc.Stream
	for _, m := range doc.Messages {
		read := readContent(m.Role, m.Content)
		switch m.Role {
		case "system", "developer":
			q.System += "\n" + read.Text
			continue
		case "tool":
			read.Results, read.Text = []string{read.Text}, ""
		}
		for _, c := range m.Calls {
			read.Calls = append(read.Calls, c.Function.Name)
		}
		q.Messages = append(q.Messages, read)
	}
	for _, t := range doc.Tools {
		q.Tools = append(q.Tools, Tool{Name: t.Function.Name, Args: argumentTypes(t.Function.Schema)})
	}
	return nil
}

func (chat) stream(out *output, q Request, act reply) {
	send := func(choices []any, usage any) {
		out.event("", object{
			"id": callID("chatcmpl", q), "object": "chat.completion.chunk", "created": 0, "model": q.Model,
			"choices": choices, "usage": usage,
		})
	}
	delta := func(d object, finish any) {
		send([]any{object{"index": 0, "delta": d, "finish_reason": finish}}, nil)
	}
	delta(object{"role": "assistant", "content": ""}, nil)
	whole := out.speak(act, func(part string) {
		delta(object{"content": part}, nil)
	}, func() {
		out.event("", object{"error": object{"message": "The server had an error while processing your request.", "type": "server_error", "code": "server_error"}})
	})
	if !whole {
		return
	}
	if calls := chatCalls(q, act); calls != nil {
		delta(object{"tool_calls": calls}, nil)
	}
	delta(object{}, chatFinish(act))
	send([]any{}, chatUsage())
	fmt.Fprint(out.w, "data: [DONE]\n\n")
	out.flush()
}

func (chat) whole(w http.ResponseWriter, q Request, act reply) {
	message := object{"role": "assistant", "content": act.text}
	if calls := chatCalls(q, act); calls != nil {
		message["tool_calls"] = calls
	}
	writeJSON(w, http.StatusOK, object{
		"id": callID("chatcmpl", q), "object": "chat.completion", "created": 0, "model": q.Model,
		"choices": []any{object{"index": 0, "message": message, "finish_reason": chatFinish(act)}},
		"usage":   chatUsage(),
	})
}

func chatCalls(q Request, act reply) []any {
	if act.call == nil {
		return nil
	}
	function := object{"name": act.call.Name, "arguments": quoted(act.call.Args)}
	return []any{object{"index": 0, "id": callID("call", q), "type": "function", "function": function}}
}

func chatFinish(act reply) string {
	if act.call != nil {
		return "tool_calls"
	}
	return "stop"
}

func chatUsage() object {
	return object{
		"prompt_tokens": InputTokens, "prompt_tokens_details": object{"cached_tokens": CachedTokens},
		"completion_tokens": OutputTokens, "completion_tokens_details": object{"reasoning_tokens": ReasoningTokens},
		"total_tokens": InputTokens + OutputTokens,
	}
}

func (chat) fail(w http.ResponseWriter, status int, c complaint) {
	if c.topic == FaultUsage {
		c = complaint{text: "Rate limit reached for " + Model + " on requests per min (RPM). Please try again in " + c.seconds() + "s."}
	}
	openAIError(w, status, c)
}

// openAIError is the error of both of OpenAI's dialects.
func openAIError(w http.ResponseWriter, status int, c complaint) {
	kinds := map[int]string{400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error", 429: "requests"}
	codes := map[int]string{401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
	kind, code := kinds[status], codes[status]
	if kind == "" {
		kind, code = "server_error", "server_error"
	}
	switch c.topic {
	case FaultContext:
		code = "context_length_exceeded"
		c.text = "Your input exceeds the context window of this model. Please adjust your input and try again."
	case FaultCredit:
		kind, code = "insufficient_quota", "insufficient_quota"
		c.text = "You exceeded your current quota, please check your plan and billing details."
	}
	writeJSON(w, status, object{"error": object{"message": c.text, "type": kind, "code": code, "param": nil}})
}
