package cli

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/scheduler"
)

func TestBudgetsOfTheCommandLine(t *testing.T) {
	find := func(name string) (*scheduler.Task, error) {
		return &scheduler.Task{ID: scheduler.TaskID("found-" + name)}, nil
	}
	got, err := parseRaise("e2e:cost=+1.50,tokens=2000,time=+90m", find)
	want := orchestrator.BudgetRequest{
		Task: "found-e2e", More: scheduler.Budget{Cost: 1.5, Time: 90 * time.Minute}, Set: scheduler.Budget{Tokens: 2000},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{"", "cost", "cost=", "cost=0", "cost=-1", "cost=Inf", "tokens=1.5", "time=2", "money=1", "cost=1,", "tokens=++1"} {
		if got, err := parseRaise(text, find); err == nil {
			t.Errorf("%q gives %+v", text, got)
		}
	}
	if _, _, err := parseBudget("cost=+1", false); err == nil {
		t.Error("orc run --budget takes an amount to add, but there is nothing to add to")
	}
}

func TestUsageIsToldOfItsBudget(t *testing.T) {
	cost := 0.95
	d := &usageDocument{Turns: 2, InputTokens: 1500, OutputTokens: 500, CostUSD: &cost, UsageExact: true}
	b := scheduler.Budget{Cost: 5, Tokens: 10_000}
	if got, want := d.short(b), "≈$0.95 of $5.00"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := d.long(b), "≈$0.95 of $5.00, 1.5k tokens in, 500 out of 10.0k, 2 turns"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	d.CostUSD = nil
	if got, want := d.short(b), "2.0k of 10.0k tokens"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
