package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

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
	Text       string           `json:"text,omitempty"` // the summary, what it does, or the question
	Options    []string         `json:"options,omitempty"`
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
	for i := range c.Options {
		c.Options[i] = e.redacted(c.Options[i])
	}
	var refused error
	switch r.Kind {
	case RequestHello:
		w.Tools = w.Turn
	case RequestDone:
		w.Declared = &persistence.Declaration{Turn: w.Turn, Summary: text}
	case RequestAsk:
		var q persistence.Question
		q, refused = e.ask(b, a, persistence.Question{ID: r.ID, Turn: w.Turn, Text: text, Options: c.Options, AskedAt: e.o.Now().UTC()})
		w.Questions = append(slices.Clone(w.Questions), q)
	case RequestDoing:
		w.Doing = oneLine(text)
		b.t.Events = append(b.t.Events, e.event(event.TaskActivity, a.Task, a.Number, event.Detail{Message: w.Doing}))
	}
	a.Work = w
	b.record(*a)
	return refused
}

// AnswerRequest answers a question of an agent's.
type AnswerRequest struct {
	Task     scheduler.TaskID `json:"task"`
	Question int64            `json:"question,omitempty"` // 0 = the only open one
	Text     string           `json:"text"`
}

// obeyAnswer records a person's answer, for the agent that waits or for the one that goes on with its work.
func (e *Engine) obeyAnswer(b *batch, c AnswerRequest) error {
	if err := e.known(c.Task); err != nil {
		return err
	}
	a := e.tasks[c.Task].attempt
	if a == nil || a.Work == nil || a.Outcome != "" {
		return fmt.Errorf("task %s asks nothing", c.Task)
	}
	open := a.Work.Asking()
	if c.Question != 0 {
		open = slices.DeleteFunc(open, func(q persistence.Question) bool { return q.ID != c.Question })
	}
	switch len(open) {
	case 0:
		return fmt.Errorf("task %s has no such open question", c.Task)
	case 1:
	default:
		return fmt.Errorf("task %s has %d open questions: name one", c.Task, len(open))
	}
	w := a.Work.Clone()
	w.Questions = slices.Clone(w.Questions)
	i := slices.IndexFunc(w.Questions, func(q persistence.Question) bool { return q.ID == open[0].ID })
	w.Questions[i].Answer, w.Questions[i].AnsweredAt, w.Questions[i].By = e.redacted(c.Text), e.o.Now().UTC(), persistence.ByPerson
	a.Work = w
	b.record(*a)
	b.t.Turns = append(b.t.Turns, e.turn(a.Task, a.Number, "answer", c.Text))
	b.t.Events = append(b.t.Events, e.event(event.TaskAnswered, a.Task, a.Number, event.Detail{
		Status: string(scheduler.TaskRunning), Question: open[0].ID, Message: w.Questions[i].Answer, By: persistence.ByPerson,
	}))
	e.tasks[c.Task].dismiss(b)
	return nil
}

// adopt takes over what an attempt's goroutine says of the attempt, but for what the loop knows better.
func (t *tracked) adopt(a persistence.Attempt) {
	a.Canceling = t.attempt.Canceling
	if old := t.attempt.Work; old != nil && a.Work != nil {
		a.Work.Declared, a.Work.Questions, a.Work.Tools = old.Declared, old.Questions, old.Tools
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

// answer tells the attempts that want to know what their agent has said and was answered, once that is durable.
func (e *Engine) answer(ctx context.Context, b *batch) error {
	if len(b.asked) == 0 {
		return nil
	}
	if err := e.takeRequests(ctx, b); err != nil {
		return err
	}
	for _, q := range b.asked {
		w := e.tasks[q.attempt.Task].attempt.Work.Clone()
		b.after = append(b.after, func() { q.answer <- w })
	}
	return nil
}

// goesOn says whether the next attempt of a task goes on with the session and the workspace of the one that failed:
// the agent is then told what was wrong with its work instead of beginning again.
func (e *Engine) goesOn(t *tracked) bool {
	prev := t.failure
	if prev == nil || t.attempt == nil || slices.Contains(e.options().FreshSessions, t.task.ID) {
		return false
	}
	if t.attempt.Number != prev.Number && !barelyBegun(t.attempt) || prev.Outcome != scheduler.OutcomeFailed && prev.Broke == nil {
		return false
	}
	return prev.Work != nil && prev.Work.Turn > 0 && prev.Work.At(0) != nil && prev.Work.At(0).Session != "" && e.newWork(t.task) != nil && (moved(prev) || whole(prev))
}

// barelyBegun says whether an attempt was to go on with a session and was interrupted before it said a word to it.
func barelyBegun(a *persistence.Attempt) bool {
	return a.Outcome == scheduler.OutcomeInterrupted && a.Work != nil && a.Work.Turn == 0 && a.Work.Session != ""
}

// moved says whether the attempt after this one needs another workspace, with what was merged since, although it goes on
// with the session.
func moved(prev *persistence.Attempt) bool { return prev.Misfit || prev.Broke != nil }

// takeOver makes a the continuation of an attempt that failed, or that broke what is merged.
func (e *Engine) takeOver(a, prev *persistence.Attempt) {
	own := prev.Work.At(0)
	a.Work.Session, a.Work.Counters = own.Session, own.Counters
	if own.Fallback != nil { // the session is that of another provider
		a.Work.Fallback, a.Work.Provider, a.Work.Account = own.Fallback, own.Provider, own.Account
	}
	if moved(prev) {
		a.Workspace = filepath.Join(e.o.Area, string(a.Task)) // the same folder: agents find their sessions by it
		if prev.Misfit {
			a.Onto = prev.Saved
		}
		return
	}
	a.Phase, a.Workspace, a.Base, a.Isolation = scheduler.PhaseWorking, prev.Workspace, prev.Base, prev.Isolation
}
