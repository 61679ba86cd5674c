package orchestrator

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"orchestrator/internal/event"
	"orchestrator/internal/fault"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// step asks the scheduler what follows from an input and puts that into the batch. An error says why the input was
// refused; it changed nothing then.
func (e *Engine) step(b *batch, in scheduler.Input) (err error) {
	for _, f := range e.state.Step(in) {
		switch f := f.(type) {
		case scheduler.Changed:
			e.changed(b, f)
		case scheduler.Start:
			e.prepareStart(b, f)
		case scheduler.GoOn:
			if t := e.tasks[f.Task]; awaits(t.attempt) {
				e.mergeAgain(b, t)
			} else {
				e.goOn(b, t)
			}
		case scheduler.Stop:
			if t := e.tasks[f.Task]; t.cancel == nil && (waits(t.attempt) || asks(t.attempt)) {
				e.endParked(b, t)
			} else if t.cancel != nil {
				cancel := t.cancel
				b.after = append(b.after, func() { cancel(errCanceled) })
				t.attempt.Canceling = true
				b.record(*t.attempt)
			}
		case scheduler.Retrying: // changed has said so
		case scheduler.Held:
			e.hold(b, e.tasks[f.Task])
		case scheduler.Refused:
			err = errors.New(f.Reason)
		case scheduler.Quiet:
			reason := ""
			if f.State == scheduler.RunWaiting {
				reason = e.heldFor()
			}
			if !e.stopping || f.State.Terminal() { // else settle does it, when the attempts have ended
				e.finish(b, f.State, reason)
			}
		}
	}
	return err
}

// must is step for inputs that the scheduler has no reason to refuse; if it does, the run stops with that error.
func (e *Engine) must(b *batch, in scheduler.Input) {
	if err := e.step(b, in); err != nil {
		e.log.Error("the scheduler refused what happened", "input", fmt.Sprintf("%T", in), "error", err)
		if e.trouble == nil {
			e.trouble = fmt.Errorf("the scheduler refused %T: %w", in, err)
		}
		e.beginStop(b, false)
	}
}

// changed records a task's new state with the one event that says so.
func (e *Engine) changed(b *batch, c scheduler.Changed) {
	t := e.tasks[c.Task]
	t.task.Status, t.task.Result, t.task.Error = c.To, c.Result, c.Error
	b.change(persistence.TaskChange{Task: c.Task, From: c.From, To: c.To, Result: c.Result, Error: c.Error})
	d := event.Detail{Status: string(c.To), Reason: c.Reason}
	number := 0
	a := t.attempt
	if a != nil {
		number = a.Number
	}
	var kind event.Kind
	switch {
	case c.From == scheduler.TaskEligible && c.To == scheduler.TaskRunning:
		return // its Start effect follows and says more
	case c.From == scheduler.TaskRunning && c.To == scheduler.TaskEligible:
		kind = event.TaskRetrying
		d.Attempts, d.Error, d.Output, d.ExitCode, d.Rejected = t.task.Attempts, a.Error, excerpt(a.Output), a.ExitCode, a.Rejected
		if a.Outcome == scheduler.OutcomeInterrupted {
			kind, d.Action = event.TaskInterrupted, "again"
		}
		b.record(*a)
	case c.To == scheduler.TaskEligible:
		kind, number = event.TaskEligible, 0
	case c.To == scheduler.TaskPending:
		kind, d.Message = event.TaskReset, t.note
	case c.To == scheduler.TaskCompleted:
		kind = event.TaskCompleted
		e.sayDone(&d, t)
	case c.To == scheduler.TaskFailed:
		kind, d.Error = event.TaskFailed, c.Error
		d.Allowed = t.task.FailureMode == scheduler.FailSoft
		e.sayDone(&d, t)
	case c.To == scheduler.TaskSkipped:
		kind, d.Error = event.TaskSkipped, c.Error
		if c.From == scheduler.TaskRunning {
			d.Allowed = true
			e.sayDone(&d, t)
		} else {
			number = 0
		}
	case c.To == scheduler.TaskCanceled:
		kind = event.TaskCanceled
	}
	if a != nil && (c.From == scheduler.TaskRunning) && c.To.Terminal() {
		if c.To == scheduler.TaskCanceled {
			a.Outcome = scheduler.OutcomeCanceled
		}
		a.Phase = scheduler.PhaseDone
		if a.EndedAt.IsZero() {
			a.EndedAt = e.o.Now()
		}
		b.record(*a)
	}
	if kind != event.TaskEligible || !fault.Mutant("silent-change") {
		b.t.Events = append(b.t.Events, e.event(kind, c.Task, number, d))
	}
	e.log.Info("task changed", "task", string(c.Task), "from", string(c.From), "to", string(c.To))
}

