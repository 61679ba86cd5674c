package orchestrator

import (
	"errors"
	"fmt"
	"slices"

	"orchestrator/internal/event"
	"orchestrator/internal/fault"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// deliver saves the work and merges it into the integration branch. nil means that it is merged, or that there was
// nothing to merge. It is not interrupted by a cancel or a stop, beside the check of the merged result: it takes moments,
// and half of it helps nobody.
func (at *attempt) deliver(from scheduler.Phase) *ended {
	a, e := &at.a, at.e
	if from == scheduler.PhaseSaving {
		events, err := at.sweep()
		if err != nil {
			return at.troubled(err, "look for what is no part of its work")
		}
		saved, err := e.save(e.ctx, a, "")
		if err != nil {
			return at.troubled(err, "save its work")
		}
		events = append(events, saved.notices...)
		if len(saved.outside) > 0 && a.Resolve == nil && slices.Contains(e.options().StrictWrites, a.Task) {
			end := at.failed("changed files outside of its `writes` (strict_writes): "+some(saved.outside), false)
			end.events = append(events, end.events...)
			return &end
		}
		if a.Saved == a.Base { // nothing changed, nothing to merge
			if len(events) > 0 {
				if err := e.report(progress{attempt: *a, events: events}); err != nil {
					return &ended{}
				}
			}
			return nil
		}
		if e.outOf(a) != "" {
			end := at.failed("the command of a list must not change files; it changed "+some(saved.changed), false)
			end.events = append(events, end.events...)
			return &end
		}
		at.a.Phase = scheduler.PhaseMerging
		done := e.event(event.TaskSaved, a.Task, a.Number, event.Detail{
			Phase: string(a.Phase), Commit: a.Saved, Ref: a.SavedRef, Files: a.Files, Additions: a.Additions, Deletions: a.Deletions,
		})
		if err := at.phase(scheduler.PhaseMerging, append(events, done)...); err != nil {
			return &ended{}
		}
	}
	if a.Resolve != nil && !a.Resolve.Agreed && e.options().Merge.OnConflict == onConflictAsk {
		return at.withhold()
	}
	if at.needsYes(scheduler.ApproveMerge) {
		return new(at.ask(persistence.WishMerge, ""))
	}
	if fault.Mutant("completed-before-merge") {
		at.mergeLater()
		return nil
	}
	end, err := at.merge(from == scheduler.PhaseMerging)
	if conflict := (*workspace.ConflictError)(nil); errors.As(err, &conflict) {
		a.Outcome, a.Error, a.Conflicts = scheduler.OutcomeConflict, conflict.Error(), conflict.Paths
		a.MergeOld, a.MergeNew = "", ""
		return &ended{}
	}
	if err != nil {
		return at.undelivered(err)
	}
	return end
}

// undelivered ends an attempt whose merge met an error. Only the check of what the merge would make is interrupted by a
// cancel, a stop or the task's timeout.
func (at *attempt) undelivered(err error) *ended {
	var spent *overBudget
	if errors.As(err, &spent) {
		return new(at.end(err, ""))
	}
	for _, cut := range []error{errCanceled, errStopped, errTimeout, process.ErrSupervisorLost, workspace.ErrProvide} {
		if errors.Is(err, cut) {
			end := at.end(err, "")
			return &end
		}
	}
	return at.troubled(err, "merge its work")
}

func (at *attempt) troubled(err error, doing string) *ended {
	if at.e.ctx.Err() != nil || errors.Is(err, errFatal) {
		return &ended{}
	}
	return &ended{trouble: fmt.Errorf("%s: %w", doing, err)}
}

// mostLost is how often an attempt's merge may be overtaken by another while it is checked. After that the others wait
// for it, so that none is overtaken for ever.
const mostLost = 3

// merge moves the integration branch from its present head to one that has the saved work in it. The intent is
// recorded before the one atomic step, so that the next owner can tell from git alone whether it was taken.
func (at *attempt) merge(maybeDone bool) (end *ended, err error) {
	for lost := 0; ; lost++ {
		alone := !at.e.options().Merge.Verify || lost >= mostLost
		end, err = at.mergeOnce(maybeDone, alone)
		if !errors.Is(err, workspace.ErrMoved) {
			return end, err
		}
		maybeDone = true // another one moved it: look again
	}
}

// mergeOnce checks what the merge would make, and takes it. Alone it lets no other merge from the beginning; else only
// while it is taken: ErrMoved when another one did meanwhile.
func (at *attempt) mergeOnce(maybeDone, alone bool) (*ended, error) {
	lock := func() { at.e.merging <- struct{}{} }
	if alone {
		lock()
		defer func() { <-at.e.merging }()
	}
	m, done, err := at.planMerge(maybeDone)
	if err != nil {
		return nil, err
	}
	if !done {
		if end, err := at.check(m); end != nil || err != nil {
			return end, err
		}
	}
	if !alone {
		lock()
		defer func() { <-at.e.merging }()
	}
	return nil, at.putIn(m, done)
}

// planMerge makes the merge commit. done says that an earlier owner has put it in already.
func (at *attempt) planMerge(maybeDone bool) (m workspace.Merge, done bool, err error) {
	a, e := &at.a, at.e
	run, ctx := string(a.Run), workspace.ForTask(e.ctx, string(a.Task))
	if maybeDone && !fault.Mutant("no-ancestor-check") {
		commit, done, err := e.o.Repository.Merged(ctx, run, string(a.Task), a.Number)
		if err != nil || done {
			a.MergeNew = commit
			return m, done, err
		}
	}
	if m, err = e.o.Repository.PlanMerge(ctx, run, a.Saved, e.message(a, "")); err != nil {
		return m, false, err
	}
	fault.Point("attempt.planned")
	return m, false, nil
}

// putIn takes the one atomic step. The caller holds the lock of the merges.
func (at *attempt) putIn(m workspace.Merge, done bool) error {
	a, e := &at.a, at.e
	run, ctx := string(a.Run), workspace.ForTask(e.ctx, string(a.Task))
	if !done {
		a.MergeOld, a.MergeNew = m.Old, m.New
		if err := e.report(progress{attempt: *a}); err != nil {
			return err
		}
		fault.Point("attempt.intent")
		if err := e.o.Repository.Advance(ctx, run, m); err != nil {
			return err
		}
		fault.Point("attempt.advanced")
	}
	if err := e.o.Repository.Mirror(ctx, run, e.run.Branch); err != nil {
		if e.left {
			return nil // said once already
		}
		e.left = true
		e.log.Warn("branch does not follow", "branch", e.run.Branch, "error", err)
		return e.report(progress{attempt: *a, events: []event.Event{e.event(event.Notice, a.Task, a.Number, event.Detail{
			Message: fmt.Sprintf("branch %s does not follow the merged work: %v", e.run.Branch, err),
		})}})
	}
	fault.Point("attempt.mirrored")
	return nil
}
