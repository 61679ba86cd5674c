package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// picture is all that the store holds of a run at one moment, as the reading commands show it.
type picture struct {
	run         persistence.Run
	tasks       []*scheduler.Task
	byID        map[scheduler.TaskID]*scheduler.Task
	attempts    map[scheduler.TaskID][]persistence.Attempt // in order
	alive       bool                                       // somebody owns the run
	interrupted bool                                       // nobody does, though it should be going on
	stoppedAt   time.Time                                  // when its owner was last known to live, if interrupted
	frozen      int                                        // process number of an owner that does not answer; 0 = none
	now         time.Time
}

// load reads a run.
func (a *App) load(ctx context.Context, st persistence.Store, run persistence.Run) (*picture, error) {
	p := &picture{run: run, now: a.Now(), attempts: map[scheduler.TaskID][]persistence.Attempt{}}
	var err error
	if p.tasks, err = st.ListTasks(ctx, run.ID); err != nil {
		return nil, err
	}
	p.byID = make(map[scheduler.TaskID]*scheduler.Task, len(p.tasks))
	for _, t := range p.tasks {
		p.byID[t.ID] = t
	}
	attempts, err := st.ListAttempts(ctx, run.ID, "")
	if err != nil {
		return nil, err
	}
	for _, at := range attempts {
		p.attempts[at.Task] = append(p.attempts[at.Task], at)
	}
	if run.State.Terminal() {
		return p, nil
	}
	if p.alive, err = a.ownerAlive(ctx, st, run); err != nil {
		return nil, err
	}
	if p.interrupted, err = a.interrupted(ctx, st, run); err != nil {
		return nil, err
	}
	if p.interrupted {
		lease, err := st.GetLease(ctx, run.ID)
		if err != nil && !errors.Is(err, persistence.ErrNotFound) {
			return nil, err
		}
		p.stoppedAt = run.CreatedAt
		if err == nil && lease.ExpiresAt.After(p.stoppedAt) {
			p.stoppedAt = lease.ExpiresAt
		}
		held, err := a.ownerHolds(run)
		if err != nil {
			return nil, err
		}
		if held {
			p.frozen = lease.PID
		}
	}
	return p, nil
}

// runDocument describes the run in JSON.
func (p *picture) runDocument() runDocument {
	return newRunDocument(p.run, p.interrupted, p.now)
}

// taskDocuments describes the tasks in JSON, in plan order.
func (p *picture) taskDocuments() []taskDocument {
	docs := make([]taskDocument, 0, len(p.tasks))
	for _, t := range p.tasks {
		docs = append(docs, p.taskDocument(t))
	}
	return docs
}

// taskDocument describes a task in JSON.
func (p *picture) taskDocument(t *scheduler.Task) taskDocument {
	d := newTaskDocument(t, p.attempts[t.ID], p.alive, p.now)
	d.Budget = newBudgetDocument(p.run.Options.BudgetFor(t.ID))
	return d
}

// last returns a task's last attempt, or a zero one.
func (p *picture) last(id scheduler.TaskID) persistence.Attempt {
	if all := p.attempts[id]; len(all) > 0 {
		return all[len(all)-1]
	}
	return persistence.Attempt{}
}

// mark is how the state of a task is shown.
func (p *picture) mark(t *scheduler.Task) mark {
	m := taskMark(t.Status, asks(p.last(t.ID)))
	if t.Status == scheduler.TaskRunning && !p.alive && m.word == "running" {
		m.word, m.color = "stopped", "33"
	}
	if p.removed(t) {
		m.word = "removed"
	}
	return m
}

// removed says whether a task was taken out of the plan before it was done.
func (p *picture) removed(t *scheduler.Task) bool {
	return t.Status == scheduler.TaskCanceled && slices.Contains(p.run.Options.Removed, t.ID)
}

// asks says whether an attempt waits for a person, and not just until a time.
func asks(at persistence.Attempt) bool {
	if _, question := pressing(openQuestions(at)); question {
		return true
	}
	return at.Asks() != "" || at.Phase == scheduler.PhaseWaiting && at.Outcome == scheduler.OutcomeConflict
}

