package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"orchestrator/internal/invariants"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// watcher reads the store and git while no owner lives, and checks what must hold at every moment.
type watcher struct {
	site *site
	plan plan
	res  *result

	run   string  // its id; empty = not stored yet
	state string  // of the run when last seen
	left  float64 // share of the tasks that were not settled then

	// done holds how long the ledger was right after a task was first seen completed in the store.
	done map[string]int64
	tip  string // of the integration branch when last seen
}

// learn finds out the run's id.
func (w *watcher) learn(ctx context.Context) error {
	if w.run != "" {
		return nil
	}
	return w.withStore(ctx, func(st persistence.Store) error {
		runs, err := st.ListRuns(ctx, persistence.RunFilter{})
		if err != nil || len(runs) == 0 {
			return err
		}
		w.run = string(runs[0].ID)
		if len(runs) > 1 {
			w.res.fault("I1: the plan was stored as %d runs", len(runs))
		}
		return nil
	})
}

// withStore opens the store, if there is one.
func (w *watcher) withStore(ctx context.Context, f func(persistence.Store) error) error {
	if _, err := os.Stat(w.site.database()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	st, err := persistence.NewSQLiteStore(ctx, w.site.database())
	if err != nil {
		return fmt.Errorf("open the store after a death: %w", err)
	}
	return errors.Join(f(st), st.Close())
}

// look checks every invariant that the store and git can tell of, and says whether the run is over.
func (w *watcher) look(ctx context.Context) (over bool, err error) {
	if err := w.learn(ctx); err != nil {
		return false, err
	}
	size, err := w.site.ledger.size()
	if err != nil {
		return false, err
	}
	if w.run == "" {
		if size > 0 {
			w.res.fault("I1: a task was started but there is no run in the store")
		}
		return false, ctx.Err()
	}
	err = w.withStore(ctx, func(st persistence.Store) error {
		f, err := invariants.Gather(ctx, st, w.site.Git, scheduler.RunID(w.run))
		if err != nil {
			return err
		}
		w.judge(f, size)
		over = f.Run.State.Terminal()
		return errors.Join(w.checkTip(ctx, f), w.checkHalves(ctx, f))
	})
	return over, err
}

// judge checks the facts, also against what was seen before.
func (w *watcher) judge(f invariants.Facts, size int64) {
	w.res.tally.checks++
	for _, b := range invariants.Check(f) {
		if text := b.String(); !slices.Contains(w.res.faults, text) { // it stays broken
			w.res.fault("%s", text)
		}
	}
	w.state = string(f.Run.State)
	open := 0
	for _, t := range f.Tasks {
		id := string(t.ID)
		if !t.Status.Terminal() {
			open++
		}
		if _, seen := w.done[id]; seen && t.Status != scheduler.TaskCompleted {
			w.res.fault("I1: %s was completed, now it is %s", id, t.Status)
		}
		if _, seen := w.done[id]; !seen && t.Status == scheduler.TaskCompleted {
			w.done[id] = size
		}
	}
	w.left = float64(open) / float64(max(1, len(f.Tasks)))
}

// checkHalves checks that what is merged fits together after each merge: what a merge makes is checked before it counts.
func (w *watcher) checkHalves(ctx context.Context, f invariants.Facts) error {
	if !w.plan.checked() {
		return nil
	}
	for _, m := range f.Merges {
		out, err := w.site.Git(ctx, "ls-tree", "--name-only", m.ID, halves)
		if err != nil {
			return fmt.Errorf("look at the halves: %w", err)
		}
		if strings.Count(out, ".txt") > 1 && !strings.Contains(out, joined) {
			w.res.fault("I16: after %s the halves are merged and do not fit: %s", m.Task, strings.Join(strings.Fields(out), " "))
		}
	}
	return nil
}

// checkTip checks that the integration branch only moves forward.
func (w *watcher) checkTip(ctx context.Context, f invariants.Facts) error {
	tip := f.Refs["refs/orc/"+w.run+"/integration"]
	if w.tip != "" && tip != w.tip {
		if _, err := w.site.Git(ctx, "merge-base", "--is-ancestor", w.tip, tip); err != nil {
			w.res.fault("I6: the integration branch went from %s to %s, which is no descendant", w.tip, tip)
		}
	}
	w.tip = tip
	return ctx.Err()
}

// audit holds the ledger against the rules: nothing started again that was completed, no attempt twice, nothing ran
// beside something that it must not run beside, and what a task needed was there.
func (w *watcher) audit(entries []entry) {
	started := map[string]bool{}
	for _, e := range entries {
		switch e.word {
		case wordOverlap:
			w.res.fault("I3: attempt %s of %s ran beside another attempt of it, or another task that writes the same files", e.attempt, e.task)
		case wordMissing:
			w.res.fault("I2: attempt %s of %s started without the work of a task that it needs", e.attempt, e.task)
		case wordStart:
			if size, seen := w.done[e.task]; seen && e.offset >= size {
				w.res.fault("I1: %s started again (attempt %s) after it was completed in the store", e.task, e.attempt)
			}
			key := e.task + " " + e.attempt
			if started[key] {
				w.res.fault("I1: attempt %s of %s started twice", e.attempt, e.task)
			}
			started[key] = true
		}
	}
}

// checkSaved looks for the work of every attempt that wrote some, by its pin. All of them have ended.
func (w *watcher) checkSaved(ctx context.Context, entries []entry) error {
	for _, e := range entries {
		t, ok := w.plan.find(e.task)
		if !ok || e.word != wordWrote {
			continue
		}
		pin := "refs/orc/" + w.run + "/task/" + e.task + "/" + e.attempt
		text, err := w.site.Git(ctx, "show", pin+":"+t.file())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || !strings.Contains(text, t.id) {
			w.res.fault("I7: the work of attempt %s of %s is not at %s: %v", e.attempt, e.task, pin, err)
		}
	}
	return nil
}
