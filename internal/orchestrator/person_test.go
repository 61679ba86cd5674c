package orchestrator_test

import (
	"strings"
	"testing"

	"orchestrator/internal/event"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// wanting says whether the task's latest attempt waits for a person to give that.
func (r *rig) wanting(id scheduler.TaskID, w persistence.Wish) func() bool {
	return func() bool {
		a := r.attempts(id)
		return len(a) > 0 && a[len(a)-1].Asks() == w
	}
}

// word is a person's yes, or their no with a reason, on what a task waits for.
func (r *rig) word(id scheduler.TaskID, no string) int64 {
	r.t.Helper()
	a := r.attempts(id)
	last := a[len(a)-1]
	return r.request(orchestrator.RequestApprove, orchestrator.ApproveRequest{
		Items: []orchestrator.Approved{{Task: id, Attempt: last.Number, Wants: last.Consent.Wants}}, Reject: no != "", Reason: no,
	})
}

// wants makes a plan's approvals those of the run.
func (r *rig) wants(of map[scheduler.TaskID][]scheduler.Approval) {
	r.options(func(o *persistence.RunOptions) { o.ApproveOf = of })
}

func started(list []event.Event, task string) (n int) {
	for _, e := range list {
		if e.Kind == event.TaskStarted && e.Task == task {
			n++
		}
	}
	return n
}

func TestStartWaitsForAYesWhileOthersGoOn(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{ID: "a", Command: "echo a > a.txt"}, &scheduler.Task{ID: "b", Command: "echo b > b.txt"},
		&scheduler.Task{ID: "c", Command: "test -e a.txt", DependsOn: []scheduler.TaskID{"a"}, Status: scheduler.TaskPending})
	r.wants(map[scheduler.TaskID][]scheduler.Approval{"a": {scheduler.ApproveStart}})
	if state := r.finish(); state != scheduler.RunWaiting || r.states() != "a running, b completed, c pending" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if r.exists(r.attempts("a")[0].Workspace) || len(r.history("a")) != 0 {
		t.Error("something was done before the yes")
	}
	if state := r.finish(); state != scheduler.RunWaiting {
		t.Fatalf("resumed without a word: %s", state)
	}
	r.word("a", "")
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if a := r.attempts("a"); len(a) != 1 || !a[0].Consent.Start || a[0].Consent.Wants != "" {
		t.Errorf("attempts %+v", a)
	}
}

func TestRetryNeedsNoNewYes(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{ID: "a", Command: `test "$ORC_ATTEMPT" = 2`, Attempts: 2})
	r.wants(map[scheduler.TaskID][]scheduler.Approval{"a": {scheduler.ApproveStart}})
	_, wait := r.begin()
	r.until("it waits", r.wanting("a", persistence.WishStart))
	r.word("a", "")
	if wait() == scheduler.RunWaiting { // it was over before the word came
		r.finish()
	}
	if got := r.states(); got != "a completed" || len(r.attempts("a")) != 2 {
		t.Errorf("%s after %d attempts", got, len(r.attempts("a")))
	}
}

func TestRejectedStartFailsByItsMode(t *testing.T) {
	r := newRig(t)
	task := &scheduler.Task{ID: "a", Command: "echo a > a.txt", FailureMode: scheduler.FailSoft, Attempts: 3}
	r.create(task, &scheduler.Task{ID: "b", Command: "true", DependsOn: []scheduler.TaskID{"a"}, Status: scheduler.TaskPending})
	r.wants(map[scheduler.TaskID][]scheduler.Approval{"a": {scheduler.ApproveStart}})
	r.finish()
	r.word("a", "not today")
	if state := r.finish(); state != scheduler.RunFailed || r.states() != "a failed, b completed" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if got := r.task("a").Error; got != "rejected by a person: not today" || len(r.attempts("a")) != 1 {
		t.Errorf("error %q, %d attempts", got, len(r.attempts("a")))
	}
}

