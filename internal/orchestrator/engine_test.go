package orchestrator_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

func TestWorkOfParallelTasksIsMerged(t *testing.T) {
	r := newRig(t)
	r.create(
		&scheduler.Task{ID: "a", Command: "echo a > a.txt"},
		&scheduler.Task{ID: "b", Command: "echo b > b.txt; chmod +x b.txt; rm README"},
		&scheduler.Task{ID: "c", Command: "cat a.txt b.txt > c.txt", DependsOn: []scheduler.TaskID{"a", "b"}, Verify: []string{"test -s c.txt", "! test -e README"}},
	)
	before := r.git("status", "--porcelain", "--ignored") + r.git("rev-parse", "HEAD")
	if s := r.finish(); s != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", s, r.states())
	}
	if got := r.merged("c.txt"); got != "a\nb" {
		t.Errorf("c.txt = %q", got)
	}
	if after := r.git("status", "--porcelain", "--ignored") + r.git("rev-parse", "HEAD"); after != before {
		t.Errorf("the user's checkout changed: %q, was %q", after, before)
	}
	if n := strings.Count(r.git("log", "--first-parent", "--format=%B", "main..orc/7f3c"), "Orc-Task: "); n != 3 {
		t.Errorf("%d merge commits on the first-parent chain, want 3", n)
	}
	for _, id := range []scheduler.TaskID{"a", "b", "c"} {
		if a := r.attempts(id); len(a) != 1 || !a[0].Cleaned || a[0].Outcome != scheduler.OutcomeSucceeded {
			t.Errorf("attempts of %s: %+v", id, a)
		}
		if r.exists(filepath.Join(r.data, "ws", string(id))) {
			t.Errorf("the workspace of %s is still there", id)
		}
	}
}

func TestEventsAreGaplessAndSayEveryStateOnce(t *testing.T) {
	r := newRig(t)
	r.create(
		&scheduler.Task{ID: "a", Command: "true", Isolation: scheduler.IsolationNone},
		&scheduler.Task{ID: "b", Command: "false", Isolation: scheduler.IsolationNone, Attempts: 2, FailureMode: scheduler.FailSoft},
		&scheduler.Task{ID: "c", Command: "true", Isolation: scheduler.IsolationNone, DependsOn: []scheduler.TaskID{"a", "b"}},
	)
	if s := r.finish(); s != scheduler.RunFailed {
		t.Fatalf("state %s", s)
	}
	count := map[string]int{}
	for i, e := range r.events() {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has sequence number %d", i+1, e.Seq)
		}
		count[string(e.Kind)+" "+e.Task]++
	}
	for what, want := range map[string]int{
		"run.started ": 1, "run.finished ": 1, "task.eligible a": 1, "task.started a": 1, "task.completed a": 1,
		"task.started b": 2, "task.retrying b": 1, "task.failed b": 1, "task.started c": 1, "task.completed c": 1,
	} {
		if count[what] != want {
			t.Errorf("%d times %q, want %d", count[what], what, want)
		}
	}
}

func TestDependentStartsWhenItsLastDependencySettlesNotWhenTheWaveEnds(t *testing.T) {
	r := newRig(t)
	release := filepath.Join(r.data, "release")
	r.create(
		// slow ends only when the dependent of fast has run: a wave barrier would never let it.
		&scheduler.Task{ID: "slow", Command: "while ! test -e " + release + "; do sleep 0.02; done", Isolation: scheduler.IsolationNone, Timeout: time.Minute},
		&scheduler.Task{ID: "fast", Command: "true", Isolation: scheduler.IsolationNone},
		&scheduler.Task{ID: "next", Command: "touch " + release, Isolation: scheduler.IsolationNone, DependsOn: []scheduler.TaskID{"fast"}},
	)
	if s := r.finish(); s != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", s, r.states())
	}
}

