package cli

import (
	"strings"
	"testing"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// spending is a run whose agents said what they used: one everything, one not all of it.
func spending() seeded {
	used := func(turn int, model string, in, out int64, cost float64, complete bool) persistence.TurnUsage {
		return persistence.TurnUsage{Turn: turn, Model: model, Complete: complete, Usage: persistence.Usage{Input: in, Output: out, Cost: cost, Priced: cost > 0}}
	}
	return seeded{
		leased: true,
		tasks: []*scheduler.Task{
			{ID: "exact", AgentRole: "coder", Prompt: "x", Status: scheduler.TaskCompleted},
			{ID: "about", AgentRole: "reviewer", Prompt: "x", Status: scheduler.TaskRunning},
			{ID: "plain", Command: "true", Status: scheduler.TaskEligible},
		},
		attempts: []persistence.Attempt{
			{
				Task: "exact", Number: 1, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeFailed, StartedAt: noon.Add(-9 * time.Minute), EndedAt: noon.Add(-8 * time.Minute),
				Work: &persistence.Work{Session: "s-1", Used: []persistence.TurnUsage{used(1, "big", 1000, 100, 0.25, true)}},
			},
			{
				Task: "exact", Number: 2, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeSucceeded, StartedAt: noon.Add(-8 * time.Minute), EndedAt: noon.Add(-7 * time.Minute),
				Work: &persistence.Work{Session: "s-1", Used: []persistence.TurnUsage{used(1, "big", 2000, 200, 0.50, true)}},
			},
			{
				Task: "about", Number: 1, Phase: scheduler.PhaseWaiting, StartedAt: noon.Add(-5 * time.Minute), NotBefore: noon.Add(time.Hour),
				Work: &persistence.Work{Session: "s-2", Wait: persistence.WaitLimit, Reason: "limit reached", Used: []persistence.TurnUsage{
					used(1, "small", 40_000, 400, 0.10, true), used(2, "small", 500, 5, 0, false),
				}},
			},
		},
	}
}

func TestUsageIsShown(t *testing.T) {
	f := newFixture(t)
	f.seed(spending())
	f.holdOwner("7f3c")
	status := f.must(ExitOK, "status")
	for _, want := range []string{"$0.75", "≈$0.10", "waits until 13:00: limit reached", "≈$0.85, ≈43.5k tokens in, 705 out, 4 turns"} {
		if !strings.Contains(status, want) {
			t.Errorf("status lacks %q:\n%s", want, status)
		}
	}
	if strings.Contains(status, "needs you") {
		t.Errorf("an attempt that waits for a time needs nobody:\n%s", status)
	}
	for jq, want := range map[string]string{
		".usage.cost_usd, .usage.cost_exact":                          "0.85\nfalse\n",
		".tasks[0].usage | .cost_usd, .cost_exact, .turns":            "0.75\ntrue\n2\n",
		".tasks[2].usage, .tasks[1].waits_until, .tasks[1].waits_for": "null\n2026-05-01T13:00:00Z\nlimit reached\n",
	} {
		if got := f.must(ExitOK, "status", "--jq", jq); got != want {
			t.Errorf("%s: %q, want %q", jq, got, want)
		}
	}
	if got := f.must(ExitOK, "show", "exact"); !strings.Contains(got, "$0.75, 3.0k tokens in, 300 out, 2 turns") || !strings.Contains(got, "used $0.50") {
		t.Errorf("show:\n%s", got)
	}
	if got := f.must(ExitOK, "show", "about", "--jq", ".attempts[0] | .session, (.turns[] | .cost_usd)"); got != "s-2\n0.1\nnull\n" {
		t.Errorf("show: %q", got)
	}
}

func TestHistoryCostSumsUpByAgentAndModel(t *testing.T) {
	f := newFixture(t)
	f.seed(spending())
	f.holdOwner("7f3c")
	golden(t, "history-cost", f.must(ExitOK, "history", "cost"))
	want := "coder big 0.75\nreviewer small 0.1\n"
	if got := f.must(ExitOK, "history", "cost", "--jq", `.costs[] | "\(.agent) \(.model) \(.cost_usd)"`); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := f.must(ExitOK, "history", "cost", "--jq", ".runs, .total.turns"); got != "1\n4\n" {
		t.Errorf("totals %q", got)
	}
}

func TestHistoryCostWithoutAgentsSaysSo(t *testing.T) {
	f := newFixture(t)
	f.seed(going())
	f.must(ExitOK, "history", "cost")
	if !strings.Contains(f.err.String(), "No agent") {
		t.Errorf("said %q", f.err.String())
	}
}
