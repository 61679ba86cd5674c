package mcp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"orchestrator/internal/mcp"
)

// wire speaks with a server by lines, as a program that does not keep to the protocol.
type wire struct {
	t      *testing.T
	in     *io.PipeWriter
	out    *bufio.Reader
	served chan error
}

func newWire(t *testing.T, d mcp.Task) *wire {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	toServer, in := io.Pipe()
	out, fromServer := io.Pipe()
	w := &wire{t: t, in: in, out: bufio.NewReaderSize(out, 1<<20), served: make(chan error, 1)}
	go func() {
		err := mcp.Serve(ctx, toServer, fromServer, "1", d)
		_ = fromServer.Close() // who reads sees the end
		_ = toServer.Close()   // who writes too
		w.served <- err
	}()
	return w
}

// shake is the handshake of the protocol.
func (w *wire) shake() *wire {
	w.t.Helper()
	w.say(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`)
	if got := w.hear(); !strings.Contains(got, `"serverInfo"`) {
		w.t.Fatalf("the handshake: %s", got)
	}
	w.say(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return w
}

func (w *wire) say(line string) {
	w.t.Helper()
	if _, err := io.WriteString(w.in, line+"\n"); err != nil {
		w.t.Fatalf("the server hung up: %v", err)
	}
}

func (w *wire) hear() string {
	w.t.Helper()
	line, err := w.out.ReadString('\n')
	if err != nil {
		w.t.Fatalf("the server said nothing more: %v", err)
	}
	return line
}

// end closes the connection and returns what the server came to.
func (w *wire) end() error {
	w.t.Helper()
	_ = w.in.Close() // pipes of memory do not fail
	go func() { _, _ = io.Copy(io.Discard, w.out) }()
	return <-w.served
}

func callOf(id int, tool, arguments string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, id, tool, arguments)
}

func TestRequestsThatMakeNoSenseAreAnsweredWithErrorsAndTheNextOneWorks(t *testing.T) {
	for name, line := range map[string]string{
		"a method that there is not": `{"jsonrpc":"2.0","id":7,"method":"tools/destroy"}`,
		"a tool that there is not":   callOf(7, "rm", `{}`),
		"arguments of another type":  callOf(7, "ask", `{"question":{"a":[1]}}`),
		"arguments that are no map":  callOf(7, "ask", `[1,2]`),
		"arguments that are missing": callOf(7, "ask", `{}`),
		"arguments nobody asked for": callOf(7, "task_complete", `{"summary":"s","force":true}`),
		"params of another type":     `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":"x"}`,
		"no params":                  `{"jsonrpc":"2.0","id":7,"method":"tools/call"}`,
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{}
			w := newWire(t, d).shake()
			w.say(line)
			if got := w.hear(); !strings.Contains(got, `"id":7`) || !strings.Contains(got, `"error"`) && !strings.Contains(got, `"isError":true`) {
				t.Errorf("answered with %s", got)
			}
			w.say(callOf(8, "report_progress", `{"text":"still here"}`))
			if got := w.hear(); !strings.Contains(got, `"id":8`) || strings.Contains(got, "rror") {
				t.Errorf("then answered with %s", got)
			}
			if err := w.end(); err != nil {
				t.Errorf("the server ended with %v", err)
			}
			for _, told := range d.told {
				if strings.HasPrefix(told, "ask") || strings.HasPrefix(told, "complete") {
					t.Errorf("it reached the task: %s", told)
				}
			}
		})
	}
}

func TestLinesThatAreNoRequestsEndTheServerAndDoNotHangIt(t *testing.T) {
	for name, line := range map[string]string{
		"no JSON":                `hello?`,
		"half of a request":      `{"jsonrpc":"2.0","id":1,"meth`,
		"another version":        `{"jsonrpc":"1.0","id":1,"method":"ping"}`,
		"a number":               `42`,
		"bytes that are no text": "\xff\xfe\x00",
		"a deep nest":            strings.Repeat("[", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t, &desk{}).shake()
			go func() { _, _ = io.WriteString(w.in, line+"\n") }() // the server may have hung up meanwhile
			go func() { _, _ = io.Copy(io.Discard, w.out) }()
			if err := <-w.served; err == nil || !strings.Contains(err.Error(), "serve the agent") {
				t.Errorf("the server ended with %v", err)
			}
		})
	}
}

