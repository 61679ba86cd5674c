package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// RequestBudget is the kind of a BudgetRequest.
const RequestBudget = "budget"

// BudgetRequest gives a task, or the run when Task is empty, another budget. Parts that are zero stay as they are.
type BudgetRequest struct {
	Task scheduler.TaskID `json:"task,omitempty"`
	More scheduler.Budget `json:"more,omitzero"` // on top of the present one
	Set  scheduler.Budget `json:"set,omitzero"`  // instead of it
}

// budgetHold is the name of the hold that keeps everything from starting while the run's budget is used up.
const budgetHold = "the run's budget"

// overBudget is why a turn does not start, or is interrupted.
type overBudget struct {
	reason string   // "its budget is used up: ≈$1.60 of $1.50"
	parts  []string // cost, tokens, time: those that are used up
}

func (o *overBudget) Error() string { return o.reason }

// used says which parts of a budget are used up, and how much of them; nil = none.
func used(whose string, b, spent scheduler.Budget) *overBudget {
	cost, tokens, clock := b.Reached(spent)
	var parts, much []string
	if cost {
		parts, much = append(parts, "cost"), append(much, fmt.Sprintf("≈$%.2f of $%.2f", spent.Cost, b.Cost))
	}
	if tokens {
		parts, much = append(parts, "tokens"), append(much, fmt.Sprintf("%d of %d tokens", spent.Tokens, b.Tokens))
	}
	if clock {
		parts, much = append(parts, "time"), append(much, fmt.Sprintf("%s of %s", spent.Time.Round(time.Second), b.Time))
	}
	if parts == nil {
		return nil
	}
	return &overBudget{reason: whose + " budget is used up: " + strings.Join(much, ", "), parts: parts}
}

// spentOut says how the budget of a task, or else that of the run, is used up; nil = neither is.
func (e *Engine) spentOut(id scheduler.TaskID, now time.Time) *overBudget {
	if e.meter == nil {
		return nil
	}
	if b := e.run.Options.BudgetFor(id); !b.IsZero() {
		if over := used("its", b, e.meter.task(id).at(now)); over != nil {
			return over
		}
	}
	return e.runSpentOut(now)
}

// runSpentOut says how the budget of the run is used up.
func (e *Engine) runSpentOut(now time.Time) *overBudget {
	return used("the run's", e.run.Options.Budget, e.meter.run.at(now))
}

// measure makes the meter, when there is something to measure for.
func (e *Engine) measure(attempts []persistence.Attempt, events []event.Event) {
	if e.run.Options.Bounded() {
		e.meter = newMeter(attempts, events)
		e.bounded.Store(true)
	}
}

// meterBatch takes in what has just been stored.
func (e *Engine) meterBatch(b *batch) {
	if e.meter == nil {
		return
	}
	for i := range b.t.Attempts {
		e.meter.record(&b.t.Attempts[i])
	}
	for i := range b.t.Events {
		ev := b.t.Events[i]
		if ev.Time.IsZero() {
			ev.Time = b.t.Now
		}
		e.meter.fold(&ev)
	}
}

// guard keeps the budgets: at a limit nothing further starts, and agents at work are interrupted. It is called between
// any two transitions and costs nothing where nothing is bounded.
func (e *Engine) guard(b *batch) {
	if e.meter == nil {
		return
	}
	now := e.o.Now()
	if _, held := e.holds[budgetHold]; !held && !e.settled.Terminal() {
		if over := e.runSpentOut(now); over != nil {
			e.holdAll(b, over)
		}
	}
	for id := range e.running {
		t := e.tasks[id]
		if t.cancel == nil || t.attempt.Phase != scheduler.PhaseWorking && t.attempt.Phase != scheduler.PhasePreparing {
			continue // its work is done; what is left costs next to nothing
		}
		if over := e.spentOut(id, now); over != nil {
			t.cancel(over)
		}
	}
}

// holdAll keeps everything from starting because the run's budget is used up, and makes that durable for those who look
// at the run.
func (e *Engine) holdAll(b *batch, over *overBudget) {
	e.setOverspent(b, over.reason)
	e.holdAgents(b, budgetHold, hold{reason: over.reason, budget: over})
}

func (e *Engine) setOverspent(b *batch, why string) {
	if e.run.Options.Overspent == why {
		return
	}
	o := e.run.Options
	o.Overspent = why
	e.setOptions(b, o)
}

