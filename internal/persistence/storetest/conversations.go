package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

var conversationCases = []testCase{
	{"a session round-trips and is updated in place", sessionRoundTrip},
	{"the latest session is that of the last attempt", latestSession},
	{"no session is not found", noSession},
	{"a session of an unknown task is refused", sessionOfUnknownTask},
	{"no history is an empty slice", noHistory},
	{"turns keep the order written within one clock tick", turnOrder},
	{"concurrent writers keep each message together", messagesStayTogether},
	{"a turn's content survives", turnContent},
	{"a turn of an unknown task is refused", turnOfUnknownTask},
}

func sessionRoundTrip(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	want := persistence.Session{Run: "aa", Task: "a", Attempt: 1, Provider: "claude", SessionID: "one", UpdatedAt: at}
	wantFull(t, want)
	must(t, s.SaveSession(t.Context(), want))
	got, err := s.GetSession(t.Context(), "aa", "a")
	must(t, err)
	wantSame(t, "session", got, want)
	want.SessionID, want.Provider, want.UpdatedAt = "two", "codex", at.Add(time.Second)
	must(t, s.SaveSession(t.Context(), want))
	got, err = s.GetSession(t.Context(), "aa", "a")
	must(t, err)
	wantSame(t, "session", got, want)
}

func latestSession(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	for _, n := range []int{2, 10, 9} {
		must(t, s.SaveSession(t.Context(), persistence.Session{
			Run: "aa", Task: "a", Attempt: n, Provider: "p", SessionID: fmt.Sprint(n), UpdatedAt: at,
		}))
	}
	got, err := s.GetSession(t.Context(), "aa", "a")
	must(t, err)
	if got.SessionID != "10" {
		t.Errorf("latest session is that of attempt %d", got.Attempt)
	}
}

func noSession(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	_, err := s.GetSession(t.Context(), "aa", "a")
	wantIs(t, err, persistence.ErrNotFound)
}

func sessionOfUnknownTask(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	err := s.SaveSession(t.Context(), persistence.Session{Run: "aa", Task: "ghost", Provider: "p", SessionID: "x"})
	wantIs(t, err, persistence.ErrNotFound)
	if !strings.Contains(err.Error(), "ghost") {
		t.Errorf("error %q does not name the task", err)
	}
}

func noHistory(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	for _, id := range []scheduler.TaskID{"a", "ghost"} {
		turns, err := s.GetHistory(t.Context(), "aa", id)
		must(t, err)
		if turns == nil || len(turns) != 0 {
			t.Errorf("history of %s is %#v", id, turns)
		}
	}
}

func turnOrder(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b"))
	var want []persistence.ConversationTurn
	for i := range 40 {
		// The clock may stand still, or go back.
		turn := persistence.ConversationTurn{Role: "assistant", Content: fmt.Sprint(i), Timestamp: at.Add(-time.Duration(i/10) * time.Hour), Attempt: i % 3}
		want = append(want, turn)
		must(t, s.SaveMessage(t.Context(), "aa", "a", turn))
		must(t, s.SaveMessage(t.Context(), "aa", "b", turn, turn))
	}
	must(t, s.SaveMessage(t.Context(), "aa", "a", want...))
	must(t, s.SaveMessage(t.Context(), "aa", "a", want[:23]...))
	must(t, s.SaveMessage(t.Context(), "aa", "a"))
	got, err := s.GetHistory(t.Context(), "aa", "a")
	must(t, err)
	wantSame(t, "history", got, slices.Concat(want, want, want[:23]))
}

func messagesStayTogether(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	const writers, messages = 4, 8
	done := make(chan error)
	for w := range writers {
		go func() {
			for m := range messages {
				var turns []persistence.ConversationTurn
				for part := range 3 {
					turns = append(turns, persistence.ConversationTurn{Role: "user", Content: fmt.Sprint(w, m, part)})
				}
				if err := s.SaveMessage(t.Context(), "aa", "a", turns...); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		must(t, <-done)
	}
	got, err := s.GetHistory(t.Context(), "aa", "a")
	must(t, err)
	if len(got) != writers*messages*3 {
		t.Fatalf("%d turns", len(got))
	}
	next := map[int]int{}
	for i := 0; i < len(got); i += 3 {
		var w, m int
		if _, err := fmt.Sscan(got[i].Content, &w, &m); err != nil {
			t.Fatal(err)
		}
		for part := range 3 {
			if want := fmt.Sprint(w, m, part); got[i+part].Content != want {
				t.Fatalf("turn %d is %q, want %q", i+part, got[i+part].Content, want)
			}
		}
		if next[w] != m {
			t.Fatalf("writer %d: message %d came when %d was due", w, m, next[w])
		}
		next[w]++
	}
}

func turnContent(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	want := []persistence.ConversationTurn{
		{Role: "user", Content: "", Timestamp: at},
		{Role: "tool", Content: "\x00a\x1b[31m\r\n日本", Timestamp: at, Attempt: 2},
		{Role: "assistant", Content: strings.Repeat("x", 1<<20)},
	}
	must(t, s.SaveMessage(t.Context(), "aa", "a", want...))
	got, err := s.GetHistory(t.Context(), "aa", "a")
	must(t, err)
	wantSame(t, "history", got, want)
}

func turnOfUnknownTask(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	turn := persistence.ConversationTurn{Role: "user", Content: "x"}
	wantIs(t, s.SaveMessage(t.Context(), "aa", "ghost", turn), persistence.ErrNotFound)
	wantIs(t, s.SaveMessage(t.Context(), "aa", "ghost", slices.Repeat([]persistence.ConversationTurn{turn}, 30)...), persistence.ErrNotFound)
}
