// Package storetest is the contract of persistence.Store as tests. Every driver runs the same suite.
package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// Run proves what holds for every store. open returns an empty store, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) persistence.Store) {
	t.Helper()
	written := []testGroup{
		{"tasks", taskCases},
		{"conversations", conversationCases},
		{"runs", runCases},
		{"transitions", transitionCases},
		{"leases", leaseCases},
		{"requests", requestCases},
	}
	runGroups(t, open, append(written, testGroup{"pages", pageCases}, testGroup{"searches", searchCases},
		testGroup{"contexts", contextCases}))
	t.Run("callers that cannot be cancelled", func(t *testing.T) {
		runGroups(t, func(t *testing.T) persistence.Store { return Lasting(open(t)) }, written)
	})
	t.Run("two stores share nothing", func(t *testing.T) { shareNothing(t, open(t), open(t)) })
}

// RunReopen proves what holds for a store that outlives its process. open opens the store kept at path, creating
// it at first.
func RunReopen(t *testing.T, open func(t *testing.T, path string) persistence.Store) {
	t.Helper()
	for _, c := range reopenCases {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

func runGroups(t *testing.T, open func(t *testing.T) persistence.Store, groups []testGroup) {
	t.Helper()
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) {
					s := open(t)
					t.Cleanup(func() {
						if err := s.Close(); err != nil {
							t.Errorf("close: %v", err)
						}
					})
					c.test(t, s)
				})
			}
		})
	}
}

type testGroup struct {
	name  string
	cases []testCase
}

type testCase struct {
	name string
	test func(t *testing.T, s persistence.Store)
}

// at is a time that every store keeps exactly: UTC, whole microseconds.
var at = time.Date(2026, 11, 24, 3, 59, 7, 123_456_000, time.UTC)

// sampleRun is a run with every field set.
func sampleRun(id scheduler.RunID) persistence.Run {
	return persistence.Run{
		ID: id, Name: "release", Description: "cut the release", Repository: "/src/app",
		State: scheduler.RunRunning, Base: "a1b2c3", BaseRef: "main", Branch: "orc/" + string(id),
		PlanPath: "/src/app/plan.yaml", Plan: "version: 1\n", Context: "be careful", Concurrency: 4,
		Options: persistence.RunOptions{
			FailFast: true, Removed: []scheduler.TaskID{"gone"}, Stopped: []scheduler.TaskID{"late"}, Items: map[scheduler.TaskID]string{"a": "x"}, Lists: map[scheduler.TaskID]persistence.List{"b": {Run: "ls", Prompt: "do it", Made: true, Items: []string{"x"}}}, Pass: []string{"GOFLAGS"}, StrictWrites: []scheduler.TaskID{"a"},
			Agents:    map[string]persistence.Agent{"coder": {Provider: "command", Command: "cat", Sandbox: "auto"}},
			Workflows: map[string][]scheduler.Step{"reviewed": {{}, {Agent: "reviewer", Review: true, Prompt: "look", Rounds: 3, Final: true}}},
			Merge:     persistence.Merging{Verify: true, Commands: []string{"make test"}, OnConflict: "ask"},
			ApproveOf: map[scheduler.TaskID][]scheduler.Approval{"a": {scheduler.ApproveStart}}, Approve: []scheduler.Approval{scheduler.ApproveMerge},
			Budget: scheduler.Budget{Cost: 1.5, Tokens: 9, Time: time.Hour}, TaskBudget: scheduler.Budget{Tokens: 3}, Overspent: "all of it",
			BudgetOf:      map[scheduler.TaskID]scheduler.Budget{"b": {Time: time.Minute}},
			WorkflowOf:    map[scheduler.TaskID]string{"a": "reviewed"},
			FreshSessions: []scheduler.TaskID{"b"}, QuestionsOf: map[scheduler.TaskID]string{"a": "never"}, Questions: "fail", Limits: "fail",
			Sandbox: "required", SandboxWrites: []string{"/src/cache"},
		},
		Mark: "f00d", CreatedAt: at,
	}
}

// task is a pending task.
func task(id scheduler.TaskID, needs ...scheduler.TaskID) *scheduler.Task {
	return &scheduler.Task{
		ID: id, Command: "true", DependsOn: needs, Status: scheduler.TaskPending,
		FailureMode: scheduler.FailHard, Isolation: scheduler.IsolationNone, Attempts: 1,
	}
}

// create stores a run with tasks.
func create(t *testing.T, s persistence.Store, id scheduler.RunID, tasks ...*scheduler.Task) {
	t.Helper()
	if err := s.CreateRun(t.Context(), sampleRun(id), tasks); err != nil {
		t.Fatalf("create run: %v", err)
	}
}

// own makes the test the owner of a run.
func own(t *testing.T, s persistence.Store, run scheduler.RunID) int64 {
	t.Helper()
	generation, err := s.AcquireLease(t.Context(), persistence.Lease{
		Run: run, Owner: "tester", PID: 1, Host: "here", ExpiresAt: at.Add(time.Minute),
	}, at, true)
	if err != nil {
		t.Fatalf("acquire lease: %v", err)
	}
	return generation
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantIs fails the test unless err is of the kind.
func wantIs(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got error %v, want %v", err, kind)
	}
}

// wantSame fails the test when got differs from want.
func wantSame(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s differs (-want +got):\n%s", what, diff)
	}
}

// wantFull fails the test when a field of a struct is empty: a round trip proves nothing about such a field.
func wantFull(t *testing.T, v any) {
	t.Helper()
	value := reflect.ValueOf(v)
	for i := range value.NumField() {
		if value.Field(i).IsZero() {
			t.Errorf("field %s of the sample is empty", value.Type().Field(i).Name)
		}
	}
}

// getTask reads a task that must be there.
func getTask(t *testing.T, s persistence.Store, run scheduler.RunID, id scheduler.TaskID) *scheduler.Task {
	t.Helper()
	got, err := s.GetTask(t.Context(), run, id)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func shareNothing(t *testing.T, one, two persistence.Store) {
	create(t, one, "aa", task("build"))
	runs, err := two.ListRuns(t.Context(), persistence.RunFilter{})
	must(t, err)
	if len(runs) != 0 {
		t.Errorf("the second store sees %d runs of the first", len(runs))
	}
	create(t, two, "aa", task("build"))
	must(t, one.DeleteRun(context.Background(), "aa"))
	if _, err := two.GetRun(t.Context(), "aa"); err != nil {
		t.Errorf("deleting in the first store reached the second: %v", err)
	}
	must(t, one.Close())
	if _, err := two.GetRun(t.Context(), "aa"); err != nil {
		t.Errorf("closing the first store reached the second: %v", err)
	}
	must(t, two.Close())
}