func TestFailureModes(t *testing.T) {
	for _, c := range []struct {
		mode  scheduler.FailureMode
		state scheduler.RunState
		want  string
	}{
		{scheduler.FailHard, scheduler.RunFailed, "bad failed, after skipped, last skipped, other completed"},
		{scheduler.FailSoft, scheduler.RunFailed, "bad failed, after completed, last completed, other completed"},
		{scheduler.FailSkip, scheduler.RunCompleted, "bad skipped, after completed, last completed, other completed"},
	} {
		t.Run(string(c.mode), func(t *testing.T) {
			r := newRig(t)
			r.create(
				&scheduler.Task{ID: "bad", Command: "exit 3", FailureMode: c.mode, Isolation: scheduler.IsolationNone},
				&scheduler.Task{ID: "after", Command: `test "$ORC_FAILED_NEEDS" = "` + map[bool]string{true: "bad"}[c.mode == scheduler.FailSoft] + `"`, DependsOn: []scheduler.TaskID{"bad"}, Isolation: scheduler.IsolationNone},
				&scheduler.Task{ID: "last", Command: "true", DependsOn: []scheduler.TaskID{"after"}, Isolation: scheduler.IsolationNone},
				&scheduler.Task{ID: "other", Command: "true", Isolation: scheduler.IsolationNone},
			)
			if s := r.finish(); s != c.state {
				t.Errorf("state %s, want %s", s, c.state)
			}
			if got := r.states(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if got := r.task("bad").Error; got != "exit 3" {
				t.Errorf("error %q", got)
			}
		})
	}
}

func TestRetryIsToldWhatWentWrong(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{
		ID: "a", Attempts: 3, Verify: []string{"test -e good || { echo it is missing; exit 4; }"},
		Command: `if [ "$ORC_ATTEMPT" = 3 ]; then grep -q 'it is missing' "$ORC_PREVIOUS_OUTPUT" && echo "$ORC_PREVIOUS_ERROR" > good; fi; echo partial > partial.$ORC_ATTEMPT`,
	})
	if s := r.finish(); s != scheduler.RunCompleted {
		t.Fatalf("state %s: %v", s, r.task("a").Error)
	}
	if got := r.merged("good"); !strings.HasPrefix(got, "verify failed: ") || !strings.Contains(got, "exit 4") {
		t.Errorf("previous error %q", got)
	}
	if r.git("ls-tree", "--name-only", "orc/7f3c", "partial.1") != "" {
		t.Error("the third attempt did not begin from a clean workspace")
	}
	if r.git("show", "refs/orc/7f3c/task/a/1:partial.1") != "partial" {
		t.Error("what the first attempt had written is not saved")
	}
}

func TestPromptCarriesContextResultsAndNotes(t *testing.T) {
	r := newRig(t)
	r.create(
		&scheduler.Task{ID: "base", Command: "echo x > made.txt; echo the base is laid"},
		&scheduler.Task{ID: "broken", Command: "echo oh; exit 1", FailureMode: scheduler.FailSoft, Isolation: scheduler.IsolationNone},
		&scheduler.Task{ID: "think", AgentRole: "coder", Prompt: "Build on it.", DependsOn: []scheduler.TaskID{"base", "broken"}},
	)
	r.finish()
	seen := r.merged("prompt.seen")
	for _, want := range []string{"Build on it.", "the base is laid", "made.txt", "broken", "FAILED", "exit 1"} {
		if !strings.Contains(seen, want) {
			t.Errorf("the prompt lacks %q:\n%s", want, seen)
		}
	}
	history, err := r.store.GetHistory(r.ctx, r.run.ID, "think")
	if err != nil || len(history) != 2 || strings.TrimSpace(history[0].Content) != strings.TrimSpace(seen) || strings.TrimSpace(history[1].Content) != "agreed" {
		t.Errorf("conversation %+v, %v", history, err)
	}
}

func TestTimeoutEndsTheWholeTreeAndCounts(t *testing.T) {
	r := newRig(t)
	r.grace = 100 * time.Millisecond
	r.create(&scheduler.Task{ID: "a", Command: "trap '' TERM; echo begun > begun.txt; setsid sleep 300 & sleep 300", Timeout: 300 * time.Millisecond})
	if s := r.finish(); s != scheduler.RunFailed {
		t.Fatalf("state %s", s)
	}
	if got := r.task("a").Error; got != "timed out after 300ms" {
		t.Errorf("error %q", got)
	}
	if got := r.git("show", "refs/orc/7f3c/task/a/1:begun.txt"); got != "begun" {
		t.Errorf("saved work %q", got)
	}
}

