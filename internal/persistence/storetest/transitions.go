package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

var transitionCases = []testCase{
	{"a transition stores all its parts", applyAll},
	{"an edit of the plan changes what is told of tasks and not how far they are", editPlan},
	{"an edit of the plan is refused as a whole", editNothing},
	{"a refused transition stores nothing", applyNothing},
	{"only the present generation may change a run", fenced},
	{"a task that is not in the state it leaves is a conflict", moveConflict},
	{"an ended run has an end, a resumed one has none", runState},
	{"events are numbered without gaps under concurrent writers", eventNumbers},
	{"events are read after a number, up to a limit", eventPages},
	{"the data version changes with every commit", dataVersion},
}

func applyAll(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b", "a"))
	generation := own(t, s, "aa")
	id, err := s.AddRequest(t.Context(), persistence.Request{Run: "aa", Kind: "pause", Payload: `{}`, CreatedAt: at})
	must(t, err)
	result := "ok"
	now := at.Add(time.Minute)
	turn := persistence.ConversationTurn{Role: "user", Content: "go"}
	seq, err := s.Apply(t.Context(), persistence.Transition{
		Run: "aa", Generation: generation, Now: now, State: scheduler.RunPaused, Error: "asked to",
		Options:  &persistence.RunOptions{FailFast: true},
		Tasks:    []persistence.TaskChange{{Task: "a", From: scheduler.TaskPending, To: scheduler.TaskCompleted, Result: &result, Error: "e"}},
		Attempts: []persistence.Attempt{{Task: "a", Number: 1, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeSucceeded}},
		Sessions: []persistence.Session{{Task: "a", Attempt: 1, Provider: "p", SessionID: "s"}},
		Turns:    []persistence.TaskTurn{{Task: "a", ConversationTurn: turn}},
		Requests: []persistence.RequestDone{{ID: id, Error: "too late"}},
		Events: []event.Event{
			{Seq: 77, Run: "zz", Kind: event.TaskCompleted, Task: "a", Attempt: 1, Detail: event.Detail{Counts: map[string]int{"completed": 1}}},
			{Kind: event.RunPaused, Time: at},
		},
	})
	must(t, err)
	if seq != 2 {
		t.Errorf("last event is %d, want 2", seq)
	}
	r, err := s.GetRun(t.Context(), "aa")
	must(t, err)
	want := sampleRun("aa")
	want.State, want.Error, want.Options = scheduler.RunPaused, "asked to", persistence.RunOptions{FailFast: true}
	wantSame(t, "run", r, want)
	wantTask := task("a")
	wantTask.Status, wantTask.Result, wantTask.Error = scheduler.TaskCompleted, &result, "e"
	wantSame(t, "task", getTask(t, s, "aa", "a"), wantTask)
	attempts, err := s.ListAttempts(t.Context(), "aa", "")
	must(t, err)
	wantSame(t, "attempts", attempts, []persistence.Attempt{{
		Run: "aa", Task: "a", Number: 1, Generation: generation, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeSucceeded,
	}})
	session, err := s.GetSession(t.Context(), "aa", "a")
	must(t, err)
	wantSame(t, "session", session, persistence.Session{Run: "aa", Task: "a", Attempt: 1, Provider: "p", SessionID: "s", UpdatedAt: now})
	turns, err := s.GetHistory(t.Context(), "aa", "a")
	must(t, err)
	turn.Timestamp = now
	wantSame(t, "turns", turns, []persistence.ConversationTurn{turn})
	request, err := s.GetRequest(t.Context(), id)
	must(t, err)
	wantSame(t, "request", request, persistence.Request{
		ID: id, Run: "aa", Kind: "pause", Payload: `{}`, CreatedAt: at, ConsumedAt: now, Error: "too late",
	})
	events, err := s.Events(t.Context(), "aa", 0, 0)
	must(t, err)
	wantSame(t, "events", events, []event.Event{
		{Seq: 1, Run: "aa", Time: now, Kind: event.TaskCompleted, Task: "a", Attempt: 1, Detail: event.Detail{Counts: map[string]int{"completed": 1}}},
		{Seq: 2, Run: "aa", Time: at, Kind: event.RunPaused},
	})

	seq, err = s.Apply(t.Context(), persistence.Transition{Run: "aa", Generation: generation, Now: now})
	must(t, err)
	if seq != 2 {
		t.Errorf("an empty transition returns %d, want 2", seq)
	}
}

