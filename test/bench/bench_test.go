package main

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestBoundIsTheLongestChainOrTheSpreadWork(t *testing.T) {
	chain := trace{steps: []step{{"a", nil, time.Second}, {"b", []string{"a"}, 2 * time.Second}, {"c", nil, time.Second}}}
	if got := chain.bound(); got != 3*time.Second {
		t.Errorf("chain: %s, want 3s", got)
	}
	var wide trace
	for range 4 * traceSlots {
		wide.steps = append(wide.steps, step{"x", nil, time.Second})
	}
	if got := wide.bound(); got != 4*time.Second {
		t.Errorf("wide: %s, want 4s", got)
	}
}

func TestTracesAreTheSameEveryTimeAndSmallEnough(t *testing.T) {
	var total time.Duration
	for i, wv := range weaves {
		var plans []string
		for range 2 {
			w := weaver{trace: trace{name: wv.name}, rng: rand.New(rand.NewPCG(traceSeed, uint64(i)))}
			wv.weave(&w)
			plans = append(plans, w.plan())
			total += w.bound()
			if n := len(w.steps); n < 100 {
				t.Errorf("%s has only %d tasks", wv.name, n)
			}
		}
		if plans[0] != plans[1] {
			t.Errorf("%s differs from draw to draw", wv.name)
		}
	}
	if total > 3*time.Minute {
		t.Errorf("the traces take at least %s", total)
	}
}

func TestShapesNeedOnlyEarlierTasks(t *testing.T) {
	for _, s := range shapes {
		for i := range noopTasks {
			for _, n := range s.needs(i) {
				if n < 0 || n >= i {
					t.Fatalf("%s: task %d needs %d", s.name, i, n)
				}
			}
		}
		if got := strings.Count(noopPlan(s, noopTasks), "run:"); got != noopTasks {
			t.Errorf("%s: %d tasks in the plan", s.name, got)
		}
	}
}

func TestForkLoopRunsAll(t *testing.T) {
	if took, err := forkLoop(10, 4); err != nil || took <= 0 {
		t.Errorf("took %s, error %v", took, err)
	}
}
