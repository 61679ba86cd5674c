package scheduler

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func begun(t *testing.T, o Options, tasks ...*Task) *replay {
	t.Helper()
	r := newReplay(t, tasks, o)
	r.step(Begin{})
	return r
}

func TestParkedTaskGivesItsSlotAndKeepsItsFiles(t *testing.T) {
	r := begun(t, Options{Concurrency: 1}, &Task{ID: "a", WritesFiles: []string{"x"}}, &Task{ID: "b", WritesFiles: []string{"x"}}, &Task{ID: "c"})
	r.step(Parked{Task: "a"})
	if got := r.running(); !slices.Equal(got, []TaskID{"c"}) {
		t.Fatalf("running %v, want c: a has its files still", got)
	}
	r.step(AttemptEnded{Task: "c", Outcome: OutcomeSucceeded})
	if got := r.running(); len(got) != 0 || r.quiet != "" {
		t.Fatalf("running %v, quiet %q: a waits for a time", got, r.quiet)
	}
	want := []Effect{GoOn{"a"}}
	if diff := cmp.Diff(want, r.step(Due{"a"})); diff != "" {
		t.Error(diff)
	}
	r.step(AttemptEnded{Task: "a", Outcome: OutcomeSucceeded})
	if p, _ := r.state.Progress("a"); p.Spent != 0 || p.Started != 1 {
		t.Errorf("progress %+v: waiting spends nothing", p)
	}
}

func TestDueTaskGoesOnBeforeOthersStart(t *testing.T) {
	r := begun(t, Options{Concurrency: 1}, &Task{ID: "a"}, &Task{ID: "b"}, &Task{ID: "c"})
	r.step(Parked{Task: "a"})
	if effects := r.step(Due{"a"}); len(effects) != 0 {
		t.Fatalf("no slot is free: %#v", effects)
	}
	r.step(AttemptEnded{Task: "b", Outcome: OutcomeSucceeded})
	if got := r.running(); !slices.Equal(got, []TaskID{"a"}) {
		t.Errorf("running %v", got)
	}
}

func TestTasksOfAnAgentOnHoldDoNotStart(t *testing.T) {
	r := begun(t, Options{Concurrency: 1}, &Task{ID: "a", AgentRole: "coder"}, &Task{ID: "b", AgentRole: "coder"}, &Task{ID: "c", AgentRole: "tester"})
	r.step(Hold{Agent: "coder"})
	r.step(AttemptEnded{Task: "a", Outcome: OutcomeSucceeded})
	if got := r.running(); !slices.Equal(got, []TaskID{"c"}) {
		t.Fatalf("running %v", got)
	}
	r.step(AttemptEnded{Task: "c", Outcome: OutcomeSucceeded})
	if r.quiet != "" {
		t.Errorf("quiet %q, but the hold ends by itself", r.quiet)
	}
	r.step(Hold{Agent: "coder", Person: true})
	if r.quiet != RunWaiting {
		t.Errorf("quiet %q, but only a person can help", r.quiet)
	}
	r.step(Release{"coder"})
	if got := r.running(); !slices.Equal(got, []TaskID{"b"}) {
		t.Errorf("running %v", got)
	}
}

func TestCanceledParkedTaskIsStopped(t *testing.T) {
	r := begun(t, Options{}, &Task{ID: "a"})
	r.step(Parked{Task: "a"})
	if diff := cmp.Diff([]Effect{Stop{"a"}}, r.step(CancelTask{"a"})); diff != "" {
		t.Fatal(diff)
	}
	r.step(AttemptEnded{Task: "a", Outcome: OutcomeCanceled})
	if got := r.byID["a"].Status; got != TaskCanceled {
		t.Errorf("status %s", got)
	}
}

func TestTaskThatWaitsForAPersonKeepsItsFilesAndLetsOthersRun(t *testing.T) {
	r := begun(t, Options{Concurrency: 1}, &Task{ID: "a", WritesFiles: []string{"x"}}, &Task{ID: "b", WritesFiles: []string{"x"}}, &Task{ID: "c"})
	r.step(Parked{Task: "a", Person: true})
	if got := r.running(); !slices.Equal(got, []TaskID{"c"}) || r.quiet != "" {
		t.Fatalf("running %v, quiet %q, want c: a has its files still", got, r.quiet)
	}
	r.step(AttemptEnded{Task: "c", Outcome: OutcomeSucceeded})
	if r.quiet != RunWaiting {
		t.Fatalf("quiet %q, but a waits for a person and b for its files", r.quiet)
	}
	r.crash()
	if diff := cmp.Diff([]Effect{GoOn{"a"}}, r.step(Due{"a"})); diff != "" {
		t.Error(diff)
	}
	r.step(AttemptEnded{Task: "a", Outcome: OutcomeSucceeded})
	if got := r.running(); !slices.Equal(got, []TaskID{"b"}) {
		t.Errorf("running %v", got)
	}
}

func TestTaskThatWaitsForATimeMayComeToWaitForAPerson(t *testing.T) {
	r := begun(t, Options{}, &Task{ID: "a"})
	r.step(Parked{Task: "a"})
	if r.quiet != "" {
		t.Fatalf("quiet %q, but a goes on by itself", r.quiet)
	}
	r.step(Parked{Task: "a", Person: true})
	if r.quiet != RunWaiting {
		t.Errorf("quiet %q", r.quiet)
	}
}

func TestRejectedWorkSpendsNothing(t *testing.T) {
	r := begun(t, Options{}, &Task{ID: "a", Attempts: 1})
	for n := 2; n <= 4; n++ {
		r.step(Parked{Task: "a", Person: true})
		effects := r.step(AttemptEnded{Task: "a", Outcome: OutcomeFailed, Rejected: true, Error: "no"})
		if last := effects[len(effects)-1]; last != (Start{Task: "a", Number: n}) {
			t.Fatalf("%#v, want attempt %d", last, n)
		}
	}
	if p, _ := r.state.Progress("a"); p.Spent != 0 {
		t.Errorf("%d attempts spent", p.Spent)
	}
}
