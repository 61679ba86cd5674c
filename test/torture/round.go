package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orchestrator/test/rig"
)

// patience is how long a run may take from a start or resume to its end. Generous: a loaded machine is no fault.
const patience = 3 * time.Minute

// round is one plan, run once undisturbed and several times disturbed.
type round struct {
	orc    string
	seed   uint64
	keep   bool
	mutant string // the bug that is planted; empty = none
}

// result is what came of a round.
type result struct {
	about  string
	tally  tally
	faults []string
	folder string // kept when there are faults
}

func (r *result) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r result) verdict() string {
	if len(r.faults) == 0 {
		return "ok"
	}
	return "FAULTS (kept in " + r.folder + ")\n  " + strings.Join(r.faults, "\n  ")
}

// play runs the plan undisturbed and disturbed and compares. A wild plan, whose end depends on the order of things,
// is only run disturbed and has nothing to be compared with. An error means that the round could not be judged.
func (r round) play(ctx context.Context) (res result, err error) {
	p := newPlan(rand.New(rand.NewPCG(r.seed, 0)))
	if r.mutant == "no-quiesce" {
		p = p.lasting()
	}
	res, calm, err := r.prepare(ctx, p)
	if err != nil {
		return res, err
	}
	expected, times := p.estimate(), 1
	if calm != nil {
		if expected, err = calm.undisturbed(ctx); err != nil {
			return res, fmt.Errorf("undisturbed run (%s): %w", res.folder, err)
		}
		if err := inspect(ctx, &res, calm); err != nil {
			return res, err
		}
		times = roughRuns
	}
	for i := range times {
		if err := r.rough(ctx, &res, p, expected, i); err != nil {
			return res, fmt.Errorf("disturbed run %d (%s): %w", i, res.folder, err)
		}
		if len(res.faults) > 0 {
			break // a later one would only blur what happened
		}
	}
	return res, removeUnless(len(res.faults) > 0 || r.keep, res.folder)
}

// roughRuns is how often a plan is disturbed, each time in another way, for one undisturbed run of it.
const roughRuns = 4

// rough plays the plan disturbed, and compares unless it is wild.
func (r round) rough(ctx context.Context, res *result, p plan, expected ending, i int) error {
	s, err := r.newSite(ctx, filepath.Join(res.folder, fmt.Sprintf("rough%d", i)), p)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(r.seed, uint64(1+i)))
	d := newDisturbance(s, p, rng, expected, res)
	d.numbed = r.mutant == "no-quiesce"
	d.stops = 6 + rng.IntN(25)
	actual, err := d.play(ctx)
	if errors.Is(err, errStuck) {
		res.fault("I9: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	if !p.wild {
		compare(res, p, expected, actual)
	}
	return inspect(ctx, res, s)
}

// prepare makes the folder and, unless the plan is wild, the site of the undisturbed run.
func (r round) prepare(ctx context.Context, p plan) (res result, calm *site, err error) {
	res.tally = newTally()
	res.about = fmt.Sprintf("%d tasks", len(p.tasks))
	if p.wild {
		res.about += ", wild"
	}
	if res.folder, err = os.MkdirTemp("", fmt.Sprintf("orc-torture-%d-", r.seed)); err != nil {
		return res, nil, fmt.Errorf("make the folder: %w", err)
	}
	if !p.wild {
		calm, err = r.newSite(ctx, filepath.Join(res.folder, "calm"), p)
	}
	return res, calm, err
}

func (r round) newSite(ctx context.Context, root string, p plan) (*site, error) {
	s, err := newSite(ctx, r.orc, root, p)
	if err == nil && r.mutant != "" {
		s.Env = append(s.Env, "ORC_MUTANT="+r.mutant)
	}
	return s, err
}

// close looks at what is left and removes the folder of a good round.
func (r round) close(ctx context.Context, res *result, sites ...*site) error {
	for _, s := range sites {
		if err := inspect(ctx, res, s); err != nil {
			return err
		}
	}
	return removeUnless(len(res.faults) > 0 || r.keep, res.folder)
}

func removeUnless(keep bool, folder string) error {
	if keep {
		return nil
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("remove the folder: %w", err)
	}
	return nil
}

// ending is how a run ended.
type ending struct {
	status rig.Status
	tree   string // of the integration branch
	events int
	took   time.Duration
}

// end collects a run's ending.
func (s *site) end(ctx context.Context) (ending, error) {
	st, err := s.Status(ctx)
	if err != nil {
		return ending{}, err
	}
	tree, err := s.Git(ctx, "rev-parse", "--verify", "refs/orc/"+st.Run.ID+"/integration^{tree}")
	if err != nil {
		return ending{}, err
	}
	return ending{status: st, tree: tree}, nil
}

// undisturbed runs the plan in peace.
func (s *site) undisturbed(ctx context.Context) (ending, error) {
	began := time.Now()
	o, err := s.start(ctx, nil, "run", s.planPath())
	if err != nil {
		return ending{}, err
	}
	if err := o.wait(ctx, patience); err != nil {
		return ending{}, err
	}
	e, err := s.end(ctx)
	if err == nil && !e.status.Over() {
		err = fmt.Errorf("ended in state %s with exit code %d: %s", e.status.Run.State, o.code(), o.complaint())
	}
	e.events, e.took = o.events(), time.Since(began)
	return e, err
}

// compare holds the disturbed run against the undisturbed one.
func compare(res *result, p plan, want, got ending) {
	states, wanted := got.status.States(), want.status.States()
	for _, t := range p.tasks {
		if states[t.id] != wanted[t.id] {
			res.fault("I9: %s is %s, undisturbed it is %s", t.id, states[t.id], wanted[t.id])
		}
	}
	if got.status.Run.State != want.status.Run.State {
		res.fault("I9: the run is %s, undisturbed it is %s", got.status.Run.State, want.status.Run.State)
	}
	if got.tree != want.tree {
		res.fault("I9: the integration branch has tree %s, undisturbed %s", got.tree, want.tree)
	}
}
