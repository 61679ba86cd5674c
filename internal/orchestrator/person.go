package orchestrator

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// RequestApprove is the kind of an ApproveRequest.
const RequestApprove = "approve"

// ApproveRequest is a person's word on what attempts wait for: yes, or no with the reason.
type ApproveRequest struct {
	Items  []Approved `json:"items"`
	Reject bool       `json:"reject,omitempty"`
	Reason string     `json:"reason,omitempty"` // of a rejection
}

// Approved is what a person has looked at: a word on anything else is refused.
type Approved struct {
	Task    scheduler.TaskID `json:"task"`
	Attempt int              `json:"attempt"`
	Wants   persistence.Wish `json:"wants"` // start, merge or review
}

// asks says whether an attempt waits for a person's word, or for a slot after it was given.
func asks(a *persistence.Attempt) bool {
	return a != nil && a.Phase == scheduler.PhaseWaiting && a.Outcome == "" && a.Consent.Wants != ""
}

// needsYes says whether a person has to say yes to a step of the attempt's task, and has not.
func (at *attempt) needsYes(step scheduler.Approval) bool {
	if !slices.Contains(at.e.options().Approvals(at.a.Task), step) {
		return false
	}
	if step == scheduler.ApproveStart {
		return !at.a.Consent.Start
	}
	agreed := at.a.Resolve != nil && at.a.Resolve.Agreed // a yes to the resolved conflict is one to its merge
	return !agreed && at.a.Consent.Merge != at.a.Saved
}

// mayStart asks for what an attempt needs before it begins its work; nil = it has all.
func (at *attempt) mayStart(from scheduler.Phase, exit *recordedExit) *ended {
	if exit != nil || from != scheduler.PhasePreparing && from != scheduler.PhaseWorking {
		return nil
	}
	if from == scheduler.PhasePreparing && at.needsYes(scheduler.ApproveStart) {
		return new(at.ask(persistence.WishStart, ""))
	}
	if at.a.Work != nil && from == scheduler.PhaseWorking { // it is asked before each turn
		return nil
	}
	if err := at.mayGoOn(); err != nil {
		return new(at.end(err, "look at the budget"))
	}
	at.began = true
	return nil
}

// ask has the attempt wait for a person where it is. The wait is data, not a goroutine.
func (at *attempt) ask(wish persistence.Wish, reason string) ended {
	c := &at.a.Consent
	c.Wants, c.Reason, c.Back, c.Since, c.Given, c.Parts = wish, reason, at.a.Phase, at.e.o.Now().UTC(), false, nil
	at.a.Phase = scheduler.PhaseWaiting
	return ended{park: true}
}

// parkForPerson records that an attempt waits for a person.
func (e *Engine) parkForPerson(b *batch, t *tracked) {
	a := t.attempt
	if a.Asks() == persistence.WishBudget && !a.Canceling && !e.stopping && e.spentOut(a.Task, e.o.Now()) == nil {
		e.goOn(b, t) // more was given meanwhile; it has its slot still
		return
	}
	b.record(*a)
	b.t.Events = append(b.t.Events, e.sayAsking(a))
	e.must(b, scheduler.Parked{Task: a.Task, Person: true})
}

// sayAsking is the event of an attempt that waits for a person.
func (e *Engine) sayAsking(a *persistence.Attempt) event.Event {
	kind := event.TaskApproval
	if a.Consent.Wants == persistence.WishBudget {
		kind = event.TaskBudget
	}
	return e.event(kind, a.Task, a.Number, event.Detail{
		Status: string(scheduler.TaskRunning), Phase: string(scheduler.PhaseWaiting), Wants: string(a.Consent.Wants), Reason: a.Consent.Reason, Options: a.Consent.Parts,
		Commit: a.Saved, Ref: a.SavedRef, Files: a.Files, Additions: a.Additions, Deletions: a.Deletions,
	})
}

// grant gives an attempt what it wants: it goes on as soon as it has a slot.
func (e *Engine) grant(b *batch, t *tracked) {
	a := t.attempt
	switch a.Consent.Wants {
	case persistence.WishStart:
		a.Consent.Start, t.startable = true, true
	case persistence.WishMerge:
		a.Consent.Merge = a.Saved
	case persistence.WishReview:
		a.Work = a.Work.Clone()
		a.Work.Ruling = persistence.RulingAccept
	}
	a.Consent.Given = true
	b.record(*a)
	b.t.Events = append(b.t.Events, e.event(event.TaskGranted, a.Task, a.Number, event.Detail{
		Status: string(scheduler.TaskRunning), Wants: string(a.Consent.Wants),
	}))
	e.must(b, scheduler.Due{Task: a.Task})
}

// obeyApprove follows a person's word. It counts for all the tasks or for none.
func (e *Engine) obeyApprove(b *batch, c ApproveRequest) error {
	for _, x := range c.Items {
		if err := e.known(x.Task); err != nil {
			return err
		}
		t := e.tasks[x.Task]
		if t.task.Status != scheduler.TaskRunning || !asks(t.attempt) || t.attempt.Canceling || t.attempt.Asks() != x.Wants || t.attempt.Number != x.Attempt {
			return fmt.Errorf("task %s does not wait for that any more", x.Task)
		}
		if !x.Wants.TakesYes() {
			return fmt.Errorf("task %s waits for more budget, not for a yes", x.Task)
		}
	}
	var errs []error
	for _, x := range c.Items {
		if t := e.tasks[x.Task]; c.Reject {
			errs = append(errs, e.reject(b, t, c.Reason))
		} else {
			e.grant(b, t)
		}
	}
	return errors.Join(errs...)
}

// reject ends an attempt by a person's no. Work that they do not want goes back: another attempt is told why, and that
// spends none of those that the plan allows. A task that they do not want to start has failed.
func (e *Engine) reject(b *batch, t *tracked, reason string) error {
	a := t.attempt
	if a.Consent.Wants == persistence.WishReview {
		e.backToWork(b, t, reason)
		return nil
	}
	merge := a.Consent.Wants == persistence.WishMerge
	a.Error = "rejected by a person"
	if reason = strings.TrimSpace(reason); reason != "" {
		a.Error += ": " + e.redacted(reason)
	}
	a.Outcome, a.Rejected, a.ExitCode, a.Output = scheduler.OutcomeFailed, merge, nil, "" // how its command ended is not why
	a.Phase, a.EndedAt = scheduler.PhaseDone, e.o.Now()
	t.remember()
	if a.Resolve != nil { // the resolver begins anew
		t.note = a.Error
	}
	b.record(*a)
	return e.step(b, scheduler.AttemptEnded{
		Task: a.Task, Outcome: scheduler.OutcomeFailed, Error: a.Error, Final: !merge, Rejected: merge,
	})
}

// restoreAsking tells the rebuilt state which attempts have got what they wanted, and looks again at the budgets: one may
// have been raised.
func (e *Engine) restoreAsking(b *batch) {
	e.guard(b)
	if e.meter != nil {
		e.relent(b)
	}
	for _, id := range e.order {
		t := e.tasks[id]
		if t.task.Status == scheduler.TaskRunning && asks(t.attempt) && t.attempt.Consent.Given && !t.attempt.Canceling {
			e.must(b, scheduler.Due{Task: id})
		}
	}
}
