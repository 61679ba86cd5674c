package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/fault"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// loop is the life of the engine after loading: one input batch, one transition, its effects, and again.
func (e *Engine) loop(ctx context.Context, first *batch) (scheduler.RunState, error) {
	b := first
	poll := time.NewTicker(e.o.Poll)
	defer poll.Stop()
	var version int64 = -1
	for {
		if err := e.commit(ctx, b); err != nil {
			return "", e.fatal(err)
		}
		if e.over() {
			break
		}
		b = &batch{}
		if e.guard(b); !b.idle() {
			continue
		}
		select {
		case in := <-e.inbox:
			e.take(b, in)
			e.drain(b)
			if err := e.answer(ctx, b); err != nil {
				return "", e.fatal(err)
			}
		case force := <-e.stop:
			e.beginStop(b, force)
		case <-ctx.Done():
			e.beginStop(b, true)
			ctx = context.WithoutCancel(ctx)
		case <-e.deadline:
			e.deadline = nil
			e.cancelRunning(errStopped)
		case <-e.lease.Lost():
			return "", e.fatal(e.lease.Err())
		case <-poll.C:
			e.wake(b)
			e.wakeAwaiting(b)
			e.followEdit(b)
			v, err := e.o.Store.DataVersion(context.WithoutCancel(ctx))
			if err != nil {
				return "", e.fatal(fmt.Errorf("look for requests: %w", err))
			}
			if v != version || e.relook {
				version, e.relook = v, false
				if err := e.takeRequests(ctx, b); err != nil {
					return "", e.fatal(err)
				}
			}
			if b.idle() {
				continue
			}
		}
	}
	return e.settled, e.trouble
}

// drain takes what else is waiting, so that it shares the transition. Yielding once lets the goroutines that were
// just answered get here too.
func (e *Engine) drain(b *batch) {
	runtime.Gosched()
	for range cap(e.inbox) {
		select {
		case in := <-e.inbox:
			e.take(b, in)
		default:
			return
		}
	}
}

// over says whether there is nothing left to wait for.
func (e *Engine) over() bool { return e.settled != "" && e.live == 0 }

// commit makes a batch true and then acts on it.
func (e *Engine) commit(ctx context.Context, b *batch) error {
	e.settle(b)
	if !b.empty() {
		b.t.Run, b.t.Generation, b.t.Now = e.o.Run, e.generation, e.o.Now()
		fault.Point("engine.commit.before")
		// What happened must be recorded also when the caller no longer waits.
		if _, err := e.o.Store.Apply(context.WithoutCancel(ctx), b.t); err != nil {
			for _, c := range b.acks {
				c <- errFatal
			}
			return fmt.Errorf("record what happened: %w", err)
		}
		fault.Point("engine.commit.after")
		e.meterBatch(b)
	}
	for _, c := range b.acks {
		c <- nil
	}
	for _, f := range b.after {
		f()
	}
	for _, s := range b.starts {
		e.launch(s)
	}
	fault.Point("engine.effects")
	return nil
}

// settle ends a stopping run once nothing of it is under way.
func (e *Engine) settle(b *batch) {
	if !e.stopping || e.live > 0 || len(b.starts) > 0 || e.settled != "" {
		return
	}
	reason := "stopped; resumable"
	if e.trouble != nil {
		reason = e.trouble.Error()
		if hint := workspace.Hint(e.trouble); hint != "" {
			reason += "\n" + hint
		}
	}
	e.finish(b, scheduler.RunPaused, reason)
}

// finish records the state that the run is left in.
func (e *Engine) finish(b *batch, state scheduler.RunState, reason string) {
	if e.settled == state || e.edit != nil && !e.stopping { // what is stopped for an edit is no end
		return
	}
	e.settled = state
	b.t.State = state
	if state == scheduler.RunPaused && e.trouble != nil {
		b.t.Error = reason
	}
	d := event.Detail{State: string(state), Reason: reason, Counts: e.counts(), DurationMS: e.o.Now().Sub(e.run.CreatedAt).Milliseconds()}
	kind := event.RunFinished
	switch state {
	case scheduler.RunPaused:
		kind = event.RunPaused
	case scheduler.RunWaiting:
		kind = event.RunWaiting
		if h, held := e.holds[budgetHold]; held {
			d.Wants, d.Options = string(persistence.WishBudget), h.budget.parts
		}
		b.t.Error = reason
	case scheduler.RunFailed:
		b.t.Error = e.cause()
	}
	b.t.Events = append(b.t.Events, e.event(kind, "", 0, d))
	e.log.Info("run settled", "state", string(state))
}

