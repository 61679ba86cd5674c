package view

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
)

func TestTaskThatWaitsForAWordNeedsYouUntilItIsGiven(t *testing.T) {
	r := New(Seed{ID: "7f3c", Tasks: []SeedTask{{ID: "e2e"}}})
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	say := func(kind event.Kind, d event.Detail) *Task {
		now = now.Add(time.Minute)
		r.Fold(event.Event{Time: now, Kind: kind, Task: "e2e", Attempt: 1, Detail: d})
		return r.Task("e2e")
	}
	var a Alerts
	a.Look(r, now)
	say(event.TaskStarted, event.Detail{})
	task := say(event.TaskApproval, event.Detail{Wants: "merge", Phase: "waiting", Commit: "c1", Ref: "refs/x", Files: 2})
	if task.Word() != NeedsYou || task.Wants != "merge" || task.Reason != "wants to be merged (approve: merge)" || task.Commit != "c1" || task.Files != 2 {
		t.Errorf("%+v", task)
	}
	if diff := cmp.Diff([]Alert{{Task: "e2e", Text: "wants to be merged (approve: merge)"}}, a.Look(r, now)); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
	task = say(event.TaskGranted, event.Detail{Wants: "merge"})
	if task.Word() != Running || task.Wants != "" || task.Reason != "" || len(a.Look(r, now)) != 0 {
		t.Errorf("approved: %+v", task)
	}
	task = say(event.TaskBudget, event.Detail{Wants: "budget", Reason: "its budget is used up: ≈$2.00 of $1.50", Options: []string{"cost"}})
	if task.Word() != NeedsYou || More("e2e", task.Parts) != "e2e:cost=+2" || len(a.Look(r, now)) != 1 {
		t.Errorf("out of budget: %+v", task)
	}
	task = say(event.TaskPhase, event.Detail{Phase: "working"})
	if task.Word() != Running || task.Parts != nil || task.Phase != scheduler.PhaseWorking {
		t.Errorf("goes on: %+v", task)
	}
	if got := More("", []string{"cost", "tokens", "time"}); got != "cost=+2,tokens=+1000000,time=+1h" {
		t.Errorf("more: %q", got)
	}
}

func TestQuestionWaitsForThePersonOnceTheAgentThatWasAskedPassesItOn(t *testing.T) {
	r := New(Seed{})
	say := func(kind event.Kind, d event.Detail) *Task {
		r.Fold(ev(1, kind, "a", d))
		return r.Task("a")
	}
	say(event.TaskStarted, event.Detail{Agent: "coder"})
	task := say(event.TaskQuestion, event.Detail{Message: "Which way?", By: "orchestrator"})
	if task.NeedsYou() || task.Doing != "asks orchestrator: Which way?" || task.Agent != "coder" {
		t.Errorf("while an agent is asked: %+v", task)
	}
	task = say(event.TaskPassed, event.Detail{Message: "Which way?", By: "orchestrator", Reason: "only you know"})
	if !task.NeedsYou() || task.Reason != "Which way? (only you know)" || task.Doing != "" {
		t.Errorf("passed on: %+v", task)
	}
	if task = say(event.TaskAnswered, event.Detail{Message: "left", By: "person"}); task.NeedsYou() || task.Reason != "" {
		t.Errorf("answered: %+v", task)
	}
}
