package orchestrator_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// costing is the end of a turn that cost so much.
func costing(cost float64, r provider.Result) string {
	r.Usage = provider.Usage{Input: 100, Output: 10, Cost: cost, Priced: true}
	return end(r)
}

func (r *rig) runError() string {
	r.t.Helper()
	run, err := r.store.GetRun(r.ctx, r.run.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return run.Error
}

func TestTaskOverItsBudgetBeginsNoFurtherTurn(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(task string, turn int) string {
		if task == "a" && turn == 2 {
			return "echo right > a.txt\n" + costing(0.5, provider.Result{Summary: "done"})
		}
		return "echo wrong > " + task + ".txt\n" + costing(0.75, provider.Result{Summary: "done"})
	})
	r.agents(s, &scheduler.Task{ID: "a", Attempts: 5, Verify: []string{"grep right a.txt"}}, &scheduler.Task{ID: "b"})
	r.options(func(o *persistence.RunOptions) {
		o.BudgetOf = map[scheduler.TaskID]scheduler.Budget{"a": {Cost: 0.7}}
	})
	if state := r.finish(); state != scheduler.RunWaiting || r.states() != "a running, b completed" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if got, want := r.runError(), "a: its budget is used up: ≈$0.75 of $0.70"; got != want {
		t.Errorf("the run says %q, want %q", got, want)
	}
	if n := len(s.asks("a")); n != 1 {
		t.Fatalf("%d turns", n)
	}
	if state := r.finish(); state != scheduler.RunWaiting || len(s.asks("a")) != 1 {
		t.Fatalf("resumed without more: %s, %d turns", state, len(s.asks("a")))
	}
	r.request(orchestrator.RequestBudget, orchestrator.BudgetRequest{Task: "a", More: scheduler.Budget{Cost: 0.05}})
	if state := r.finish(); state != scheduler.RunWaiting || len(s.asks("a")) != 1 {
		t.Fatalf("with too little more: %s, %d turns", state, len(s.asks("a")))
	}
	r.request(orchestrator.RequestBudget, orchestrator.BudgetRequest{Task: "a", More: scheduler.Budget{Cost: 1}})
	if state := r.finish(); state != scheduler.RunCompleted || r.merged("a.txt") != "right" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if asks := s.asks("a"); len(asks) != 2 || !asks[1].Resume || !strings.Contains(asks[1].Prompt, "grep right") {
		t.Errorf("turns %+v", asks)
	}
}

func TestAgentOverItsBudgetIsInterruptedAndGoesOnInItsSession(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(_ string, turn int) string {
		if turn == 1 {
			return "echo half > half.txt\n" + text("begun") + print(said{Usage: provider.Usage{Input: 900, Output: 200}}) + "exec sleep 600\n"
		}
		return "echo whole > whole.txt\n" + end(provider.Result{Summary: "done", Usage: provider.Usage{Input: 10}})
	})
	r.agents(s, &scheduler.Task{ID: "a"})
	r.options(func(o *persistence.RunOptions) { o.TaskBudget = scheduler.Budget{Tokens: 1000} })
	if state := r.finish(); state != scheduler.RunWaiting {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if got := r.runError(); got != "a: its budget is used up: 1100 of 1000 tokens" {
		t.Errorf("the run says %q", got)
	}
	r.request(orchestrator.RequestBudget, orchestrator.BudgetRequest{Task: "a", Set: scheduler.Budget{Tokens: 5000}})
	if state := r.finish(); state != scheduler.RunCompleted || r.merged("half.txt") != "half" || r.merged("whole.txt") != "whole" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	asks := s.asks("a")
	if a := r.attempts("a"); len(a) != 1 || len(asks) != 2 || !asks[1].Resume || !strings.Contains(asks[1].Prompt, "budget was used up") {
		t.Errorf("%d attempts, turns %+v", len(a), asks)
	}
}

