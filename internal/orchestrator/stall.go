package orchestrator

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/provider"
)

// The defaults of Options.StallTimeout and Options.ToolTimeout, and how often an agent that stalls is started again in
// one attempt.
const (
	DefaultStallTimeout = 15 * time.Minute
	DefaultToolTimeout  = 2 * time.Hour
	mostStalls          = 2
)

// stalledError is the cause of a turn's end that was interrupted because nothing came of it.
type stalledError struct {
	tool string        // that did not end; empty = nothing was heard
	time time.Duration // for how long
}

// Error says it to a person.
func (e *stalledError) Error() string { return e.text("it", "its") }

// toAgent says it to the agent.
func (e *stalledError) toAgent() string { return e.text("you", "your") }

func (e *stalledError) text(who, whose string) string {
	if e.tool != "" {
		return fmt.Sprintf("%s tool %s did not end within %s", whose, e.tool, e.time)
	}
	return fmt.Sprintf("nothing was heard of %s for %s", who, e.time)
}

// stallWatch ends a turn of which nothing is heard: no event for a time while no tool is at work, or one tool that is
// at work for too long. An agent that waits for a slow tool, for its model by its own word, or for a person's answer
// is left alone.
type stallWatch struct {
	quiet, tool time.Duration
	late        bool // a tool is told of when it has ended: silence may be a tool at work
	end         context.CancelCauseFunc
	now         func() time.Time

	mu    sync.Mutex
	last  time.Time // when something was heard
	until time.Time // the agent said that it waits until then
	open  map[string]openTool
	timer *time.Timer
	over  bool
}

// openTool is a tool that is at work.
type openTool struct {
	name  string
	since time.Time
}

// watchStalls gives the context of a turn. stop must be called when the turn has ended.
func (t *talk) watchStalls(ctx context.Context) (_ context.Context, w *stallWatch, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	_, late := t.agent.(provider.LateTeller)
	o := &t.at.e.o
	w = &stallWatch{
		quiet: o.StallTimeout, tool: o.ToolTimeout, late: late, end: cancel, now: time.Now, last: time.Now(), open: map[string]openTool{},
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(w.quiet, w.look)
	return ctx, w, func() {
		w.mu.Lock()
		w.over = true
		w.timer.Stop()
		w.mu.Unlock()
		cancel(nil)
	}
}

// saw takes in an event of the turn.
func (w *stallWatch) saw(e *provider.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = w.now()
	if e.Kind == provider.EventRetry && e.RetryAt.After(w.until) {
		w.until = e.RetryAt
	}
	key := e.Call
	if key == "" {
		key = e.Tool
	}
	switch e.Kind {
	case provider.EventToolCall:
		w.open[key] = openTool{name: e.Tool, since: w.last}
	case provider.EventToolResult:
		delete(w.open, key)
	}
}

// look is called when the turn may have stalled.
func (w *stallWatch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	due, stall := w.due()
	if wait := due.Sub(w.now()); wait > 0 {
		w.timer.Reset(wait)
		return
	}
	w.over = true
	w.end(stall)
}

// due says until when the turn may stay as it is, and what is wrong with it then.
func (w *stallWatch) due() (time.Time, *stalledError) {
	if len(w.open) == 0 {
		quiet := w.quiet
		if w.late {
			quiet = max(w.quiet, w.tool)
		}
		from := w.last
		if w.until.After(from) {
			from = w.until
		}
		return from.Add(quiet), &stalledError{time: quiet}
	}
	var first time.Time
	name := ""
	for _, t := range w.open {
		if asksPerson(t.name) {
			continue
		}
		if due := t.since.Add(w.tool); first.IsZero() || due.Before(first) {
			first, name = due, t.name
		}
	}
	if first.IsZero() {
		return w.now().Add(w.tool), nil
	}
	return first, &stalledError{tool: name, time: w.tool}
}

// asksPerson says whether a tool is ours by which an agent waits for a person. Every agent names it in its own way.
func asksPerson(tool string) bool {
	return strings.HasSuffix(tool, "ask") && strings.Contains(tool, "orc")
}

// stalled is how a turn goes on that was interrupted because nothing came of it.
func (t *talk) stalled(stall *stalledError) (*message, provider.Result, error) {
	at, w := t.at, t.w
	w.Open = false
	if w.Stalls++; w.Stalls > mostStalls {
		return nil, provider.Result{
			Kind: provider.KindFailed, Error: fmt.Sprintf("stalled %d times: %v", w.Stalls, stall),
		}, nil
	}
	w.Reason = stall.toAgent()
	notice := at.e.event(event.Notice, at.a.Task, at.a.Number, event.Detail{
		Message: "stalled and was interrupted; it goes on in its session: " + stall.Error(),
	})
	if err := at.e.report(progress{attempt: at.a, events: []event.Event{notice}}); err != nil {
		return nil, provider.Result{}, err
	}
	m, err := t.again()
	return m, provider.Result{}, err
}
