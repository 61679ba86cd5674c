package persistence_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// earlier copies a database file that an earlier version of the program wrote. It has two runs with something in every
// table.
func earlier(t *testing.T, version int) (path string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("schema%d.db", version)))
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "orc.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tablesOf1 are the tables of schema 1 with all their columns, in the order of their keys.
var tablesOf1 = map[string]string{
	"runs":                 "key",
	"tasks":                "key",
	"task_dependencies":    "run, task_id, position",
	"attempts":             "run, task, number",
	"sessions":             "run, task, attempt",
	"conversation_history": "key",
	"events":               "run, seq",
	"leases":               "run",
	"requests":             "id",
}

// dump reads the tables of schema 1 below the store, as rows of text.
func dump(t *testing.T, path string) map[string][]string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all := map[string][]string{}
	for table, order := range tablesOf1 {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table+" ORDER BY "+order)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]any, len(names))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			var row strings.Builder
			for i, v := range values {
				fmt.Fprintf(&row, "%s=%#v ", names[i], *v.(*any))
			}
			all[table] = append(all[table], row.String())
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if len(all[table]) == 0 {
			t.Errorf("the sample has nothing in %s", table)
		}
	}
	return all
}

func TestAFileOfSchema1IsMigratedWithItsContent(t *testing.T) {
	path := earlier(t, 1)
	before := dump(t, path)
	s := openStore(t, path)
	wantOldRun(t, s)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	found, err := s.SearchTurns(t.Context(), persistence.TurnQuery{Words: "naive INDEX"})
	if err != nil || len(found) != 2 || found[0].Run != "a01b" || found[1].Run != "7f3c" {
		t.Errorf("found %+v, %v", found, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, dump(t, path)); diff != "" {
		t.Errorf("the content changed (-before +after):\n%s", diff)
	}
}

// wantOldRun compares what the store reads of the first run with what the program of schema 1 was given.
func wantOldRun(t *testing.T, s *persistence.SQLiteStore) {
	t.Helper()
	at := time.Date(2026, 5, 1, 12, 0, 0, 123_456_000, time.UTC)
	run, err := s.GetRun(t.Context(), "7f3c")
	if err != nil {
		t.Fatal(err)
	}
	if run.State != scheduler.RunWaiting || run.Error != "docs waits for a person" || !run.CreatedAt.Equal(at) ||
		!run.Options.FailFast || run.Options.Agents["coder"].Command != "cat" || run.Plan != "version: 1\nname: add-oauth\n" {
		t.Errorf("run %+v", run)
	}
	tasks, err := s.ListTasks(t.Context(), "7f3c")
	if err != nil || len(tasks) != 3 {
		t.Fatal(tasks, err)
	}
	first, last := tasks[0], tasks[2]
	if first.ID != "schema" || first.Status != scheduler.TaskCompleted || *first.Result != "two tables\nand an index" ||
		!cmp.Equal(first.WritesFiles, []string{"a,b", "line\nbreak", `"quoted"`}) || first.Timeout != 30*time.Minute {
		t.Errorf("task %+v", first)
	}
	if !cmp.Equal(last.DependsOn, []scheduler.TaskID{"docs", "schema"}) || last.Result != nil {
		t.Errorf("task %+v", last)
	}
	attempts, err := s.ListAttempts(t.Context(), "7f3c", "")
	if err != nil || len(attempts) != 3 || attempts[0].Output != "no such column" || *attempts[0].ExitCode != 1 ||
		!attempts[1].Cleaned || !cmp.Equal(attempts[2].Conflicts, []string{"README.md"}) {
		t.Errorf("attempts %+v, %v", attempts, err)
	}
	session, err := s.GetSession(t.Context(), "7f3c", "schema")
	if err != nil || session.SessionID != "s-2" {
		t.Errorf("session %+v, %v", session, err)
	}
	turns, err := s.GetHistory(t.Context(), "7f3c", "schema")
	if err != nil || len(turns) != 5 || turns[2].Content != "\x00\x1b[31mno such column\x1b[0m\r\n日本" || turns[3].Content != "" {
		t.Errorf("turns %+v, %v", turns, err)
	}
	events, err := s.Events(t.Context(), "7f3c", 0, 0)
	if err != nil || len(events) != 4 || events[2].Kind != event.TaskCompleted || events[3].Message != "waits for a person" {
		t.Errorf("events %+v, %v", events, err)
	}
	lease, err := s.GetLease(t.Context(), "7f3c")
	if err != nil || lease.Generation != 1 || lease.Host != "build.example" {
		t.Errorf("lease %+v, %v", lease, err)
	}
	pending, err := s.PendingRequests(t.Context(), "7f3c")
	if err != nil || len(pending) != 1 || pending[0].Kind != "cancel" {
		t.Errorf("pending requests %+v, %v", pending, err)
	}
}

func TestProcessesThatMigrateAFileTogetherAllSucceed(t *testing.T) {
	for range 3 {
		path := earlier(t, 1)
		before := dump(t, path)
		openTogether(t, path)
		wantOldRun(t, openStore(t, path))
		if diff := cmp.Diff(before, dump(t, path)); diff != "" {
			t.Errorf("the content changed (-before +after):\n%s", diff)
		}
	}
}

func TestAMigrationThatIsCanceledChangesNothing(t *testing.T) {
	path := earlier(t, 1)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// Another process has the file to itself, so that the migration has to wait.
	tx, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	if _, err := tx.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if s, err := persistence.NewSQLiteStore(ctx, path); err == nil || !errors.Is(err, ctx.Err()) {
		t.Errorf("got %v, %v", s, err)
	}
	if _, err := tx.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	var version int
	if err := tx.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&version); err != nil || version != 1 {
		t.Errorf("schema version %d, %v", version, err)
	}
	wantOldRun(t, openStore(t, path))
}
