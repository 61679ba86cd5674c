package orchestrator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/internal/event"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/scheduler"
)

// noticed says whether an event told a person something.
func (r *rig) noticed(words string) bool {
	for _, ev := range r.events() {
		if ev.Kind == event.Notice && strings.Contains(ev.Message, words) {
			return true
		}
	}
	return false
}

func TestLostSupervisorOfAGateRepeatsTheGatesAlone(t *testing.T) {
	r := newRig(t)
	begun, ledger := filepath.Join(r.data, "begun"), filepath.Join(r.data, "ledger")
	r.create(&scheduler.Task{
		ID: "a", Command: "echo worked >> " + ledger + "; echo a > a.txt",
		Verify: []string{"test -e " + begun + " && exit 0; touch " + begun + "; sleep 300"},
	})
	_, wait := r.begin()
	r.until("the gate has begun", func() bool { return r.exists(begun) })
	r.killSupervisor()
	if s := wait(); s != scheduler.RunCompleted {
		t.Fatalf("state %s: %+v", s, r.attempts("a"))
	}
	if n := len(r.attempts("a")); n != 1 || strings.Count(readFile(t, ledger), "worked") != 1 {
		t.Errorf("%d attempts, ledger %q", n, readFile(t, ledger))
	}
	if !r.noticed("they run again") {
		t.Error("nobody was told")
	}
}

func TestWhatAPersonChangedIsSavedBeforeTheRetry(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{ID: "a", Command: "echo mine > a.txt; test $ORC_ATTEMPT -gt 1"})
	if s := r.finish(); s != scheduler.RunFailed {
		t.Fatalf("state %s", s)
	}
	dir := r.attempts("a")[0].Workspace
	writeFile(t, filepath.Join(dir, "by-hand.txt"), "precious\n")
	r.request(orchestrator.RequestRetry, orchestrator.RetryRequest{})
	if s := r.finish(); s != scheduler.RunCompleted {
		t.Fatalf("state %s", s)
	}
	if got := r.git("show", "refs/orc/7f3c/extra/a/1/later/1:by-hand.txt"); got != "precious" {
		t.Errorf("saved: %q", got)
	}
	if !r.noticed("refs/orc/7f3c/extra/a/1/later/1") {
		t.Error("nobody was told")
	}
	if r.git("ls-tree", "--name-only", "orc/7f3c", "by-hand.txt") != "" {
		t.Error("what a person left behind was merged unasked")
	}
}

func TestAWorkspaceThatWasRemovedDoesNotStopTheRun(t *testing.T) {
	r := newRig(t)
	begun := filepath.Join(r.data, "begun")
	r.create(&scheduler.Task{ID: "a", Command: "test -e " + begun + " && exit 0; touch " + begun + "; sleep 300"})
	r.cut = &cut{last: 3} // it begins, starts the attempt, and never records the end of it
	e := r.engine()
	ended := make(chan error, 1)
	go func() {
		_, err := e.Run(r.ctx)
		ended <- err
	}()
	r.until("a has begun", func() bool { return r.exists(begun) })
	e.Stop(true)
	if err := <-ended; err == nil {
		t.Fatal("the owner ended in good order")
	}
	if a := r.attempts("a"); len(a) != 1 || a[0].Phase != scheduler.PhaseWorking {
		t.Fatalf("attempts %+v", a)
	}
	r.cut, r.lossy = nil, true
	if err := os.RemoveAll(r.attempts("a")[0].Workspace); err != nil {
		t.Fatal(err)
	}
	if s := r.finish(); s != scheduler.RunCompleted {
		t.Fatalf("state %s", s)
	}
	if !r.noticed("was removed by somebody else") {
		t.Error("nobody was told")
	}
}
