package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// AgentRequest is what an agent says through its tools. It counts only for the attempt and the owner that started the
// agent: what a survivor says is refused.
type AgentRequest struct {
	Task       scheduler.TaskID `json:"task"`
	Attempt    int              `json:"attempt"`
	Generation int64            `json:"generation"`
	Text       string           `json:"text,omitempty"` // the summary, or what it does
}

// obeyAgent follows what an agent says.
func (e *Engine) obeyAgent(b *batch, r persistence.Request) error {
	var c AgentRequest
	if err := json.Unmarshal([]byte(r.Payload), &c); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	if err := e.known(c.Task); err != nil {
		return err
	}
	t := e.tasks[c.Task]
	a := t.attempt
	if c.Generation != e.generation || a == nil || a.Number != c.Attempt || a.Work == nil || !a.Work.Open || t.cancel == nil {
		return errors.New("this attempt is not under way any more")
	}
	w := a.Work.Clone()
	text := e.redacted(c.Text)
	switch r.Kind {
	case RequestDone:
		w.Declared = &persistence.Declaration{Turn: w.Turn, Summary: text}
	case RequestDoing:
		w.Doing = oneLine(text)
		b.t.Events = append(b.t.Events, e.event(event.TaskActivity, a.Task, a.Number, event.Detail{Message: w.Doing}))
	}
	a.Work = w
	b.record(*a)
	return nil
}

// adopt takes over what an attempt's goroutine says of the attempt, but for what the loop knows better.
func (t *tracked) adopt(a persistence.Attempt) {
	a.Canceling = t.attempt.Canceling
	if old := t.attempt.Work; old != nil && a.Work != nil {
		a.Work.Declared = old.Declared
		if a.Work.Turn == old.Turn {
			a.Work.Doing = old.Doing
		}
	}
	*t.attempt = a
}

// takeRequests consumes what clients have asked for.
func (e *Engine) takeRequests(ctx context.Context, b *batch) error {
	list, err := e.o.Store.PendingRequests(context.WithoutCancel(ctx), e.o.Run)
	if err != nil {
		return fmt.Errorf("read requests: %w", err)
	}
	if len(list) > 0 {
		e.take(b, requested{list})
	}
	return nil
}

// answer answers the attempts that want to know whether their agent has said that it is done: once what was said is
// durable.
func (e *Engine) answer(ctx context.Context, b *batch) error {
	if len(b.asked) == 0 {
		return nil
	}
	if err := e.takeRequests(ctx, b); err != nil {
		return err
	}
	for _, q := range b.asked {
		d := e.tasks[q.attempt.Task].attempt.Work.Declared
		b.after = append(b.after, func() { q.answer <- d })
	}
	return nil
}

// goesOn says whether the next attempt of a task goes on with the session and the workspace of the one that failed:
// the agent is then told what was wrong with its work instead of beginning again.
func (e *Engine) goesOn(t *tracked) bool {
	prev := t.failure
	return prev != nil && t.attempt != nil && t.attempt.Number == prev.Number && prev.Outcome == scheduler.OutcomeFailed &&
		prev.Work != nil && prev.Work.Session != "" && prev.Work.Turn > 0 && e.newWork(t.task) != nil && whole(prev)
}

// takeOver makes a the continuation of an attempt that failed.
func (e *Engine) takeOver(a, prev *persistence.Attempt) {
	a.Phase, a.Workspace, a.Base, a.Isolation = scheduler.PhaseWorking, prev.Workspace, prev.Base, prev.Isolation
	a.Work.Session, a.Work.Counters = prev.Work.Session, prev.Work.Counters
}