func TestRunOverItsBudgetStartsNothing(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(string, int) string { return costing(0.4, provider.Result{Summary: "done"}) })
	none := scheduler.IsolationNone
	r.agents(s, &scheduler.Task{ID: "a", Isolation: none}, &scheduler.Task{ID: "b", Isolation: none}, &scheduler.Task{ID: "c", Isolation: none},
		&scheduler.Task{ID: "d", Isolation: none, Command: "true", DependsOn: []scheduler.TaskID{"c"}, Status: scheduler.TaskPending})
	r.options(func(o *persistence.RunOptions) { o.Budget = scheduler.Budget{Cost: 0.8} })
	r.serial()
	if state := r.finish(); state != scheduler.RunWaiting || r.states() != "a completed, b eligible, c completed, d eligible" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if got := r.runError(); got != "the run's budget is used up: ≈$0.80 of $0.80" {
		t.Errorf("the run says %q", got)
	}
	if run, err := r.store.GetRun(r.ctx, r.run.ID); err != nil || run.Options.Overspent == "" {
		t.Errorf("options %+v, %v", run.Options, err)
	}
	if state := r.finish(); state != scheduler.RunWaiting || len(s.asks("b")) != 0 {
		t.Fatalf("resumed without more: %s", state)
	}
	r.request(orchestrator.RequestBudget, orchestrator.BudgetRequest{More: scheduler.Budget{Cost: 2}})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if run, err := r.store.GetRun(r.ctx, r.run.ID); err != nil || run.Options.Overspent != "" || run.Options.Budget.Cost != 2.8 {
		t.Errorf("options %+v, %v", run.Options, err)
	}
}

func TestCommandOverItsTimeIsStoppedAndBeginsAnewWithMore(t *testing.T) {
	r := newRig(t)
	c := &clock{}
	r.now = c.now
	r.create(&scheduler.Task{ID: "a", Command: `echo $ORC_ATTEMPT > a.txt; test "$ORC_ATTEMPT" = 3 || exec sleep 600`})
	r.options(func(o *persistence.RunOptions) { o.TaskBudget = scheduler.Budget{Time: time.Hour} })
	_, wait := r.begin()
	r.until("it runs", func() bool { return r.wrote("a", "a.txt") })
	c.advance(61 * time.Minute)
	if state := wait(); state != scheduler.RunWaiting || r.git("show", "refs/orc/7f3c/task/a/1:a.txt") != "1" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if got := r.runError(); !strings.HasPrefix(got, "a: its budget is used up: 1h1m") {
		t.Errorf("the run says %q", got)
	}
	c.advance(10 * time.Hour) // nobody works on it meanwhile
	r.request(orchestrator.RequestBudget, orchestrator.BudgetRequest{Task: "a", More: scheduler.Budget{Time: time.Hour}})
	_, wait = r.begin()
	r.until("it runs again", func() bool {
		b, err := os.ReadFile(filepath.Join(r.data, "ws", "a", "a.txt"))
		return err == nil && string(b) == "2\n"
	})
	c.advance(61 * time.Minute)
	if state := wait(); state != scheduler.RunWaiting {
		t.Fatalf("state %s: %s", state, r.states())
	}
	r.request(orchestrator.RequestBudget, orchestrator.BudgetRequest{Task: "a", Set: scheduler.Budget{Time: 10 * time.Hour}})
	if state := r.finish(); state != scheduler.RunCompleted || r.merged("a.txt") != "3" {
		t.Fatalf("state %s: %s", state, r.states())
	}
}

