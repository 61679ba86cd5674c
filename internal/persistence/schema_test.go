package persistence

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orchestrator/internal/scheduler"
)

// onWriter runs f on the writer's connection.
func onWriter(t *testing.T, s *SQLiteStore, f func(conn *sql.Conn) error) {
	t.Helper()
	if err := s.writer.submit(t.Context(), &request{use: f}); err != nil {
		t.Fatal(err)
	}
}

func TestAnOlderSchemaIsBroughtForwardInOneTransaction(t *testing.T) {
	s := fileStore(t, Options{Program: "orc 1.0.0"})
	onWriter(t, s, func(conn *sql.Conn) error {
		good := "ALTER TABLE tasks ADD COLUMN colour TEXT"
		bad := "ALTER TABLE runs ADD COLUMN colour TEXT; CREATE TABLE tasks (x)"
		known := len(migrations)
		err := migrate(t.Context(), conn, append(slices.Clone(migrations), good, bad), "orc 3.0.0")
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint("version ", known+2)) {
			t.Errorf("a step that fails: %v", err)
		}
		if v, err := schemaVersion(t.Context(), conn); err != nil || v != known {
			t.Errorf("after it the version is %d, %v", v, err)
		}
		if _, err := conn.ExecContext(t.Context(), "SELECT colour FROM tasks"); err == nil {
			t.Error("the step before it stayed")
		}
		for range 2 { // again is nothing to do
			if err := migrate(t.Context(), conn, append(slices.Clone(migrations), good), "orc 2.0.0"); err != nil {
				t.Errorf("a step that works: %v", err)
			}
		}
		var colour, program string
		const q = "SELECT coalesce(t.colour, 'none'), m.value FROM tasks t, meta m WHERE m.name = 'program'"
		if err := conn.QueryRowContext(t.Context(), q).Scan(&colour, &program); err != nil {
			return err
		}
		if colour != "none" || program != "orc 2.0.0" {
			t.Errorf("colour %s, written by %s", colour, program)
		}
		return nil
	})
	if _, err := s.GetTask(t.Context(), "aa", "a"); err != nil {
		t.Errorf("what was stored before: %v", err)
	}
	path := s.Path()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantNewer(t, path, "orc 2.0.0")
}

func wantNewer(t *testing.T, path, program string) {
	t.Helper()
	_, err := NewSQLiteStore(t.Context(), path)
	var e *Error
	if !errors.Is(err, ErrNewer) || !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	for _, text := range []string{err.Error(), e.Hint} {
		if !strings.Contains(text, program) {
			t.Errorf("%q does not say %q", text, program)
		}
	}
}

func TestANewerSchemaOfUnknownShapeIsRefused(t *testing.T) {
	s := fileStore(t, Options{})
	onWriter(t, s, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(t.Context(), "ALTER TABLE meta RENAME TO about; PRAGMA user_version = 99")
		return err
	})
	path := s.Path()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantNewer(t, path, "a newer orc")
}

func TestTheProgramIsRecordedWithTheSchema(t *testing.T) {
	s := fileStore(t, Options{})
	onWriter(t, s, func(conn *sql.Conn) error {
		var program string
		err := conn.QueryRowContext(t.Context(), "SELECT value FROM meta WHERE name = 'program'").Scan(&program)
		if !strings.HasPrefix(program, "orc") {
			t.Errorf("program is %q", program)
		}
		return err
	})
}

// TestTheSchemaAllowsExactlyTheDomainsWords keeps the checks of the schema and the constants of the domain together.
func TestTheSchemaAllowsExactlyTheDomainsWords(t *testing.T) {
	s := fileStore(t, Options{})
	words := map[string][]string{
		"UPDATE tasks SET status = ?": {
			string(scheduler.TaskPending), string(scheduler.TaskEligible), string(scheduler.TaskRunning),
			string(scheduler.TaskCompleted), string(scheduler.TaskFailed), string(scheduler.TaskSkipped), string(scheduler.TaskCanceled),
		},
		"UPDATE tasks SET failure_mode = ?": {"", string(scheduler.FailHard), string(scheduler.FailSoft), string(scheduler.FailSkip)},
		"UPDATE tasks SET isolation = ?": {
			"", string(scheduler.IsolationClone), string(scheduler.IsolationWorktree), string(scheduler.IsolationNone),
		},
		"UPDATE runs SET state = ?": {
			string(scheduler.RunRunning), string(scheduler.RunWaiting), string(scheduler.RunPaused),
			string(scheduler.RunCompleted), string(scheduler.RunFailed), string(scheduler.RunCanceled),
		},
		"INSERT INTO attempts VALUES ('aa', 'a', 1, 1, ?, '', NULL, NULL, NULL, '', '{}')": {
			string(scheduler.PhasePreparing), string(scheduler.PhaseWorking), string(scheduler.PhaseVerifying),
			string(scheduler.PhaseSaving), string(scheduler.PhaseMerging), string(scheduler.PhaseWaiting), string(scheduler.PhaseDone),
		},
		"INSERT INTO attempts VALUES ('aa', 'a', 1, 1, 'done', ?, NULL, NULL, NULL, '', '{}')": {
			"", string(scheduler.OutcomeSucceeded), string(scheduler.OutcomeFailed), string(scheduler.OutcomeInterrupted),
			string(scheduler.OutcomeCanceled), string(scheduler.OutcomeConflict),
		},
	}
	onWriter(t, s, func(conn *sql.Conn) error {
		for text, allowed := range words {
			for _, word := range allowed {
				if _, err := conn.ExecContext(t.Context(), text, word); err != nil {
					t.Errorf("%s with %q: %v", text, word, err)
				}
				if _, err := conn.ExecContext(t.Context(), "DELETE FROM attempts"); err != nil {
					return err
				}
			}
			for _, word := range []any{"dancing", "DONE", nil, []byte("done")} {
				if _, err := conn.ExecContext(t.Context(), text, word); err == nil {
					t.Errorf("%s with %v was taken", text, word)
				}
			}
		}
		return nil
	})
}

func TestOpeningTwiceDoesNotWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	first, err := NewSQLiteStore(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	before, err := first.DataVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewSQLiteStore(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if after, err := first.DataVersion(t.Context()); err != nil || after != before {
		t.Errorf("the data version went from %d to %d, %v", before, after, err)
	}
}
