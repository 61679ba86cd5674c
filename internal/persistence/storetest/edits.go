package storetest

import (
	"testing"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

func editPlan(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b", "a"), task("c", "b"))
	generation := own(t, s, "aa")
	result := "ok"
	_, err := s.Apply(t.Context(), persistence.Transition{
		Run: "aa", Generation: generation, Now: at,
		Tasks:    []persistence.TaskChange{{Task: "a", From: scheduler.TaskPending, To: scheduler.TaskCompleted, Result: &result}},
		Attempts: []persistence.Attempt{{Task: "a", Number: 1, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeSucceeded}},
	})
	must(t, err)
	again, late := task("a"), task("z")
	again.Command, again.Name, again.WritesFiles, again.Verify, again.Attempts, again.Timeout = "other", "A", []string{"x/**"}, []string{"true"}, 4, time.Minute
	again.Status, again.Error = scheduler.TaskFailed, "which an edit does not say"
	moved := task("b", "z", "a")
	_, err = s.Apply(t.Context(), persistence.Transition{
		Run: "aa", Generation: generation, Now: at,
		Options: &persistence.RunOptions{Removed: []scheduler.TaskID{"c"}, Stopped: []scheduler.TaskID{"b"}},
		Edit: &persistence.PlanEdit{
			Name: "n", Description: "d", PlanPath: "/p", Plan: "text", Context: "c", Concurrency: 7, Tasks: []*scheduler.Task{moved, again, late},
		},
		Tasks: []persistence.TaskChange{{Task: "z", From: scheduler.TaskPending, To: scheduler.TaskEligible}},
	})
	must(t, err)
	again.Status, again.Error, again.Result = scheduler.TaskCompleted, "", &result
	late.Status = scheduler.TaskEligible
	tasks, err := s.ListTasks(t.Context(), "aa")
	must(t, err)
	wantSame(t, "tasks", tasks, []*scheduler.Task{again, moved, task("c", "b"), late})
	attempts, err := s.ListAttempts(t.Context(), "aa", "a")
	must(t, err)
	if len(attempts) != 1 {
		t.Errorf("%d attempts are left of a", len(attempts))
	}
	r, err := s.GetRun(t.Context(), "aa")
	must(t, err)
	want := sampleRun("aa")
	want.Name, want.Description, want.PlanPath, want.Plan, want.Context, want.Concurrency = "n", "d", "/p", "text", "c", 7
	want.Options = persistence.RunOptions{Removed: []scheduler.TaskID{"c"}, Stopped: []scheduler.TaskID{"b"}}
	wantSame(t, "run", r, want)
}

func editNothing(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	generation := own(t, s, "aa")
	before, err := s.GetRun(t.Context(), "aa")
	must(t, err)
	changed := task("a")
	changed.Command = "other"
	for _, c := range []struct {
		name  string
		tasks []*scheduler.Task
		kind  error
	}{
		{"an unknown need", []*scheduler.Task{changed, task("b", "nobody")}, persistence.ErrNotFound},
		{"two of one name", []*scheduler.Task{changed, changed}, persistence.ErrConflict},
	} {
		_, err := s.Apply(t.Context(), persistence.Transition{
			Run: "aa", Generation: generation, Now: at, Edit: &persistence.PlanEdit{Plan: "text", Tasks: c.tasks},
		})
		wantIs(t, err, c.kind)
		after, err := s.GetRun(t.Context(), "aa")
		must(t, err)
		wantSame(t, c.name+": run", after, before)
		tasks, err := s.ListTasks(t.Context(), "aa")
		must(t, err)
		wantSame(t, c.name+": tasks", tasks, []*scheduler.Task{task("a")})
	}
}