func (e *Engine) counts() map[string]int {
	c := map[string]int{}
	for _, id := range e.order {
		c[string(e.tasks[id].task.Status)]++
	}
	return c
}

// cause names the first task in plan order that failed hard, else the first that failed at all.
func (e *Engine) cause() string {
	allowed := ""
	for _, id := range e.order {
		t := e.tasks[id].task
		if t.Status != scheduler.TaskFailed {
			continue
		}
		why := fmt.Sprintf("%s: %s", id, t.Error)
		if t.FailureMode == scheduler.FailHard || t.FailureMode == "" {
			return why
		}
		if allowed == "" {
			allowed = why
		}
	}
	return allowed
}

// take answers one input.
func (e *Engine) take(b *batch, in input) {
	switch in := in.(type) {
	case progress:
		t := e.tasks[in.attempt.Task]
		t.adopt(in.attempt)
		b.record(*t.attempt)
		b.t.Events = append(b.t.Events, in.events...)
		b.t.Sessions = append(b.t.Sessions, in.sessions...)
		b.t.Turns = append(b.t.Turns, in.turns...)
		b.acks = append(b.acks, in.done)
		t.dismiss(b)
	case referralStep:
		e.takeReferral(b, in)
	case referralWait:
		t := e.tasks[in.task]
		t.waiting = append(t.waiting, in.done)
		t.dismiss(b)
	case ended:
		e.takeEnded(b, in)
		e.followEdit(b)
	case cleaned:
		e.takeCleaned(b, in)
		e.followEdit(b)
	case asked:
		b.asked = append(b.asked, in)
	case budgetAsk:
		var over *overBudget
		if e.meter != nil {
			if now := e.tasks[in.attempt.Task].attempt; in.attempt.Work != nil && now.Work != nil {
				in.attempt.Work.Questions = now.Work.Questions // the loop knows better
			}
			e.meter.record(&in.attempt) // what it used may not be stored yet
			over = e.spentOut(in.attempt.Task, e.o.Now())
		}
		b.after = append(b.after, func() { in.answer <- over })
	case worked:
		e.closeCircuit(b, in.account)
	case listing:
		e.takeListing(b, in)
	case heldAsk:
		x := heldAnswer{hold: e.rawHold(in.role), over: e.standIn(in.role)}
		b.after = append(b.after, func() { in.answer <- x })
	case requested:
		for _, r := range in.list {
			e.takeRequest(b, r)
		}
	}
}

func (e *Engine) takeEnded(b *batch, in ended) {
	e.live--
	t := e.tasks[in.attempt.Task]
	t.cancel = nil
	delete(e.running, in.attempt.Task)
	e.dropListing(in.attempt.Task)
	t.dropReferrals(b)
	if w := in.attempt.Work; !in.park || w == nil || w.Wait != persistence.WaitBackOff {
		e.probeOver(in.attempt.Task)
	}
	t.adopt(in.attempt)
	in.attempt = *t.attempt
	if e.meter != nil { // what it used counts before anything starts in its place
		e.meter.record(t.attempt)
		e.guard(b)
	}
	b.t.Turns = append(b.t.Turns, in.turns...)
	b.t.Events = append(b.t.Events, in.events...)
	if in.park && asks(t.attempt) {
		e.parkForPerson(b, t)
		return
	}
	if in.park {
		e.park(b, t)
		return
	}
	switch {
	case in.blame != nil && t.attempt.Canceling:
		in.attempt.Outcome, in.attempt.Error = scheduler.OutcomeCanceled, "canceled"
	case in.blame != nil && !e.stopping:
		taken, final := e.takeBlame(b, t, in.blame)
		if taken {
			return
		}
		in.attempt, in.final = *t.attempt, final
	}
	if in.trouble != nil {
		e.log.Error("attempt cannot go on", "task", string(in.attempt.Task), "attempt", in.attempt.Number, "error", in.trouble)
		if e.trouble == nil {
			e.trouble = fmt.Errorf("task %s: %w", in.attempt.Task, in.trouble)
		}
		b.t.Events = append(b.t.Events, e.event(event.Notice, in.attempt.Task, in.attempt.Number, event.Detail{Message: in.trouble.Error()}))
	}
	switch {
	case in.attempt.Outcome == scheduler.OutcomeFailed && in.attempt.Resolve != nil:
		unresolved(t.attempt)
		in.attempt.Outcome, in.attempt.Error, in.final = t.attempt.Outcome, t.attempt.Error, true
	case in.attempt.Outcome == scheduler.OutcomeConflict && in.attempt.Resolve != nil:
		in.final = true // a person decides now
	}
	if in.attempt.Outcome == "" { // parked: the next owner goes on with it
		b.record(in.attempt)
		e.beginStop(b, false)
		return
	}
	if in.lost {
		t.lost++
		if t.lost > maxLost {
			in.attempt.Outcome, in.final = scheduler.OutcomeFailed, true
			in.attempt.Error = fmt.Sprintf("its supervising process was killed %d times", t.lost)
		}
	}
	t.attempt.Phase, t.attempt.EndedAt = scheduler.PhaseDone, e.o.Now()
	t.attempt.Outcome, t.attempt.Error = in.attempt.Outcome, in.attempt.Error
	t.remember()
	e.bar(b, cmp.Or(in.role, t.task.AgentRole), in.kind, in.attempt.Error)
	outcome := in.attempt.Outcome
	if outcome == scheduler.OutcomeConflict && e.resolverWanted(t) {
		e.handOver(b, t)
		outcome = scheduler.OutcomeInterrupted // to the scheduler: another attempt follows, and none is spent
	}
	e.must(b, scheduler.AttemptEnded{
		Task: in.attempt.Task, Outcome: outcome, Result: in.result, Error: in.attempt.Error, Final: in.final,
	})
	if t.attempt.Outcome == scheduler.OutcomeSucceeded {
		e.must(b, scheduler.Learned{Task: in.attempt.Task, Duration: t.attempt.EndedAt.Sub(t.attempt.StartedAt)})
		e.cleanLater(b, t.attempt)
	}
}