func TestLongTextsAreRefusedAndNothingIsStored(t *testing.T) {
	d := &desk{}
	w := newWire(t, d).shake()
	long := strings.Repeat("x", mcp.MaxText+1)
	many, err := json.Marshal(map[string]any{"question": "q", "options": strings.Split(strings.Repeat("o,", mcp.MaxOptions), ",")})
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range []string{
		callOf(10, "ask", `{"question":"`+long+`"}`), callOf(11, "ask", `{"question":"q","options":["`+long+`"]}`), callOf(12, "ask", string(many)),
		callOf(13, "task_complete", `{"summary":"`+long+`"}`), callOf(14, "report_progress", `{"text":"`+long+`"}`),
		callOf(15, "task_complete", `{"summary":"`+strings.Repeat("x", 20<<20)+`"}`),
	} {
		w.say(line)
		if got := w.hear(); !strings.Contains(got, fmt.Sprintf(`"id":%d`, 10+i)) || !strings.Contains(got, "at most") || !strings.Contains(got, `"isError":true`) {
			t.Errorf("answered with %.300s", got)
		}
	}
	if err := w.end(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if len(d.told) != 1 || d.told[0] != "hello" {
		t.Errorf("the task was told %d things", len(d.told))
	}
}

func TestMessageOverTheLimitEndsTheServer(t *testing.T) {
	w := newWire(t, &desk{}).shake()
	go func() {
		chunk := strings.Repeat("x", 1<<20)
		for range mcp.MaxLine>>20 + 2 {
			if _, err := io.WriteString(w.in, chunk); err != nil {
				return // as it should be
			}
		}
	}()
	go func() { _, _ = io.Copy(io.Discard, w.out) }()
	if err := <-w.served; err == nil {
		t.Error("the server took a message without an end")
	}
}

// meeting is a task both of whose calls must be under way at once.
type meeting struct {
	desk
	mu   sync.Mutex
	came int
	both chan struct{}
}

func (m *meeting) meet(ctx context.Context) error {
	m.mu.Lock()
	if m.came++; m.came == 2 {
		close(m.both)
	}
	m.mu.Unlock()
	select {
	case <-m.both:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *meeting) Ask(ctx context.Context, _ string, _ []string) (string, error) {
	return "met", m.meet(ctx)
}

func (m *meeting) Report(ctx context.Context, _ string) error { return m.meet(ctx) }

func TestTwoCallsAreAnsweredAtOnce(t *testing.T) {
	w := newWire(t, &meeting{both: make(chan struct{})}).shake()
	w.say(callOf(2, "ask", `{"question":"and the other?"}`))
	w.say(callOf(3, "report_progress", `{"text":"while I wait"}`))
	got := w.hear() + w.hear()
	if !strings.Contains(got, `"id":2`) || !strings.Contains(got, `"id":3`) || strings.Contains(got, `"isError":true`) {
		t.Errorf("answered with %s", got)
	}
	if err := w.end(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

// patient is a task whose questions nobody answers.
type patient struct {
	desk
	asked, over chan struct{}
}

func (p *patient) Ask(ctx context.Context, _ string, _ []string) (string, error) {
	close(p.asked)
	<-ctx.Done()
	close(p.over)
	return "", context.Cause(ctx)
}

func TestQuestionEndsWithItsAgent(t *testing.T) {
	p := &patient{asked: make(chan struct{}), over: make(chan struct{})}
	w := newWire(t, p).shake()
	w.say(callOf(2, "ask", `{"question":"?"}`))
	<-p.asked
	if err := w.end(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	<-p.over
}
