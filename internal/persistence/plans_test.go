package persistence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// recorder opens connections that note every query that goes through them.
type recorder struct {
	driver.Connector
	mu    sync.Mutex
	texts map[string]bool
}

type recordingConn struct {
	driver.Conn
	recorder *recorder
}

func (r *recorder) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := r.Connector.Connect(ctx)
	return recordingConn{conn, r}, err
}

func (c recordingConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c.recorder.mu.Lock()
	c.recorder.texts[text] = true
	c.recorder.mu.Unlock()
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, text, args)
}

func (c recordingConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

// take returns the queries noted since the last time.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	texts := slices.Sorted(maps.Keys(r.texts))
	clear(r.texts)
	return texts
}

// record makes a store note what its readers ask.
func record(t *testing.T, s *SQLiteStore) *recorder {
	t.Helper()
	r := &recorder{Connector: newConnector(s.path, url.Values{}, settings(true, "", true)), texts: map[string]bool{}}
	if err := s.readers.Close(); err != nil {
		t.Fatal(err)
	}
	s.readers = sql.OpenDB(r)
	return r
}

// planOf asks SQLite how it would run a statement.
func planOf(t *testing.T, s *SQLiteStore, text string) (steps []string) {
	t.Helper()
	onWriter(t, s, func(conn *sql.Conn) error {
		args := make([]any, strings.Count(text, "?"))
		rows, err := conn.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
		steps, err = collect(rows, err, func(r scanner) (step string, err error) {
			var id, parent, unused int
			return step, r.Scan(&id, &parent, &unused, &step)
		})
		return err
	})
	return steps
}

// scans returns the steps that read all of a table. Reading the runs in the order of an index until there are enough is
// none; nor is asking the search index for what matches; nor are rows that are in no table.
func scans(steps []string) (bad []string) {
	for _, step := range steps {
		switch {
		case !strings.Contains(step, "SCAN"), strings.Contains(step, "CONSTANT ROW"), strings.Contains(step, "-ROW VALUES CLAUSE"):
		case strings.HasPrefix(step, "SCAN (subquery-"): // the rows that another step of the plan found
		case strings.HasPrefix(step, "SCAN runs USING INDEX runs_by_age"):
		case strings.HasPrefix(step, "SCAN conversation_search VIRTUAL TABLE INDEX") && strings.Contains(step, ":M"):
		default:
			bad = append(bad, step)
		}
	}
	return bad
}

// sorts are the queries that may sort what they found: one run's attempts and one plan's sums are few.
var sorts = []string{"ListAttempts", "Durations"}

// TestNoQueryReadsAWholeTable calls every method that reads and asks SQLite how it runs the queries that they made.
func TestNoQueryReadsAWholeTable(t *testing.T) {
	s := fileStore(t, Options{})
	if err := s.SaveMessage(t.Context(), "aa", "a", ConversationTurn{Role: "user", Content: "hello"}); err != nil {
		t.Fatal(err)
	}
	r := record(t, s)
	ctx := t.Context()
	reads := map[string][]func() error{
		"GetTask":         {func() error { _, err := s.GetTask(ctx, "aa", "a"); return err }},
		"ListTasks":       {func() error { _, err := s.ListTasks(ctx, "aa"); return err }},
		"GetSession":      {func() error { _, err := s.GetSession(ctx, "aa", "a"); return ignore(err) }},
		"GetHistory":      {func() error { _, err := s.GetHistory(ctx, "aa", "a"); return err }},
		"HistoryPage":     {func() error { _, err := s.HistoryPage(ctx, "aa", "a", 1, 1); return err }},
		"LastTurns":       {func() error { _, _, err := s.LastTurns(ctx, "aa", "a", 1); return err }},
		"SearchTurns":     {func() error { _, err := s.SearchTurns(ctx, TurnQuery{Words: "hello"}); return err }},
		"GetRun":          {func() error { _, err := s.GetRun(ctx, "aa"); return err }},
		"CountRun":        {func() error { _, err := s.CountRun(ctx, "aa"); return err }},
		"Durations":       {func() error { _, err := s.Durations(ctx, "/src", "plan"); return err }},
		"GetLease":        {func() error { _, err := s.GetLease(ctx, "aa"); return ignore(err) }},
		"PendingRequests": {func() error { _, err := s.PendingRequests(ctx, "aa"); return err }},
		"GetRequest":      {func() error { _, err := s.GetRequest(ctx, 1); return ignore(err) }},
		"Events":          {func() error { _, err := s.Events(ctx, "aa", 1, 1); return err }},
		"ListRuns": {
			func() error { _, err := s.ListRuns(ctx, RunFilter{Limit: 1}); return err },
			func() error { _, err := s.ListRuns(ctx, RunFilter{Repository: "/src"}); return err },
		},
		"ListAttempts": {
			func() error { _, err := s.ListAttempts(ctx, "aa", ""); return err },
			func() error { _, err := s.ListAttempts(ctx, "aa", "a"); return err },
		},
	}
	others := []string{ // write by prepared statements, or are meant to read everything
		"SaveTask", "UpdateTaskStatus", "DeleteTask", "SaveSession", "SaveMessage", "CreateRun", "DeleteRun", "AcquireLease",
		"RenewLease", "ReleaseLease", "AddRequest", "Apply", "DataVersion", "Close", "Check", "Backup",
	}
	for m := range reflect.TypeFor[Store]().Methods() {
		calls, reading := reads[m.Name]
		if !reading && !slices.Contains(others, m.Name) {
			t.Errorf("%s is in neither list", m.Name)
		}
		for _, call := range calls {
			if err := call(); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
			texts := r.take()
			if len(texts) == 0 {
				t.Errorf("%s asked nothing", m.Name)
			}
			for _, text := range texts {
				steps := planOf(t, s, text)
				if bad := scans(steps); bad != nil {
					t.Errorf("%s: %s\n%s", m.Name, text, strings.Join(bad, "\n"))
				}
				if strings.Contains(fmt.Sprint(steps), "TEMP B-TREE") && !slices.Contains(sorts, m.Name) {
					t.Errorf("%s sorts: %s\n%s", m.Name, text, strings.Join(steps, "\n"))
				}
			}
		}
	}
}

