package scheduler

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// story writes effects as one line each, so that a test reads like a log.
func story(effects []Effect) []string {
	lines := []string{}
	for _, e := range effects {
		switch e := e.(type) {
		case Changed:
			line := fmt.Sprintf("%s: %s → %s", e.Task, e.From, e.To)
			if e.Reason != "" {
				line += " (" + e.Reason + ")"
			}
			if e.Error != "" && e.Error != e.Reason {
				line += " error " + e.Error
			}
			if e.Result != nil {
				line += " result " + *e.Result
			}
			lines = append(lines, line)
		case Start:
			lines = append(lines, fmt.Sprintf("start %s %d", e.Task, e.Number))
		case Stop:
			lines = append(lines, "stop "+string(e.Task))
		case Retrying:
			lines = append(lines, fmt.Sprintf("retrying %s %d/%d after %s", e.Task, e.Spent, e.Allowed, e.Error))
		case Held:
			lines = append(lines, fmt.Sprintf("held %s: %s", e.Task, e.Error))
		case Refused:
			lines = append(lines, fmt.Sprintf("refused %s: %s", e.Task, e.Reason))
		case Quiet:
			lines = append(lines, "quiet "+string(e.State))
		}
	}
	return lines
}

// tell steps through inputs, each followed by the lines that must follow from it. After each, the State is built
// anew from what is stored, so that every story also holds across a crash.
func tell(t *testing.T, r *replay, steps ...any) {
	t.Helper()
	for i := 0; i < len(steps); i += 2 {
		want := []string{}
		for line := range strings.Lines(steps[i+1].(string)) {
			want = append(want, strings.TrimSpace(line))
		}
		if diff := cmp.Diff(want, story(r.step(steps[i].(Input)))); diff != "" {
			t.Fatalf("step %d, %#v (-want +got):\n%s", i/2, steps[i], diff)
		}
		r.crash()
	}
}

// plan reads "id:mode needs…" lines.
func plan(lines ...string) []*Task {
	var tasks []*Task
	for _, line := range lines {
		fields := strings.Fields(line)
		id, mode, _ := strings.Cut(fields[0], ":")
		task := &Task{ID: TaskID(id), FailureMode: FailureMode(mode)}
		for _, f := range fields[1:] {
			task.DependsOn = append(task.DependsOn, TaskID(f))
		}
		tasks = append(tasks, task)
	}
	return tasks
}

func ended(id TaskID, o Outcome) AttemptEnded {
	e := AttemptEnded{Task: id, Outcome: o}
	if o == OutcomeFailed || o == OutcomeConflict {
		e.Error = "boom"
	}
	return e
}

func TestHardFailureSkipsWhatNeedsItAndNothingElse(t *testing.T) {
	r := newReplay(t, plan("docs", "publish docs", "announce publish", "other", "after other"), Options{Concurrency: 2})
	tell(t, r,
		Begin{}, `docs: pending → eligible
			other: pending → eligible
			docs: eligible → running
			start docs 1
			other: eligible → running
			start other 1`,
		ended("docs", OutcomeFailed), `docs: running → failed error boom
			publish: pending → skipped (needs docs)
			announce: pending → skipped (needs docs)`,
		ended("other", OutcomeSucceeded), `other: running → completed
			after: pending → eligible
			after: eligible → running
			start after 1`,
		ended("after", OutcomeSucceeded), `after: running → completed
			quiet failed`,
	)
}

func TestSoftFailureLetsDependentsRunAndTellsThem(t *testing.T) {
	r := newReplay(t, plan("lint:soft", "check:skip", "build", "ship lint check build"), Options{Concurrency: 3})
	r.step(Begin{})
	tell(t, r,
		ended("lint", OutcomeFailed), `lint: running → failed error boom`,
		ended("check", OutcomeFailed), `check: running → skipped error boom`,
		ended("build", OutcomeSucceeded), `build: running → completed
			ship: pending → eligible
			ship: eligible → running
			start ship 1`,
	)
	if diff := cmp.Diff([]TaskID{"lint"}, r.state.FailedDependencies("ship")); diff != "" {
		t.Errorf("failed dependencies (-want +got):\n%s", diff)
	}
	tell(t, r, ended("ship", OutcomeSucceeded), `ship: running → completed
			quiet failed`)
}

