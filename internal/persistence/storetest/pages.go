package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

var pageCases = []testCase{
	{"pages of any size join to the whole history", pagesJoin},
	{"a page goes on with turns that came after the last one", pageGoesOn},
	{"a page of nothing is an empty slice", emptyPage},
	{"the last turns come in order with the number of those before", lastTurns},
	{"the counts of a run are those of what is stored", runCounts},
	{"a run with a long conversation is deleted whole", deleteLongRun},
	{"a task with a long conversation is deleted whole", deleteLongTask},
	{"pages, counts and searches obey contexts and closing", readsObey},
	{"a deletion that was cut off is completed by the next", deleteAgain},
}

// talk stores turns of tasks a and b, in turn, and returns those of a.
func talk(t *testing.T, s persistence.Store, run scheduler.RunID, turns int) (ofA []persistence.ConversationTurn) {
	t.Helper()
	for i := range turns {
		for _, task := range []scheduler.TaskID{"a", "b"} {
			turn := persistence.ConversationTurn{Role: "assistant", Content: fmt.Sprint(task, i), Timestamp: at, Attempt: 1}
			must(t, s.SaveMessage(t.Context(), run, task, turn))
			if task == "a" {
				ofA = append(ofA, turn)
			}
		}
	}
	return ofA
}

// talkLong stores more turns of task a than are deleted in one transaction.
func talkLong(t *testing.T, s persistence.Store, run scheduler.RunID) (turns int) {
	t.Helper()
	list := make([]persistence.ConversationTurn, 1700)
	for i := range list {
		list[i] = persistence.ConversationTurn{Role: "user", Content: fmt.Sprint("long ", i)}
	}
	must(t, s.SaveMessage(t.Context(), run, "a", list...))
	return len(list)
}

func pagesJoin(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b"))
	want := talk(t, s, "aa", 11)
	for _, limit := range []int{0, 1, 2, 3, 10, 11, 12} {
		var got []persistence.ConversationTurn
		last := int64(0)
		for {
			page, err := s.HistoryPage(t.Context(), "aa", "a", last, limit)
			must(t, err)
			if limit > 0 && len(page.Turns) > limit {
				t.Fatalf("a page of %d turns, the limit is %d", len(page.Turns), limit)
			}
			if len(page.Turns) == 0 {
				if page.Last != last {
					t.Errorf("after the end the next page begins at %d, not at %d", page.Last, last)
				}
				break
			}
			if page.Last <= last {
				t.Fatalf("id %d after %d", page.Last, last)
			}
			got, last = append(got, page.Turns...), page.Last
		}
		wantSame(t, fmt.Sprintf("pages of %d", limit), got, want)
	}
}

func pageGoesOn(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b"))
	talk(t, s, "aa", 3)
	first, err := s.HistoryPage(t.Context(), "aa", "a", 0, 0)
	must(t, err)
	want := talk(t, s, "aa", 2)
	second, err := s.HistoryPage(t.Context(), "aa", "a", first.Last, 0)
	must(t, err)
	wantSame(t, "what came after", second.Turns, want)
}

func emptyPage(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	for _, task := range []scheduler.TaskID{"a", "ghost"} {
		page, err := s.HistoryPage(t.Context(), "aa", task, 7, 10)
		must(t, err)
		if page.Turns == nil || len(page.Turns) != 0 || page.Last != 7 {
			t.Errorf("page of %s is %#v", task, page)
		}
	}
}

func lastTurns(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b"))
	want := talk(t, s, "aa", 5)
	for limit, first := range map[int]int{0: 0, 1: 4, 2: 3, 4: 1, 5: 0, 6: 0} {
		turns, before, err := s.LastTurns(t.Context(), "aa", "a", limit)
		must(t, err)
		wantSame(t, fmt.Sprintf("the last %d", limit), turns, want[first:])
		if before != first {
			t.Errorf("before the last %d were %d, want %d", limit, before, first)
		}
	}
	turns, before, err := s.LastTurns(t.Context(), "aa", "ghost", 3)
	must(t, err)
	if turns == nil || len(turns) != 0 || before != 0 {
		t.Errorf("an unknown task has %#v, %d before", turns, before)
	}
}

