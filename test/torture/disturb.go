package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// mostRetries is how often a wild run that waits or failed is retried before it may stay as it is.
const mostRetries = 4

// disturbance is the rough half of a round.
type disturbance struct {
	site  *site
	plan  plan
	rng   *rand.Rand
	calm  ending
	res   *result
	stops int // how often the run is disturbed before it may end in peace

	script [][]string // environments of the first owners; they are not disturbed otherwise
	hits   []bool     // of each owner: whether it, or its supervisor, died at a point

	watcher watcher
	retries int
	numbed  bool            // nothing but frozen supervisors
	begun   map[string]bool // attempts that were seen to begin
}

func newDisturbance(s *site, p plan, rng *rand.Rand, calm ending, res *result) *disturbance {
	return &disturbance{
		site: s, plan: p, rng: rng, calm: calm, res: res, begun: map[string]bool{},
		watcher: watcher{site: s, plan: p, res: res, done: map[string]int64{}, left: 1},
	}
}

// play starts the run, or goes on with it, and resumes it until it is over.
func (d *disturbance) play(ctx context.Context) (ending, error) {
	args, err := d.next(ctx)
	if err != nil {
		return ending{}, err
	}
	for i := 0; ; i++ {
		w, env := d.turn(i)
		o, err := d.site.start(ctx, env, args...)
		if err != nil {
			return ending{}, err
		}
		if err := w.play(ctx, d, o); err != nil {
			return ending{}, err
		}
		if err := d.countPoints(w); err != nil {
			return ending{}, err
		}
		over, err := d.look(ctx)
		if err != nil {
			return ending{}, err
		}
		if over {
			e, err := d.site.end(ctx)
			return e, errors.Join(err, d.finish(ctx))
		}
		if w == peace && d.watcher.state != "waiting" {
			return ending{}, fmt.Errorf("%w: %s ended with exit code %d before the run was over: %s",
				errStuck, strings.Join(args, " "), o.code(), o.complaint())
		}
		if args, err = d.next(ctx); err != nil {
			return ending{}, err
		}
	}
}

// turn says what the i-th owner is in for.
func (d *disturbance) turn(i int) (way, []string) {
	switch {
	case i < len(d.script):
		return point, d.script[i]
	case i < d.stops:
		w := d.draw()
		if d.numbed { // the bug that is hunted shows in no other way
			w = numb
		}
		return w, w.environ(d)
	}
	return peace, nil
}

// look sees what a death has left. Now and then nobody looks, so that it is the next owner that finds it as it is.
func (d *disturbance) look(ctx context.Context) (over bool, err error) {
	if d.rng.IntN(2) == 0 {
		if err := d.settle(ctx); err != nil {
			return false, err
		}
	}
	return d.watcher.look(ctx)
}

// next says how to go on: resume, run again when the owner died before the run was stored, or retry what waits.
func (d *disturbance) next(ctx context.Context) ([]string, error) {
	run := d.watcher.run
	switch {
	case run == "":
		return []string{"run", d.site.planPath()}, ctx.Err()
	case d.watcher.state == "waiting" && d.retries < mostRetries:
		d.retries++
		return []string{"retry", run}, ctx.Err()
	case d.watcher.state == "waiting":
		// The tasks that clash were told to wait often enough: what cannot be merged is given up.
		// Nobody owns the run: the answer is that the request waits for the next owner.
		_ = d.site.Program(ctx, "cancel", run).Run()
		return []string{"resume", run}, ctx.Err()
	}
	return []string{"resume", run}, ctx.Err()
}

// settle waits until every process of the dead owner is gone: they must go without help.
func (d *disturbance) settle(ctx context.Context) error {
	began := time.Now()
	left, err := vanish(ctx, d.site, 20*time.Second)
	if err != nil {
		return err
	}
	took := time.Since(began)
	d.res.tally.waits += took
	d.res.tally.waited++
	d.res.tally.longest = max(d.res.tally.longest, took)
	for _, p := range left {
		d.res.fault("I4: still alive 20 s after its owner's death: %s", p)
	}
	return nil
}

// countPoints counts the deaths at named points since the last time.
func (d *disturbance) countPoints(w way) error {
	d.hits = append(d.hits, false)
	text, err := os.ReadFile(d.site.points)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.Remove(d.site.points)
	}
	if err != nil {
		return fmt.Errorf("read which points were hit: %w", err)
	}
	for name := range strings.FieldsSeq(string(text)) {
		d.res.tally.points[name]++
		d.res.tally.ways[w]++
		d.hits[len(d.hits)-1] = true
	}
	return nil
}

// finish checks the ledger of a run that is over.
func (d *disturbance) finish(ctx context.Context) error {
	entries, err := d.site.ledger.read()
	if err != nil {
		return err
	}
	d.watcher.audit(entries)
	return d.watcher.checkSaved(ctx, entries)
}
