// Command kill tries to make orc lose, repeat or leave behind something. Each round draws a random plan, runs it
// once undisturbed, then again on a copy of the repository while the owner is killed at random moments and the run
// resumed until it is over. The end must be the same, nothing that was recorded as completed may start again, no
// process may be left, and the user's checkout must be byte for byte what it was.
//
// The ledger, a file outside of the repository to which the tasks' own commands report, is what tells truth from
// bookkeeping: orc neither writes nor reads it.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	orc := flag.String("orc", "bin/orc", "the program to disturb")
	rounds := flag.Int("rounds", 10, "how many plans")
	seed := flag.Uint64("seed", 0, "seed of the first round; the following rounds count up; 0 draws one")
	keep := flag.Bool("keep", false, "keep the folders of good rounds too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *seed == 0 {
		*seed = rand.Uint64N(1 << 32)
	}
	fmt.Printf("seed %d\n", *seed)
	bad, total := 0, tally{}
	began := time.Now()
	for i := range uint64(*rounds) {
		r := round{orc: *orc, seed: *seed + i, keep: *keep}
		result, err := r.play(ctx)
		if ctx.Err() != nil {
			fmt.Fprintln(os.Stderr, "kill: interrupted")
			os.Exit(130)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "kill: round %d: %v\n", r.seed, err)
			os.Exit(2)
		}
		total.add(result.tally)
		fmt.Printf("seed %d: %d tasks, %s, %s\n", r.seed, result.tasks, result.tally, result.verdict())
		if len(result.faults) > 0 {
			bad++
		}
	}
	fmt.Printf("%d rounds in %s: %s, %d with faults\n", *rounds, time.Since(began).Round(time.Second), total, bad)
	if bad > 0 {
		os.Exit(1)
	}
}
