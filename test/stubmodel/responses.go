package stubmodel

import (
	"encoding/json"
	"maps"
	"net/http"
	"time"
)

// responses is OpenAI's Responses API.
type responses struct{}

func (responses) name() string { return "responses" }

type responsesTool struct {
	Type   string          `json:"type"`
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"parameters"`
	Tools  []responsesTool `json:"tools"` // of a namespace
}

// responsesItem is one thing of the input: a message, a call, a result, or tools that come with it.
type responsesItem struct {
	Type    string          `json:"type"`
	Role    string          `json:"role"`
	Name    string          `json:"name"`
	Content json.RawMessage `json:"content"`
	Output  json.RawMessage `json:"output"`
	Tools   []responsesTool `json:"tools"`
}

func (responses) read(q *Request, body []byte) error {
	var doc struct {
		Model        string          `json:"model"`
		Stream       bool            `json:"stream"`
		Instructions string          `json:"instructions"`
		Input        json.RawMessage `json:"input"`
		Tools        []responsesTool `json:"tools"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	q.Model, q.Stream, q.System = doc.Model, doc.Stream, doc.Instructions
	q.addTools("", doc.Tools)
	var text string
	if json.Unmarshal(doc.Input, &text) == nil {
		q.Messages = []Message{{Role: "user", Text: text}}
		return nil
	}
	var items []responsesItem
	if err := json.Unmarshal(doc.Input, &items); err != nil {
		return err
	}
	for _, item := range items {
		q.addItem(item)
	}
	return nil
}

func (q *Request) addTools(space string, tools []responsesTool) {
	for _, t := range tools {
		if t.Type == "namespace" {
			within := t.Name
			if within == "functions" { // the one that a call need not name
				within = ""
			}
			q.addTools(within, t.Tools)
			continue
		}
		q.Tools = append(q.Tools, Tool{Space: space, Name: t.Name, Custom: t.Type == "custom", Args: argumentTypes(t.Schema)})
	}
}

func (q *Request) addItem(item responsesItem) {
	switch item.Type {
	case "additional_tools":
		q.addTools("", item.Tools)
	case "message", "":
		m := readContent(item.Role, item.Content)
		if m.Role == "system" || m.Role == "developer" {
			q.System += "\n" + m.Text
			return
		}
		q.Messages = append(q.Messages, m)
	case "function_call", "custom_tool_call", "local_shell_call":
		q.Messages = append(q.Messages, Message{Role: "assistant", Calls: []string{item.Name}})
	case "function_call_output", "custom_tool_call_output", "local_shell_call_output":
		text := readContent("", item.Output).Text
		if text == "" {
			text = string(item.Output)
		}
		q.Messages = append(q.Messages, Message{Role: "tool", Results: []string{text}})
	}
}

func (responses) stream(out *output, q Request, act reply) {
	sent := 0
	send := func(kind string, fields object) {
		fields["type"], fields["sequence_number"] = kind, sent
		sent++
		out.event(kind, fields)
	}
	send("response.created", object{"response": responsesDocument(q, act, "in_progress")})
	message := responsesMessage(q, act)
	begun := maps.Clone(message)
	begun["status"], begun["content"] = "in_progress", []any{}
	place := func(fields object) object {
		fields["item_id"], fields["output_index"], fields["content_index"] = message["id"], 0, 0
		return fields
	}
	send("response.output_item.added", object{"output_index": 0, "item": begun})
	send("response.content_part.added", place(object{"part": outputText("")}))
	whole := out.speak(act, func(part string) {
		send("response.output_text.delta", place(object{"delta": part}))
	}, func() {
		failed := responsesDocument(q, act, "failed")
		failed["error"] = object{"code": "server_error", "message": "The server had an error while processing your request."}
		send("response.failed", object{"response": failed})
	})
	if !whole {
		return
	}
	send("response.output_text.done", place(object{"text": act.text}))
	send("response.content_part.done", place(object{"part": outputText(act.text)}))
	send("response.output_item.done", object{"output_index": 0, "item": message})
	if call := responsesCall(q, act); call != nil {
		field, kind := "arguments", "response.function_call_arguments"
		if call["type"] == "custom_tool_call" {
			field, kind = "input", "response.custom_tool_call_input"
		}
		begun := maps.Clone(call)
		begun[field], begun["status"] = "", "in_progress"
		send("response.output_item.added", object{"output_index": 1, "item": begun})
		send(kind+".delta", object{"item_id": call["id"], "output_index": 1, "delta": call[field]})
		send(kind+".done", object{"item_id": call["id"], "output_index": 1, field: call[field]})
		send("response.output_item.done", object{"output_index": 1, "item": call})
	}
	send("response.completed", object{"response": responsesDocument(q, act, "completed")})
}

func (responses) whole(w http.ResponseWriter, q Request, act reply) {
	writeJSON(w, http.StatusOK, responsesDocument(q, act, "completed"))
}

// responsesDocument is the response as a whole in one of its states.
func responsesDocument(q Request, act reply, status string) object {
	doc := object{
		"id": callID("resp", q), "object": "response", "created_at": 0, "status": status, "model": q.Model,
		"output": []any{}, "error": nil, "incomplete_details": nil, "instructions": nil, "parallel_tool_calls": true,
		"tools": []any{}, "tool_choice": "auto",
	}
	if status != "completed" {
		return doc
	}
	items := []any{responsesMessage(q, act)}
	if call := responsesCall(q, act); call != nil {
		items = append(items, call)
	}
	doc["output"] = items
	doc["usage"] = object{
		"input_tokens": InputTokens, "input_tokens_details": object{"cached_tokens": CachedTokens},
		"output_tokens": OutputTokens, "output_tokens_details": object{"reasoning_tokens": ReasoningTokens},
		"total_tokens": InputTokens + OutputTokens,
	}
	return doc
}

func responsesMessage(q Request, act reply) object {
	return object{"type": "message", "id": callID("msg", q), "status": "completed", "role": "assistant", "content": []any{outputText(act.text)}}
}

func outputText(text string) object {
	return object{"type": "output_text", "text": text, "annotations": []any{}}
}

// responsesCall is the item that calls a tool; nil = the answer calls none.
func responsesCall(q Request, act reply) object {
	if act.call == nil {
		return nil
	}
	call := object{"status": "completed", "call_id": callID("call", q), "name": act.call.Name}
	if act.call.Args == nil {
		call["type"], call["id"], call["input"] = "custom_tool_call", callID("ctc", q), act.call.Input
	} else {
		call["type"], call["id"], call["arguments"] = "function_call", callID("fc", q), quoted(act.call.Args)
	}
	if act.call.Space != "" {
		call["namespace"] = act.call.Space
	}
	return call
}

func (responses) fail(w http.ResponseWriter, status int, c complaint) {
	if c.topic == FaultUsage { // of an account with a plan; programs tell their user the minute alone
		end := time.Now().Add(c.lasts + time.Minute - 1).Truncate(time.Minute)
		writeJSON(w, status, object{"error": object{
			"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "pro",
			"resets_at": end.Unix(),
		}})
		return
	}
	openAIError(w, status, c)
}
