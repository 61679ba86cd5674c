package orchestrator

import (
	"context"
	"errors"
	"fmt"

	"orchestrator/internal/event"
	"orchestrator/internal/fault"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// keep saves the workspace of an attempt that ends without being merged.
func (at *attempt) keep(what string, end ended) ended {
	a := &at.a
	phase := a.Phase
	if phase == scheduler.PhaseWaiting && a.Consent.Wants != "" { // it never came further than to where it asked
		phase = a.Consent.Back
	}
	if a.Workspace == "" || phase == scheduler.PhasePreparing || a.Saved != "" {
		return end
	}
	outcome, reason := a.Outcome, a.Error
	kept, err := at.e.save(at.e.ctx, a, what)
	if errors.Is(err, workspace.ErrNoWorkspace) {
		kept.notices, err = at.e.gone(a), nil
	}
	if err != nil {
		a.Outcome, a.Error = "", ""
		return ended{trouble: fmt.Errorf("save its work (%s: %s): %w", outcome, reason, err)}
	}
	end.events = kept.notices
	return end
}

// kept is what saving found out.
type kept struct {
	notices []event.Event // what a person should know, such as a file that could not be saved
	outside []string      // changed files that the task does not write
	changed []string      // all changed files
}

// save seals the workspace's whole state to the attempt's ref. Idempotent.
func (e *Engine) save(ctx context.Context, a *persistence.Attempt, what string) (k kept, err error) {
	ctx = workspace.ForTask(ctx, string(a.Task))
	s := e.spec(a)
	saved, err := e.o.Repository.Seal(ctx, workspace.SealSpec{
		Run: s.Run, Task: s.Task, Number: a.Number, Dir: s.Dir, Index: s.Index, Base: a.Base,
		Message: e.message(a, what), With: withOf(a),
	})
	if err != nil {
		return k, err
	}
	fault.Point("attempt.saved")
	a.Saved, a.SavedRef = saved.Commit, saved.Ref
	if saved.Empty {
		a.Saved = a.Base
	}
	a.Files, a.Additions, a.Deletions = len(saved.Changed), 0, 0
	for _, c := range saved.Changed {
		a.Additions += c.Added
		a.Deletions += c.Deleted
		k.changed = append(k.changed, c.Path)
	}
	for _, n := range saved.Notices {
		k.notices = append(k.notices, e.event(event.Notice, a.Task, a.Number, event.Detail{Message: n}))
	}
	if k.outside = e.outside(a.Task, saved.Changed); len(k.outside) > 0 && a.Resolve == nil {
		k.notices = append(k.notices, e.event(event.Notice, a.Task, a.Number, event.Detail{
			Message: "changed outside of its `writes`: " + some(k.outside), Paths: k.outside[:min(len(k.outside), filesTold)],
		}))
	}
	return k, nil
}

// withOf is the commit that an attempt's work brings together with its base; empty = none.
func withOf(a *persistence.Attempt) string {
	if a.Resolve == nil {
		return ""
	}
	return a.Resolve.Tip
}

// gone says that there is nothing left to save: waiting for a folder that somebody removed would stop the run for good.
func (e *Engine) gone(a *persistence.Attempt) []event.Event {
	return []event.Event{e.event(event.Notice, a.Task, a.Number, event.Detail{
		Message: "its workspace " + a.Workspace + " was removed by somebody else: nothing of this attempt could be saved",
	})}
}

// rescue saves what came into the task's folder after its last attempt was saved: the folder is about to be made anew.
func (at *attempt) rescue() error {
	last := at.brief.last
	if last == nil || last.Workspace == "" || last.Base == "" {
		return nil
	}
	s := at.e.spec(last)
	saved, ok, err := at.e.o.Repository.SealLate(at.ctx, workspace.SealSpec{
		Run: s.Run, Task: s.Task, Number: last.Number, Dir: s.Dir, Index: s.Index, Base: last.Base,
		Message: at.e.message(last, "changed later"),
	})
	if err != nil || !ok {
		return err
	}
	return at.e.report(progress{attempt: at.a, events: []event.Event{at.e.event(event.Notice, at.a.Task, last.Number, event.Detail{
		Message: "what was changed in its workspace since is saved as " + saved.Ref, Ref: saved.Ref, Commit: saved.Commit,
	})}})
}
