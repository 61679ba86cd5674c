package persistence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"modernc.org/sqlite"

	"orchestrator/internal/scheduler"
)

// fileStore is an empty store in a file, with one run of one task.
func fileStore(t testing.TB, o Options) *SQLiteStore {
	t.Helper()
	s, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "orc.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := s.CreateRun(t.Context(), Run{ID: "aa", State: scheduler.RunRunning}, []*scheduler.Task{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	return s
}

func readPragma(t *testing.T, q querier, name string) string {
	t.Helper()
	var v any
	if err := q.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return fmt.Sprint(v)
}

func TestSettingsAreInForceOnEveryConnection(t *testing.T) {
	for durability, synchronous := range map[string]string{"": "1", DurabilityNormal: "1", DurabilityFull: "2"} {
		t.Run("durability "+durability, func(t *testing.T) {
			s := fileStore(t, Options{Durability: durability})
			want := map[string]string{
				"journal_mode": "wal", "synchronous": synchronous, "busy_timeout": "5000", "foreign_keys": "1",
			}
			check := func(who string, q querier, more map[string]string) {
				t.Helper()
				for _, list := range []map[string]string{want, more} {
					for name, value := range list {
						if got := readPragma(t, q, name); got != value {
							t.Errorf("%s: %s is %s, want %s", who, name, got, value)
						}
					}
				}
			}
			n := s.readers.Stats().MaxOpenConnections
			if n < 2 {
				t.Errorf("%d readers", n)
			}
			var held []*sql.Conn // all at the same time, so that each is another
			for i := range n {
				conn, err := s.readers.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				held = append(held, conn)
				check(fmt.Sprint("reader ", i), conn, map[string]string{"query_only": "1"})
				if _, err := conn.ExecContext(t.Context(), "DELETE FROM runs"); err == nil {
					t.Errorf("reader %d can write", i)
				}
			}
			if _, err := s.DataVersion(t.Context()); err != nil {
				t.Fatal(err)
			}
			check("watch", s.watch.conn, map[string]string{"query_only": "1"})
			err := s.writer.submit(t.Context(), &request{use: func(conn *sql.Conn) error {
				check("writer", conn, map[string]string{
					"query_only": "0", "wal_autocheckpoint": "4000", "journal_size_limit": "67108864",
				})
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			for _, conn := range held {
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestAConnectionWithoutItsSettingsIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	for name, list := range map[string][]setting{
		"a misspelt name":   {{name: "foreign_key", value: "1"}},
		"a misspelt value":  {{name: "journal_mode", value: "WALL", want: "wal"}},
		"a value not taken": {{name: "page_size", value: "1000", want: "1000"}},
	} {
		db := sql.OpenDB(newConnector(path, url.Values{}, list))
		err := db.PingContext(t.Context())
		if err == nil || !strings.Contains(err.Error(), list[0].name) {
			t.Errorf("%s: %v", name, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTheMemoryStoreNeedsNoWAL(t *testing.T) {
	s, err := NewMemoryStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.writer.submit(t.Context(), &request{use: func(conn *sql.Conn) error {
		for name, want := range map[string]string{"journal_mode": "memory", "foreign_keys": "1", "busy_timeout": "5000"} {
			if got := readPragma(t, conn, name); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Path() != "" {
		t.Errorf("path is %q", s.Path())
	}
}

func TestLocksBelongToTheOpenFile(t *testing.T) {
	fileStore(t, Options{})
	if _, err := sqlite.OFDLocking(true); err != nil {
		t.Skipf("not here: %v", err)
	}
	if !sqlite.OFDLockingEnabled() {
		t.Error("classic locks are in use")
	}
}

// TestTheWriterLocksAtBegin holds the write lock elsewhere. A writer that began deferred would get past BEGIN and
// meet SQLITE_BUSY at its first write.
func TestTheWriterLocksAtBegin(t *testing.T) {
	s := fileStore(t, Options{})
	other := sql.OpenDB(newConnector(s.path, url.Values{"_txlock": {"immediate"}}, settings(true, "", false)))
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil) // by the DSN immediate too: nothing is written in it
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	written := make(chan error)
	go func() {
		written <- s.apply(t.Context(), "test", func(tx *transaction) error {
			close(started)
			_, err := tx.exec(updateTask, "running", nil, "", "aa", "a")
			return err
		})
	}()
	// The lock is free again only after this write, which the waiting one must not overtake.
	if _, err := tx.ExecContext(t.Context(), "UPDATE tasks SET error = 'first'"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-started:
		t.Fatal("a second writer got past BEGIN")
	default:
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Errorf("the waiting writer: %v", err)
	}
}

func TestReadersAndTheWriterDoNotWaitForOneAnother(t *testing.T) {
	for _, size := range []int{1, 2} {
		t.Run(fmt.Sprint("pool of ", size), func(t *testing.T) {
			s := fileStore(t, Options{})
			s.readers.SetMaxOpenConns(size)
			// Rows held open elsewhere, as another process might.
			other := sql.OpenDB(newConnector(s.path, url.Values{}, settings(true, "", true)))
			defer other.Close()
			rows, err := other.QueryContext(t.Context(), "SELECT id FROM tasks")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			if !rows.Next() {
				t.Fatal("no row: ", rows.Err())
			}
			for i := range 20 {
				if err := s.SaveTask(t.Context(), "aa", &scheduler.Task{ID: scheduler.TaskID(fmt.Sprint("t", i))}); err != nil {
					t.Fatal(err)
				}
			}
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
			// A write transaction held open, while all that reads is called from inside of it.
			err = s.apply(t.Context(), "test", func(tx *transaction) error {
				if _, err := tx.exec(updateTask, "running", nil, "half", "aa", "a"); err != nil {
					return err
				}
				for range 3 {
					list, err := s.ListTasks(t.Context(), "aa")
					if err != nil {
						return err
					}
					if len(list) != 21 || list[0].Error != "" {
						return fmt.Errorf("%d tasks, the first says %q", len(list), list[0].Error)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestCloseEmptiesTheWALAndLeavesOneFile(t *testing.T) {
	s := fileStore(t, Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(s.path + "*")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 {
		t.Errorf("left: %v", files)
	}
}

func TestCloseDoesNotWaitForAReaderElsewhere(t *testing.T) {
	s := fileStore(t, Options{})
	other := sql.OpenDB(newConnector(s.path, url.Values{}, settings(true, "", true)))
	defer other.Close()
	rows, err := other.QueryContext(t.Context(), "SELECT id FROM tasks")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() {
		t.Fatal("no row: ", rows.Err())
	}
	if err := s.SaveTask(t.Context(), "aa", &scheduler.Task{ID: "b"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// A statement interrupted by its context would roll back its transaction; nothing the writer does can be.
func TestTheWriterRunsWithoutTheCallersContext(t *testing.T) {
	s := fileStore(t, Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	err := s.apply(ctx, "test", func(tx *transaction) error {
		if _, err := tx.exec(updateTask, "running", nil, "one", "aa", "a"); err != nil {
			return err
		}
		cancel(context.Canceled) // started: it is done whole, and said so
		_, err := tx.exec(updateTask, "running", nil, "two", "aa", "a")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.GetTask(t.Context(), "aa", "a")
	if err != nil || got.Error != "two" {
		t.Errorf("%v, %v", got, err)
	}
}

var _ driver.Connector = (*connector)(nil)
