package persistence_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// benchRun stores a run of n tasks with three dependencies each where there are so many before it, and owns it.
func benchRun(b *testing.B, s persistence.Store, n int) (tasks []*scheduler.Task, generation int64) {
	b.Helper()
	tasks = make([]*scheduler.Task, n)
	for i := range tasks {
		tasks[i] = &scheduler.Task{
			ID: scheduler.TaskID(fmt.Sprintf("task-%06d", i)), Command: "true", Attempts: 1,
			Status: scheduler.TaskEligible, Prompt: strings.Repeat("p", 200),
		}
		for d := 1; d <= 3 && i-d*7 >= 0; d++ {
			tasks[i].DependsOn = append(tasks[i].DependsOn, tasks[i-d*7].ID)
		}
	}
	if err := s.CreateRun(b.Context(), persistence.Run{ID: "aa", State: scheduler.RunRunning, CreatedAt: time.Now()}, tasks); err != nil {
		b.Fatal(err)
	}
	generation, err := s.AcquireLease(b.Context(), persistence.Lease{Run: "aa", Owner: "bench", ExpiresAt: time.Now().Add(time.Hour)}, time.Now(), true)
	if err != nil {
		b.Fatal(err)
	}
	return tasks, generation
}

// reportCPU adds the processor time per operation: on a busy machine it repeats, wall time does not.
func reportCPU(b *testing.B) func() {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

// BenchmarkApply is one step of the engine: one task ends, another starts.
func BenchmarkApply(b *testing.B) {
	for _, durability := range []string{persistence.DurabilityNormal, persistence.DurabilityFull} {
		b.Run(durability, func(b *testing.B) {
			s, err := persistence.OpenSQLite(b.Context(), b.TempDir()+"/orc.db", persistence.Options{Durability: durability})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			tasks, generation := benchRun(b, s, 1000)
			now, zero := time.Now(), 0
			b.ReportAllocs()
			defer reportCPU(b)()
			for i := 0; b.Loop(); i++ {
				ended, begun := tasks[i%1000].ID, tasks[(i+1)%1000].ID
				from := scheduler.TaskEligible
				if i > 0 {
					from = scheduler.TaskRunning
				}
				next := scheduler.TaskEligible
				if i >= 999 {
					next = scheduler.TaskCompleted
				}
				n := i/1000 + 1
				_, err := s.Apply(b.Context(), persistence.Transition{
					Run: "aa", Generation: generation, Now: now,
					Tasks: []persistence.TaskChange{
						{Task: ended, From: from, To: scheduler.TaskCompleted},
						{Task: begun, From: next, To: scheduler.TaskRunning},
					},
					Attempts: []persistence.Attempt{
						{Task: ended, Number: n, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeSucceeded, StartedAt: now, EndedAt: now, ExitCode: &zero, Log: "/home/u/.local/share/orc/runs/aa/log/x.1.log"},
						{Task: begun, Number: n, Phase: scheduler.PhaseWorking, StartedAt: now, Log: "/home/u/.local/share/orc/runs/aa/log/x.1.log"},
					},
					Events: []event.Event{
						{Kind: event.TaskCompleted, Task: string(ended), Attempt: n, Detail: event.Detail{Status: "completed", DurationMS: 3}},
						{Kind: event.TaskEligible, Task: string(begun), Detail: event.Detail{Status: "eligible"}},
						{Kind: event.TaskStarted, Task: string(begun), Attempt: n, Detail: event.Detail{Status: "running", Attempts: 1}},
					},
					Turns: []persistence.TaskTurn{
						{Task: begun, ConversationTurn: persistence.ConversationTurn{Role: "user", Content: "true", Timestamp: now, Attempt: n}},
						{Task: ended, ConversationTurn: persistence.ConversationTurn{Role: "tool", Content: "done", Timestamp: now, Attempt: n}},
					},
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUpdateTaskStatus(b *testing.B) {
	s := testStore(b)
	tasks, _ := benchRun(b, s, 1000)
	b.ReportAllocs()
	defer reportCPU(b)()
	for i := 0; b.Loop(); i++ {
		status := []scheduler.TaskStatus{scheduler.TaskRunning, scheduler.TaskFailed}[i%2]
		if err := s.UpdateTaskStatus(b.Context(), "aa", tasks[i%1000].ID, status, nil, ""); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSaveTaskAgain(b *testing.B) {
	s := testStore(b)
	tasks, _ := benchRun(b, s, 1000)
	b.ReportAllocs()
	defer reportCPU(b)()
	for i := 0; b.Loop(); i++ {
		if err := s.SaveTask(b.Context(), "aa", tasks[i%1000]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkListTasks(b *testing.B) {
	s := testStore(b)
	benchRun(b, s, 20_000)
	b.ReportAllocs()
	defer reportCPU(b)()
	for b.Loop() {
		if list, err := s.ListTasks(b.Context(), "aa"); err != nil || len(list) != 20_000 {
			b.Fatal(len(list), err)
		}
	}
}

func BenchmarkCreateRun(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := testStore(b)
		b.StartTimer()
		benchRun(b, s, 20_000)
	}
}

func BenchmarkWriters(b *testing.B) {
	s := testStore(b)
	tasks, _ := benchRun(b, s, 1000)
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if err := s.UpdateTaskStatus(b.Context(), "aa", tasks[i%1000].ID, scheduler.TaskRunning, nil, ""); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