func TestCanceledTaskKeepsItsWorkAndSkipsItsDependents(t *testing.T) {
	r := newRig(t)
	begun := filepath.Join(r.data, "begun")
	r.create(
		&scheduler.Task{ID: "a", Command: "echo w > w.txt; touch " + begun + "; sleep 300"},
		&scheduler.Task{ID: "b", Command: "true", DependsOn: []scheduler.TaskID{"a"}},
		&scheduler.Task{ID: "c", Command: "true", Isolation: scheduler.IsolationNone},
	)
	_, wait := r.begin()
	r.until("a has begun", func() bool { return r.exists(begun) })
	id := r.request(orchestrator.RequestCancel, orchestrator.CancelRequest{Tasks: []scheduler.TaskID{"a"}})
	if s := wait(); s != scheduler.RunFailed {
		t.Errorf("state %s", s)
	}
	if got, want := r.states(), "a canceled, b skipped, c completed"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if r.git("show", "refs/orc/7f3c/task/a/1:w.txt") != "w" {
		t.Error("the canceled work is not saved")
	}
	if q, err := r.store.GetRequest(r.ctx, id); err != nil || q.ConsumedAt.IsZero() || q.Error != "" {
		t.Errorf("request %+v, %v", q, err)
	}
}

func TestStoppedRunIsPausedAndResumes(t *testing.T) {
	r := newRig(t)
	begun, ledger := filepath.Join(r.data, "begun"), filepath.Join(r.data, "ledger")
	r.create(
		&scheduler.Task{ID: "done", Command: "echo done >> " + ledger},
		&scheduler.Task{ID: "long", Command: "echo half > half.txt; if test -e " + begun + "; then echo whole > half.txt; else touch " + begun + "; sleep 300; fi", DependsOn: []scheduler.TaskID{"done"}},
	)
	e, wait := r.begin()
	r.until("long has begun", func() bool { return r.exists(begun) })
	e.Stop(true)
	if s := wait(); s != scheduler.RunPaused {
		t.Fatalf("state %s", s)
	}
	if r.git("show", "refs/orc/7f3c/task/long/1:half.txt") != "half" {
		t.Error("the stopped work is not saved")
	}
	if s := r.finish(); s != scheduler.RunCompleted {
		t.Fatalf("after resuming: %s: %s", s, r.states())
	}
	if r.merged("half.txt") != "whole" || strings.Count(readFile(t, ledger), "done") != 1 {
		t.Errorf("half.txt %q, ledger %q", r.merged("half.txt"), readFile(t, ledger))
	}
	if a := r.attempts("long"); len(a) != 2 || a[0].Outcome != scheduler.OutcomeInterrupted {
		t.Errorf("attempts %+v", a)
	}
}

func TestConflictWaitsForAPersonAndRetryStartsFromTheMergedState(t *testing.T) {
	r := newRig(t)
	meet := filepath.Join(r.data, "meet")
	edit := func(word string) string {
		return "touch " + meet + "." + word + "; while [ $(ls " + meet + ".* | wc -l) -lt 2 ]; do sleep 0.02; done; sed -i 's/two/" + word + "/;s/left/both/' shared.txt"
	}
	r.create(
		&scheduler.Task{ID: "left", Command: edit("left")},
		&scheduler.Task{ID: "right", Command: edit("right")},
		&scheduler.Task{ID: "after", Command: "true", DependsOn: []scheduler.TaskID{"left", "right"}, Isolation: scheduler.IsolationNone},
	)
	if s := r.finish(); s != scheduler.RunWaiting {
		t.Fatalf("state %s: %s", s, r.states())
	}
	var loser scheduler.TaskID = "right"
	if r.task("right").Status == scheduler.TaskCompleted {
		loser = "left"
	}
	a := r.attempts(loser)
	if len(a) != 1 || a[0].Phase != scheduler.PhaseWaiting || strings.Join(a[0].Conflicts, ",") != "shared.txt" {
		t.Fatalf("attempts of %s: %+v", loser, a)
	}
	r.request(orchestrator.RequestRetry, orchestrator.RetryRequest{Tasks: []scheduler.TaskID{loser}, Note: "look again"})
	if s := r.finish(); s != scheduler.RunCompleted {
		t.Fatalf("after the retry: %s: %s", s, r.states())
	}
	if a := r.attempts(loser); len(a) != 2 || a[1].Note != "look again" {
		t.Errorf("attempts of %s: %+v", loser, a)
	}
}

