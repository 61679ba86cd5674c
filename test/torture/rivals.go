package main

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// hesitation is how long two owners are left alone with one another, at most.
const hesitation = time.Second

// rival starts a second owner of the run; nil when the run is not stored yet.
func (d *disturbance) rival(ctx context.Context) (*owner, error) {
	if err := d.watcher.learn(ctx); err != nil || d.watcher.run == "" {
		return nil, err
	}
	return d.site.start(ctx, nil, "resume", d.watcher.run)
}

// freeze stops the owner's clock while a second owner comes. Whoever of them loses may not write another word; the
// locks that commands hold, the ledger and the records tell.
func (d *disturbance) freeze(ctx context.Context, o *owner) error {
	_ = o.cmd.Process.Signal(syscall.SIGSTOP) // it may have ended just now
	second, err := d.rival(ctx)
	if second != nil && d.rng.IntN(2) == 0 {
		return d.usurp(ctx, o, second)
	}
	if second != nil {
		d.await(ctx, second, time.Duration(d.rng.Int64N(int64(hesitation))), 0)
	}
	if d.rng.IntN(2) == 0 {
		o.stop()
	}
	_ = o.cmd.Process.Signal(syscall.SIGCONT) // it may be dead
	if second == nil {
		o.stop()
		return errors.Join(err, ctx.Err())
	}
	return d.separate(ctx, o, second)
}

// usurp lets the second owner take the run from the frozen first, whose lease has to run out for that, and work for a
// while; then the first wakes up. It may write nothing, and has to end by itself.
func (d *disturbance) usurp(ctx context.Context, first, second *owner) error {
	d.await(ctx, second, patience, 1+d.rng.IntN(12)) // it has none before it owns the run
	_ = first.cmd.Process.Signal(syscall.SIGCONT)
	err := first.wait(ctx, patience)
	if errors.Is(err, errStuck) {
		d.res.fault("I13: an owner that was replaced did not end: %s", first.complaint())
		err = nil
	}
	if code := first.code(); err == nil && (code < 0 || code > 6) {
		d.res.fault("I13: an owner that was replaced ended with exit code %d: %s", code, first.complaint())
	}
	if !second.over() {
		d.res.tally.usurped++
		d.await(ctx, second, time.Duration(d.rng.IntN(300))*time.Millisecond, 0)
	}
	second.stop()
	return errors.Join(err, ctx.Err())
}

// race lets two owners begin at the same time.
func (d *disturbance) race(ctx context.Context) error {
	first, err := d.rival(ctx)
	if err != nil || first == nil {
		return err
	}
	second, err := d.rival(ctx)
	if err != nil {
		first.stop()
		return err
	}
	return d.separate(ctx, first, second)
}

// separate waits for one of two owners to give up, if it does, and ends both.
func (d *disturbance) separate(ctx context.Context, first, second *owner) error {
	limit := time.NewTimer(time.Duration(d.rng.Int64N(int64(hesitation))))
	defer limit.Stop()
	select {
	case <-first.ended:
		d.await(ctx, second, time.Duration(d.rng.IntN(300))*time.Millisecond, 0)
	case <-second.ended:
		d.await(ctx, first, time.Duration(d.rng.IntN(300))*time.Millisecond, 0)
	case <-limit.C:
	case <-ctx.Done():
	}
	for _, o := range []*owner{first, second} {
		// One that gave up says that another owns the run, or that the run is over; anything else is a crash.
		gaveUp := o.over()
		o.stop()
		if code := o.code(); gaveUp && code > 6 && code != 137 {
			d.res.fault("I13: one of two owners ended with exit code %d: %s", code, o.complaint())
		}
		if text := o.complaint(); strings.Contains(text, "panic:") {
			d.res.fault("I13: one of two owners: %s", text)
		}
	}
	return ctx.Err()
}

