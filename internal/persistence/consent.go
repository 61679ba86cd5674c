package persistence

import (
	"time"

	"orchestrator/internal/scheduler"
)

// Wish is what an attempt wants of a person.
type Wish string

// The wishes.
const (
	WishStart  Wish = "start"  // a yes to its start
	WishMerge  Wish = "merge"  // a yes to the merge of its work
	WishReview Wish = "review" // a word on work that its reviewer rejects again and again
	WishBudget Wish = "budget" // more budget
)

// TakesYes says whether a yes or a no is what is wanted.
func (w Wish) TakesYes() bool { return w == WishStart || w == WishMerge || w == WishReview }

// Consent is what an attempt wants of a person before it goes on, and what they have said.
type Consent struct {
	Wants  Wish            `json:"wants,omitempty"`  // what it waits for now
	Since  time.Time       `json:"since,omitzero"`   // since when
	Reason string          `json:"reason,omitempty"` // of a budget: which one, and how much of it is used
	Parts  []string        `json:"parts,omitempty"`  // of a budget: cost, tokens, time: those that are used up
	Back   scheduler.Phase `json:"back,omitempty"`   // the phase in which it goes on
	Given  bool            `json:"given,omitempty"`  // it got what it wants; it only waits for a slot
	Start  bool            `json:"start,omitempty"`  // a person said yes to the start of the task
	Merge  string          `json:"merge,omitempty"`  // the saved commit to whose merge a person said yes
}

// Asks is what an attempt waits for a person to give; empty = it does not.
func (a *Attempt) Asks() Wish {
	if a.Phase != scheduler.PhaseWaiting || a.Outcome != "" || a.Consent.Given {
		return ""
	}
	return a.Consent.Wants
}

// Approvals are the steps of a task that a person has to say yes to.
func (o *RunOptions) Approvals(task scheduler.TaskID) []scheduler.Approval {
	if own, ok := o.ApproveOf[task]; ok {
		return own
	}
	return o.Approve
}

// BudgetFor is the budget of a task; zero = none.
func (o *RunOptions) BudgetFor(task scheduler.TaskID) scheduler.Budget {
	if own, ok := o.BudgetOf[task]; ok {
		return own
	}
	return o.TaskBudget
}

// MayRaise says whether there is a budget of a task, or of the run when task is empty, that more can be added to.
func (o *RunOptions) MayRaise(task scheduler.TaskID, more scheduler.Budget) bool {
	b := o.Budget
	if task != "" {
		b = o.BudgetFor(task)
	}
	return (more.Cost == 0 || b.Cost > 0) && (more.Tokens == 0 || b.Tokens > 0) && (more.Time == 0 || b.Time > 0)
}

// Bounded says whether anything has a budget.
func (o *RunOptions) Bounded() bool {
	return !o.Budget.IsZero() || !o.TaskBudget.IsZero() || len(o.BudgetOf) > 0
}

// Spent is what the turns of an attempt used of a budget, and those of agents that were asked its questions. What nobody
// priced costs nothing.
func (w *Work) Spent() (b scheduler.Budget) {
	if w == nil {
		return b
	}
	for _, u := range w.AllUsed() {
		b.Tokens += u.Input + u.Output
		if u.Priced {
			b.Cost += u.Cost
		}
	}
	return b
}
