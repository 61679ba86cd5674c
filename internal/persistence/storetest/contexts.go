package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

var contextCases = []testCase{
	{"an ended context gives its cause and stores nothing", endedContext},
	{"after a cancel the record of why can still be written", writeAfterCancel},
	{"cancelling at random never leaves half and never lies", cancelAtRandom},
	{"a closed store says so", closedStore},
	{"closing waits for what is under way", closeWaits},
}

var errStopped = errors.New("the person pressed ctrl-c")

func endedContext(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	for name, err := range everyMethod(ctx, s) {
		if !errors.Is(err, errStopped) {
			t.Errorf("%s: %v, want the cause", name, err)
		}
	}
	list, err := s.ListTasks(t.Context(), "aa")
	must(t, err)
	wantSame(t, "tasks", list, []*scheduler.Task{task("a")})
}

// everyMethod calls every method of a store, Close excepted, and gives each one's error.
func everyMethod(ctx context.Context, s persistence.Store) map[string]error {
	turn := persistence.ConversationTurn{Role: "user"}
	return map[string]error{
		"SaveTask":         s.SaveTask(ctx, "aa", task("b")),
		"UpdateTaskStatus": s.UpdateTaskStatus(ctx, "aa", "a", scheduler.TaskRunning, nil, ""),
		"DeleteTask":       s.DeleteTask(ctx, "aa", "a"),
		"GetTask":          second(s.GetTask(ctx, "aa", "a")),
		"ListTasks":        second(s.ListTasks(ctx, "aa")),
		"SaveSession":      s.SaveSession(ctx, persistence.Session{Run: "aa", Task: "a"}),
		"GetSession":       second(s.GetSession(ctx, "aa", "a")),
		"SaveMessage":      s.SaveMessage(ctx, "aa", "a", turn),
		"SaveMessage of 0": s.SaveMessage(ctx, "aa", "a"),
		"GetHistory":       second(s.GetHistory(ctx, "aa", "a")),
		"HistoryPage":      second(s.HistoryPage(ctx, "aa", "a", 0, 0)),
		"LastTurns":        third(s.LastTurns(ctx, "aa", "a", 1)),
		"SearchTurns":      second(s.SearchTurns(ctx, persistence.TurnQuery{Words: "x"})),
		"CreateRun":        s.CreateRun(ctx, sampleRun("bb"), nil),
		"CountRun":         second(s.CountRun(ctx, "aa")),
		"GetRun":           second(s.GetRun(ctx, "aa")),
		"ListRuns":         second(s.ListRuns(ctx, persistence.RunFilter{})),
		"DeleteRun":        s.DeleteRun(ctx, "aa"),
		"ListAttempts":     second(s.ListAttempts(ctx, "aa", "")),
		"Durations":        second(s.Durations(ctx, "", "")),
		"AcquireLease":     second(s.AcquireLease(ctx, persistence.Lease{Run: "aa", Owner: "x"}, at, true)),
		"RenewLease":       s.RenewLease(ctx, "aa", 1, at, at),
		"ReleaseLease":     s.ReleaseLease(ctx, "aa", 1),
		"GetLease":         second(s.GetLease(ctx, "aa")),
		"AddRequest":       second(s.AddRequest(ctx, persistence.Request{Run: "aa"})),
		"PendingRequests":  second(s.PendingRequests(ctx, "aa")),
		"GetRequest":       second(s.GetRequest(ctx, 1)),
		"Apply":            second(s.Apply(ctx, persistence.Transition{Run: "aa"})),
		"Events":           second(s.Events(ctx, "aa", 0, 0)),
		"DataVersion":      second(s.DataVersion(ctx)),
	}
}

func second[T any](_ T, err error) error { return err }

func third[T, U any](_ T, _ U, err error) error { return err }

func writeAfterCancel(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	g := own(t, s, "aa")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	_, err := s.Apply(ctx, persistence.Transition{Run: "aa", Generation: g, Now: at, State: scheduler.RunPaused})
	wantIs(t, err, errStopped)
	_, err = s.Apply(context.WithoutCancel(ctx), persistence.Transition{
		Run: "aa", Generation: g, Now: at, State: scheduler.RunPaused, Error: context.Cause(ctx).Error(),
	})
	must(t, err)
	r, err := s.GetRun(t.Context(), "aa")
	must(t, err)
	if r.Error != errStopped.Error() {
		t.Errorf("the run says %q", r.Error)
	}
}

func cancelAtRandom(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	const writers, each = 4, 20
	type outcome struct {
		id     string
		stored bool
	}
	outcomes := make(chan outcome)
	for w := range writers {
		go func() {
			for i := range each {
				ctx, cancel := context.WithCancel(t.Context())
				id := fmt.Sprintf("w%d-%d", w, i)
				go cancel() // before, while or after the write runs
				err := s.SaveMessage(ctx, "aa", "a",
					persistence.ConversationTurn{Role: "user", Content: id}, persistence.ConversationTurn{Role: "tool", Content: id})
				cancel()
				outcomes <- outcome{id, err == nil}
				if _, err := s.GetHistory(ctx, "aa", "a"); err == nil {
					t.Error("reading with an ended context worked")
				}
			}
		}()
	}
	want := map[string]bool{}
	for range writers * each {
		o := <-outcomes
		want[o.id] = o.stored
	}
	turns, err := s.GetHistory(t.Context(), "aa", "a")
	must(t, err)
	got := map[string]int{}
	for _, turn := range turns {
		got[turn.Content]++
	}
	for id, stored := range want {
		if n := got[id]; (stored && n != 2) || (!stored && n != 0) {
			t.Errorf("message %s: acknowledged %v, %d of 2 turns are there", id, stored, n)
		}
	}
}

func closedStore(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	must(t, s.Close())
	must(t, s.Close())
	for name, err := range everyMethod(t.Context(), s) {
		if !errors.Is(err, persistence.ErrClosed) {
			t.Errorf("%s: %v, want closed", name, err)
		}
	}
}

func closeWaits(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	const calls = 30
	done := make(chan error)
	for i := range calls {
		go func() {
			if i%3 == 0 {
				done <- second(s.ListTasks(t.Context(), "aa"))
				return
			}
			done <- s.SaveTask(t.Context(), "aa", task(scheduler.TaskID(fmt.Sprint("t", i))))
		}()
	}
	must(t, <-done)
	must(t, s.Close())
	for range calls - 1 {
		if err := <-done; err != nil && !errors.Is(err, persistence.ErrClosed) {
			t.Errorf("neither done nor refused: %v", err)
		}
	}
}