// state is everything of a run that a refused transition could have changed.
func state(t *testing.T, s persistence.Store, run scheduler.RunID) string {
	t.Helper()
	var b strings.Builder
	r, err := s.GetRun(t.Context(), run)
	must(t, err)
	tasks, err := s.ListTasks(t.Context(), run)
	must(t, err)
	fmt.Fprintf(&b, "%+v\n", r)
	for _, task := range tasks {
		turns, err := s.GetHistory(t.Context(), run, task.ID)
		must(t, err)
		session, _ := s.GetSession(t.Context(), run, task.ID)
		fmt.Fprintf(&b, "%+v %+v %+v\n", *task, turns, session)
	}
	attempts, err := s.ListAttempts(t.Context(), run, "")
	must(t, err)
	events, err := s.Events(t.Context(), run, 0, 0)
	must(t, err)
	requests, err := s.PendingRequests(t.Context(), run)
	must(t, err)
	fmt.Fprintf(&b, "%+v\n%+v\n%+v\n", attempts, events, requests)
	return b.String()
}

func applyNothing(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b"))
	create(t, s, "bb", task("other"))
	generation := own(t, s, "aa")
	consumed, err := s.AddRequest(t.Context(), persistence.Request{Run: "aa", Kind: "x"})
	must(t, err)
	foreign, err := s.AddRequest(t.Context(), persistence.Request{Run: "bb", Kind: "x"})
	must(t, err)
	good := func() persistence.Transition {
		return persistence.Transition{
			Run: "aa", Generation: generation, Now: at, State: scheduler.RunWaiting,
			Tasks:    []persistence.TaskChange{{Task: "a", From: scheduler.TaskPending, To: scheduler.TaskRunning}},
			Attempts: []persistence.Attempt{{Task: "a", Number: 1, Phase: scheduler.PhaseWorking}},
			Turns:    []persistence.TaskTurn{{Task: "a", ConversationTurn: persistence.ConversationTurn{Role: "user"}}},
			Sessions: []persistence.Session{{Task: "a", Attempt: 1, Provider: "p", SessionID: "s"}},
			Events:   []event.Event{{Kind: event.Notice}},
		}
	}
	_, err = s.Apply(t.Context(), persistence.Transition{Run: "aa", Generation: generation, Now: at, Requests: []persistence.RequestDone{{ID: consumed}}})
	must(t, err)
	before := state(t, s, "aa")
	for name, c := range map[string]struct {
		spoil func(tr *persistence.Transition)
		kind  error
	}{
		"an older generation":        {func(tr *persistence.Transition) { tr.Generation-- }, persistence.ErrLeaseLost},
		"a generation of the future": {func(tr *persistence.Transition) { tr.Generation++ }, persistence.ErrLeaseLost},
		"an unknown run":             {func(tr *persistence.Transition) { tr.Run = "zz" }, persistence.ErrNotFound},
		"a task elsewhere": {func(tr *persistence.Transition) {
			tr.Tasks = append(tr.Tasks, persistence.TaskChange{Task: "b", From: scheduler.TaskRunning, To: scheduler.TaskFailed})
		}, persistence.ErrConflict},
		"a task unknown": {func(tr *persistence.Transition) {
			tr.Tasks = append(tr.Tasks, persistence.TaskChange{Task: "other", From: scheduler.TaskPending, To: scheduler.TaskFailed})
		}, persistence.ErrNotFound},
		"an attempt at no task": {func(tr *persistence.Transition) { tr.Attempts[0].Task = "other" }, persistence.ErrNotFound},
		"a turn of no task":     {func(tr *persistence.Transition) { tr.Turns[0].Task = "other" }, persistence.ErrNotFound},
		"a session of no task":  {func(tr *persistence.Transition) { tr.Sessions[0].Task = "other" }, persistence.ErrNotFound},
		"a request consumed":    {func(tr *persistence.Transition) { tr.Requests = []persistence.RequestDone{{ID: consumed}} }, persistence.ErrConflict},
		"another run's request": {func(tr *persistence.Transition) { tr.Requests = []persistence.RequestDone{{ID: foreign}} }, persistence.ErrConflict},
		"an unknown phase":      {func(tr *persistence.Transition) { tr.Attempts[0].Phase = "dancing" }, nil},
		"an unknown run state":  {func(tr *persistence.Transition) { tr.State = "dancing" }, nil},
	} {
		tr := good()
		c.spoil(&tr)
		_, err := s.Apply(t.Context(), tr)
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		if c.kind != nil {
			wantIs(t, err, c.kind)
		}
		wantSame(t, "the run after "+name, state(t, s, "aa"), before)
	}
	seq, err := s.Apply(t.Context(), good())
	must(t, err)
	if seq != 1 {
		t.Errorf("refused transitions used up event numbers: the first is %d", seq)
	}
}

func fenced(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	_, err := s.Apply(t.Context(), persistence.Transition{Run: "aa", Now: at})
	wantIs(t, err, persistence.ErrLeaseLost)
	first := own(t, s, "aa")
	second := own(t, s, "aa")
	_, err = s.Apply(t.Context(), persistence.Transition{Run: "aa", Generation: first, Now: at})
	wantIs(t, err, persistence.ErrLeaseLost)
	_, err = s.Apply(t.Context(), persistence.Transition{Run: "aa", Generation: second, Now: at})
	must(t, err)
}