// sayDone adds what the ended attempt came to.
func (e *Engine) sayDone(d *event.Detail, t *tracked) {
	a := t.attempt
	if a == nil {
		return
	}
	d.Files, d.Additions, d.Deletions, d.ExitCode = a.Files, a.Additions, a.Deletions, a.ExitCode
	d.Attempts, d.Commit = t.task.Attempts, a.MergeNew
	if !a.StartedAt.IsZero() && !a.EndedAt.IsZero() {
		d.DurationMS = a.EndedAt.Sub(a.StartedAt).Milliseconds()
	}
	switch a.Outcome {
	case scheduler.OutcomeSucceeded:
		d.Gates = len(t.task.Verify)
	case scheduler.OutcomeFailed, scheduler.OutcomeConflict:
		d.Output = excerpt(a.Output)
	}
}

// prepareStart makes the record of a new attempt, so that it is durable before anything is started.
func (e *Engine) prepareStart(b *batch, s scheduler.Start) {
	t := e.tasks[s.Task]
	name := string(s.Task) + "." + strconv.Itoa(s.Number)
	a := persistence.Attempt{
		Run: e.o.Run, Task: s.Task, Number: s.Number, Generation: e.generation, Phase: scheduler.PhasePreparing,
		Isolation: t.task.Isolation, Log: filepath.Join(e.o.Folder, "log", name+".log"), Note: t.note, StartedAt: e.o.Now(),
	}
	d := event.Detail{Status: string(scheduler.TaskRunning), Agent: t.task.AgentRole, Attempts: max(t.task.Attempts, 1)}
	a.Resolve = resolution(t.attempt)
	does := e.does(t.task, &a)
	a.Work, d.Agent = e.newWork(does), does.AgentRole
	if a.Resolve != nil {
		a.Workspace = filepath.Join(e.o.Area, string(s.Task))
	} else if e.goesOn(t) {
		e.takeOver(&a, t.failure)
	} else if t.task.Isolation == scheduler.IsolationNone {
		asked := !t.startable && slices.Contains(e.run.Options.Approvals(s.Task), scheduler.ApproveStart)
		if t.task.Command != "" && !asked { // nothing has to be prepared: one step fewer to make durable
			a.Phase = scheduler.PhaseWorking
			b.t.Turns = append(b.t.Turns, e.turn(s.Task, s.Number, "user", t.task.Command))
		}
	} else {
		a.Workspace = filepath.Join(e.o.Area, string(s.Task))
	}
	if m := t.found; m != nil && m.Number == s.Number {
		// A power cut took the record of this attempt; git has its work.
		a.Phase, a.Base, a.Saved, a.SavedRef, a.Workspace = scheduler.PhaseMerging, m.Before, m.Tip, t.pin, ""
		a.Consent.Merge = m.Tip
	}
	if f := e.standIn(does.AgentRole); f != nil && a.Work != nil && a.Work.Fallback == nil {
		a.Work = goOver(a.Work, f, e.run.Options.Agents[f.Role])
	}
	d.Phase = string(a.Phase)
	t.note = ""
	a.Consent.Start = t.startable
	last := t.attempt
	t.before, t.attempt = last, &a
	if e.settled != "" {
		e.settled, b.t.State = "", scheduler.RunRunning
	}
	e.live++
	b.record(a)
	b.t.Events = append(b.t.Events, e.event(event.TaskStarted, s.Task, s.Number, d))
	if a.Work != nil && a.Work.Fallback != nil {
		b.t.Events = append(b.t.Events, e.sayFallback(&a))
	}
	b.starts = append(b.starts, start{attempt: a, from: a.Phase, last: last})
}