// cleanLater has the workspace of a merged attempt taken away once the batch is true.
func (e *Engine) cleanLater(b *batch, a *persistence.Attempt) {
	if a == nil || a.Workspace == "" || a.Cleaned {
		return
	}
	done := *a
	e.live++
	e.tasks[a.Task].cleaning = true
	b.after = append(b.after, func() { e.clean(done) })
}

// maxLost is how often a task may lose its supervisor under one owner before it is the suspect.
const maxLost = 3

func (e *Engine) takeCleaned(b *batch, in cleaned) {
	e.live--
	e.tasks[in.attempt.Task].cleaning = false
	if in.err != nil {
		e.log.Warn("workspace stays", "task", string(in.attempt.Task), "error", in.err)
		b.t.Events = append(b.t.Events, e.event(event.Notice, in.attempt.Task, in.attempt.Number,
			event.Detail{Message: "its workspace could not be removed: " + in.err.Error()}))
		return
	}
	in.attempt.Cleaned = true
	if t := e.tasks[in.attempt.Task]; t.attempt.Number == in.attempt.Number {
		*t.attempt = in.attempt
	}
	b.record(in.attempt)
}

// beginStop stops starting. Running commands get the grace period to end by themselves, or none.
func (e *Engine) beginStop(b *batch, force bool) {
	if !e.stopping {
		e.stopping = true
		e.must(b, scheduler.Pause{})
		e.stopListings(b)
		if !force && e.deadline == nil {
			e.deadline = time.After(e.o.Grace)
		}
	}
	if force {
		e.deadline = nil
		e.cancelRunning(errStopped)
	}
}

func (e *Engine) cancelRunning(cause error) {
	for _, t := range e.tasks {
		if t.cancel != nil {
			t.cancel(cause)
		}
	}
}

// fatal ends everything without writing another word: the store or the lease is gone.
func (e *Engine) fatal(err error) error {
	e.log.Error("engine ends", "error", err)
	e.abort(errors.Join(errFatal, err))
	return err
}

// report makes a step of an attempt durable. An error means that the attempt must end at once without a word.
func (e *Engine) report(p progress) error {
	p.done = make(chan error, 1)
	p.attempt.Work = p.attempt.Work.Clone() // the attempt goes on with its own
	select {
	case e.inbox <- p:
	case <-e.ctx.Done():
		return errFatal
	}
	select {
	case err := <-p.done:
		return err
	case <-e.ctx.Done():
		return errFatal
	}
}

// tell hands the loop an input that needs no answer.
func (e *Engine) tell(in input) {
	select {
	case e.inbox <- in:
	case <-e.ctx.Done():
	}
}
