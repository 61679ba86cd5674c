package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"time"
)

// disturbance is the rough half of a round.
type disturbance struct {
	site *site
	plan plan
	rng  *rand.Rand
	calm ending
	res  *result

	// done holds how long the ledger was right after a task was first seen completed in the store.
	done map[string]int64
	tip  string  // of the integration branch when last seen
	left float64 // share of the tasks that were not settled when last seen
}

// play starts the run and resumes it until it is over.
func (d *disturbance) play(ctx context.Context) (ending, error) {
	d.done, d.left = map[string]int64{}, 1
	stops := 2 + d.rng.IntN(mostStops-1)
	args := []string{"run", "--yes", d.site.planPath()}
	for i := 0; ; i++ {
		o, err := start(ctx, d.site, args...)
		if err != nil {
			return ending{}, err
		}
		peace := i >= stops
		if peace {
			err = o.wait(ctx, patience)
		} else {
			err = d.disturb(ctx, o)
		}
		if err != nil {
			return ending{}, err
		}
		over, err := d.observe(ctx)
		if err != nil {
			return ending{}, err
		}
		if over {
			return d.conclude(ctx, o)
		}
		if peace {
			return ending{}, fmt.Errorf("%w: %s ended with exit code %d before the run was over: %s",
				errStuck, strings.Join(args, " "), o.code(), o.complaint())
		}
		if args, err = d.next(ctx); err != nil {
			return ending{}, err
		}
	}
}

// next says how to go on: resume, or run again when the owner died before the run was stored.
func (d *disturbance) next(ctx context.Context) ([]string, error) {
	if st, err := d.site.Status(ctx); err == nil && st.Run.ID != "" {
		return []string{"resume", st.Run.ID}, nil
	}
	return []string{"run", "--yes", d.site.planPath()}, ctx.Err()
}

// disturb waits for a random moment and stops the owner in a random way. Half of the moments are a random time;
// the other half follow an event, since most of what can go wrong lies just behind one.
func (d *disturbance) disturb(ctx context.Context, o *owner) error {
	if d.rng.IntN(2) == 0 {
		d.await(ctx, o, time.Duration(d.rng.Float64()*d.left*float64(d.calm.took)), 0)
	} else {
		d.await(ctx, o, patience, 1+d.rng.IntN(max(1, int(d.left*float64(d.calm.events)))))
		d.await(ctx, o, time.Duration(d.rng.IntN(15000))*time.Microsecond, 0)
	}
	way := d.rng.IntN(10)
	settle := d.rng.IntN(2) == 0
	select {
	case <-o.ended: // it was faster
		return ctx.Err()
	default:
	}
	switch {
	case way < 2:
		d.res.tally.term++
		if err := o.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			break // it has just ended
		}
		if err := o.wait(ctx, patience); err != nil {
			return err
		}
		if code := o.code(); code < 0 || code > 6 && code != 130 && code != 143 {
			d.res.fault("SIGTERM ended the owner with exit code %d: %s", code, o.complaint())
		}
	case way < 4:
		d.res.tally.group++
		children := o.children()
		o.stop()
		for _, pid := range children {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it dies with its parent, perhaps it already has
		}
	default:
		d.res.tally.kill++
		o.stop()
	}
	if settle {
		return d.settle(ctx)
	}
	return ctx.Err()
}

// await waits until a time has passed, a number of events has come (0: does not matter), or the owner has ended.
func (d *disturbance) await(ctx context.Context, o *owner, limit time.Duration, events int) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for events == 0 || o.events() < events {
		select {
		case <-o.bell:
		case <-o.ended:
			return
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// settle waits until every process of the dead owner is gone: they must go without help.
func (d *disturbance) settle(ctx context.Context) error {
	began := time.Now()
	left, err := vanish(ctx, d.site, 20*time.Second)
	if err != nil {
		return err
	}
	d.res.tally.waits += time.Since(began)
	for _, p := range left {
		d.res.fault("still alive 20 s after its owner's death: %s", p)
	}
	return nil
}

// observe reads the store and git after the owner has ended, and checks what must hold at every moment.
func (d *disturbance) observe(ctx context.Context) (over bool, err error) {
	st, err := d.site.Status(ctx)
	if err != nil || st.Run.ID == "" {
		if text, readErr := os.ReadFile(string(d.site.ledger)); readErr == nil && len(text) > 0 {
			d.res.fault("a task was started but there is no run in the store: %v", err)
		}
		return false, ctx.Err()
	}
	size, err := d.site.ledger.size()
	if err != nil {
		return false, err
	}
	merged, tip, err := d.site.merges(ctx, st.Run.ID)
	if err != nil {
		return false, err
	}
	open := 0
	for _, t := range st.Tasks {
		switch t.State {
		case "pending", "eligible", "running":
			open++
		}
		if t.State != "completed" {
			continue
		}
		if _, seen := d.done[t.ID]; !seen {
			d.done[t.ID] = size
		}
		if planned, _ := d.plan.find(t.ID); planned.merges() && merged[t.ID] != 1 {
			d.res.fault("%s is completed in the store, but has %d merge commits", t.ID, merged[t.ID])
		}
	}
	d.left = float64(open) / float64(max(1, len(st.Tasks)))
	if d.tip != "" && tip != "" {
		if _, err := d.site.Git(ctx, "merge-base", "--is-ancestor", d.tip, tip); err != nil {
			d.res.fault("the integration branch went from %s to %s, which is no descendant", d.tip, tip)
		}
	}
	d.tip = tip
	return st.Over(), nil
}

// conclude collects the ending and checks the ledger.
func (d *disturbance) conclude(ctx context.Context, o *owner) (ending, error) {
	e, err := d.site.end(ctx, o.code())
	if err != nil {
		return e, err
	}
	entries, err := d.site.ledger.read()
	if err != nil {
		return e, err
	}
	d.audit(entries)
	return e, nil
}

// audit checks that nothing started again that was completed, and no attempt twice.
func (d *disturbance) audit(entries []entry) {
	started := map[string]bool{}
	for _, e := range entries {
		if e.word != "START" {
			continue
		}
		if size, seen := d.done[e.task]; seen && e.offset >= size {
			d.res.fault("%s started again (attempt %s) after it was completed in the store", e.task, e.attempt)
		}
		key := e.task + " " + e.attempt
		if started[key] {
			d.res.fault("attempt %s of %s started twice", e.attempt, e.task)
		}
		started[key] = true
	}
}
