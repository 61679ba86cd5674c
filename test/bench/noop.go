package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"orchestrator/test/rig"
)

const (
	noopTasks = 1000
	noopSlots = 4
)

// shape is a way of arranging tasks; needs returns what task i waits for.
type shape struct {
	name  string
	slots int // how many can run at a time at all
	needs func(i int) []int
}

var shapes = []shape{
	{"wide", noopSlots, func(int) []int { return nil }},
	{"chain", 1, func(i int) []int {
		if i == 0 {
			return nil
		}
		return []int{i - 1}
	}},
	{"layers", noopSlots, func(i int) []int {
		const width = 50
		if i < width {
			return nil
		}
		above := (i/width - 1) * width
		return []int{above + i%width, above + (i+1)%width, above + (i+7)%width}
	}},
}

// noop measures the cost of a task that does nothing, with every state durable.
func noop(ctx context.Context, b benchmark) ([]measurement, error) {
	var lines []measurement
	start, err := startUp(ctx, b)
	if err != nil {
		return nil, err
	}
	lines = append(lines, measurement{name: "start-up: a run of 1 no-op task", ours: start})
	for _, s := range shapes {
		var floor, ours []time.Duration
		for range b.rounds {
			took, err := forkLoop(noopTasks, s.slots)
			if err != nil {
				return nil, err
			}
			floor = append(floor, took)
			took, err = b.noopRun(ctx, noopPlan(s, noopTasks))
			if err != nil {
				return nil, err
			}
			ours = append(ours, took)
		}
		lines = append(lines, measurement{
			name:  fmt.Sprintf("%d no-op tasks, %s (start-up included)", noopTasks, s.name),
			floor: median(floor), ours: median(ours), goal: "≤ 1.5",
		})
	}
	return lines, nil
}

func startUp(ctx context.Context, b benchmark) (time.Duration, error) {
	var all []time.Duration
	for range b.rounds {
		took, err := b.noopRun(ctx, noopPlan(shapes[0], 1))
		if err != nil {
			return 0, err
		}
		all = append(all, took)
	}
	return median(all), nil
}

// noopRun runs the plan with an empty store, on a repository with one file.
func (b benchmark) noopRun(ctx context.Context, plan string) (took time.Duration, err error) {
	err = b.scratch(ctx, func(s *rig.Site) error {
		if err := s.Write("seed.txt", "seed\n"); err != nil {
			return err
		}
		if err := s.Commit(ctx, "Start"); err != nil {
			return err
		}
		took, err = orcRun(ctx, s, plan)
		return err
	})
	return took, err
}

func noopPlan(s shape, tasks int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nname: noop\nconcurrency: %d\ndefaults: {isolation: none}\ntasks:\n", noopSlots)
	for i := range tasks {
		fmt.Fprintf(&b, "  t%d: {run: \"true\"", i)
		if needs := s.needs(i); len(needs) > 0 {
			b.WriteString(", needs: [")
			for k, n := range needs {
				if k > 0 {
					b.WriteString(", ")
				}
				fmt.Fprintf(&b, "t%d", n)
			}
			b.WriteString("]")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// forkLoop starts `sh -c true` n times, slots at a time: less cannot be done for n commands.
func forkLoop(n, slots int) (time.Duration, error) {
	began := time.Now()
	work := make(chan struct{}, n)
	for range n {
		work <- struct{}{}
	}
	close(work)
	failed := make(chan error, slots)
	var group sync.WaitGroup
	for range slots {
		group.Go(func() {
			for range work {
				if err := exec.Command("/bin/sh", "-c", "true").Run(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		return 0, fmt.Errorf("fork and exec: %w", err)
	default:
		return time.Since(began), nil
	}
}
