package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"orchestrator/internal/fault"
)

// totals are the sums over rounds; safe for concurrent use.
type totals struct {
	mu     sync.Mutex
	next   uint64 // seed of the next round
	rounds int
	bad    int
	err    error
	tally  tally
	began  time.Time
}

// play runs rounds, several at a time, until enough was done, and says whether all were good.
func (o options) campaign(ctx context.Context) (bool, error) {
	t := &totals{next: o.seed, began: time.Now(), tally: newTally()}
	var workers sync.WaitGroup
	for range max(o.jobs, 1) {
		workers.Go(func() {
			for {
				seed, ok := t.begin(ctx, o)
				if !ok {
					return
				}
				r := round{orc: o.orc, seed: seed, keep: o.keep}
				res, err := r.play(ctx)
				t.end(ctx, seed, res, err)
			}
		})
	}
	workers.Wait()
	t.report()
	return t.bad == 0, t.err
}

// begin hands out the next seed, unless enough was done.
func (t *totals) begin(ctx context.Context, o options) (uint64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	over := t.tally.sum() >= o.kills || t.err != nil || ctx.Err() != nil
	if over || o.limit > 0 && time.Since(t.began) > o.limit {
		return 0, false
	}
	t.next++
	return t.next - 1, true
}

func (t *totals) end(ctx context.Context, seed uint64, res result, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil && t.err == nil {
			t.err = fmt.Errorf("round %d: %w", seed, err)
		}
		return
	}
	t.rounds++
	t.tally.add(res.tally)
	if len(res.faults) > 0 {
		t.bad++
	}
	fmt.Printf("seed %d: %s, %s, %s\n", seed, res.about, res.tally, res.verdict())
}

// report prints the sums, and the count of deaths per point: one that was never hit proves nothing.
func (t *totals) report() {
	took := time.Since(t.began)
	fmt.Printf("%d rounds in %s, %d with faults: %d disturbances (%.0f a minute): %s; %d frozen owners woke up after another had taken their place; the database and git were checked %d times\n",
		t.rounds, took.Round(time.Second), t.bad, t.tally.sum(), float64(t.tally.sum())/took.Minutes(), t.tally, t.tally.usurped, t.tally.checks)
	if t.tally.waited > 0 {
		fmt.Printf("after %d deaths the processes left were watched: the last was gone after %s on average, %s at most\n",
			t.tally.waited, (t.tally.waits / time.Duration(t.tally.waited)).Round(time.Millisecond), t.tally.longest.Round(time.Millisecond))
	}
	t.tally.printPoints()
}

// tally counts what was done.
type tally struct {
	ways    map[way]int
	points  map[string]int // deaths per named point
	checks  int            // how often all invariants were looked at
	usurped int            // owners that woke up after another had taken their place
	waited  int            // how often the processes that were left were watched until they were gone
	waits   time.Duration  // how long that took in all
	longest time.Duration
}

func newTally() tally { return tally{ways: map[way]int{}, points: map[string]int{}} }

func (t *tally) add(o tally) {
	for w, n := range o.ways {
		t.ways[w] += n
	}
	for p, n := range o.points {
		t.points[p] += n
	}
	t.checks += o.checks
	t.usurped += o.usurped
	t.waited += o.waited
	t.waits += o.waits
	t.longest = max(t.longest, o.longest)
}

// sum is the number of disturbances that happened.
func (t tally) sum() int {
	n := 0
	for _, k := range t.ways {
		n += k
	}
	return n
}

func (t tally) String() string {
	var parts []string
	for _, w := range slices.Sorted(maps.Keys(t.ways)) {
		parts = append(parts, fmt.Sprintf("%d %s", t.ways[w], w))
	}
	if parts == nil {
		return "undisturbed"
	}
	return strings.Join(parts, ", ")
}

func (t tally) printPoints() {
	fmt.Println("deaths per point:")
	for _, p := range fault.Points() {
		fmt.Printf("  %-22s %d\n", p, t.points[p])
	}
}