func TestSkipModeCountsAsSuccess(t *testing.T) {
	r := newReplay(t, plan("check:skip", "ship check"), Options{})
	r.step(Begin{})
	result := "shipped"
	tell(t, r,
		ended("check", OutcomeFailed), `check: running → skipped error boom
			ship: pending → eligible
			ship: eligible → running
			start ship 1`,
		AttemptEnded{Task: "ship", Outcome: OutcomeSucceeded, Result: &result}, `ship: running → completed result shipped
			quiet completed`,
	)
}

func TestFailedAttemptsAreTriedAgainAsOftenAsAllowed(t *testing.T) {
	tasks := plan("a")
	tasks[0].Attempts = 2
	r := newReplay(t, tasks, Options{})
	r.step(Begin{})
	tell(t, r,
		ended("a", OutcomeInterrupted), `a: running → eligible (interrupted)
			a: eligible → running
			start a 2`,
		ended("a", OutcomeFailed), `a: running → eligible (attempt 1 of 2 failed) error boom
			retrying a 1/2 after boom
			a: eligible → running error boom
			start a 3`,
		ended("a", OutcomeFailed), `a: running → failed error boom
			quiet failed`,
		Retry{Tasks: []TaskID{"a"}}, `a: failed → pending (retry)
			a: pending → eligible
			a: eligible → running
			start a 4`,
		AttemptEnded{Task: "a", Outcome: OutcomeFailed, Error: "hopeless", Final: true}, `a: running → failed error hopeless
			quiet failed`,
	)
}

func TestConflictIsTriedAgainThenHeldForAPerson(t *testing.T) {
	tasks := plan("a", "b", "after a")
	tasks[0].Attempts = 2
	for i := range 2 {
		tasks[i].WritesFiles = []string{"src"}
	}
	r := newReplay(t, tasks, Options{})
	r.step(Begin{})
	tell(t, r,
		ended("a", OutcomeConflict), `a: running → eligible (attempt 1 of 2 failed) error boom
			retrying a 1/2 after boom
			a: eligible → running error boom
			start a 2`,
		ended("a", OutcomeConflict), `held a: boom
			b: eligible → running
			start b 1`,
		ended("b", OutcomeSucceeded), `b: running → completed
			quiet waiting`,
		CancelTask{"nobody"}, `refused nobody: there is no such task
			quiet waiting`,
		ended("a", OutcomeInterrupted), `quiet waiting`,
		Retry{Tasks: []TaskID{"a"}}, `a: running → pending (retry)
			a: pending → eligible
			a: eligible → running
			start a 3`,
		AttemptEnded{Task: "a", Outcome: OutcomeConflict, Error: "still", Final: true}, `held a: still
			quiet waiting`,
		ended("a", OutcomeSucceeded), `a: running → completed
			after: pending → eligible
			after: eligible → running
			start after 1`,
	)
}

func TestCancelOfATaskSkipsItsDependents(t *testing.T) {
	r := newReplay(t, plan("a", "b a", "c b", "d"), Options{Concurrency: 1})
	r.step(Begin{})
	tell(t, r,
		CancelTask{"a"}, `stop a`,
		CancelTask{"d"}, `d: eligible → canceled (canceled)`,
		ended("a", OutcomeFailed), `a: running → canceled (canceled)
			b: pending → skipped (needs a)
			c: pending → skipped (needs a)
			quiet failed`,
		CancelTask{"d"}, `refused d: it is already canceled
			quiet failed`,
		Retry{Tasks: []TaskID{"c"}}, `refused c: it needs b, which is skipped: retry that one
			quiet failed`,
		Retry{Tasks: []TaskID{"a"}}, `a: canceled → pending (retry)
			b: skipped → pending (retry)
			c: skipped → pending (retry)
			a: pending → eligible
			a: eligible → running
			start a 2`,
	)
}

func TestSuccessThatCameBeforeTheStopCounts(t *testing.T) {
	r := newReplay(t, plan("a"), Options{})
	r.step(Begin{})
	tell(t, r,
		CancelTask{"a"}, `stop a`,
		ended("a", OutcomeSucceeded), `a: running → completed
			quiet completed`,
	)
}

