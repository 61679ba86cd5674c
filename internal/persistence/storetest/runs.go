package storetest

import (
	"strings"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

var runCases = []testCase{
	{"a run round-trips without loss", runRoundTrip},
	{"times come back in UTC, cut to microseconds", timesInUTC},
	{"a run is created with its tasks and events or not at all", createWhole},
	{"a taken id is a conflict", takenID},
	{"the same task twice is a conflict", sameTaskTwice},
	{"runs are listed newest first, by repository and limit", listRuns},
	{"an unknown run is not found", runNotFound},
	{"deleting a run removes all of it and nothing else", deleteRun},
	{"attempts round-trip and are listed in plan order", attempts},
	{"durations are means of successful attempts", durations},
}

func runRoundTrip(t *testing.T, s persistence.Store) {
	want := sampleRun("aa")
	want.FinishedAt, want.Error, want.State = at.Add(time.Hour), "because", scheduler.RunFailed
	want.Options.Canceled = true
	want.Options.Setup = &scheduler.Setup{Command: "make"}
	want.Options.Setups = map[scheduler.TaskID]scheduler.Setup{"a": {Command: "make a"}}
	wantFull(t, want)
	wantFull(t, want.Options)
	must(t, s.CreateRun(t.Context(), want, nil))
	got, err := s.GetRun(t.Context(), "aa")
	must(t, err)
	wantSame(t, "run", got, want)

	bare := persistence.Run{ID: "bb", State: scheduler.RunPaused}
	must(t, s.CreateRun(t.Context(), bare, nil))
	got, err = s.GetRun(t.Context(), "bb")
	must(t, err)
	wantSame(t, "run", got, bare)
}

func timesInUTC(t *testing.T, s persistence.Store) {
	here := time.FixedZone("here", 5*3600+1800)
	run := sampleRun("aa")
	run.CreatedAt = at.Add(789).In(here)
	must(t, s.CreateRun(t.Context(), run, []*scheduler.Task{task("a")}, event.Event{Kind: event.Notice}))
	must(t, s.SaveMessage(t.Context(), "aa", "a", persistence.ConversationTurn{Role: "user", Timestamp: run.CreatedAt}))
	got, err := s.GetRun(t.Context(), "aa")
	must(t, err)
	turns, err := s.GetHistory(t.Context(), "aa", "a")
	must(t, err)
	events, err := s.Events(t.Context(), "aa", 0, 0)
	must(t, err)
	for what, is := range map[string]time.Time{"run": got.CreatedAt, "turn": turns[0].Timestamp, "event": events[0].Time} {
		if is != at { // not Equal, for which the zone makes no difference
			t.Errorf("%s: %v, want %v", what, is, at)
		}
	}
}

func createWhole(t *testing.T, s persistence.Store) {
	tasks := []*scheduler.Task{task("b", "a"), task("a")}
	code := 0
	err := s.CreateRun(t.Context(), sampleRun("aa"), tasks,
		event.Event{Kind: event.RunStarted, Detail: event.Detail{Name: "release", Total: 2, ExitCode: &code}},
		event.Event{Kind: event.TaskEligible, Task: "a", Time: at.Add(time.Second)})
	must(t, err)
	list, err := s.ListTasks(t.Context(), "aa")
	must(t, err)
	wantSame(t, "tasks", list, tasks)
	events, err := s.Events(t.Context(), "aa", 0, 0)
	must(t, err)
	wantSame(t, "events", events, []event.Event{
		{Seq: 1, Time: at, Run: "aa", Kind: event.RunStarted, Detail: event.Detail{Name: "release", Total: 2, ExitCode: &code}},
		{Seq: 2, Time: at.Add(time.Second), Run: "aa", Kind: event.TaskEligible, Task: "a"},
	})

	bad := task("x")
	bad.Status = "dancing"
	if err := s.CreateRun(t.Context(), sampleRun("bb"), []*scheduler.Task{task("ok"), bad}); err == nil {
		t.Error("a task with status dancing was stored")
	}
	_, err = s.GetRun(t.Context(), "bb")
	wantIs(t, err, persistence.ErrNotFound)
	list, err = s.ListTasks(t.Context(), "bb")
	must(t, err)
	if len(list) != 0 {
		t.Errorf("%d tasks of a refused run are stored", len(list))
	}
}

func takenID(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	err := s.CreateRun(t.Context(), sampleRun("aa"), []*scheduler.Task{task("b")})
	wantIs(t, err, persistence.ErrConflict)
	list, err := s.ListTasks(t.Context(), "aa")
	must(t, err)
	wantSame(t, "tasks", list, []*scheduler.Task{task("a")})
}

func sameTaskTwice(t *testing.T, s persistence.Store) {
	err := s.CreateRun(t.Context(), sampleRun("aa"), []*scheduler.Task{task("a"), task("a")})
	wantIs(t, err, persistence.ErrConflict)
}

func listRuns(t *testing.T, s persistence.Store) {
	list, err := s.ListRuns(t.Context(), persistence.RunFilter{})
	must(t, err)
	if len(list) != 0 {
		t.Fatalf("an empty store has %d runs", len(list))
	}
	for i, id := range []scheduler.RunID{"aa", "bb", "cc", "dd"} {
		r := sampleRun(id)
		r.CreatedAt = at.Add(time.Duration(i/2) * time.Second) // two and two at the same time
		if id == "bb" {
			r.Repository = "/src/other"
		}
		must(t, s.CreateRun(t.Context(), r, nil))
	}
	for _, c := range []struct {
		filter persistence.RunFilter
		want   string
	}{
		{persistence.RunFilter{}, "ddccbbaa"},
		{persistence.RunFilter{Limit: 3}, "ddccbb"},
		{persistence.RunFilter{Repository: "/src/app"}, "ddccaa"},
		{persistence.RunFilter{Repository: "/src/app", Limit: 1}, "dd"},
		{persistence.RunFilter{Repository: "/nowhere"}, ""},
	} {
		list, err := s.ListRuns(t.Context(), c.filter)
		must(t, err)
		var got strings.Builder
		for _, r := range list {
			got.WriteString(string(r.ID))
		}
		if got.String() != c.want {
			t.Errorf("%+v: got %s, want %s", c.filter, got.String(), c.want)
		}
	}
}

func runNotFound(t *testing.T, s persistence.Store) {
	_, err := s.GetRun(t.Context(), "zz")
	wantIs(t, err, persistence.ErrNotFound)
	wantIs(t, s.DeleteRun(t.Context(), "zz"), persistence.ErrNotFound)
}

func deleteRun(t *testing.T, s persistence.Store) {
	for _, id := range []scheduler.RunID{"aa", "bb"} {
		create(t, s, id, task("a"), task("b", "a"))
		_, err := s.AddRequest(t.Context(), persistence.Request{Run: id, Kind: "cancel"})
		must(t, err)
		_, err = s.Apply(t.Context(), persistence.Transition{
			Run: id, Generation: own(t, s, id), Now: at,
			Attempts: []persistence.Attempt{{Task: "a", Number: 1, Phase: scheduler.PhaseWorking}},
			Sessions: []persistence.Session{{Task: "a", Attempt: 1, Provider: "p", SessionID: "s"}},
			Turns:    []persistence.TaskTurn{{Task: "a", ConversationTurn: persistence.ConversationTurn{Role: "user", Content: "x"}}},
			Events:   []event.Event{{Kind: event.Notice}},
		})
		must(t, err)
	}
	must(t, s.DeleteRun(t.Context(), "aa"))
	for id, want := range map[scheduler.RunID]int{"aa": 0, "bb": 7} {
		tasks, err := s.ListTasks(t.Context(), id)
		must(t, err)
		attempts, err := s.ListAttempts(t.Context(), id, "")
		must(t, err)
		turns, err := s.GetHistory(t.Context(), id, "a")
		must(t, err)
		events, err := s.Events(t.Context(), id, 0, 0)
		must(t, err)
		requests, err := s.PendingRequests(t.Context(), id)
		must(t, err)
		n := len(tasks) + len(attempts) + len(turns) + len(events) + len(requests)
		if _, err := s.GetLease(t.Context(), id); err == nil {
			n++
		}
		if n != want {
			t.Errorf("run %s: %d things are left, want %d", id, n, want)
		}
	}
	// The id is free again, and starts from nothing.
	create(t, s, "aa", task("a"))
	if g := own(t, s, "aa"); g != 1 {
		t.Errorf("a new run starts with generation %d", g)
	}
}

func attempts(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("z"), task("a"))
	generation := own(t, s, "aa")
	code := 0
	full := persistence.Attempt{
		Run: "aa", Task: "a", Number: 2, Generation: generation, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeFailed,
		Error: "exit 1", Output: "a\x00b\n\"<c>", Workspace: "/ws/a", Isolation: scheduler.IsolationClone, Log: "/log/a",
		Base: "b0", Saved: "c0", SavedRef: "refs/orc/aa/task/a/2", MergeOld: "d0", MergeNew: "e0",
		Conflicts: []string{"x,y", "z\n"}, Files: 1, Additions: 2, Deletions: 3, ExitCode: &code, Note: "again",
		NotBefore: at, StartedAt: at.Add(1 * time.Second), EndedAt: at.Add(2 * time.Second), Canceling: true, Cleaned: true, Rejected: true,
		Consent: persistence.Consent{Wants: persistence.WishMerge, Since: at, Reason: "r", Parts: []string{"cost"}, Back: scheduler.PhaseMerging, Given: true, Start: true, Merge: "m"},
		Onto:    "o0", Checked: "t0", Misfit: true, Awaits: "b", Handed: true,
		Resolve: &persistence.Resolution{Attempt: 1, Tip: "c9", Base: "b9", Paths: []string{"x"}, With: []scheduler.TaskID{"b"}, Done: true, Agreed: true},
		Broke:   &persistence.Breakage{Found: "b", Error: "exit 1", Output: "no"},
		Work: &persistence.Work{
			Provider: "p", Account: "mine", Session: "s-1", Turn: 3, Open: true, Said: "/said", From: 7, Offset: 1 << 40, Index: 2, Events: 9,
			Before: persistence.Usage{Input: 5}, Counters: persistence.Usage{Input: 8, Cost: 0.25, Priced: true}, Reason: "busy",
			Wait: persistence.WaitLimit, Worked: time.Minute, Words: "done", Declared: &persistence.Declaration{Turn: 2, Summary: "all"},
			Used:     []persistence.TurnUsage{{Turn: 1, Model: "m", Complete: true, Usage: persistence.Usage{Output: 1}}},
			Fallback: &persistence.Fallback{Role: "f", For: "c", Account: "other", Until: at, Reason: "limit", Circuit: true, Took: true},
			Questions: []persistence.Question{{
				ID: 1, Turn: 3, Text: "q", Options: []string{"x"}, AskedAt: at, Answer: "x", AnsweredAt: at, Refused: true, By: persistence.ByPerson,
				Referral: &persistence.Referral{
					Role: persistence.OrchestratorRole, Provider: "p", Session: "s-2", Turn: 1, Open: true, Resume: true, Said: "/said.q", Log: "/log/q",
					From: 3, Before: persistence.Usage{Input: 1}, Counters: persistence.Usage{Input: 2}, Cut: 1, Nudges: 1,
					Used: []persistence.TurnUsage{{Turn: 1, Role: persistence.OrchestratorRole, Usage: persistence.Usage{Output: 2}}}, Remark: "r", Passed: at,
				},
			}},
		},
	}
	wantFull(t, full)
	bare := persistence.Attempt{Run: "aa", Task: "a", Number: 1, Generation: generation, Phase: scheduler.PhasePreparing}
	first := persistence.Attempt{Run: "aa", Task: "z", Number: 10, Generation: generation, Phase: scheduler.PhaseWorking}
	apply := func(list ...persistence.Attempt) {
		t.Helper()
		_, err := s.Apply(t.Context(), persistence.Transition{Run: "aa", Generation: generation, Now: at, Attempts: list})
		must(t, err)
	}
	apply(full, bare, first)
	got, err := s.ListAttempts(t.Context(), "aa", "")
	must(t, err)
	wantSame(t, "attempts of the run", got, []persistence.Attempt{first, bare, full})
	bare.Phase, bare.Outcome, bare.EndedAt = scheduler.PhaseDone, scheduler.OutcomeSucceeded, at
	apply(bare)
	got, err = s.ListAttempts(t.Context(), "aa", "a")
	must(t, err)
	wantSame(t, "attempts of the task", got, []persistence.Attempt{bare, full})
	got, err = s.ListAttempts(t.Context(), "aa", "ghost")
	must(t, err)
	if len(got) != 0 {
		t.Errorf("an unknown task has %d attempts", len(got))
	}
}