func moveConflict(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	generation := own(t, s, "aa")
	move := func(from, to scheduler.TaskStatus) error {
		_, err := s.Apply(t.Context(), persistence.Transition{
			Run: "aa", Generation: generation, Now: at, Tasks: []persistence.TaskChange{{Task: "a", From: from, To: to}},
		})
		return err
	}
	must(t, move(scheduler.TaskPending, scheduler.TaskEligible))
	must(t, move(scheduler.TaskEligible, scheduler.TaskRunning))
	err := move(scheduler.TaskEligible, scheduler.TaskRunning)
	wantIs(t, err, persistence.ErrConflict)
	for _, word := range []string{"a", "eligible", "running"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}

func runState(t *testing.T, s persistence.Store) {
	create(t, s, "aa")
	generation := own(t, s, "aa")
	for _, c := range []struct {
		state    scheduler.RunState
		finished time.Time
	}{
		{scheduler.RunFailed, at}, {scheduler.RunRunning, time.Time{}}, {scheduler.RunCompleted, at},
	} {
		_, err := s.Apply(t.Context(), persistence.Transition{Run: "aa", Generation: generation, Now: at, State: c.state})
		must(t, err)
		r, err := s.GetRun(t.Context(), "aa")
		must(t, err)
		if r.State != c.state || !r.FinishedAt.Equal(c.finished) {
			t.Errorf("run is %s, finished %v; want %s, %v", r.State, r.FinishedAt, c.state, c.finished)
		}
	}
}

func eventNumbers(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	create(t, s, "bb", task("a"))
	const writers, each = 4, 12
	done := make(chan error)
	for w := range writers {
		run := scheduler.RunID([]string{"aa", "bb"}[w%2])
		generation := int64(1)
		if w < 2 {
			generation = own(t, s, run)
		}
		go func() {
			var last int64
			for i := range each {
				events := make([]event.Event, i%3)
				for k := range events {
					events[k].Kind = event.Notice
				}
				seq, err := s.Apply(t.Context(), persistence.Transition{Run: run, Generation: generation, Now: at, Events: events})
				if err == nil && seq < last {
					err = fmt.Errorf("sequence went from %d to %d", last, seq)
				}
				if err != nil {
					done <- err
					return
				}
				last = seq
			}
			done <- nil
		}()
	}
	for range writers {
		must(t, <-done)
	}
	for _, run := range []scheduler.RunID{"aa", "bb"} {
		events, err := s.Events(t.Context(), run, 0, 0)
		must(t, err)
		if len(events) != writers/2*each {
			t.Errorf("run %s has %d events", run, len(events))
		}
		for i, e := range events {
			if e.Seq != int64(i+1) {
				t.Fatalf("run %s: event %d has number %d", run, i, e.Seq)
			}
		}
	}
}

func eventPages(t *testing.T, s persistence.Store) {
	events := make([]event.Event, 10)
	for i := range events {
		events[i] = event.Event{Kind: event.Notice, Detail: event.Detail{Message: fmt.Sprint(i)}}
	}
	must(t, s.CreateRun(t.Context(), sampleRun("aa"), nil, events...))
	for _, c := range []struct {
		after       int64
		limit       int
		first, last int64
	}{
		{0, 0, 1, 10}, {0, 3, 1, 3}, {3, 3, 4, 6}, {9, 3, 10, 10}, {10, 3, 0, 0}, {99, 0, 0, 0}, {-5, 1, 1, 1},
	} {
		got, err := s.Events(t.Context(), "aa", c.after, c.limit)
		must(t, err)
		var first, last int64
		if len(got) > 0 {
			first, last = got[0].Seq, got[len(got)-1].Seq
		}
		if first != c.first || last != c.last {
			t.Errorf("after %d limit %d: got %d to %d, want %d to %d", c.after, c.limit, first, last, c.first, c.last)
		}
	}
	got, err := s.Events(t.Context(), "zz", 0, 0)
	must(t, err)
	if len(got) != 0 {
		t.Errorf("an unknown run has %d events", len(got))
	}
}

func dataVersion(t *testing.T, s persistence.Store) {
	version := func() int64 {
		t.Helper()
		v, err := s.DataVersion(t.Context())
		must(t, err)
		return v
	}
	before := version()
	create(t, s, "aa", task("a"))
	if v := version(); v == before {
		t.Error("creating a run did not change the data version")
	} else {
		before = v
	}
	for i := range 3 {
		must(t, s.UpdateTaskStatus(t.Context(), "aa", "a", scheduler.TaskRunning, nil, fmt.Sprint(i)))
		v := version()
		if v == before {
			t.Fatal("an update did not change the data version")
		}
		before = v
	}
	_, err := s.ListTasks(t.Context(), "aa")
	must(t, err)
	wantIs(t, s.UpdateTaskStatus(t.Context(), "aa", "ghost", scheduler.TaskRunning, nil, ""), persistence.ErrNotFound)
	if v := version(); v != before {
		t.Error("the data version changed without a commit")
	}
}
