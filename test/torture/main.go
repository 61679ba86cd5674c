// Command torture tries to make orc lose, repeat or leave behind something. Each round draws a random plan, runs it
// once undisturbed, then again on a copy of the repository while its processes are killed, frozen and raced: at
// random moments, and at every instant that package fault names. The run is resumed until it is over. The end must
// be the same, and everything that package invariants lists must hold after every death.
//
// The ledger, a file outside of the repository to which the tasks' own commands report, is what tells truth from
// bookkeeping: orc neither writes nor reads it.
//
// The program has to be built with -tags orcfault, for -mutants also with orcmutant.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	orc   string
	kills int
	seed  uint64
	jobs  int
	limit time.Duration
	keep  bool

	simulation string
	only       string
}

func main() {
	var o options
	var exhaustive, disk int
	var mutants bool
	flag.StringVar(&o.orc, "orc", "bin/orc-torture", "the program to disturb, built with -tags orcfault")
	flag.IntVar(&o.kills, "kills", 300, "go on until so many processes were killed, frozen or raced")
	flag.Uint64Var(&o.seed, "seed", 0, "seed of the first round; the following rounds count up; 0 draws one")
	flag.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "rounds at a time")
	flag.DurationVar(&o.limit, "limit", 0, "begin no round after so long; 0 = no limit")
	flag.BoolVar(&o.keep, "keep", false, "keep the folders of good rounds too")
	flag.IntVar(&exhaustive, "exhaustive", 0, "instead: die at each point's first, second, third … passing, in so many plans")
	flag.IntVar(&disk, "disk", 0, "instead: fill the disk, in so many rounds; needs the right to mount")
	flag.BoolVar(&mutants, "mutants", false, "instead: plant each bug that package fault lists and prove that it is noticed")
	flag.StringVar(&o.simulation, "simulation", "", "with -mutants: the test program of internal/orchestrator, built with -tags orcmutant")
	flag.StringVar(&o.only, "only", "", "with -mutants: just this bug")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.seed == 0 {
		o.seed = rand.Uint64N(1 << 32)
	}
	fmt.Printf("seed %d\n", o.seed)
	var ok bool
	var err error
	switch {
	case mutants:
		ok, err = o.proveMutants(ctx)
	case exhaustive > 0:
		ok, err = o.exhaust(ctx, exhaustive)
	case disk > 0:
		ok, err = o.fillDisks(ctx, disk)
	default:
		ok, err = o.campaign(ctx)
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "torture: interrupted")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(2)
	case !ok:
		os.Exit(1)
	}
}