func TestRunsTimeCountsWhileItIsOwned(t *testing.T) {
	r := newRig(t)
	c := &clock{}
	r.now = c.now
	slow := atomic.Bool{}
	slow.Store(true)
	s := newScripted(t, func(string, int) string {
		if slow.Load() {
			return text("begun") + "exec sleep 600\n"
		}
		return end(provider.Result{Summary: "done"})
	})
	r.agents(s, &scheduler.Task{ID: "a"}, &scheduler.Task{ID: "b", DependsOn: []scheduler.TaskID{"a"}, Status: scheduler.TaskPending})
	r.options(func(o *persistence.RunOptions) { o.Budget = scheduler.Budget{Time: time.Hour} })
	e, wait := r.begin()
	r.until("it is at work", r.has("a", "assistant: begun"))
	c.advance(40 * time.Minute)
	e.Stop(true)
	if state := wait(); state != scheduler.RunPaused {
		t.Fatalf("state %s", state)
	}
	c.advance(10 * time.Hour)
	_, wait = r.begin()
	r.until("it goes on", func() bool { return len(s.asks("a")) == 2 })
	c.advance(30 * time.Minute)
	if state := wait(); state != scheduler.RunWaiting {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if got := r.runError(); !strings.HasPrefix(got, "the run's budget is used up: 1h10m") {
		t.Errorf("the run says %q", got)
	}
	slow.Store(false)
	r.request(orchestrator.RequestBudget, orchestrator.BudgetRequest{More: scheduler.Budget{Time: time.Hour}})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
}

func TestBudgetHoldsWhatWaitsForALimitToo(t *testing.T) {
	r := newRig(t)
	c := &clock{}
	r.now = c.now
	s := newScripted(t, func(_ string, turn int) string {
		if turn == 1 {
			return costing(1, provider.Result{Kind: provider.KindLimit, Error: "limit", RetryAt: time.Now().Add(time.Hour)})
		}
		return end(provider.Result{Summary: "done"})
	})
	r.agents(s, &scheduler.Task{ID: "a"})
	r.options(func(o *persistence.RunOptions) { o.Budget = scheduler.Budget{Cost: 0.5} })
	_, wait := r.begin()
	r.until("it waits for the limit", func() bool { return r.waiting("a") })
	c.advance(2 * time.Hour)
	if state := wait(); state != scheduler.RunWaiting || len(s.asks("a")) != 1 {
		t.Fatalf("state %s, %d turns", state, len(s.asks("a")))
	}
	r.request(orchestrator.RequestBudget, orchestrator.BudgetRequest{More: scheduler.Budget{Cost: 1}})
	if state := r.finish(); state != scheduler.RunCompleted || len(s.asks("a")) != 2 {
		t.Fatalf("state %s, %d turns", state, len(s.asks("a")))
	}
}

func TestAddingToABudgetThatThereIsNotIsRefused(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{ID: "a", Command: "true"})
	id := r.request(orchestrator.RequestBudget, orchestrator.BudgetRequest{More: scheduler.Budget{Cost: 1}})
	r.finish()
	if req, err := r.store.GetRequest(r.ctx, id); err != nil || !strings.Contains(req.Error, "no such budget") {
		t.Errorf("%+v, %v", req, err)
	}
}

func TestAnEditStartsNothingWhileTheRunsBudgetIsUsedUp(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(string, int) string { return costing(0.9, provider.Result{Summary: "done"}) })
	none := scheduler.IsolationNone
	a, b := &scheduler.Task{ID: "a", Isolation: none}, &scheduler.Task{ID: "b", Isolation: none}
	r.agents(s, a, b)
	r.options(func(o *persistence.RunOptions) { o.Budget = scheduler.Budget{Cost: 0.8} })
	r.serial()
	if state := r.finish(); state != scheduler.RunWaiting || r.states() != "a completed, b eligible" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	run, err := r.store.GetRun(r.ctx, r.run.ID)
	if err != nil {
		t.Fatal(err)
	}
	added := &scheduler.Task{ID: "n", Isolation: none, AgentRole: "reviewer", Prompt: "Do n."}
	command := &scheduler.Task{ID: "m", Isolation: none, Command: "true"}
	r.request(orchestrator.RequestEdit, orchestrator.EditRequest{Name: run.Name, Plan: "new", Tasks: []*scheduler.Task{a, b, added, command}, Options: run.Options})
	if state := r.finish(); state != scheduler.RunWaiting {
		t.Fatalf("state %s: %s", state, r.states())
	}
	for _, id := range []scheduler.TaskID{"b", "n", "m"} {
		if n := len(r.attempts(id)); n != 0 {
			t.Errorf("task %s was started %d times", id, n)
		}
	}
}
