package orchestrator

import (
	"errors"
	"fmt"
	"slices"

	"orchestrator/internal/event"
	"orchestrator/internal/fault"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// deliver saves the work and merges it into the integration branch. nil means that it is merged, or that there was
// nothing to merge. It is not interrupted by a cancel or a stop: it takes moments, and half of it helps nobody.
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
		if len(saved.outside) > 0 && slices.Contains(e.run.Options.StrictWrites, a.Task) {
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
		at.a.Phase = scheduler.PhaseMerging
		done := e.event(event.TaskSaved, a.Task, a.Number, event.Detail{
			Phase: string(a.Phase), Commit: a.Saved, Ref: a.SavedRef, Files: a.Files, Additions: a.Additions, Deletions: a.Deletions,
		})
		if err := at.phase(scheduler.PhaseMerging, append(events, done)...); err != nil {
			return &ended{}
		}
	}
	if at.needsYes(scheduler.ApproveMerge) {
		return over(at.ask(persistence.WishMerge, ""))
	}
	if fault.Mutant("completed-before-merge") {
		at.mergeLater()
		return nil
	}
	err := at.merge(from == scheduler.PhaseMerging)
	if conflict := (*workspace.ConflictError)(nil); errors.As(err, &conflict) {
		a.Outcome, a.Error, a.Conflicts = scheduler.OutcomeConflict, conflict.Error(), conflict.Paths
		a.MergeOld, a.MergeNew = "", ""
		return &ended{}
	}
	if err != nil {
		return at.troubled(err, "merge its work")
	}
	return nil
}

func (at *attempt) troubled(err error, doing string) *ended {
	if at.e.ctx.Err() != nil || errors.Is(err, errFatal) {
		return &ended{}
	}
	return &ended{trouble: fmt.Errorf("%s: %w", doing, err)}
}

// merge moves the integration branch from its present head to one that has the saved work in it. The intent is
// recorded before the one atomic step, so that the next owner can tell from git alone whether it was taken.
func (at *attempt) merge(maybeDone bool) error {
	a, e := &at.a, at.e
	e.merging.Lock()
	defer e.merging.Unlock()
	run := string(a.Run)
	for {
		if maybeDone && !fault.Mutant("no-ancestor-check") {
			commit, done, err := e.o.Repository.Merged(e.ctx, run, string(a.Task), a.Number)
			if err != nil {
				return err
			}
			if done {
				a.MergeNew = commit
				break
			}
		}
		m, err := e.o.Repository.PlanMerge(e.ctx, run, a.Saved, e.message(a, ""))
		if err != nil {
			return err
		}
		fault.Point("attempt.planned")
		a.MergeOld, a.MergeNew = m.Old, m.New
		if err := e.report(progress{attempt: *a}); err != nil {
			return err
		}
		fault.Point("attempt.intent")
		err = e.o.Repository.Advance(e.ctx, run, m)
		if errors.Is(err, workspace.ErrMoved) { // another process moved it: look again
			maybeDone = true
			continue
		}
		if err != nil {
			return err
		}
		fault.Point("attempt.advanced")
		break
	}
	if err := e.o.Repository.Mirror(e.ctx, run, e.run.Branch); err != nil {
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
