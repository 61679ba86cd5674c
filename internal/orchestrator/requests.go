package orchestrator

import (
	"encoding/json"
	"errors"
	"fmt"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// The kinds of requests.
const (
	RequestCancel = "cancel" // CancelRequest
	RequestRetry  = "retry"  // RetryRequest
	RequestStop   = "stop"   // StopRequest
	RequestHello  = "hello"  // AgentRequest: an agent's program has reached our tools
	RequestDone   = "done"   // AgentRequest: an agent says that its task is done
	RequestDoing  = "doing"  // AgentRequest: an agent says what it does
	RequestAsk    = "ask"    // AgentRequest: an agent asks a person
	RequestAnswer = "answer" // AnswerRequest: a person answers
	RequestAccept = "accept" // AcceptRequest: a person agrees with how a conflict was resolved
)

// CancelRequest ends tasks, or the whole run when Tasks is empty. Their work is saved.
type CancelRequest struct {
	Tasks []scheduler.TaskID `json:"tasks,omitempty"`
}

// RetryRequest puts tasks back to be tried again, with what was skipped because of them. Tasks empty = every task
// that failed, was canceled or waits with a conflict.
type RetryRequest struct {
	Tasks   []scheduler.TaskID `json:"tasks,omitempty"`
	Cascade bool               `json:"cascade,omitempty"` // also everything that depends on them
	Note    string             `json:"note,omitempty"`    // told to the next attempt
}

// StopRequest ends the owner in good order.
type StopRequest struct {
	Force bool `json:"force,omitempty"`
}

// takeRequest consumes one request in the batch's transition, with what follows from it.
func (e *Engine) takeRequest(b *batch, r persistence.Request) {
	if r.Kind == RequestEdit {
		e.takeEdit(b, r)
		return
	}
	before := e.settled
	err := e.obey(b, r)
	if before != "" && e.settled == "" {
		b.t.State = scheduler.RunRunning
	}
	done := persistence.RequestDone{ID: r.ID}
	if err != nil {
		done.Error = err.Error()
		e.log.Warn("request refused", "request", r.ID, "kind", r.Kind, "error", err)
	}
	b.t.Requests = append(b.t.Requests, done)
}

func (e *Engine) obey(b *batch, r persistence.Request) error {
	switch r.Kind {
	case RequestCancel:
		var c CancelRequest
		if err := json.Unmarshal([]byte(r.Payload), &c); err != nil {
			return fmt.Errorf("read the request: %w", err)
		}
		return e.obeyCancel(b, c)
	case RequestRetry:
		var c RetryRequest
		if err := json.Unmarshal([]byte(r.Payload), &c); err != nil {
			return fmt.Errorf("read the request: %w", err)
		}
		return e.obeyRetry(b, c)
	case RequestHello, RequestDone, RequestDoing, RequestAsk:
		return e.obeyAgent(b, r)
	case RequestAnswer:
		var c AnswerRequest
		if err := json.Unmarshal([]byte(r.Payload), &c); err != nil {
			return fmt.Errorf("read the request: %w", err)
		}
		return e.obeyAnswer(b, c)
	case RequestApprove:
		var c ApproveRequest
		if err := json.Unmarshal([]byte(r.Payload), &c); err != nil {
			return fmt.Errorf("read the request: %w", err)
		}
		return e.obeyApprove(b, c)
	case RequestBudget:
		var c BudgetRequest
		if err := json.Unmarshal([]byte(r.Payload), &c); err != nil {
			return fmt.Errorf("read the request: %w", err)
		}
		return e.obeyBudget(b, c)
	case RequestAccept:
		var c AcceptRequest
		if err := json.Unmarshal([]byte(r.Payload), &c); err != nil {
			return fmt.Errorf("read the request: %w", err)
		}
		return e.obeyAccept(b, c)
	case RequestPause:
		var c PauseRequest
		if err := json.Unmarshal([]byte(r.Payload), &c); err != nil {
			return fmt.Errorf("read the request: %w", err)
		}
		return e.obeyPause(b, c)
	case RequestStop:
		var c StopRequest
		if err := json.Unmarshal([]byte(r.Payload), &c); err != nil {
			return fmt.Errorf("read the request: %w", err)
		}
		e.beginStop(b, c.Force)
		return nil
	}
	return fmt.Errorf("unknown kind of request %q: a newer orc wrote it?", r.Kind)
}

func (e *Engine) obeyCancel(b *batch, c CancelRequest) error {
	if len(c.Tasks) == 0 {
		if err := e.step(b, scheduler.CancelRun{}); err != nil {
			return err
		}
		e.setCanceled(b, true)
		return nil
	}
	for _, id := range c.Tasks {
		if err := e.known(id); err != nil {
			return err
		}
	}
	var errs []error
	for _, id := range c.Tasks {
		errs = append(errs, e.step(b, scheduler.CancelTask{Task: id}))
	}
	return errors.Join(errs...)
}

func (e *Engine) obeyRetry(b *batch, c RetryRequest) error {
	tasks := c.Tasks
	if len(tasks) == 0 {
		for _, id := range e.order {
			if e.retryable(e.tasks[id]) {
				tasks = append(tasks, id)
			}
		}
		if len(tasks) == 0 {
			return errors.New("no task failed, was canceled or waits with a conflict")
		}
	}
	for _, id := range tasks {
		if err := e.known(id); err != nil {
			return err
		}
		if t := e.tasks[id]; t.task.Status == scheduler.TaskRunning && !held(t) {
			return fmt.Errorf("task %s is running; cancel it first", id)
		}
	}
	for _, id := range tasks {
		e.tasks[id].note = c.Note
	}
	e.lift(b)
	reopened := e.settled != "" || e.run.State.Terminal()
	if err := e.step(b, scheduler.Retry{Tasks: tasks, Cascade: c.Cascade}); err != nil {
		return err
	}
	e.setCanceled(b, false)
	if reopened && e.settled == "" {
		b.t.State = scheduler.RunRunning
	}
	return nil
}

// setCanceled makes it durable that the run was canceled, so that an owner that dies meanwhile does not undo it.
func (e *Engine) setCanceled(b *batch, canceled bool) {
	if e.run.Options.Canceled == canceled {
		return
	}
	o := e.run.Options
	o.Canceled = canceled
	e.setOptions(b, o)
}

func (e *Engine) known(id scheduler.TaskID) error {
	if e.tasks[id] == nil {
		return fmt.Errorf("no task %q in run %s", id, e.o.Run)
	}
	return nil
}

func (e *Engine) retryable(t *tracked) bool {
	switch t.task.Status {
	case scheduler.TaskFailed, scheduler.TaskCanceled:
		return true
	case scheduler.TaskSkipped:
		return t.attempt != nil // skipped by its own failure
	}
	return held(t)
}

// held says whether the task's attempt waits for a person to decide about a conflict.
func held(t *tracked) bool {
	return t.task.Status == scheduler.TaskRunning && t.attempt != nil && t.attempt.Outcome == scheduler.OutcomeConflict
}

// hold records that an attempt waits for a person.
func (e *Engine) hold(b *batch, t *tracked) {
	a := t.attempt
	a.Phase, a.Outcome = scheduler.PhaseWaiting, scheduler.OutcomeConflict
	b.record(*a)
	b.t.Events = append(b.t.Events, e.event(event.TaskConflict, a.Task, a.Number, event.Detail{
		Status: string(scheduler.TaskRunning), Phase: string(scheduler.PhaseWaiting), Paths: a.Conflicts, Error: a.Error,
	}))
}
