package view

import (
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
)

func TestWhatAnAgentDoesAndWaitsForIsFolded(t *testing.T) {
	until := at(3600)
	r := folded(seed(), script(
		ev(0, event.TaskEligible, "schema", event.Detail{}),
		event.Event{Time: at(0), Kind: event.TaskStarted, Task: "schema", Attempt: 1},
		ev(1, event.TaskActivity, "schema", event.Detail{Message: "Edit \x1b[31mx.go"}),
	))
	task := r.Task("schema")
	if task.Doing != "Edit x.go" || task.Word() != Running {
		t.Errorf("doing %q, %s", task.Doing, task.Word())
	}
	r.Fold(event.Event{Seq: 4, Run: "7f3c", Time: at(2), Kind: event.TaskWaiting, Task: "schema", Detail: event.Detail{Reason: "limit", Until: until}})
	if !task.Until.Equal(until) || task.Reason != "limit" || task.Phase != scheduler.PhaseWaiting || task.NeedsYou() || task.Doing != "" {
		t.Errorf("waiting: %+v", task)
	}
	r.Fold(event.Event{Seq: 5, Run: "7f3c", Time: at(3601), Kind: event.TaskPhase, Task: "schema", Detail: event.Detail{Phase: "working"}})
	if !task.Until.Equal(time.Time{}) || task.Phase != scheduler.PhaseWorking {
		t.Errorf("gone on: %+v", task)
	}
}