// ignore lets a query find nothing.
func ignore(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// TestNoStatementOfTheWriterReadsAWholeTable does the same for all that is prepared for writing.
func TestNoStatementOfTheWriterReadsAWholeTable(t *testing.T) {
	s := fileStore(t, Options{})
	for _, text := range commandTexts {
		if !strings.Contains(text, "?") {
			continue // BEGIN and its like
		}
		if bad := scans(planOf(t, s, text)); bad != nil {
			t.Errorf("%s\n%s", text, strings.Join(bad, "\n"))
		}
	}
}

// TestTheSchemasOwnStatementsReadNoWholeTable does the same for the parts of the trigger and for what foreign keys look
// up when a row goes.
func TestTheSchemasOwnStatementsReadNoWholeTable(t *testing.T) {
	s := fileStore(t, Options{})
	for _, text := range []string{
		"SELECT 'delete', ?, ? FROM searchable WHERE one = 1 AND last_turn >= ?",
		`UPDATE searchable SET last_turn = (SELECT coalesce(max(key), 0) FROM conversation_history)
			WHERE one = 1 AND last_turn > (SELECT coalesce(max(key), 0) FROM conversation_history)`,
	} {
		if bad := scans(planOf(t, s, text)); bad != nil {
			t.Errorf("%s\n%s", text, strings.Join(bad, "\n"))
		}
	}
	var lookups []string
	onWriter(t, s, func(conn *sql.Conn) error {
		const keys = `SELECT m.name, group_concat(f."from") FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
			WHERE m.type = 'table' GROUP BY m.name, f.id`
		rows, err := conn.QueryContext(t.Context(), keys)
		lookups, err = collect(rows, err, func(r scanner) (string, error) {
			var table, columns string
			err := r.Scan(&table, &columns)
			return fmt.Sprintf("SELECT 1 FROM %s WHERE %s = ?", table, strings.ReplaceAll(columns, ",", " = ? AND ")), err
		})
		return err
	})
	if len(lookups) < 8 {
		t.Errorf("only %d foreign keys: %q", len(lookups), lookups)
	}
	for _, text := range lookups {
		if bad := scans(planOf(t, s, text)); bad != nil {
			t.Errorf("%s\n%s", text, strings.Join(bad, "\n"))
		}
	}
}

// TestScansAreSeen makes sure that the tests above can fail.
func TestScansAreSeen(t *testing.T) {
	s := fileStore(t, Options{})
	for _, text := range []string{
		"SELECT count(*) FROM conversation_history WHERE content LIKE ?", "SELECT * FROM events WHERE seq > ?",
		"SELECT * FROM runs WHERE name = ?", "SELECT * FROM conversation_search LIMIT ?",
	} {
		if scans(planOf(t, s, text)) == nil {
			t.Errorf("%s: %q", text, planOf(t, s, text))
		}
	}
}
