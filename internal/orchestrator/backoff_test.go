package orchestrator_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// clock is a time that a test moves on.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// waiting says whether the task's attempt waits until a time.
func (r *rig) waiting(id scheduler.TaskID) bool {
	a := r.attempts(id)
	return len(a) > 0 && a[len(a)-1].Phase == scheduler.PhaseWaiting && a[len(a)-1].Outcome == ""
}

func TestUsageLimitParksTheAccountUntilItsReset(t *testing.T) {
	r := newRig(t)
	c := &clock{}
	r.now = c.now
	reset := time.Now().Add(time.Hour)
	limited := atomic.Bool{}
	s := newScripted(t, func(task string, turn int) string {
		if task == "t07" && turn == 1 {
			limited.Store(true)
			return text("half") + end(provider.Result{Kind: provider.KindLimit, Error: "limit reached, resets in an hour", RetryAt: reset})
		}
		return end(provider.Result{Summary: "done"})
	})
	var tasks []*scheduler.Task
	for n := 1; n <= 20; n++ {
		task := &scheduler.Task{ID: scheduler.TaskID(fmt.Sprintf("t%02d", n)), Isolation: scheduler.IsolationNone}
		if n%2 == 0 {
			task.AgentRole = "reviewer" // another role of the same account
		}
		if n == 20 {
			task.AgentRole = "other" // of another account
		}
		tasks = append(tasks, task)
	}
	r.agents(s, tasks...)
	r.serial()
	_, wait := r.begin()
	r.until("the limit is met, and what is not limited has run", func() bool {
		return limited.Load() && r.waiting("t07") && r.task("t20").Status == scheduler.TaskCompleted
	})
	c.advance(30 * time.Minute)
	polls := r.polls()
	r.until("the engine has looked again and again", func() bool { return r.polls() > polls+5 })
	limit := false
	for _, e := range r.events() {
		limit = limit || e.Kind == event.TaskWaiting
		if limit && e.Kind == event.TaskStarted && e.Task != "t20" {
			t.Errorf("%s was started before the reset", e.Task)
		}
	}
	if n := len(s.asks("t20")); !limit || n != 1 {
		t.Errorf("limit told: %v; the other account had %d turns", limit, n)
	}
	c.advance(31 * time.Minute)
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if a := r.attempts("t07"); len(a) != 1 || a[0].Work.Waits != 0 || a[0].Work.Turn != 2 {
		t.Errorf("attempts %+v", a)
	}
	if asks := s.asks("t07"); len(asks) != 2 || !asks[1].Resume || !strings.Contains(asks[1].Prompt, "limit reached") {
		t.Errorf("turns %+v", asks)
	}
}

func TestWaitOutlivesItsOwner(t *testing.T) {
	r := newRig(t)
	c := &clock{}
	r.now = c.now
	reset := time.Now().Add(time.Hour)
	s := newScripted(t, func(task string, turn int) string {
		if task == "a" && turn == 1 {
			return "echo half > half.txt\n" + end(provider.Result{Kind: provider.KindLimit, Error: "limit", RetryAt: reset})
		}
		return end(provider.Result{Summary: "done"})
	})
	r.agents(s, &scheduler.Task{ID: "a"}, &scheduler.Task{ID: "b", Isolation: scheduler.IsolationNone})
	r.serial()
	e, wait := r.begin()
	r.until("a waits", func() bool { return r.waiting("a") })
	e.Stop(false)
	if state := wait(); state != scheduler.RunPaused {
		t.Fatalf("state %s", state)
	}
	_, wait = r.begin()
	r.until("the run is resumed", func() bool {
		return slices.ContainsFunc(r.events(), func(e event.Event) bool { return e.Kind == event.RunResumed })
	})
	polls := r.polls()
	r.until("the new owner has looked", func() bool { return r.polls() > polls+5 })
	if n := len(s.asks("a")) + len(s.asks("b")); n != 1 {
		t.Errorf("%d turns were started before the reset", n)
	}
	c.advance(61 * time.Minute)
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if a := r.attempts("a"); len(a) != 1 || r.merged("half.txt") != "half" {
		t.Errorf("attempts %+v", a)
	}
}