func runCounts(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b", "a"))
	create(t, s, "bb", task("a"), task("b"))
	talk(t, s, "aa", 3)
	_, err := s.Apply(t.Context(), persistence.Transition{
		Run: "aa", Generation: own(t, s, "aa"), Now: at,
		Attempts: []persistence.Attempt{{Task: "a", Number: 1, Phase: scheduler.PhaseDone}, {Task: "a", Number: 2, Phase: scheduler.PhaseWorking}, {Task: "b", Number: 1, Phase: scheduler.PhaseWorking}},
	})
	must(t, err)
	got, err := s.CountRun(t.Context(), "aa")
	must(t, err)
	wantSame(t, "counts", got, persistence.RunCounts{Tasks: 2, Attempts: 3, Turns: 6})
	got, err = s.CountRun(t.Context(), "bb")
	must(t, err)
	wantSame(t, "counts of another run", got, persistence.RunCounts{Tasks: 2})
	_, err = s.CountRun(t.Context(), "zz")
	wantIs(t, err, persistence.ErrNotFound)
}

func deleteLongRun(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b"))
	create(t, s, "bb", task("a"), task("b"))
	talkLong(t, s, "aa")
	want := talk(t, s, "bb", 2)
	must(t, s.DeleteRun(t.Context(), "aa"))
	_, err := s.GetRun(t.Context(), "aa")
	wantIs(t, err, persistence.ErrNotFound)
	got, err := s.GetHistory(t.Context(), "bb", "a")
	must(t, err)
	wantSame(t, "the other run's history", got, want)
	// A run of the same name begins anew.
	create(t, s, "aa", task("a"), task("b"))
	if got, err := s.GetHistory(t.Context(), "aa", "a"); err != nil || len(got) != 0 {
		t.Errorf("%d turns of a deleted run are left, %v", len(got), err)
	}
}

func deleteLongTask(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b", "a"))
	talkLong(t, s, "aa")
	must(t, s.SaveMessage(t.Context(), "aa", "b", persistence.ConversationTurn{Role: "user", Content: "stays"}))
	must(t, s.DeleteTask(t.Context(), "aa", "a"))
	_, err := s.GetTask(t.Context(), "aa", "a")
	wantIs(t, err, persistence.ErrNotFound)
	got, err := s.CountRun(t.Context(), "aa")
	must(t, err)
	wantSame(t, "what is left", got, persistence.RunCounts{Tasks: 1, Turns: 1})
}

func deleteAgain(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b"))
	turns := talkLong(t, s, "aa")
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	wantIs(t, s.DeleteRun(ctx, "aa"), cause)
	got, err := s.CountRun(t.Context(), "aa")
	must(t, err)
	wantSame(t, "a deletion that was never begun left", got, persistence.RunCounts{Tasks: 2, Turns: turns})
	must(t, s.DeleteRun(t.Context(), "aa"))
	wantIs(t, s.DeleteRun(t.Context(), "aa"), persistence.ErrNotFound)
}

func readsObey(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b"))
	talk(t, s, "aa", 1)
	file := filepath.Join(t.TempDir(), "copy")
	calls := map[string]func(ctx context.Context) error{
		"HistoryPage": func(ctx context.Context) error { return second(s.HistoryPage(ctx, "aa", "a", 0, 1)) },
		"CountRun":    func(ctx context.Context) error { return second(s.CountRun(ctx, "aa")) },
		"SearchTurns": func(ctx context.Context) error { return second(s.SearchTurns(ctx, persistence.TurnQuery{Words: "a0"})) },
		"Check":       s.Check,
		"Backup":      func(ctx context.Context) error { return s.Backup(ctx, file) },
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	for name, call := range calls {
		if err := call(ctx); !errors.Is(err, errStopped) {
			t.Errorf("%s: %v, want the cause", name, err)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a backup that was not begun left a file")
	}
	wantSame(t, "found", search(t, s, persistence.TurnQuery{Words: "a0"}), []string{"a0"})
	must(t, s.Close())
	for name, call := range calls {
		if err := call(t.Context()); !errors.Is(err, persistence.ErrClosed) {
			t.Errorf("%s of a closed store: %v", name, err)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the backup of a closed store left a file")
	}
}
