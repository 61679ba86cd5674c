package persistence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orchestrator/internal/scheduler"
)

// searchState reads the last turn that is searchable and the last there is.
func searchState(t *testing.T, s *SQLiteStore) (searchable, last int64) {
	t.Helper()
	err := s.read(t.Context(), "test", func(_ context.Context, q querier) error {
		const text = "SELECT last_turn, (SELECT coalesce(max(key), 0) FROM conversation_history) FROM searchable"
		return q.QueryRowContext(t.Context(), text).Scan(&searchable, &last)
	})
	if err != nil {
		t.Fatal(err)
	}
	return searchable, last
}

// checkIndex lets SQLite compare the search index with the turns, all of which must be in it.
func checkIndex(t *testing.T, s *SQLiteStore) {
	t.Helper()
	onWriter(t, s, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(t.Context(), "INSERT INTO conversation_search (conversation_search, rank) VALUES ('integrity-check', 1)")
		return err
	})
}

func TestTurnsBecomeSearchableInQuietMoments(t *testing.T) {
	s := fileStore(t, Options{})
	turns := make([]ConversationTurn, 3*portionTurns) // more than one portion
	for i := range turns {
		turns[i] = ConversationTurn{Role: "user", Content: fmt.Sprint("turn ", i)}
	}
	if err := s.SaveMessage(t.Context(), "aa", "a", turns...); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		searchable, last := searchState(t, s)
		if searchable == last {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatal("the turns never became searchable")
		case <-time.After(10 * time.Millisecond):
		}
	}
	checkIndex(t, s)
}

// TestTheIndexIsThatOfTheTurns writes, searches and deletes at random and has SQLite compare the index with the turns.
func TestTheIndexIsThatOfTheTurns(t *testing.T) {
	s := fileStore(t, Options{})
	if err := s.CreateRun(t.Context(), Run{ID: "bb", State: scheduler.RunRunning}, nil); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		want := map[scheduler.TaskID]int{} // turns by task
		task := rapid.SampledFrom([]scheduler.TaskID{"a", "b", "c"})
		found := func() {
			list, err := s.SearchTurns(t.Context(), TurnQuery{Words: "said"})
			if err != nil {
				r.Fatal(err)
			}
			got := map[scheduler.TaskID]int{}
			for _, f := range list {
				got[f.Task]++
			}
			if !maps.Equal(got, want) {
				r.Fatalf("found %v, want %v", got, want)
			}
			checkIndex(t, s)
		}
		r.Repeat(map[string]func(*rapid.T){
			"say": func(r *rapid.T) {
				id := task.Draw(r, "task")
				turns := make([]ConversationTurn, rapid.IntRange(1, 4).Draw(r, "turns"))
				for i := range turns {
					turns[i] = ConversationTurn{Role: "user", Content: "said " + rapid.String().Draw(r, "text")}
				}
				if err := errors.Join(s.SaveTask(t.Context(), "bb", &scheduler.Task{ID: id}), s.SaveMessage(t.Context(), "bb", id, turns...)); err != nil {
					r.Fatal(err)
				}
				want[id] += len(turns)
			},
			"delete": func(r *rapid.T) {
				id := task.Draw(r, "task")
				if want[id] == 0 {
					r.Skip()
				}
				if err := s.DeleteTask(t.Context(), "bb", id); err != nil {
					r.Fatal(err)
				}
				delete(want, id)
			},
			"search": func(*rapid.T) { found() },
		})
		found()
		for id := range want {
			if err := s.DeleteTask(t.Context(), "bb", id); err != nil {
				r.Fatal(err)
			}
		}
	})
}

func TestACascadeTakesTurnsOutOfTheIndex(t *testing.T) {
	s := fileStore(t, Options{})
	for _, text := range []string{"one", "two"} {
		if err := s.SaveMessage(t.Context(), "aa", "a", ConversationTurn{Role: "user", Content: "said " + text}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SearchTurns(t.Context(), TurnQuery{Words: "said"}); err != nil {
			t.Fatal(err)
		}
	}
	onWriter(t, s, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(t.Context(), "DELETE FROM runs WHERE id = 'aa'")
		return err
	})
	checkIndex(t, s)
	if searchable, last := searchState(t, s); searchable != 0 || last != 0 {
		t.Errorf("searchable up to %d of %d", searchable, last)
	}
}

func TestOneLargeTurnIsAPortion(t *testing.T) {
	s := fileStore(t, Options{})
	large := ConversationTurn{Role: "user", Content: strings.Repeat("x ", searchPortion)}
	small := ConversationTurn{Role: "user", Content: "small"}
	var more []bool
	// All in one request, between whose steps the writer cannot do the same by itself.
	err := s.apply(t.Context(), "test", func(tx *transaction) error {
		if err := tx.addTurns("aa", "a", []ConversationTurn{large, large, small, small}); err != nil {
			return err
		}
		for range 4 {
			m, err := tx.makeSearchable()
			if err != nil {
				return err
			}
			more = append(more, m)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(more, []bool{true, true, false, false}) {
		t.Errorf("more after each step: %v", more)
	}
	if searchable, last := searchState(t, s); searchable != 4 || last != 4 {
		t.Errorf("searchable up to %d of %d", searchable, last)
	}
	checkIndex(t, s)
}
