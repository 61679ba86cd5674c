package scheduler

import (
	"fmt"
	"testing"
)

// drive works a run through, ending attempts in the order in which they started, and returns the number of steps.
func drive(b testing.TB, tasks []*Task, concurrency int) int {
	s, err := NewState(tasks, nil, Options{Concurrency: concurrency})
	if err != nil {
		b.Fatal(err)
	}
	var running []TaskID
	var final RunState
	take := func(effects []Effect) {
		for _, e := range effects {
			switch e := e.(type) {
			case Start:
				running = append(running, e.Task)
			case Quiet:
				final = e.State
			}
		}
	}
	take(s.Step(Begin{}))
	steps := 1
	for ; len(running) > 0; steps++ {
		id := running[0]
		running = running[1:]
		take(s.Step(AttemptEnded{Task: id, Outcome: OutcomeSucceeded}))
	}
	if final != RunCompleted {
		b.Fatalf("the run ended as %q", final)
	}
	return steps
}

func benchmarkDrive(b *testing.B, tasks []*Task, concurrency int) {
	b.ReportAllocs()
	for b.Loop() {
		drive(b, tasks, concurrency)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(tasks)), "ns/task")
}

func wide(n int, writes func(i int) []string) []*Task {
	tasks := make([]*Task, n)
	for i := range tasks {
		tasks[i] = &Task{ID: TaskID(fmt.Sprintf("t%d", i))}
		if writes != nil {
			tasks[i].WritesFiles = writes(i)
		}
	}
	return tasks
}

func BenchmarkWide100k(b *testing.B) {
	for name, writes := range map[string]func(i int) []string{
		"free":     nil,
		"same":     func(int) []string { return []string{"src/**"} },
		"thousand": func(i int) []string { return []string{fmt.Sprintf("src/%d/**", i%1000)} },
		"distinct": func(i int) []string { return []string{fmt.Sprintf("src/%d.go", i)} },
		"globs":    func(i int) []string { return []string{fmt.Sprintf("src/%d/*.go", i)} },
		"shared":   func(i int) []string { return []string{fmt.Sprintf("src/%d.go", i), "go.mod"} },
		"mixed": func(i int) []string { // a hundred wide ones among files
			if i%1000 == 0 {
				return []string{"src/**"}
			}
			return []string{fmt.Sprintf("src/%d.go", i)}
		},
	} {
		b.Run(name, func(b *testing.B) { benchmarkDrive(b, wide(100_000, writes), 64) })
	}
}

func BenchmarkChain100k(b *testing.B) {
	tasks := wide(100_000, nil)
	for i := 1; i < len(tasks); i++ {
		tasks[i].DependsOn = []TaskID{tasks[i-1].ID}
	}
	benchmarkDrive(b, tasks, 64)
}

func BenchmarkLayers100k(b *testing.B) {
	const width = 100
	tasks := wide(100_000, func(i int) []string { return []string{fmt.Sprintf("pkg/%d/**", i%width)} })
	for i := width; i < len(tasks); i++ {
		for k := range 5 {
			tasks[i].DependsOn = append(tasks[i].DependsOn, tasks[i/width*width-width+(i+k*7)%width].ID)
		}
	}
	benchmarkDrive(b, tasks, 64)
}

// BenchmarkAllOverlapping100k is the worst case: every list differs, and every two overlap without a common pattern.
func BenchmarkAllOverlapping100k(b *testing.B) {
	benchmarkDrive(b, wide(100_000, func(i int) []string {
		return []string{fmt.Sprintf("src/*%d*", i)}
	}), 64)
}
