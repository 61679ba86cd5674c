package stubmodel

import (
	"encoding/json"
	"net/http"
	"strings"
)

// gemini is Google's generateContent API.
type gemini struct{}

func (gemini) name() string { return "gemini" }

type geminiContent struct {
	Role  string `json:"role"`
	Parts []struct {
		Text string `json:"text"`
		Call *struct {
			Name string `json:"name"`
		} `json:"functionCall"`
		Result *struct {
			ID       string          `json:"id"`
			Response json.RawMessage `json:"response"`
		} `json:"functionResponse"`
	} `json:"parts"`
}

func (gemini) read(q *Request, body []byte) error {
	var doc struct {
		System   geminiContent   `json:"systemInstruction"`
		Contents []geminiContent `json:"contents"`
		Tools    []struct {
			Functions []struct {
				Name   string          `json:"name"`
				Schema json.RawMessage `json:"parameters"`
				JSON   json.RawMessage `json:"parametersJsonSchema"`
			} `json:"functionDeclarations"`
		} `json:"tools"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	_, model, _ := strings.Cut(q.Path, "/models/")
	model, method, _ := strings.Cut(model, ":")
	q.Model, q.Stream = model, method == "streamGenerateContent"
	q.System = doc.System.message().Text
	given := map[string]bool{}
	for _, c := range doc.Contents {
		q.Messages = append(q.Messages, c.once(given).message())
	}
	for _, t := range doc.Tools {
		for _, f := range t.Functions {
			q.Tools = append(q.Tools, Tool{Name: f.Name, Args: argumentTypes(f.Schema, f.JSON)})
		}
	}
	return nil
}

// once leaves out results that were given before: the program sends some twice when it goes on with a session.
func (c geminiContent) once(given map[string]bool) geminiContent {
	parts := c.Parts
	c.Parts = nil
	for _, p := range parts {
		if p.Result != nil && p.Result.ID != "" {
			if given[p.Result.ID] {
				continue
			}
			given[p.Result.ID] = true
		}
		c.Parts = append(c.Parts, p)
	}
	return c
}

func (c geminiContent) message() Message {
	m := Message{Role: c.Role}
	if m.Role == "model" {
		m.Role = "assistant"
	}
	var texts []string
	for _, p := range c.Parts {
		if p.Text != "" {
			texts = append(texts, p.Text)
		}
		if p.Call != nil {
			m.Calls = append(m.Calls, p.Call.Name)
		}
		if p.Result != nil {
			m.Results = append(m.Results, string(p.Result.Response))
		}
	}
	m.Text = strings.Join(texts, "\n")
	return m
}

func (gemini) stream(out *output, q Request, act reply) {
	send := func(parts []any) { out.event("", geminiDocument(q, parts, false)) }
	whole := out.speak(act, func(part string) {
		send([]any{object{"text": part}})
	}, func() {
		out.event("", object{"error": object{"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}})
	})
	if !whole {
		return
	}
	if act.call != nil {
		send([]any{geminiCall(q, act)})
	}
	out.event("", geminiDocument(q, []any{object{"text": ""}}, true))
}

func (gemini) whole(w http.ResponseWriter, q Request, act reply) {
	parts := []any{object{"text": act.text}}
	if act.call != nil {
		parts = append(parts, geminiCall(q, act))
	}
	writeJSON(w, http.StatusOK, geminiDocument(q, parts, true))
}

func geminiCall(q Request, act reply) object {
	return object{"functionCall": object{"id": callID("call", q), "name": act.call.Name, "args": act.call.Args}}
}

// geminiDocument is a part of the answer, or with last its end.
func geminiDocument(q Request, parts []any, last bool) object {
	candidate := object{"index": 0, "content": object{"role": "model", "parts": parts}}
	doc := object{"candidates": []any{candidate}, "modelVersion": q.Model, "responseId": callID("resp", q)}
	if last {
		candidate["finishReason"] = "STOP"
		doc["usageMetadata"] = object{
			"promptTokenCount": InputTokens, "cachedContentTokenCount": CachedTokens, "thoughtsTokenCount": ReasoningTokens,
			"candidatesTokenCount": OutputTokens - ReasoningTokens, "totalTokenCount": InputTokens + OutputTokens,
		}
	}
	return doc
}

func (gemini) fail(w http.ResponseWriter, status int, c complaint) {
	words := map[int]string{
		400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
		429: "RESOURCE_EXHAUSTED", 500: "INTERNAL",
	}
	word := words[status]
	if word == "" {
		word = "UNAVAILABLE"
	}
	switch c.topic {
	case FaultContext:
		c.text = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
	case FaultUsage:
		c.text = "You have exhausted your capacity on this model. Your quota will reset after " + c.seconds() + "s."
	case FaultCredit:
		c.text = "You exceeded your current quota, please check your plan and billing details."
	}
	writeJSON(w, status, object{"error": object{"code": status, "message": c.text, "status": word}})
}
