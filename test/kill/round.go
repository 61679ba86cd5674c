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

const (
	// mostStops is how often one run is disturbed before it may end in peace.
	mostStops = 6
	// patience is how long a run may take from a start or resume to its end. Generous: a loaded machine is no fault.
	patience = 3 * time.Minute
)

// round is one plan, run twice.
type round struct {
	orc  string
	seed uint64
	keep bool
}

// result is what came of a round.
type result struct {
	tasks  int
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

// tally counts what was done to the owner.
type tally struct {
	kill, group, term int
	waits             time.Duration // from a kill until the last marked process was gone, in all
}

func (t *tally) add(o tally) {
	t.kill += o.kill
	t.group += o.group
	t.term += o.term
	t.waits += o.waits
}

func (t tally) String() string {
	return fmt.Sprintf("%d kills of the owner, %d with its children, %d terminations", t.kill, t.group, t.term)
}

// site is a repository with a plan, a ledger and a memory of how the checkout was.
type site struct {
	*rig.Site
	ledger ledger
	before checkout
}

func newSite(ctx context.Context, orc, root string, p plan, dirty bool) (*site, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("make the site: %w", err)
	}
	s, err := rig.NewSite(ctx, orc, root)
	if err != nil {
		return nil, err
	}
	out := &site{Site: s, ledger: ledger(filepath.Join(root, "ledger"))}
	if err := os.WriteFile(string(out.ledger), nil, 0o600); err != nil {
		return nil, fmt.Errorf("make the ledger: %w", err)
	}
	for name, text := range map[string]string{"seed.txt": "seed\n", "edited.txt": "as committed\n", ".gitignore": "*.ignored\n"} {
		if err := s.Write(name, text); err != nil {
			return nil, err
		}
	}
	if err := s.Commit(ctx, "Start"); err != nil {
		return nil, err
	}
	// The plan stays out of the commit, so that both sites have the same one.
	if err := os.WriteFile(filepath.Join(root, "plan.yaml"), []byte(p.yaml(string(out.ledger))), 0o600); err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	if dirty {
		if err := soil(ctx, s); err != nil {
			return nil, err
		}
	}
	out.before, err = look(ctx, s)
	return out, err
}

// soil leaves work of the user in the checkout: staged, not staged, untracked and ignored.
func soil(ctx context.Context, s *rig.Site) error {
	if err := s.Write("staged.txt", "staged\n"); err != nil {
		return err
	}
	if _, err := s.Git(ctx, "add", "staged.txt"); err != nil {
		return err
	}
	for name, text := range map[string]string{"edited.txt": "edited\n", "untracked.txt": "untracked\n", "secret.ignored": "ignored\n"} {
		if err := s.Write(name, text); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) planPath() string { return filepath.Join(s.Root, "plan.yaml") }

// play runs the plan twice and compares. An error means that the round could not be judged.
func (r round) play(ctx context.Context) (res result, err error) {
	rng := rand.New(rand.NewPCG(r.seed, 0))
	p := newPlan(rng)
	dirty := rng.IntN(2) == 0
	res.tasks = len(p.tasks)
	res.folder, err = os.MkdirTemp("", fmt.Sprintf("orc-kill-%d-", r.seed))
	if err != nil {
		return res, fmt.Errorf("make the folder: %w", err)
	}
	calm, err := newSite(ctx, r.orc, filepath.Join(res.folder, "calm"), p, dirty)
	if err != nil {
		return res, err
	}
	rough, err := newSite(ctx, r.orc, filepath.Join(res.folder, "rough"), p, dirty)
	if err != nil {
		return res, err
	}
	expected, err := runCalm(ctx, calm)
	if err != nil {
		return res, fmt.Errorf("undisturbed run (%s): %w", res.folder, err)
	}
	d := disturbance{site: rough, plan: p, rng: rng, calm: expected, res: &res}
	actual, err := d.play(ctx)
	if errors.Is(err, errStuck) {
		res.fault("%v", err)
		return res, nil
	}
	if err != nil {
		return res, fmt.Errorf("disturbed run (%s): %w", res.folder, err)
	}
	compare(&res, p, expected, actual)
	for _, s := range []*site{calm, rough} {
		if err := inspect(ctx, &res, s); err != nil {
			return res, err
		}
	}
	if len(res.faults) == 0 && !r.keep {
		if err := os.RemoveAll(res.folder); err != nil {
			return res, fmt.Errorf("remove the folder: %w", err)
		}
	}
	return res, nil
}

// ending is how a run ended.
type ending struct {
	status rig.Status
	code   int
	tree   string // of the integration branch
	events int
	took   time.Duration
}

// end collects a run's ending.
func (s *site) end(ctx context.Context, code int) (ending, error) {
	st, err := s.Status(ctx)
	if err != nil {
		return ending{}, err
	}
	tree, err := s.Git(ctx, "rev-parse", "--verify", "refs/orc/"+st.Run.ID+"/integration^{tree}")
	if err != nil {
		return ending{}, err
	}
	return ending{status: st, code: code, tree: tree}, nil
}

func runCalm(ctx context.Context, s *site) (ending, error) {
	began := time.Now()
	o, err := start(ctx, s, "run", "--yes", s.planPath())
	if err != nil {
		return ending{}, err
	}
	if err := o.wait(ctx, patience); err != nil {
		return ending{}, err
	}
	e, err := s.end(ctx, o.code())
	if err == nil && !e.status.Over() {
		err = fmt.Errorf("ended in state %s with exit code %d: %s", e.status.Run.State, e.code, o.complaint())
	}
	e.events, e.took = o.events(), time.Since(began)
	return e, err
}
