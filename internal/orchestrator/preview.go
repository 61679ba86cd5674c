package orchestrator

import (
	"context"
	"fmt"
	"slices"

	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// Action is what resuming does with a task.
type Action string

// The actions.
const (
	ActionKeep  Action = "keep"    // over: it is not touched
	ActionGoOn  Action = "go on"   // its work is done; what follows it goes on
	ActionAgain Action = "again"   // it was cut off in its work: saved, and run again
	ActionStill Action = "still"   // waits for a person
	ActionToDo  Action = "to do"   // not started yet
	ActionOver  Action = "failed"  // over without success; `orc retry` would try again
	ActionSkip  Action = "skipped" // not run because of another
)

// Prospect is what resuming does with one task, and why.
type Prospect struct {
	Task   scheduler.TaskID
	Action Action
	Why    string
}

// Preview says what resuming a run would do with each of its tasks, in plan order. It changes nothing. merges are what
// git holds of the run's work, which is more than the store knows when an owner died between the two.
func Preview(ctx context.Context, store persistence.Store, run scheduler.RunID, journal string, merges []workspace.MergedWork) ([]Prospect, error) {
	now, err := store.GetRun(ctx, run)
	if err != nil {
		return nil, fmt.Errorf("load run: %w", err)
	}
	tasks, err := store.ListTasks(ctx, run)
	if err != nil {
		return nil, fmt.Errorf("load tasks: %w", err)
	}
	attempts, err := store.ListAttempts(ctx, run, "")
	if err != nil {
		return nil, fmt.Errorf("load attempts: %w", err)
	}
	exits, err := process.ReadJournal(journal)
	if err != nil {
		return nil, fmt.Errorf("read the exit journal: %w", err)
	}
	latest := map[scheduler.TaskID]*persistence.Attempt{}
	for i := range attempts {
		if a := latest[attempts[i].Task]; a == nil || a.Number < attempts[i].Number {
			latest[attempts[i].Task] = &attempts[i]
		}
	}
	over := endedOf(attempts)
	list := make([]Prospect, 0, len(tasks))
	for _, t := range tasks {
		if slices.Contains(now.Options.Removed, t.ID) {
			continue
		}
		p := prospect(t, latest[t.ID], exits)
		for _, m := range merges {
			if m.Task == string(t.ID) && t.Status != scheduler.TaskCompleted && !over[attemptKey{t.ID, m.Number}] {
				p.Action, p.Why = ActionGoOn, mergedAlready
			}
		}
		list = append(list, p)
	}
	return list, nil
}

// mergedAlready is why an attempt is not made again whose merge the store does not know.
const mergedAlready = "its work is merged already"

// attemptKey is an attempt of a run.
type attemptKey struct {
	task   scheduler.TaskID
	number int
}

// endedOf are the attempts that are over, as far as the store knows.
func endedOf(attempts []persistence.Attempt) map[attemptKey]bool {
	over := map[attemptKey]bool{}
	for i := range attempts {
		if a := &attempts[i]; a.Outcome != "" {
			over[attemptKey{a.Task, a.Number}] = true
		}
	}
	return over
}

func prospect(t *scheduler.Task, a *persistence.Attempt, exits map[string]process.Exit) Prospect {
	p := Prospect{Task: t.ID}
	switch t.Status {
	case scheduler.TaskCompleted:
		p.Action, p.Why = ActionKeep, "done and merged"
		if a != nil && a.MergeNew == "" {
			p.Why = "done"
		}
	case scheduler.TaskFailed, scheduler.TaskCanceled:
		p.Action, p.Why = ActionOver, t.Error
		if t.Status == scheduler.TaskCanceled {
			p.Why = "canceled"
		}
	case scheduler.TaskSkipped:
		p.Action, p.Why = ActionSkip, t.Error
	case scheduler.TaskPending, scheduler.TaskEligible:
		p.Action = ActionToDo
		switch {
		case a == nil:
		case a.Broke != nil:
			p.Action, p.Why = ActionAgain, fmt.Sprintf("attempt %d broke what is merged: it goes back to its session", a.Number)
		case a.Handed:
			p.Action, p.Why = ActionAgain, fmt.Sprintf("the work of attempt %d conflicts: it goes to the resolver", a.Number)
		case a.Outcome == scheduler.OutcomeInterrupted:
			p.Action, p.Why = ActionAgain, fmt.Sprintf("attempt %d was stopped; its work is saved", a.Number)
		}
	case scheduler.TaskRunning:
		p.Action, p.Why = adoption(a, exits)
	}
	return p
}

// adoption decides about a running task whose owner is gone: what has a result is gone on with, what was cut off in
// the middle of its work is made again.
func adoption(a *persistence.Attempt, exits map[string]process.Exit) (Action, string) {
	switch {
	case a == nil:
		return ActionAgain, "it has no attempt"
	case a.Outcome == scheduler.OutcomeConflict:
		return ActionStill, "waits with a merge conflict"
	case asks(a):
		return askingProspect(a)
	case a.Phase == scheduler.PhasePreparing:
		return ActionAgain, fmt.Sprintf("attempt %d had not begun its work", a.Number)
	case awaits(a):
		return ActionGoOn, fmt.Sprintf("attempt %d waits %s", a.Number, awaitText(a))
	case waits(a):
		return ActionGoOn, fmt.Sprintf("attempt %d waits: %s", a.Number, oneLine(a.Work.Reason))
	case a.Phase == scheduler.PhaseWorking && a.Work != nil:
		return ActionGoOn, sessionProspect(a, exits)
	case a.Phase == scheduler.PhaseWorking:
		if x, ok := exits[turnID(a)]; ok && trustworthy(x) {
			return ActionGoOn, fmt.Sprintf("its command had ended (exit %d) before the stop", x.Code)
		}
		return ActionAgain, fmt.Sprintf("attempt %d was cut off in its work", a.Number)
	}
	return ActionGoOn, fmt.Sprintf("its work was done; it was %s", a.Phase)
}

// askingProspect says how an attempt goes on that waits for a person.
func askingProspect(a *persistence.Attempt) (Action, string) {
	switch {
	case a.Consent.Given:
		return ActionGoOn, "it has what it waited for"
	case a.Consent.Wants == persistence.WishBudget:
		return ActionStill, oneLine(a.Consent.Reason)
	}
	return ActionStill, fmt.Sprintf("waits for your yes (approve: %s)", a.Consent.Wants)
}

// trustworthy says whether an exit that nobody watched is the command's own: one that was killed tells nothing
// about its work.
func trustworthy(x process.Exit) bool { return x.Signal == "" && !x.Lost && !x.Stopped }

// sessionProspect says how an agent's attempt goes on that was at work.
func sessionProspect(a *persistence.Attempt, exits map[string]process.Exit) string {
	if x, ok := exits[turnKey(a)]; ok && a.Work.Open && trustworthy(x) {
		return fmt.Sprintf("its turn had ended (exit %d) before the stop", x.Code)
	}
	if a.Work.Session == "" {
		return fmt.Sprintf("attempt %d, with the files that are there; its %s session is not known", a.Number, a.Work.Provider)
	}
	return fmt.Sprintf("same %s session, with the files that are there", a.Work.Provider)
}
