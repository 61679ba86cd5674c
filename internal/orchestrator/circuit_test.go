package orchestrator_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// overloaded are agents of two accounts, of which one fails until well is set.
func overloaded(t *testing.T, well *atomic.Bool) (*rig, *scripted, *clock) {
	r := newRig(t)
	c := &clock{}
	r.now = c.now
	s := newScripted(t, nil)
	s.play = func(turn provider.Turn) string {
		if well.Load() || turn.Model == "other" {
			return end(provider.Result{Summary: "done"})
		}
		return end(provider.Result{Kind: provider.KindTransient, Error: "overloaded"})
	}
	var tasks []*scheduler.Task
	for n := range 8 {
		tasks = append(tasks, &scheduler.Task{ID: scheduler.TaskID(fmt.Sprintf("t%d", n)), Isolation: scheduler.IsolationNone})
	}
	tasks[7].AgentRole = "other"
	r.agents(s, tasks...)
	r.options(func(o *persistence.RunOptions) {
		other := o.Agents["other"]
		other.Model = "other"
		o.Agents["other"] = other
	})
	r.serial()
	return r, s, c
}

func (r *rig) inCircuit() (n int) {
	attempts, err := r.store.ListAttempts(r.ctx, r.run.ID, "")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, a := range attempts {
		if a.Work != nil && a.Work.Wait == persistence.WaitCircuit {
			n++
		}
	}
	return n
}

func TestAnAccountThatFailsAgainAndAgainIsTriedByOne(t *testing.T) {
	well := &atomic.Bool{}
	r, s, c := overloaded(t, well)
	started := func() (n int) {
		for i := range 7 {
			n += len(s.asks(fmt.Sprintf("t%d", i)))
		}
		return n
	}
	_, wait := r.begin()
	r.until("the circuit is open, and the other account's task has run", func() bool {
		return r.inCircuit() == 1 && r.task("t7").Status == scheduler.TaskCompleted
	})
	if n := started(); n != 3 {
		t.Errorf("%d turns before the circuit opened, want 3", n)
	}
	polls := r.polls()
	r.until("the engine has looked again and again", func() bool { return r.polls() > polls+5 })
	if n := started(); n != 3 {
		t.Errorf("%d turns while it was open", n)
	}
	c.advance(time.Minute)
	r.until("one has tried, and failed", func() bool { return started() == 4 && r.inCircuit() >= 1 })
	polls = r.polls()
	r.until("the engine has looked again and again", func() bool { return r.polls() > polls+5 })
	if n := started(); n != 4 {
		t.Errorf("%d turns: more than one has tried", n)
	}
	well.Store(true)
	c.advance(10 * time.Minute)
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	for i := range 7 {
		if a := r.attempts(scheduler.TaskID(fmt.Sprintf("t%d", i))); len(a) != 1 {
			t.Errorf("t%d took %d attempts: a failure of the service spends none", i, len(a))
		}
	}
}

func TestAnOpenCircuitOutlivesItsOwner(t *testing.T) {
	well := &atomic.Bool{}
	r, s, c := overloaded(t, well)
	r.halted(func() bool { return r.inCircuit() == 1 })
	turns := len(s.turns)
	_, wait := r.begin()
	polls := r.polls()
	r.until("the engine has looked again and again", func() bool { return r.polls() > polls+5 })
	s.mu.Lock()
	now := 0
	for _, turn := range s.turns {
		if turn.Model != "other" {
			now++
		}
	}
	s.mu.Unlock()
	if now > turns {
		t.Errorf("%d turns of the account, %d before the owner was replaced", now, turns)
	}
	well.Store(true)
	c.advance(10 * time.Minute)
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
}

func TestACircuitWhoseTryIsCanceledIsTriedByAnother(t *testing.T) {
	well := &atomic.Bool{}
	r, s, c := overloaded(t, well)
	hang := &atomic.Bool{}
	before := s.play
	s.play = func(turn provider.Turn) string {
		if hang.Load() && turn.Model != "other" {
			hang.Store(false)
			well.Store(true)
			return text("trying") + "sleep 300\n"
		}
		return before(turn)
	}
	_, wait := r.begin()
	r.until("the circuit is open", func() bool { return r.inCircuit() == 1 })
	hang.Store(true)
	c.advance(time.Minute)
	r.until("one tries", func() bool { return well.Load() })
	for i := range 7 {
		id := scheduler.TaskID(fmt.Sprintf("t%d", i))
		if a := r.attempts(id); len(a) > 0 && a[0].Phase == scheduler.PhaseWorking {
			r.request("cancel", map[string]any{"tasks": []string{string(id)}})
		}
	}
	c.advance(time.Minute)
	if state := wait(); state != scheduler.RunFailed {
		t.Fatalf("state %s: %s", state, r.states())
	}
	done := 0
	for i := range 7 {
		if r.task(scheduler.TaskID(fmt.Sprintf("t%d", i))).Status == scheduler.TaskCompleted {
			done++
		}
	}
	if done != 6 {
		t.Errorf("%d of the others are done: %s", done, r.states())
	}
}