func TestPassingFailuresAreWaitedForABoundedNumberOfTimes(t *testing.T) {
	r := newRig(t)
	c := &clock{}
	r.now = c.now
	s := newScripted(t, func(task string, turn int) string {
		if task == "a" && turn == 4 {
			return end(provider.Result{Summary: "done"})
		}
		return end(provider.Result{Kind: provider.KindTransient, Error: "overloaded"})
	})
	r.agents(s, &scheduler.Task{ID: "a", Isolation: scheduler.IsolationNone}, &scheduler.Task{ID: "never", Isolation: scheduler.IsolationNone})
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				c.advance(time.Minute)
			}
		}
	}()
	if state := r.finish(); state != scheduler.RunFailed || r.states() != "a completed, never failed" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if a, n := r.attempts("a"), len(s.asks("a")); len(a) != 1 || n != 4 {
		t.Errorf("%d attempts, %d turns", len(a), n)
	}
	if a, n := r.attempts("never"), len(s.asks("never")); len(a) != 1 || n != 11 || !strings.Contains(a[0].Error, "gave up after 10 waits") {
		t.Errorf("%d turns, attempts %+v", n, a)
	}
}

func TestDeadQuotaStartsNoFurtherAgent(t *testing.T) {
	r := newRig(t)
	dead := atomic.Bool{}
	dead.Store(true)
	s := newScripted(t, func(task string, _ int) string {
		if task == "b" && dead.Load() {
			return end(provider.Result{Kind: provider.KindQuota, Error: "no credit left"})
		}
		return end(provider.Result{Summary: "done"})
	})
	none := scheduler.IsolationNone
	r.agents(s, &scheduler.Task{ID: "a", Isolation: none}, &scheduler.Task{ID: "b", Isolation: none, Attempts: 3},
		&scheduler.Task{ID: "c", Isolation: none}, &scheduler.Task{ID: "d", Isolation: none, AgentRole: "reviewer"},
		&scheduler.Task{ID: "e", Isolation: none, Command: "true"}, &scheduler.Task{ID: "f", Isolation: none, AgentRole: "other"})
	r.serial()
	if state := r.finish(); state != scheduler.RunWaiting {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if got, want := r.states(), "a completed, b failed, c eligible, d eligible, e completed, f completed"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if n := len(s.asks("b")) + len(s.asks("c")) + len(s.asks("d")); n != 1 {
		t.Errorf("%d agents of the account were started", n)
	}
	run, err := r.store.GetRun(r.ctx, r.run.ID)
	if err != nil || !strings.Contains(run.Error, "mine: no credit left") {
		t.Errorf("the run says %q, %v", run.Error, err)
	}
	dead.Store(false)
	r.request(orchestrator.RequestRetry, orchestrator.RetryRequest{})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Errorf("after the retry: %s: %s", state, r.states())
	}
}

func TestCanceledWaitSavesItsWork(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(string, int) string {
		return "echo half > half.txt\n" + end(provider.Result{Kind: provider.KindLimit, Error: "limit", RetryAt: time.Now().Add(time.Hour)})
	})
	r.agents(s, &scheduler.Task{ID: "a"})
	_, wait := r.begin()
	r.until("it waits", func() bool { return r.waiting("a") })
	r.request(orchestrator.RequestCancel, orchestrator.CancelRequest{Tasks: []scheduler.TaskID{"a"}})
	if state := wait(); state != scheduler.RunFailed || r.states() != "a canceled" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if got := r.git("show", "refs/orc/7f3c/task/a/1:half.txt"); got != "half" {
		t.Errorf("saved work %q", got)
	}
}

func TestUsageLimitFailsTheAttemptWhereNobodyWantsToWait(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(task string, _ int) string {
		if task == "b" {
			return end(provider.Result{Summary: "done"})
		}
		return end(provider.Result{Kind: provider.KindLimit, Error: "limit reached", RetryAt: time.Now().Add(time.Hour)})
	})
	r.agents(s, &scheduler.Task{ID: "a", Attempts: 2}, &scheduler.Task{ID: "b"})
	r.options(func(o *persistence.RunOptions) { o.Limits = "fail" })
	if state := r.finish(); state != scheduler.RunFailed || r.states() != "a failed, b completed" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if n := len(s.asks("a")); n != 2 || !strings.Contains(r.task("a").Error, "limit reached") {
		t.Errorf("%d turns: %s", n, r.task("a").Error)
	}
}
