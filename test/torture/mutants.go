package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"orchestrator/internal/fault"
)

const (
	mutantKills = 1500            // disturbances after which a planted bug counts as not noticed
	mutantLimit = 4 * time.Minute // likewise
)

// simulatedOnly are bugs that only an owner shows that is replaced while it lives. That takes as long as a lease lasts,
// and the repository has a fence of its own; the simulation plays it with a clock of its own and without that fence.
var simulatedOnly = map[string]bool{"no-fence": true}

// proveMutants plants one bug after another and looks whether the simulation and a round notice it: a harness that
// cannot fail proves nothing. It says whether all were noticed.
func (o options) proveMutants(ctx context.Context) (bool, error) {
	missed := 0
	for _, name := range fault.Mutants() {
		if o.only != "" && o.only != name {
			continue
		}
		noticed, err := o.proveMutant(ctx, name)
		if err != nil {
			return false, fmt.Errorf("mutant %s: %w", name, err)
		}
		if !noticed {
			missed++
			fmt.Printf("%-24s MISSED\n", name)
		}
	}
	return missed == 0, nil
}

// proveMutant looks in the simulation first, which takes seconds, and plays rounds for what it does without.
func (o options) proveMutant(ctx context.Context, name string) (noticed bool, err error) {
	began := time.Now()
	if o.simulation != "" && !simulatedNot[name] {
		said, err := o.simulate(ctx, name)
		if err != nil {
			return false, err
		}
		if noticed = said != ""; noticed {
			fmt.Printf("%-24s simulation, %s: %s\n", name, time.Since(began).Round(time.Second), said)
		}
	}
	if simulatedOnly[name] {
		return noticed, nil
	}
	began = time.Now()
	faults, kills, err := o.hunt(ctx, name)
	if err != nil {
		return false, err
	}
	took := time.Since(began).Round(time.Second)
	if len(faults) == 0 {
		fmt.Printf("%-24s torture: not noticed in %d disturbances, %s\n", name, kills, took)
		return noticed, nil
	}
	fmt.Printf("%-24s torture, %d disturbances, %s: %s\n", name, kills, took, faults[0])
	return true, nil
}

// simulatedNot are bugs of parts that the simulation does without.
var simulatedNot = map[string]bool{"no-quiesce": true}

// simulate runs the simulation with a bug, and returns the first fault that it found; empty = none.
func (o options) simulate(ctx context.Context, name string) (string, error) {
	cmd := exec.CommandContext(ctx, o.simulation, "-test.run=^TestSimulated", "-test.failfast")
	cmd.Env = append(os.Environ(), "ORC_MUTANT="+name)
	out, err := cmd.CombinedOutput()
	if err == nil || ctx.Err() != nil {
		return "", ctx.Err()
	}
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		return "", fmt.Errorf("run the simulation: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if _, said, ok := strings.Cut(line, "_test.go:"); ok {
			return strings.TrimSpace(said), nil
		}
	}
	return "it failed", nil
}

// hunt plays rounds with a bug until one has faults.
func (o options) hunt(ctx context.Context, name string) (faults []string, kills int, err error) {
	began := time.Now()
	for i := uint64(0); kills < mutantKills && time.Since(began) < mutantLimit; i++ {
		r := round{orc: o.orc, seed: o.seed + i, mutant: name, keep: o.keep}
		res, err := r.play(ctx)
		if ctx.Err() != nil {
			return nil, kills, ctx.Err()
		}
		kills += res.tally.sum()
		if err != nil { // the bug made the program useless, which is hard to overlook
			return []string{err.Error()}, kills, nil //nolint:nilerr // the error is what was to be found
		}
		if len(res.faults) > 0 {
			return res.faults, kills, removeUnless(o.keep, res.folder)
		}
	}
	return nil, kills, nil
}