// numb freezes the supervisor, so that it does not see its owner die, and lets a second owner come: that one has to
// wait until the commands of the first are gone.
func (d *disturbance) numb(ctx context.Context, o *owner) error {
	if d.numbed || d.rng.IntN(2) == 0 {
		d.untilBusy(ctx, o)
	}
	frozen := o.supervisors()
	for _, pid := range frozen {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // perhaps it has just ended
	}
	o.stop()
	before, err := d.site.ledger.read()
	if err != nil {
		return err
	}
	second, err := d.rival(ctx)
	switch {
	case second != nil && d.numbed:
		d.untilStarted(ctx, second, before, 30*hesitation) // which it must not do
	case second != nil:
		d.await(ctx, second, time.Duration(d.rng.Int64N(int64(hesitation))), 0)
	}
	thaw := syscall.SIGKILL
	if d.rng.IntN(2) == 0 {
		thaw = syscall.SIGCONT
	}
	for _, pid := range frozen {
		if d.site.owns(pid) { // not a stranger that got its number
			_ = syscall.Kill(pid, thaw) // perhaps it has just ended
		}
	}
	if second != nil {
		d.await(ctx, second, time.Duration(d.rng.IntN(500))*time.Millisecond, 0)
		second.stop()
	}
	return errors.Join(err, ctx.Err())
}

// untilBusy waits until a command runs that does not end soon: one that outlives its owner does harm then.
func (d *disturbance) untilBusy(ctx context.Context, o *owner) {
	limit := 3 * hesitation
	if d.numbed {
		limit = patience
	}
	for began := time.Now(); !o.over() && ctx.Err() == nil && time.Since(began) < limit; {
		entries, err := d.site.ledger.read()
		if err == nil && d.busy(entries) {
			return
		}
		d.await(ctx, o, 5*time.Millisecond, 0)
	}
}

// untilStarted waits until a task has begun another attempt than those of before.
func (d *disturbance) untilStarted(ctx context.Context, o *owner, before []entry, limit time.Duration) {
	last := map[string]string{}
	for _, e := range before {
		last[e.task] = e.attempt
	}
	again := func(e entry) bool { return e.word == wordStart && last[e.task] != "" && e.attempt != last[e.task] }
	for began := time.Now(); !o.over() && ctx.Err() == nil && time.Since(began) < limit; {
		entries, err := d.site.ledger.read()
		if err == nil && slices.ContainsFunc(entries[min(len(before), len(entries)):], again) {
			d.await(ctx, o, 50*time.Millisecond, 0) // it looks for others next
			return
		}
		d.await(ctx, o, 5*time.Millisecond, 0)
	}
}

// busy says whether a command that lasts has begun and not ended.
func (d *disturbance) busy(entries []entry) bool {
	open := map[string]bool{}
	for _, e := range entries {
		t, ok := d.plan.find(e.task)
		if !ok || t.kind != kindHang && t.kind != kindSlow && t.kind != kindStray {
			continue
		}
		switch key := e.task + " " + e.attempt; e.word {
		case wordStart:
			open[key] = !d.begun[key] // the same one is not waited for twice
			d.begun[key] = true
		case wordEnd, wordFail:
			delete(open, key)
		}
	}
	for _, is := range open {
		if is {
			return true
		}
	}
	return false
}

// cancel asks for a task to be canceled, and kills the owner while it obeys, or soon after.
func (d *disturbance) cancel(ctx context.Context, o *owner) error {
	if err := d.watcher.learn(ctx); err != nil || d.watcher.run == "" {
		o.stop()
		return err
	}
	victim := d.plan.tasks[d.rng.IntN(len(d.plan.tasks))].id
	asked := d.site.Program(ctx, "cancel", d.watcher.run, victim)
	if err := asked.Start(); err != nil {
		o.stop()
		return err
	}
	d.await(ctx, o, time.Duration(d.rng.IntN(300))*time.Millisecond, 0)
	o.stop()
	err := asked.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 {
		err = nil // refused: the task was over, or its owner died before it answered
	}
	return errors.Join(err, ctx.Err())
}
