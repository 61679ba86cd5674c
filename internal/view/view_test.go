package view

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

// script gives events their sequence numbers and run.
func script(events ...event.Event) []event.Event {
	for i := range events {
		events[i].Seq, events[i].Run = int64(i+1), "7f3c"
	}
	return events
}

func ev(seconds int, kind event.Kind, task string, d event.Detail) event.Event {
	return event.Event{Time: at(seconds), Kind: kind, Task: task, Detail: d}
}

func seed() Seed {
	return Seed{
		ID: "7f3c", Name: "add-oauth", Branch: "orc/7f3c", Base: "1c9e2ab4d5", BaseRef: "main", Concurrency: 4,
		Tasks: []SeedTask{
			{ID: "schema", Agent: "codex"},
			{ID: "client", Agent: "claude", Needs: []string{"schema"}, Attempts: 3},
			{ID: "docs", Agent: "gemini", Needs: []string{"schema"}, Attempts: 2},
			{ID: "publish", Needs: []string{"docs"}},
			{ID: "announce", Needs: []string{"publish"}},
		},
	}
}

func folded(s Seed, events []event.Event) *Run {
	r := New(s)
	for _, e := range events {
		r.Fold(e)
	}
	return r
}

func story() []event.Event {
	exit := 2
	return script(
		ev(0, event.RunStarted, "", event.Detail{Name: "add-oauth", Branch: "orc/7f3c", Base: "1c9e2ab4d5", Total: 5, Concurrency: 4}),
		ev(0, event.TaskEligible, "schema", event.Detail{}),
		event.Event{Time: at(0), Kind: event.TaskStarted, Task: "schema", Attempt: 1, Detail: event.Detail{Agent: "codex", Attempts: 1}},
		ev(10, event.TaskPhase, "schema", event.Detail{Phase: "working"}),
		ev(120, event.TaskPhase, "schema", event.Detail{Phase: "verifying"}),
		ev(130, event.TaskSaved, "schema", event.Detail{Ref: "refs/orc/7f3c/task/schema/1", Files: 4, Additions: 184, Deletions: 2}),
		ev(132, event.TaskCompleted, "schema", event.Detail{Commit: "abc", Files: 4, Additions: 184, Deletions: 2, Gates: 1, DurationMS: 132000}),
		ev(132, event.TaskEligible, "client", event.Detail{}),
		ev(132, event.TaskEligible, "docs", event.Detail{}),
		event.Event{Time: at(133), Kind: event.TaskStarted, Task: "client", Attempt: 1, Detail: event.Detail{Attempts: 3}},
		event.Event{Time: at(133), Kind: event.TaskStarted, Task: "docs", Attempt: 1, Detail: event.Detail{Attempts: 2}},
		event.Event{Time: at(200), Kind: event.TaskRetrying, Task: "docs", Attempt: 1, Detail: event.Detail{Error: "verify failed: make docs-lint", Output: "bad\n"}},
		event.Event{Time: at(201), Kind: event.TaskStarted, Task: "docs", Attempt: 2, Detail: event.Detail{Attempts: 2}},
		event.Event{Time: at(260), Kind: event.TaskFailed, Task: "docs", Attempt: 2, Detail: event.Detail{
			Error: "verify failed: make docs-lint", ExitCode: &exit, Output: "\x1b[31mline 3: bad\x1b[0m\n",
		}},
		ev(260, event.TaskSkipped, "publish", event.Detail{Reason: "needs docs"}),
		ev(260, event.TaskSkipped, "announce", event.Detail{Reason: "needs publish"}),
	)
}

