package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"orchestrator/internal/fault"
)

// mostPassings bounds how often one point is passed in a small plan.
const mostPassings = 400

// exhaust dies at the first, second, third … passing of every point, each in a run of its own, until a run ends
// without having passed the point so often: once in the first owner of a run, once in its second, which finds what
// a dead one left.
func (o options) exhaust(ctx context.Context, plans int) (ok bool, err error) {
	t := &totals{began: time.Now(), tally: newTally()}
	for i := range uint64(plans) {
		if err := o.exhaustPlan(ctx, t, o.seed+i); err != nil {
			return false, fmt.Errorf("plan %d: %w", o.seed+i, err)
		}
	}
	t.report()
	return t.bad == 0, t.err
}

// trial is one plan of the exhaustive mode.
type trial struct {
	round
	options
	totals   *totals
	plan     plan
	expected ending
	folder   string
}

func (o options) exhaustPlan(ctx context.Context, t *totals, seed uint64) (err error) {
	tr := &trial{round: round{orc: o.orc, seed: seed, keep: o.keep}, options: o, totals: t, plan: smallPlan(rand.New(rand.NewPCG(seed, 0)))}
	if tr.folder, err = os.MkdirTemp("", fmt.Sprintf("orc-exhaust-%d-", seed)); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	calm, err := tr.newSite(ctx, filepath.Join(tr.folder, "calm"), tr.plan)
	if err != nil {
		return err
	}
	if tr.expected, err = calm.undisturbed(ctx); err != nil {
		return err
	}
	bad := t.bad
	names := make(chan string)
	var workers sync.WaitGroup
	for range max(o.jobs, 1) {
		workers.Go(func() {
			for name := range names {
				tr.exhaustPoint(ctx, name)
			}
		})
	}
	for _, name := range fault.Points() {
		names <- name
	}
	close(names)
	workers.Wait()
	if t.bad == bad && t.err == nil && !o.keep {
		return os.RemoveAll(tr.folder)
	}
	return nil
}

// exhaustPoint dies at every passing of one point.
func (tr *trial) exhaustPoint(ctx context.Context, name string) {
	for _, resumed := range []bool{false, true} {
		for n := 1; n <= mostPassings; n++ {
			if tr.options.limit > 0 && time.Since(tr.totals.began) > tr.options.limit {
				return
			}
			res, hit, err := tr.dieOnce(ctx, resumed, name, n)
			if err != nil || hit {
				tr.totals.end(ctx, tr.round.seed, res, err)
			}
			if err != nil || !hit {
				break
			}
		}
	}
}

// dieOnce runs the plan, dies at one passing of one point, and resumes in peace.
func (tr *trial) dieOnce(ctx context.Context, resumed bool, name string, n int) (res result, hit bool, err error) {
	res = result{about: fmt.Sprintf("%s:%d", name, n), tally: newTally()}
	if resumed {
		res.about += " while resuming"
	}
	if res.folder, err = os.MkdirTemp(tr.folder, fmt.Sprintf("%s.%d-", name, n)); err != nil {
		return res, false, fmt.Errorf("make the folder: %w", err)
	}
	s, err := tr.newSite(ctx, filepath.Join(res.folder, "site"), tr.plan)
	if err != nil {
		return res, false, err
	}
	d := newDisturbance(s, tr.plan, rand.New(rand.NewPCG(tr.round.seed, uint64(n))), tr.expected, &res)
	if resumed {
		d.script = append(d.script, s.faultAt("attempt.started", 2))
	}
	d.script = append(d.script, s.faultAt(name, n))
	actual, err := d.play(ctx)
	hit = len(d.hits) >= len(d.script) && d.hits[len(d.script)-1]
	if errors.Is(err, errStuck) {
		res.fault("I9: %v", err)
		return res, true, nil
	}
	if err != nil {
		return res, hit, err
	}
	compare(&res, tr.plan, tr.expected, actual)
	err = tr.close(ctx, &res, s)
	return res, hit || len(res.faults) > 0, err
}
