package persistence

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckFindsRowsThatBelongToNothing(t *testing.T) {
	s := fileStore(t, Options{})
	if err := s.SaveMessage(t.Context(), "aa", "a", ConversationTurn{Role: "user", Content: "hello"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Fatalf("a sound database: %v", err)
	}
	onWriter(t, s, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(t.Context(), "PRAGMA foreign_keys = 0; DELETE FROM tasks; PRAGMA foreign_keys = 1")
		return err
	})
	err := s.Check(t.Context())
	var e *Error
	if !errors.Is(err, ErrCorrupt) || !errors.As(err, &e) || !strings.Contains(e.Hint, "backup") {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "conversation_history") || !strings.Contains(err.Error(), "tasks") {
		t.Errorf("error %q does not name the tables", err)
	}
}

func TestCheckFindsASearchIndexThatIsDamaged(t *testing.T) {
	s := fileStore(t, Options{})
	if err := s.SaveMessage(t.Context(), "aa", "a", ConversationTurn{Role: "user", Content: "hello"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SearchTurns(t.Context(), TurnQuery{Words: "hello"}); err != nil {
		t.Fatal(err)
	}
	onWriter(t, s, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(t.Context(), "UPDATE conversation_search_data SET block = x'0102' WHERE id > 10")
		return err
	})
	if err := s.Check(t.Context()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

func TestABackupHoldsWhatCanBeSearched(t *testing.T) {
	s := fileStore(t, Options{})
	for _, text := range []string{"searched before", "written after"} {
		if err := s.SaveMessage(t.Context(), "aa", "a", ConversationTurn{Role: "user", Content: text}); err != nil {
			t.Fatal(err)
		}
		if text == "searched before" {
			if _, err := s.SearchTurns(t.Context(), TurnQuery{Words: "before"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	c, err := NewSQLiteStore(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if found, err := c.SearchTurns(t.Context(), TurnQuery{Words: "before OR after"}); err != nil || len(found) != 2 {
		t.Errorf("found %+v, %v", found, err)
	}
	checkIndex(t, c)
}
