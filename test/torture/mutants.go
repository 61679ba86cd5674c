package main

import (
	"context"
	"fmt"
	"time"

	"orchestrator/internal/fault"
)

const (
	mutantKills = 1500            // disturbances after which a planted bug counts as not noticed
	mutantLimit = 4 * time.Minute // likewise
)

// proveMutants plants one bug after another and looks whether a round notices it: a harness that cannot fail proves
// nothing. It says whether all were noticed.
func (o options) proveMutants(ctx context.Context) (bool, error) {
	missed := 0
	for _, name := range fault.Mutants() {
		began := time.Now()
		faults, kills, err := o.hunt(ctx, name)
		if err != nil {
			return false, fmt.Errorf("mutant %s: %w", name, err)
		}
		took := time.Since(began).Round(time.Second)
		if len(faults) == 0 {
			missed++
			fmt.Printf("%-24s MISSED: not noticed in %d disturbances, %s\n", name, kills, took)
			continue
		}
		fmt.Printf("%-24s noticed after %d disturbances, %s: %s\n", name, kills, took, faults[0])
	}
	return missed == 0, nil
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
			return []string{err.Error()}, kills, nil
		}
		if len(res.faults) > 0 {
			return res.faults, kills, removeUnless(o.keep, res.folder)
		}
	}
	return nil, kills, nil
}
