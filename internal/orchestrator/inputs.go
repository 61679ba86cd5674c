package orchestrator

import (
	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// input is something that happened and that the loop has to answer to.
type input interface{ isInput() }

// progress is a step of an attempt that has to be durable before the attempt goes on.
type progress struct {
	attempt persistence.Attempt
	events  []event.Event
	turns   []persistence.TaskTurn

	sessions []persistence.Session
	done     chan error // gets nil when the step is in the store
}

// ended is the end of an attempt's goroutine.
type ended struct {
	attempt persistence.Attempt // Outcome says how; empty = parked, to be adopted by the next owner
	result  *string
	final   bool // trying again cannot help
	turns   []persistence.TaskTurn
	events  []event.Event
	trouble error         // what went wrong was ours, not the task's: the attempt is parked and the run stops
	lost    bool          // its supervisor went away
	park    bool          // it waits until a time
	kind    provider.Kind // of the failure
	blame   *blame        // another task broke the merged work; nil = none is known to have
	role    string        // whose; empty = the task's own agent
}

// cleaned says that the workspace of a settled attempt is gone (or could not be removed).
type cleaned struct {
	attempt persistence.Attempt
	err     error
}

// asked is a question of an attempt's goroutine: what has its agent said through its tools, and what was it answered?
// What clients have asked for until then counts.
type asked struct {
	attempt persistence.Attempt
	answer  chan *persistence.Work
}

// heldAsk is another one: may the agents of a role start?
type heldAsk struct {
	role   string
	answer chan heldAnswer
}

// heldAnswer is what holds a role and who can do its work instead; nil = nothing does, nobody can.
type heldAnswer struct {
	hold *hold
	over *persistence.Fallback
}

// requested are the requests of clients that wait in the store.
type requested struct{ list []persistence.Request }

// budgetAsk is a question of an attempt's goroutine: do the budgets let it go on? nil = they do.
type budgetAsk struct {
	attempt persistence.Attempt // with what its agent used until now
	answer  chan *overBudget
}

func (budgetAsk) isInput() {}
func (progress) isInput()  {}
func (ended) isInput()     {}
func (cleaned) isInput()   {}
func (requested) isInput() {}
func (asked) isInput()     {}
func (heldAsk) isInput()   {}

// batch collects what one turn of the loop makes true, and what is done once it is.
type batch struct {
	t      persistence.Transition
	starts []start
	acks   []chan error
	after  []func()
	asked  []asked
}

// start is an attempt to be started after the transition.
type start struct {
	attempt persistence.Attempt
	from    scheduler.Phase
	exit    *recordedExit
	stop    error                // it is only to end, for this cause
	last    *persistence.Attempt // the attempt before; nil = none
}

func (b *batch) empty() bool {
	t := &b.t
	return t.State == "" && len(t.Tasks) == 0 && len(t.Attempts) == 0 && len(t.Sessions) == 0 && len(t.Turns) == 0 &&
		len(t.Requests) == 0 && len(t.Events) == 0 && t.Options == nil && t.Edit == nil
}

// idle says whether there is nothing to be done.
func (b *batch) idle() bool {
	return b.empty() && len(b.starts) == 0 && len(b.after) == 0
}

// change moves a task on; two moves of one task in a batch become one row update.
func (b *batch) change(c persistence.TaskChange) {
	for i := len(b.t.Tasks) - 1; i >= 0 && i >= len(b.t.Tasks)-64; i-- {
		if b.t.Tasks[i].Task == c.Task {
			b.t.Tasks[i].To, b.t.Tasks[i].Result, b.t.Tasks[i].Error = c.To, c.Result, c.Error
			return
		}
	}
	b.t.Tasks = append(b.t.Tasks, c)
}

// record stores an attempt; the last record of a batch counts.
func (b *batch) record(a persistence.Attempt) {
	for i := range b.t.Attempts {
		if b.t.Attempts[i].Task == a.Task && b.t.Attempts[i].Number == a.Number {
			b.t.Attempts[i] = a
			return
		}
	}
	b.t.Attempts = append(b.t.Attempts, a)
}