func TestFoldShowsTheStateOfEachTask(t *testing.T) {
	r := folded(seed(), story())
	if got, want := r.Counts().Join(" · "), "1 done · 1 running · 1 failed · 2 skipped"; got != want {
		t.Errorf("counts: %s, want %s", got, want)
	}
	if got := IDs(r.Active()); !cmp.Equal(got, []string{"client"}) {
		t.Errorf("active: %v", got)
	}
	schema := r.Task("schema")
	if schema.Word() != Done || schema.Files != 4 || schema.Gates != 1 || schema.Duration != 132*time.Second || schema.Ref == "" {
		t.Errorf("schema: %+v", schema)
	}
	docs := r.Task("docs")
	if docs.Word() != Failed || docs.Output != "line 3: bad" || *docs.ExitCode != 2 || docs.Attempt != 2 || docs.Duration != 59*time.Second {
		t.Errorf("docs: %+v", docs)
	}
	if got := r.Elapsed(at(300)); got != 5*time.Minute {
		t.Errorf("elapsed: %s", got)
	}
	if got := r.From(); got != "main@1c9e2ab" {
		t.Errorf("from: %s", got)
	}
}

func TestRootCauseIsTheFirstHardFailureWithAllThatWasNotRun(t *testing.T) {
	r := folded(seed(), story())
	failures := r.Failures()
	if len(failures) != 1 || failures[0].ID != "docs" {
		t.Fatalf("failures: %v", IDs(failures))
	}
	if got := IDs(r.NotRun(failures[0])); !cmp.Equal(got, []string{"publish", "announce"}) {
		t.Errorf("not run: %v", got)
	}
}

func TestRootCauseIsFoundFromReasonsWhenNeedsAreUnknown(t *testing.T) {
	r := folded(Seed{}, story())
	if got := IDs(r.NotRun(r.Failures()[0])); !cmp.Equal(got, []string{"publish", "announce"}) {
		t.Errorf("not run: %v", got)
	}
}

func TestAllowedFailuresComeAfterHardOnesAndCauseNothing(t *testing.T) {
	s := Seed{Tasks: []SeedTask{{ID: "soft"}, {ID: "hard"}, {ID: "a", Needs: []string{"soft", "hard"}}}}
	r := folded(s, script(
		ev(1, event.TaskFailed, "soft", event.Detail{Allowed: true}),
		ev(2, event.TaskFailed, "hard", event.Detail{}),
		ev(2, event.TaskSkipped, "a", event.Detail{Reason: "needs hard"}),
	))
	if got := IDs(r.Failures()); !cmp.Equal(got, []string{"hard", "soft"}) {
		t.Errorf("failures: %v", got)
	}
	if got := IDs(r.NotRun(r.Task("hard"))); !cmp.Equal(got, []string{"a"}) {
		t.Errorf("not run because of hard: %v", got)
	}
	if got := r.Tally(", "); got != "2 failed (1 allowed), 1 skipped" {
		t.Errorf("tally: %s", got)
	}
}

func TestATaskRecordedAsSkippedAfterItRanCausesNothing(t *testing.T) {
	s := Seed{Tasks: []SeedTask{{ID: "hard"}, {ID: "lint", Needs: []string{"hard"}}, {ID: "a", Needs: []string{"lint"}}}}
	r := folded(s, script(
		ev(1, event.TaskFailed, "hard", event.Detail{}),
		event.Event{Time: at(1), Kind: event.TaskSkipped, Task: "lint", Attempt: 1, Detail: event.Detail{Error: "exit 1"}},
		ev(2, event.TaskSkipped, "a", event.Detail{Reason: "by a person"}),
	))
	if roots := r.Roots(r.Tasks); len(roots) != 0 {
		t.Errorf("roots: %v", roots)
	}
}

func TestWhatFailFastStoppedIsNotRunBecauseOfTheFailure(t *testing.T) {
	r := folded(Seed{}, script(
		event.Event{Time: at(1), Kind: event.TaskFailed, Task: "hard", Attempt: 1},
		ev(1, event.TaskCanceled, "a", event.Detail{Error: "fail-fast: hard"}),
		ev(1, event.TaskSkipped, "b", event.Detail{Error: "needs a"}),
		ev(1, event.TaskCanceled, "c", event.Detail{Reason: "by a person"}),
	))
	if got := IDs(r.NotRun(r.Task("hard"))); !cmp.Equal(got, []string{"a", "b"}) {
		t.Errorf("not run: %v", got)
	}
}