// mayGoOn asks the loop whether the budgets let a task begin a turn, a command or an attempt. What was used until then
// counts.
func (at *attempt) mayGoOn() error {
	e := at.e
	if !e.bounded.Load() {
		return nil
	}
	q := budgetAsk{attempt: at.a, answer: make(chan *overBudget, 1)}
	q.attempt.Work = q.attempt.Work.Clone()
	select {
	case e.inbox <- q:
	case <-e.ctx.Done():
		return errFatal
	}
	select {
	case over := <-q.answer:
		if over == nil {
			return nil
		}
		return over
	case <-e.ctx.Done():
		return errFatal
	}
}

// stopSpending ends what an attempt does because a budget is used up. A command cannot go on where it was: its work is
// saved, and its next attempt waits before it begins. Anything else waits where it is.
func (at *attempt) stopSpending(over *overBudget) ended {
	a := &at.a
	if w := a.Work; w != nil {
		w.Open = false
		w.Reason = "the budget was used up, and a person has given more"
	} else if a.Phase == scheduler.PhaseWorking && at.began {
		a.Outcome, a.Error = scheduler.OutcomeInterrupted, over.reason
		return at.keep("interrupted", ended{})
	}
	end := at.ask(persistence.WishBudget, over.reason)
	a.Consent.Parts = over.parts
	return end
}

// wantBudget has an attempt wait for more budget whose time has come: until then it waited for that.
func (e *Engine) wantBudget(b *batch, t *tracked, over *overBudget) {
	a := t.attempt
	a.Work = a.Work.Clone()
	a.Work.Wait, a.NotBefore = "", time.Time{}
	a.Consent.Wants, a.Consent.Back, a.Consent.Reason = persistence.WishBudget, scheduler.PhaseWorking, over.reason
	a.Consent.Since, a.Consent.Given, a.Consent.Parts = e.o.Now().UTC(), false, over.parts
	b.record(*a)
	b.t.Events = append(b.t.Events, e.sayAsking(a))
	e.must(b, scheduler.Parked{Task: a.Task, Person: true})
}

// obeyBudget gives more budget, and lets go on what waited for it.
func (e *Engine) obeyBudget(b *batch, c BudgetRequest) error {
	if c.Task != "" {
		if err := e.known(c.Task); err != nil {
			return err
		}
	}
	o := e.run.Options
	old := o.Budget
	if c.Task != "" {
		old = o.BudgetFor(c.Task)
	}
	if !o.MayRaise(c.Task, c.More) {
		return errors.New("there is no such budget to add to: give its whole amount, without +")
	}
	now := raised(old, c)
	if c.Task == "" {
		o.Budget = now
	} else {
		own := map[scheduler.TaskID]scheduler.Budget{c.Task: now}
		for id, x := range o.BudgetOf {
			if id != c.Task {
				own[id] = x
			}
		}
		o.BudgetOf = own
	}
	e.setOptions(b, o)
	if e.meter == nil {
		if err := e.measureAnew(); err != nil {
			return err
		}
	}
	e.relent(b)
	return nil
}

// measureAnew reads what was spent before anything was bounded.
func (e *Engine) measureAnew() error {
	ctx := context.WithoutCancel(e.ctx)
	attempts, err := e.o.Store.ListAttempts(ctx, e.o.Run, "")
	if err != nil {
		return fmt.Errorf("read what was spent: %w", err)
	}
	events, err := e.o.Store.Events(ctx, e.o.Run, 0, 0)
	if err != nil {
		return fmt.Errorf("read what was spent: %w", err)
	}
	e.measure(attempts, events)
	return nil
}

// raised is a budget after a request.
func raised(old scheduler.Budget, c BudgetRequest) scheduler.Budget {
	set := old
	if c.Set.Cost > 0 {
		set.Cost = c.Set.Cost
	}
	if c.Set.Tokens > 0 {
		set.Tokens = c.Set.Tokens
	}
	if c.Set.Time > 0 {
		set.Time = c.Set.Time
	}
	return set.Add(c.More)
}

// relent lets go on what waits for more budget and has it by now.
func (e *Engine) relent(b *batch) {
	now := e.o.Now()
	if _, held := e.holds[budgetHold]; held && e.runSpentOut(now) == nil {
		e.release(b, budgetHold)
	}
	if _, held := e.holds[budgetHold]; !held {
		e.setOverspent(b, "")
	}
	for _, id := range e.order {
		t := e.tasks[id]
		waiting := t.task.Status == scheduler.TaskRunning && asks(t.attempt) && t.attempt.Asks() == persistence.WishBudget && !t.attempt.Canceling
		if waiting && e.spentOut(id, now) == nil {
			e.grant(b, t)
		}
	}
}
