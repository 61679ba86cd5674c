package orchestrator

import (
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

func TestMeterCountsWorkAndNotWaits(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	at := func(minute int, kind event.Kind, task, status string) event.Event {
		return event.Event{Time: start.Add(time.Duration(minute) * time.Minute), Kind: kind, Task: task, Detail: event.Detail{Status: status}}
	}
	m := newMeter(nil, []event.Event{
		at(0, event.RunStarted, "", ""),
		at(1, event.TaskStarted, "a", "running"),
		at(3, event.TaskQuestion, "a", "running"), // 2 minutes of work
		at(3, event.TaskQuestion, "a", "running"),
		at(8, event.TaskAnswered, "a", "running"),
		at(9, event.TaskAnswered, "a", "running"),
		at(10, event.TaskWaiting, "a", "running"), // 1
		at(20, event.TaskPhase, "a", "running"),
		at(24, event.TaskActivity, "a", ""), // 4; then its owner is killed
		at(60, event.RunResumed, "", ""),
		at(60, event.TaskInterrupted, "a", "running"),
		at(65, event.TaskApproval, "a", "running"), // 5
		at(65, event.RunWaiting, "", ""),
		at(90, event.RunResumed, "", ""),
		at(90, event.TaskGranted, "a", "running"),
		at(91, event.TaskPhase, "a", "running"),
	})
	now := start.Add(95 * time.Minute) // 4
	if got := m.task("a").at(now).Time; got != 16*time.Minute {
		t.Errorf("the task worked %s, want 16m", got)
	}
	if got := m.run.at(now).Time; got != (24+5+5)*time.Minute {
		t.Errorf("the run was worked on for %s, want 34m", got)
	}
}

func TestMeterCountsEveryTurnOnce(t *testing.T) {
	a := persistence.Attempt{Task: "a", Number: 1, Work: &persistence.Work{}}
	m := newMeter(nil, nil)
	use := func(turn int, input int64, cost float64, priced bool) {
		a.Work.Use(persistence.TurnUsage{Turn: turn, Usage: persistence.Usage{Input: input, Output: 1, Cost: cost, Priced: priced}})
		m.record(&a)
		m.record(&a)
	}
	use(1, 10, 0.25, true)
	use(1, 20, 0.5, true) // the same turn, further on
	use(2, 5, 0, false)
	a.Number, a.Work = 2, &persistence.Work{}
	use(1, 1, 0.25, true)
	want := scheduler.Budget{Cost: 0.75, Tokens: 20 + 5 + 1 + 3}
	if got := m.task("a").at(time.Time{}); got != want {
		t.Errorf("the task %+v, want %+v", got, want)
	}
	if got := m.run.at(time.Time{}); got != want {
		t.Errorf("the run %+v, want %+v", got, want)
	}
}