func TestMergeWaitsWithItsWorkSaved(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{ID: "a", Command: "echo a > a.txt", Verify: []string{"test -e a.txt"}},
		&scheduler.Task{ID: "b", Command: "true", DependsOn: []scheduler.TaskID{"a"}, Status: scheduler.TaskPending},
		&scheduler.Task{ID: "nothing", Command: "true"})
	r.options(func(o *persistence.RunOptions) { o.Approve = []scheduler.Approval{scheduler.ApproveMerge} })
	if state := r.finish(); state != scheduler.RunWaiting || r.states() != "a running, b pending, nothing completed" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if got := r.git("show", "refs/orc/7f3c/task/a/1:a.txt"); got != "a" || strings.Contains(r.git("ls-tree", "--name-only", "orc/7f3c"), "a.txt") {
		t.Errorf("saved %q; merged before the yes: %s", got, r.git("ls-tree", "--name-only", "orc/7f3c"))
	}
	r.word("a", "")
	if state := r.finish(); state != scheduler.RunCompleted || r.merged("a.txt") != "a" {
		t.Fatalf("state %s: %s", state, r.states())
	}
}

func TestRejectedWorkGoesBackToItsSessionAndSpendsNothing(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(_ string, turn int) string {
		if turn < 3 {
			return "echo wrong >> a.txt\n" + end(provider.Result{Summary: "done"})
		}
		return "echo right > a.txt\n" + end(provider.Result{Summary: "done as you say"})
	})
	r.agents(s, &scheduler.Task{ID: "a"}) // one attempt allowed
	r.wants(map[scheduler.TaskID][]scheduler.Approval{"a": {scheduler.ApproveMerge}})
	for range 2 {
		if state := r.finish(); state != scheduler.RunWaiting {
			t.Fatalf("state %s: %s", state, r.states())
		}
		r.word("a", "say right")
	}
	if state := r.finish(); state != scheduler.RunWaiting {
		t.Fatalf("state %s: %s", state, r.states())
	}
	asks := s.asks("a")
	if len(asks) != 3 || !asks[1].Resume || asks[1].Session != asks[0].Session || !strings.Contains(asks[1].Prompt, "rejected by a person: say right") {
		t.Fatalf("turns %+v", asks)
	}
	r.word("a", "")
	if state := r.finish(); state != scheduler.RunCompleted || r.merged("a.txt") != "right" {
		t.Fatalf("state %s, merged %q", state, r.merged("a.txt"))
	}
	if a := r.attempts("a"); len(a) != 3 || !a[0].Rejected || a[0].Saved == "" || a[2].Rejected {
		t.Errorf("attempts %+v", a)
	}
}

func TestAWordOnSomethingElseIsRefused(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{ID: "a", Command: "echo a > a.txt"})
	r.wants(map[scheduler.TaskID][]scheduler.Approval{"a": {scheduler.ApproveStart, scheduler.ApproveMerge}})
	r.finish()
	r.word("a", "")
	twice := r.word("a", "")
	if state := r.finish(); state != scheduler.RunWaiting || !r.wanting("a", persistence.WishMerge)() {
		t.Fatalf("state %s, %+v", state, r.attempts("a"))
	}
	if req, err := r.store.GetRequest(r.ctx, twice); err != nil || !strings.Contains(req.Error, "does not wait for that any more") {
		t.Errorf("the second yes: %+v, %v", req, err)
	}
}

func TestCanceledWhileItWaitsForAPerson(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{ID: "a", Command: "echo a > a.txt"}, &scheduler.Task{ID: "b", Command: "echo b > b.txt"})
	r.wants(map[scheduler.TaskID][]scheduler.Approval{"a": {scheduler.ApproveStart}, "b": {scheduler.ApproveMerge}})
	r.finish()
	r.request(orchestrator.RequestCancel, orchestrator.CancelRequest{Tasks: []scheduler.TaskID{"a", "b"}})
	if state := r.finish(); state != scheduler.RunFailed || r.states() != "a canceled, b canceled" {
		t.Fatalf("state %s: %s", state, r.states())
	}
	for _, e := range r.events() {
		if e.Kind == event.Notice {
			t.Errorf("notice %q", e.Message)
		}
	}
	if started(r.events(), "a") != 1 || r.git("show", "refs/orc/7f3c/task/b/1:b.txt") != "b" {
		t.Error("its work is not kept")
	}
}