// needsYou lists the tasks that wait for a person.
func (p *picture) needsYou() []*scheduler.Task {
	var waiting []*scheduler.Task
	for _, t := range p.tasks {
		if t.Status == scheduler.TaskRunning && asks(p.last(t.ID)) {
			waiting = append(waiting, t)
		}
	}
	return waiting
}

// conflicts lists the attempts that wait with a merge conflict, in plan order.
func (p *picture) conflicts() []persistence.Attempt {
	var list []persistence.Attempt
	for _, t := range p.needsYou() {
		if at := p.last(t.ID); at.Outcome == scheduler.OutcomeConflict {
			list = append(list, at)
		}
	}
	return list
}

// overBudget says whether the run, or a task of it, waits for more budget.
func (p *picture) overBudget() bool {
	if p.run.Options.Overspent != "" {
		return true
	}
	for _, t := range p.needsYou() {
		if at := p.last(t.ID); at.Asks() == persistence.WishBudget {
			return true
		}
	}
	return false
}

// cause returns the failure that explains the run's: the first task that failed hard, else the first that failed
// at all; nil when none did.
func (p *picture) cause() *scheduler.Task {
	var first *scheduler.Task
	before := func(t, u *scheduler.Task) bool {
		if hard, other := failsHard(t), failsHard(u); hard != other {
			return hard
		}
		return p.last(t.ID).EndedAt.Before(p.last(u.ID).EndedAt)
	}
	for _, t := range p.tasks {
		if t.Status == scheduler.TaskFailed && (first == nil || before(t, first)) {
			first = t
		}
	}
	return first
}

func failsHard(t *scheduler.Task) bool {
	return t.FailureMode == "" || t.FailureMode == scheduler.FailHard
}

// notRun lists the tasks that were skipped because they need the given one, directly or not.
func (p *picture) notRun(id scheduler.TaskID) []string {
	dependents := map[scheduler.TaskID][]*scheduler.Task{}
	for _, t := range p.tasks {
		for _, need := range t.DependsOn {
			dependents[need] = append(dependents[need], t)
		}
	}
	seen := map[scheduler.TaskID]bool{}
	for queue := []scheduler.TaskID{id}; len(queue) > 0; queue = queue[1:] {
		for _, t := range dependents[queue[0]] {
			if t.Status == scheduler.TaskSkipped && !seen[t.ID] {
				seen[t.ID] = true
				queue = append(queue, t.ID)
			}
		}
	}
	var names []string
	for _, t := range p.tasks {
		if seen[t.ID] {
			names = append(names, string(t.ID))
		}
	}
	return names
}

// counts says how many tasks are in which state, in the words for people, most advanced first.
func (p *picture) counts() []string {
	count := map[string]int{}
	order := []string{"done", "running", "stopped", "needs you", "failed", "skipped", "cancelled", "removed"}
	for _, t := range p.tasks {
		word := p.mark(t).word
		if !slices.Contains(order, word) {
			word = "to go"
		}
		count[word]++
	}
	var parts []string
	for _, word := range append(order, "to go") {
		switch n := count[word]; {
		case n == 0:
		case word == "failed":
			parts = append(parts, view.FailedCount(n, p.allowed()))
		default:
			parts = append(parts, itoa(n)+" "+word)
		}
	}
	return parts
}

// allowed is how many tasks failed without failing the run.
func (p *picture) allowed() int {
	n := 0
	for _, t := range p.tasks {
		if t.Status == scheduler.TaskFailed && !failsHard(t) {
			n++
		}
	}
	return n
}

// exitStatus is the code of `orc status --exit-status`.
func (p *picture) exitStatus() int {
	switch {
	case p.interrupted, p.run.State == scheduler.RunPaused:
		return ExitInterrupted
	case len(p.conflicts()) > 0:
		return ExitConflict
	case p.run.State == scheduler.RunWaiting && p.overBudget():
		return ExitBudget
	case p.run.State == scheduler.RunWaiting, len(p.needsYou()) > 0:
		return ExitNeedsYou
	case p.run.State == scheduler.RunFailed, p.run.State == scheduler.RunCanceled:
		return ExitFailures
	case p.run.State == scheduler.RunCompleted && p.cause() != nil:
		return ExitFailures
	}
	return ExitOK
}