func TestATaskThatRanBeforeCanBeNotRunBecauseOfAnother(t *testing.T) {
	r := folded(Seed{}, script(
		event.Event{Time: at(1), Kind: event.TaskStarted, Task: "a", Attempt: 1},
		ev(2, event.TaskReset, "a", event.Detail{}),
		ev(3, event.TaskFailed, "hard", event.Detail{}),
		ev(3, event.TaskSkipped, "a", event.Detail{Reason: "needs hard"}),
	))
	if got := IDs(r.NotRun(r.Task("hard"))); !cmp.Equal(got, []string{"a"}) {
		t.Errorf("not run: %v", got)
	}
}

func TestNeedsInACircleEndTheSearch(t *testing.T) {
	s := Seed{Tasks: []SeedTask{{ID: "a", Needs: []string{"b"}}, {ID: "b", Needs: []string{"a"}}}}
	r := folded(s, script(ev(1, event.TaskSkipped, "a", event.Detail{}), ev(1, event.TaskSkipped, "b", event.Detail{})))
	if roots := r.Roots(r.Tasks); len(roots) != 0 {
		t.Errorf("roots: %v", roots)
	}
}

func TestAConflictWaitsForAPersonUntilTheTaskGoesOn(t *testing.T) {
	r := folded(seed(), script(
		event.Event{Time: at(1), Kind: event.TaskStarted, Task: "schema", Attempt: 1},
		ev(9, event.TaskConflict, "schema", event.Detail{Status: "running", Paths: []string{"a.go", "b\x1b[31m.go"}}),
	))
	task := r.Task("schema")
	if task.Word() != NeedsYou || !cmp.Equal(task.Paths, []string{"a.go", "b.go"}) || !task.WaitsFrom.Equal(at(9)) {
		t.Errorf("in conflict: %+v", task)
	}
	if got := IDs(r.Waits()); !cmp.Equal(got, []string{"schema"}) {
		t.Errorf("waits: %v", got)
	}
	r.Fold(ev(20, event.TaskReset, "schema", event.Detail{Status: "eligible"}))
	if task.Word() != Ready || len(r.Waits()) != 0 || len(r.Active()) != 0 {
		t.Errorf("after the reset: %+v", task)
	}
}