func TestCancelOfTheRunEndsEverything(t *testing.T) {
	r := newReplay(t, plan("a", "b a", "c"), Options{Concurrency: 1})
	r.step(Begin{})
	tell(t, r,
		CancelRun{}, `stop a
			b: pending → canceled (run canceled)
			c: eligible → canceled (run canceled)`,
		ended("a", OutcomeInterrupted), `a: running → canceled (run canceled)
			quiet canceled`,
		Retry{Tasks: []TaskID{"a"}}, `a: canceled → pending (retry)
			b: canceled → pending (retry)
			a: pending → eligible
			a: eligible → running
			start a 2`,
		ended("a", OutcomeSucceeded), `a: running → completed
			b: pending → eligible
			b: eligible → running
			start b 1`,
		ended("b", OutcomeSucceeded), `b: running → completed
			quiet failed`,
	)
}

func TestFailFastCancelsWhatHasNotStarted(t *testing.T) {
	r := newReplay(t, plan("a:soft", "b", "c", "d a", "e b"), Options{Concurrency: 2, FailFast: true})
	r.byID["b"].Attempts = 2
	r.rebuild()
	r.step(Begin{})
	tell(t, r,
		ended("a", OutcomeFailed), `a: running → failed error boom
			d: pending → eligible
			c: eligible → canceled (fail-fast: a failed)
			d: eligible → canceled (fail-fast: a failed)
			e: pending → canceled (fail-fast: a failed)`,
		ended("b", OutcomeFailed), `b: running → eligible (attempt 1 of 2 failed) error boom
			retrying b 1/2 after boom
			b: eligible → running error boom
			start b 2`,
		ended("b", OutcomeSucceeded), `b: running → completed
			quiet failed`,
		Retry{Tasks: []TaskID{"a"}}, `a: failed → pending (retry)
			d: canceled → pending (retry)
			a: pending → eligible
			a: eligible → running
			start a 2`,
	)
}

func TestRetryWithCascadeRunsEverythingBehindAgain(t *testing.T) {
	r := newReplay(t, plan("a", "b a", "c b", "x"), Options{Concurrency: 4})
	r.step(Begin{})
	for _, id := range []TaskID{"a", "b", "c", "x"} {
		r.step(ended(id, OutcomeSucceeded))
	}
	tell(t, r,
		Retry{Tasks: []TaskID{"b"}}, `refused b: it is completed: only a failed, skipped, canceled or held task can be retried
			quiet completed`,
		Retry{Tasks: []TaskID{"b"}, Cascade: true}, `b: completed → pending (retry)
			c: completed → pending (retry)
			b: pending → eligible
			b: eligible → running
			start b 2`,
		Retry{Tasks: []TaskID{"a"}, Cascade: true}, `refused b: it has an attempt under way and follows a: cancel it first`,
	)
}

func TestRetryLeavesATaskThatAPersonCanceledByName(t *testing.T) {
	r := newReplay(t, plan("a", "b a", "c a"), Options{})
	r.step(Begin{})
	tell(t, r,
		CancelTask{"b"}, `b: pending → canceled (canceled)`,
		ended("a", OutcomeFailed), `a: running → failed error boom
			c: pending → skipped (needs a)
			quiet failed`,
		Retry{Tasks: []TaskID{"a"}}, `a: failed → pending (retry)
			c: skipped → pending (retry)
			a: pending → eligible
			a: eligible → running
			start a 2`,
	)
}

func TestRetriedDependencyHoldsBackWhatWasEligible(t *testing.T) {
	r := newReplay(t, plan("a:soft", "busy", "b a"), Options{Concurrency: 1})
	r.step(Begin{})
	tell(t, r,
		ended("a", OutcomeFailed), `a: running → failed error boom
			b: pending → eligible
			busy: eligible → running
			start busy 1`,
		Retry{Tasks: []TaskID{"a"}}, `a: failed → pending (retry)
			b: eligible → pending (a dependency is retried)
			a: pending → eligible`,
	)
}

func TestRetryBringsBackOnlyWhatNothingElseHolds(t *testing.T) {
	r := newReplay(t, plan("a", "b", "c a b"), Options{Concurrency: 2})
	r.step(Begin{})
	tell(t, r,
		ended("a", OutcomeFailed), `a: running → failed error boom
			c: pending → skipped (needs a)`,
		ended("b", OutcomeFailed), `b: running → failed error boom
			quiet failed`,
		Retry{Tasks: []TaskID{"a"}}, `a: failed → pending (retry)
			c: skipped → pending (retry)
			a: pending → eligible
			c: pending → skipped (needs b)
			a: eligible → running
			start a 2`,
	)
}