func TestExplicitRetryBringsBackWhatWasSkipped(t *testing.T) {
	r := newRig(t)
	fixed := filepath.Join(r.data, "fixed")
	r.create(
		&scheduler.Task{ID: "a", Command: "test -e " + fixed, Isolation: scheduler.IsolationNone},
		&scheduler.Task{ID: "b", Command: "true", DependsOn: []scheduler.TaskID{"a"}, Isolation: scheduler.IsolationNone},
	)
	if s := r.finish(); s != scheduler.RunFailed || r.states() != "a failed, b skipped" {
		t.Fatalf("%s: %s", s, r.states())
	}
	writeFile(t, fixed, "")
	r.request(orchestrator.RequestRetry, orchestrator.RetryRequest{})
	if s := r.finish(); s != scheduler.RunCompleted || r.states() != "a completed, b completed" {
		t.Fatalf("%s: %s", s, r.states())
	}
	run, err := r.store.GetRun(r.ctx, r.run.ID)
	if err != nil || run.State != scheduler.RunCompleted || run.Error != "" {
		t.Errorf("run %+v, %v", run, err)
	}
}

func TestLostSupervisorCostsNoAttempt(t *testing.T) {
	r := newRig(t)
	begun := filepath.Join(r.data, "begun")
	r.create(&scheduler.Task{ID: "a", Command: "test -e " + begun + " && exit 0; touch " + begun + "; sleep 300"})
	_, wait := r.begin()
	r.until("a has begun", func() bool { return r.exists(begun) })
	r.killSupervisor()
	if s := wait(); s != scheduler.RunCompleted {
		t.Fatalf("state %s: %+v", s, r.attempts("a"))
	}
	if a := r.attempts("a"); len(a) != 2 || a[0].Outcome != scheduler.OutcomeInterrupted {
		t.Errorf("attempts %+v", a)
	}
}

func TestSecondOwnerFencesTheFirst(t *testing.T) {
	r := newRig(t)
	begun := filepath.Join(r.data, "begun")
	r.create(&scheduler.Task{ID: "a", Command: "touch " + begun + "; sleep 300", Isolation: scheduler.IsolationNone})
	e := r.engine()
	ended := make(chan error, 1)
	go func() {
		_, err := e.Run(r.ctx)
		ended <- err
	}()
	r.until("a has begun", func() bool { return r.exists(begun) })
	now := time.Now()
	if _, err := r.store.AcquireLease(r.ctx, persistence.Lease{Run: r.run.ID, Owner: "other", ExpiresAt: now.Add(time.Minute)}, now, true); err != nil {
		t.Fatal(err)
	}
	e.Stop(true) // what it wants to record now is refused
	if err := <-ended; !errors.Is(err, persistence.ErrLeaseLost) {
		t.Fatalf("the first owner ended with %v", err)
	}
	if got := r.states(); got != "a running" {
		t.Errorf("the fenced owner wrote: %s", got)
	}
}

func TestOutputBeyondTheLimitFailsTheTaskForGood(t *testing.T) {
	r := newRig(t)
	r.limit = 1 << 20
	r.create(&scheduler.Task{ID: "a", Command: "yes", Attempts: 5, Isolation: scheduler.IsolationNone})
	if s := r.finish(); s != scheduler.RunFailed {
		t.Fatalf("state %s", s)
	}
	if a := r.attempts("a"); len(a) != 1 || !strings.Contains(a[0].Error, "more than 1 MiB") {
		t.Errorf("attempts %+v", a)
	}
}

func TestHostileOutputIsStoredAsValidText(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{ID: "a", Isolation: scheduler.IsolationNone, Command: `head -c 10000000 /dev/zero | tr '\0' x; printf '\377\376 end'`})
	if s := r.finish(); s != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", s, r.task("a").Error)
	}
	if res := r.task("a").Result; res == nil || !strings.HasSuffix(*res, "\uFFFD\uFFFD end") && !strings.HasSuffix(*res, "\uFFFD end") {
		t.Errorf("result %v", res)
	}
}

func TestLongCommandRuns(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{ID: "a", Isolation: scheduler.IsolationNone, Command: "true " + strings.Repeat("x", 300<<10) + "; echo ran"})
	if s := r.finish(); s != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", s, r.task("a").Error)
	}
	if res := r.task("a").Result; res == nil || *res != "ran" {
		t.Errorf("result %v", res)
	}
}