func TestElapsedLeavesOutTheTimeInWhichNobodyWorked(t *testing.T) {
	started := ev(0, event.RunStarted, "", event.Detail{})
	for name, c := range map[string]struct {
		events []event.Event
		want   time.Duration
	}{
		"paused": {[]event.Event{started, ev(60, event.RunPaused, "", event.Detail{})}, time.Minute},
		"resumed": {[]event.Event{
			started, ev(60, event.RunPaused, "", event.Detail{}), ev(960, event.RunResumed, "", event.Detail{}),
		}, 101 * time.Second},
		"owner killed": {[]event.Event{
			started, ev(30, event.TaskEligible, "a", event.Detail{}), ev(960, event.RunResumed, "", event.Detail{}),
		}, 71 * time.Second},
		"not begun": {nil, 0},
		"told":      {[]event.Event{started, ev(60, event.RunFinished, "", event.Detail{State: "completed", DurationMS: 59000})}, 59 * time.Second},
		"told after a stop": {[]event.Event{
			started, ev(60, event.RunPaused, "", event.Detail{}), ev(900, event.RunResumed, "", event.Detail{}),
			ev(910, event.RunFinished, "", event.Detail{State: "completed", DurationMS: 910_000}),
		}, 70 * time.Second},
		"told not":   {[]event.Event{started, ev(60, event.RunFinished, "", event.Detail{State: "completed"})}, time.Minute},
		"skewed now": {[]event.Event{ev(2000, event.RunStarted, "", event.Detail{})}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := folded(Seed{}, script(c.events...)).Elapsed(at(1001)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestStatesOfARun(t *testing.T) {
	for want, e := range map[scheduler.RunState]event.Event{
		scheduler.RunRunning:   ev(1, event.RunResumed, "", event.Detail{}),
		scheduler.RunPaused:    ev(1, event.RunPaused, "", event.Detail{}),
		scheduler.RunWaiting:   ev(1, event.RunWaiting, "", event.Detail{}),
		scheduler.RunCompleted: ev(1, event.RunFinished, "", event.Detail{State: "completed"}),
		scheduler.RunCanceled:  ev(1, event.RunFinished, "", event.Detail{State: "canceled"}),
		scheduler.RunFailed:    ev(1, event.RunFinished, "", event.Detail{State: "failed"}),
	} {
		if got := folded(Seed{}, script(e)).State; got != want {
			t.Errorf("after %s: %s, want %s", e.Kind, got, want)
		}
	}
}

func TestAnEstimateNeedsThreeFinishedTasks(t *testing.T) {
	var s Seed
	s.Concurrency = 2
	events := []event.Event{ev(0, event.RunStarted, "", event.Detail{})}
	for i := range 10 {
		s.Tasks = append(s.Tasks, SeedTask{ID: fmt.Sprint(i)})
	}
	s.Tasks = append(s.Tasks, SeedTask{ID: "x", Needs: []string{"9"}}, SeedTask{ID: "y", Needs: []string{"x"}})
	for i := range 2 {
		events = append(events, ev(60, event.TaskCompleted, fmt.Sprint(i), event.Detail{DurationMS: 60_000}))
	}
	r := folded(s, script(events...))
	if _, ok := r.Left(at(60)); ok {
		t.Error("an estimate from two tasks")
	}
	r.Fold(ev(90, event.TaskCompleted, "2", event.Detail{DurationMS: 60_000}))
	if left, ok := r.Left(at(90)); !ok || left != 9*30*time.Second {
		t.Errorf("9 tasks of a minute, two at a time: %s, %v", left, ok)
	}
	for i := 3; i < 9; i++ {
		r.Fold(ev(90, event.TaskCompleted, fmt.Sprint(i), event.Detail{DurationMS: 60_000}))
	}
	if left, _ := r.Left(at(90)); left != 3*time.Minute {
		t.Errorf("a chain of 3: %s", left)
	}
	r.Fold(ev(90, event.TaskStarted, "9", event.Detail{}))
	if left, _ := r.Left(at(120)); left != 150*time.Second {
		t.Errorf("a chain of 3, half a minute in: %s", left)
	}
	r.Fold(ev(121, event.RunPaused, "", event.Detail{}))
	if _, ok := r.Left(at(121)); ok {
		t.Error("an estimate for a paused run")
	}
}

// events draws any events, also such as no engine writes.
func events() *rapid.Generator[[]event.Event] {
	kinds := []event.Kind{
		event.RunStarted, event.RunResumed, event.RunPaused, event.RunWaiting, event.RunFinished, event.Notice,
		event.TaskEligible, event.TaskStarted, event.TaskPhase, event.TaskSaved, event.TaskRetrying, event.TaskInterrupted,
		event.TaskConflict, event.TaskCompleted, event.TaskFailed, event.TaskSkipped, event.TaskCanceled, event.TaskReset,
		"task.unheard_of",
	}
	one := rapid.Custom(func(t *rapid.T) event.Event {
		return event.Event{
			Time: at(rapid.IntRange(0, 1000).Draw(t, "time")), Kind: rapid.SampledFrom(kinds).Draw(t, "kind"),
			Task:    rapid.SampledFrom([]string{"schema", "client", "docs", "publish", "new", ""}).Draw(t, "task"),
			Attempt: rapid.IntRange(0, 3).Draw(t, "attempt"),
			Detail: event.Detail{
				Status:  rapid.SampledFrom([]string{"", "", "pending", "eligible", "running", "completed", "odd"}).Draw(t, "status"),
				Phase:   rapid.SampledFrom([]string{"", "working", "waiting"}).Draw(t, "phase"),
				Allowed: rapid.Bool().Draw(t, "allowed"), DurationMS: rapid.Int64Range(0, 5000).Draw(t, "ms"),
				Reason: rapid.SampledFrom([]string{"", "needs docs", "needs new"}).Draw(t, "reason"),
			},
		}
	})
	return rapid.Map(rapid.SliceOfN(one, 0, 60), func(e []event.Event) []event.Event { return script(e...) })
}

func TestAViewDoesNotDependOnPortionsOrRepetitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := events().Draw(t, "events")
		followed := New(seed())
		for i := 0; i < len(all); {
			from := rapid.IntRange(0, i).Draw(t, "from")
			to := rapid.IntRange(i+1, len(all)).Draw(t, "to")
			for _, e := range all[from:to] {
				if fresh := followed.Fold(e); fresh && e.Seq <= int64(i) {
					t.Fatalf("event %d was folded twice", e.Seq)
				}
			}
			i = to
		}
		late := folded(seed(), all)
		if diff := cmp.Diff(late, followed, cmp.AllowUnexported(Run{}, Task{})); diff != "" {
			t.Fatalf("(-from the start +followed)\n%s", diff)
		}
	})
}

func TestWhatIsKeptForSpeedAgreesWithTheTasks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := New(seed())
		for _, e := range events().Draw(t, "events") {
			r.Fold(e)
			var counts Counts
			var active []string
			failed := 0
			var done time.Duration
			for _, task := range r.Tasks {
				counts[task.Word()]++
				if isActive(task.Word()) {
					active = append(active, task.ID)
				}
				if task.Word() == Failed {
					failed++
				}
				if task.Status == scheduler.TaskCompleted {
					done += task.Duration
				}
			}
			counts[Waiting] += r.Total() - len(r.Tasks)
			if counts != r.Counts() || !cmp.Equal(active, append([]string(nil), IDs(r.Active())...)) || failed != len(r.Failures()) || done != r.done {
				t.Fatalf("after %+v: %v %v, kept %v %v", e, counts, active, r.Counts(), IDs(r.Active()))
			}
			r.Left(at(500))
			r.Roots(r.Tasks)
		}
	})
}