func TestPauseStopsStarting(t *testing.T) {
	r := newReplay(t, plan("a", "b"), Options{Concurrency: 1})
	r.step(Begin{})
	tell(t, r,
		Pause{}, ``,
		ended("a", OutcomeSucceeded), `a: running → completed
			quiet paused`,
		SetConcurrency{5}, `quiet paused`,
		Unpause{}, `b: eligible → running
			start b 1`,
	)
}

func TestRunWithoutTasksIsCompletedAtOnce(t *testing.T) {
	tell(t, newReplay(t, nil, Options{}), Begin{}, `quiet completed`)
}

func TestAdoptedTaskKeepsItsSlotAndItsFiles(t *testing.T) {
	tasks := []*Task{
		{ID: "a", Status: TaskRunning, WritesFiles: []string{"src"}},
		{ID: "b", Status: TaskEligible, WritesFiles: []string{"src/b.go"}},
		{ID: "c", Status: TaskEligible},
		{ID: "d", Status: TaskEligible},
	}
	r := newReplay(t, tasks, Options{Concurrency: 2})
	r.attempts["a"], r.progress["a"] = 1, Progress{Started: 1}
	r.rebuild()
	tell(t, r,
		Begin{}, `c: eligible → running
			start c 1`,
		ended("a", OutcomeInterrupted), `a: running → eligible (interrupted)
			a: eligible → running
			start a 2`,
	)
}

func TestCancelIsGoneOnWithAfterACrash(t *testing.T) {
	tasks := []*Task{{ID: "a", Status: TaskRunning}, {ID: "b", Status: TaskRunning}, {ID: "c", DependsOn: []TaskID{"a"}}}
	s, err := NewState(tasks, map[TaskID]Progress{"a": {Started: 1, Stopping: true}, "b": {Started: 1}}, Options{Canceled: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"stop a", "stop b", "c: pending → canceled (run canceled)"}
	if diff := cmp.Diff(want, story(s.Step(Begin{}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOrderAndCycles(t *testing.T) {
	needs := map[TaskID][]TaskID{"a": {"c"}, "b": {"a", "gone"}, "c": nil, "d": nil}
	order, ok := Order([]TaskID{"d", "b", "a", "c"}, needs)
	if diff := cmp.Diff([]TaskID{"d", "c", "a", "b"}, order); diff != "" || !ok {
		t.Errorf("ok %v, order (-want +got):\n%s", ok, diff)
	}
	if cycle := FindCycle([]TaskID{"d", "b", "a", "c"}, needs); cycle != nil {
		t.Errorf("a cycle where there is none: %v", cycle)
	}
	needs["c"] = []TaskID{"d", "b"}
	for _, ids := range [][]TaskID{{"d", "b", "a", "c"}, {"c", "a", "b", "d"}} {
		if got := CycleText(FindCycle(ids, needs)); got != "a → c → b → a" {
			t.Errorf("cycle %q", got)
		}
		if order, ok := Order(ids, needs); ok || len(order) != 1 {
			t.Errorf("order %v of a graph with a cycle", order)
		}
	}
}

func TestTaskPutBackAloneLeavesWhatHasRunOnItsWork(t *testing.T) {
	r := newReplay(t, plan("a", "b a", "c a", "d a", "other"), Options{Concurrency: 2})
	r.step(Begin{})
	tell(t, r,
		ended("a", OutcomeSucceeded), `a: running → completed
			b: pending → eligible
			c: pending → eligible
			d: pending → eligible
			b: eligible → running
			start b 1`,
		ended("b", OutcomeSucceeded), `b: running → completed
			c: eligible → running
			start c 1`,
		Retry{Tasks: []TaskID{"a"}, Alone: true}, `a: completed → pending (retry)
			d: eligible → pending (a dependency is retried)
			a: pending → eligible`,
		ended("other", OutcomeSucceeded), `other: running → completed
			a: eligible → running
			start a 2`,
		ended("c", OutcomeFailed), `c: running → failed error boom`,
		ended("a", OutcomeSucceeded), `a: running → completed
			d: pending → eligible
			d: eligible → running
			start d 1`,
		Retry{Tasks: []TaskID{"c"}, Alone: true}, `c: failed → pending (retry)
			c: pending → eligible
			c: eligible → running
			start c 2`,
	)
}
