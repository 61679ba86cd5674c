package view

import (
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
)

func TestAlertsAreRaisedOnceForWhatNewlyNeedsThePerson(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := New(Seed{ID: "7f3c", Tasks: []SeedTask{{ID: "a"}, {ID: "b"}}})
	seq := int64(0)
	fold := func(kind event.Kind, task string, d event.Detail) {
		seq++
		at = at.Add(time.Second)
		r.Fold(event.Event{Seq: seq, Run: "7f3c", Time: at, Kind: kind, Task: task, Attempt: 1, Detail: d})
	}
	var alerts Alerts
	look := func() []Alert { return alerts.Look(r, at) }
	fold(event.RunStarted, "", event.Detail{State: string(scheduler.RunRunning), Total: 2})
	fold(event.TaskStarted, "a", event.Detail{})
	fold(event.TaskQuestion, "a", event.Detail{Reason: "asks: which?"})
	if got := look(); got != nil {
		t.Errorf("what was known before: %v", got)
	}
	fold(event.TaskAnswered, "a", event.Detail{})
	if got := look(); got != nil {
		t.Errorf("an answer: %v", got)
	}
	fold(event.TaskQuestion, "a", event.Detail{Reason: "asks: where?"})
	if got := look(); len(got) != 1 || got[0].Task != "a" || got[0].Text == "" {
		t.Errorf("a new question: %v", got)
	}
	if got := look(); got != nil {
		t.Errorf("the same question again: %v", got)
	}
	fold(event.RunFinished, "", event.Detail{State: string(scheduler.RunCompleted)})
	if got := look(); got != nil {
		t.Errorf("the end of a short run: %v", got)
	}
	fold(event.RunResumed, "", event.Detail{State: string(scheduler.RunRunning)})
	look()
	at = at.Add(time.Minute)
	fold(event.RunFinished, "", event.Detail{State: string(scheduler.RunFailed)})
	if got := look(); len(got) != 1 || got[0].Task != "" || got[0].Text == "" {
		t.Errorf("the end of a long run: %v", got)
	}
}