func TestEventsOfAnotherRunAreIgnored(t *testing.T) {
	r := New(seed())
	if r.Fold(event.Event{Seq: 1, Run: "beef", Kind: event.RunStarted}) || r.Seq != 0 {
		t.Error("folded an event of another run")
	}
}

func TestAnUnknownKindChangesNothingButTheSequence(t *testing.T) {
	r := New(seed())
	if r.Fold(event.Event{Seq: 1, Run: "7f3c", Kind: "task.daydreams", Task: "schema"}) {
		t.Error("folded an unknown kind")
	}
	want := New(seed())
	want.Seq = 1
	if diff := cmp.Diff(want, r, cmp.AllowUnexported(Run{}, Task{})); diff != "" {
		t.Error(diff)
	}
}

func TestEditedPlanCountsWhatItHas(t *testing.T) {
	r := New(Seed{ID: "7f3c", Tasks: []SeedTask{{ID: "a"}, {ID: "gone"}, {ID: "done"}}})
	edit := func(task, action string, status scheduler.TaskStatus) event.Event {
		return event.Event{Kind: event.TaskEdited, Task: task, Detail: event.Detail{Action: action, Status: string(status), Name: "the " + task}}
	}
	for _, e := range []event.Event{
		{Kind: event.TaskCompleted, Task: "done"},
		{Kind: event.RunFinished, Detail: event.Detail{State: "failed"}},
		edit("gone", "removed", scheduler.TaskCanceled), edit("done", "removed", scheduler.TaskCompleted),
		{Kind: event.RunEdited, Detail: event.Detail{Message: "1 added", Total: 2, State: "running"}},
		edit("late", "added", scheduler.TaskPending),
	} {
		r.Fold(e)
	}
	if tally := r.Tally(", "); tally != "1 done, 2 to go" || r.State != scheduler.RunRunning || r.Total() != 3 {
		t.Errorf("%q, the run is %s, of %d tasks", tally, r.State, r.Total())
	}
	if late := r.Task("late"); late == nil || late.Name != "the late" {
		t.Errorf("late is %+v", late)
	}
	r.Fold(edit("gone", "added", scheduler.TaskPending))
	if tally := r.Tally(", "); tally != "1 done, 3 to go" {
		t.Errorf("after it came back: %q", tally)
	}
}