func durations(t *testing.T, s persistence.Store) {
	build, test, lint := task("build"), task("test"), task("lint")
	build.AgentRole, test.AgentRole = "coder", "coder"
	for i, id := range []scheduler.RunID{"aa", "bb", "cc"} {
		r := sampleRun(id)
		if id == "cc" {
			r.Name = "another plan"
		}
		must(t, s.CreateRun(t.Context(), r, []*scheduler.Task{build, test, lint}))
		took := func(id scheduler.TaskID, n int, d time.Duration, o scheduler.Outcome) persistence.Attempt {
			return persistence.Attempt{Task: id, Number: n, Phase: scheduler.PhaseDone, Outcome: o, StartedAt: at, EndedAt: at.Add(d)}
		}
		_, err := s.Apply(t.Context(), persistence.Transition{Run: id, Generation: own(t, s, id), Now: at, Attempts: []persistence.Attempt{
			took("build", 1, time.Hour, scheduler.OutcomeFailed),
			took("build", 2, time.Duration(i+1)*10*time.Second, scheduler.OutcomeSucceeded),
			took("test", 1, time.Duration(i+1)*20*time.Second, scheduler.OutcomeSucceeded),
			{Task: "lint", Number: 1, Phase: scheduler.PhaseWorking, StartedAt: at},
		}})
		must(t, err)
	}
	got, err := s.Durations(t.Context(), "/src/app", "release")
	must(t, err)
	wantSame(t, "durations", got, persistence.Durations{
		ByTask:  map[scheduler.TaskID]time.Duration{"build": 15 * time.Second, "test": 30 * time.Second},
		ByAgent: map[string]time.Duration{"coder": 22500 * time.Millisecond},
	})
	got, err = s.Durations(t.Context(), "/src/app", "unknown")
	must(t, err)
	if len(got.ByTask)+len(got.ByAgent) != 0 || got.ByTask == nil || got.ByAgent == nil {
		t.Errorf("an unknown plan has durations %#v", got)
	}
}
