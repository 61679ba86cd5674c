package stubmodel

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// What every answer is said to have cost, in tokens: InputTokens were sent, CachedTokens and CacheWriteTokens of them
// read from and written to the cache; OutputTokens were received, ReasoningTokens of them reasoning. Only Anthropic's
// dialect tells CacheWriteTokens, only the others tell ReasoningTokens.
const (
	InputTokens      = 101
	CachedTokens     = 7
	CacheWriteTokens = 5
	OutputTokens     = 23
	ReasoningTokens  = 3
)

// object is a JSON object.
type object = map[string]any

// dialect is how one service is spoken to.
type dialect interface {
	name() string
	// read fills in the request from the body.
	read(q *Request, body []byte) error
	// stream sends the answer as events.
	stream(out *output, q Request, act reply)
	// whole sends the answer as one document.
	whole(w http.ResponseWriter, q Request, act reply)
	// fail sends an error.
	fail(w http.ResponseWriter, status int, c complaint)
}

// dialectOf chooses by the path; nil = a path that has no answer of a model.
func dialectOf(path string) dialect {
	switch {
	case strings.HasSuffix(path, "/messages"):
		return anthropic{}
	case strings.HasSuffix(path, "/responses"):
		return responses{}
	case strings.HasSuffix(path, "/chat/completions"):
		return chat{}
	case strings.HasSuffix(path, ":streamGenerateContent"), strings.HasSuffix(path, ":generateContent"):
		return gemini{}
	}
	return nil
}

// output is a stream of server-sent events.
type output struct {
	w    http.ResponseWriter
	ctx  context.Context
	hold func(on bool)
}

func (o *output) begin() {
	o.w.Header().Set("Content-Type", "text/event-stream")
	o.w.Header().Set("Cache-Control", "no-cache")
	o.w.WriteHeader(http.StatusOK)
}

// event sends one event; an empty name sends none.
func (o *output) event(name string, v any) {
	if name != "" {
		fmt.Fprintf(o.w, "event: %s\n", name)
	}
	fmt.Fprintf(o.w, "data: %s\n\n", quoted(v))
	o.flush()
}

func (o *output) flush() {
	if f, ok := o.w.(http.Flusher); ok {
		f.Flush()
	}
}

// wait holds the rest of the answer back until the agent goes away.
func (o *output) wait() {
	o.hold(true)
	<-o.ctx.Done()
	o.hold(false)
}

// speak sends a text in parts. It stops after the first one when the answer shall hang or break, and says whether
// the answer goes on.
func (o *output) speak(act reply, send func(part string), broken func()) bool {
	for i, part := range parts(act.text) {
		send(part)
		if i > 0 {
			continue
		}
		if act.hang {
			o.wait()
			return false
		}
		if act.broken {
			broken()
			return false
		}
	}
	return true
}

// parts cuts a text in two, so that the agents see a stream; between characters and not within.
func parts(text string) []string {
	middle := len(text) / 2
	for middle > 0 && !utf8.RuneStart(text[middle]) {
		middle--
	}
	return []string{text[:middle], text[middle:]}
}

// quoted writes JSON. What we write can always be written.
func quoted(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("stubmodel: %v", err))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprint(w, quoted(v))
}
