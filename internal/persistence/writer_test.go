package persistence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"testing"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"orchestrator/internal/scheduler"
)

// hold keeps the writer busy until the returned function is called.
func hold(t *testing.T, s *SQLiteStore) (release func()) {
	t.Helper()
	held, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		// By a caller that can be cancelled, so that it is the goroutine of the writer that is held.
		done <- s.writer.submit(t.Context(), &request{use: func(*sql.Conn) error {
			close(held)
			<-free
			return nil
		}})
	}()
	<-held
	return func() {
		close(free)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// enqueue queues writes while the writer is held, in order, and returns where each one's outcome will come.
func enqueue(t *testing.T, s *SQLiteStore, writes ...func(tx *transaction) error) []*request {
	t.Helper()
	requests := make([]*request, len(writes))
	for i, write := range writes {
		requests[i] = &request{write: write, done: make(chan error, 1)}
		s.writer.queue <- requests[i]
	}
	return requests
}

func add(id string) func(tx *transaction) error {
	return func(tx *transaction) error {
		_, err := tx.exec(insertTask, mustValues(id)...)
		return err
	}
}

func mustValues(id string) []any {
	values, err := taskValues("aa", &scheduler.Task{ID: scheduler.TaskID(id)})
	if err != nil {
		panic(err)
	}
	return values
}

func ids(t *testing.T, s *SQLiteStore) (list []string) {
	t.Helper()
	tasks, err := s.ListTasks(t.Context(), "aa")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		list = append(list, string(task.ID))
	}
	return list
}

func TestQueuedRequestsShareOneCommit(t *testing.T) {
	s := fileStore(t, Options{})
	before := s.writer.commits.Load()
	release := hold(t, s)
	var writes []func(tx *transaction) error
	for i := range 2 * batchLimit {
		writes = append(writes, add(fmt.Sprint("t", i)))
	}
	requests := enqueue(t, s, writes...)
	release()
	for i, r := range requests {
		if err := <-r.done; err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	// The queue may have been met in the middle of a batch, hence at most one more.
	if n := s.writer.commits.Load() - before; n > 3 {
		t.Errorf("%d requests took %d commits", len(writes), n)
	}
	if n := len(ids(t, s)); n != 1+len(writes) {
		t.Errorf("%d tasks", n)
	}
}

func TestARequestsOwnErrorFailsItAlone(t *testing.T) {
	refusal := &Error{Op: "test", Kind: ErrConflict}
	for name, open := range map[string]func(*testing.T) *SQLiteStore{
		"file":   func(t *testing.T) *SQLiteStore { return fileStore(t, Options{}) },
		"memory": smallMemoryStore,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			onWriter(t, s, func(conn *sql.Conn) error {
				_, err := sqlite.Limit(conn, sqlite3.SQLITE_LIMIT_LENGTH, 100_000)
				return err
			})
			release := hold(t, s)
			requests := enqueue(t, s,
				add("one"),
				func(tx *transaction) error { // half done, then a constraint
					if err := add("half")(tx); err != nil {
						return err
					}
					return add("one")(tx)
				},
				func(tx *transaction) error { // half done, then refused
					if err := add("other half")(tx); err != nil {
						return err
					}
					return refusal
				},
				func(tx *transaction) error { return tx.addEdges("aa", "a", []scheduler.TaskID{"ghost"}) },
				func(tx *transaction) error { // too big for SQLite
					_, err := tx.exec(updateTask, "running", nil, string(make([]byte, 100_001)), "aa", "a")
					return err
				},
				add("two"),
			)
			release()
			for i, want := range []bool{true, false, false, false, false, true} {
				if err := <-requests[i].done; (err == nil) != want {
					t.Errorf("request %d: %v", i, err)
				}
			}
			if got := fmt.Sprint(ids(t, s)); got != "[a one two]" {
				t.Errorf("stored: %s", got)
			}
		})
	}
}

func smallMemoryStore(t *testing.T) *SQLiteStore {
	s, err := NewMemoryStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.CreateRun(t.Context(), Run{ID: "aa", State: scheduler.RunRunning}, []*scheduler.Task{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnyOtherErrorFailsTheBatchAndTheNextOneWorks(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *SQLiteStore{
		"file":   func(t *testing.T) *SQLiteStore { return fileStore(t, Options{}) },
		"memory": smallMemoryStore,
	} {
		for trouble, fail := range map[string]func(tx *transaction) error{
			"a broken connection": func(*transaction) error { return driver.ErrBadConn },
			"a rollback behind our back": func(tx *transaction) error {
				_, err := tx.exec(rollback)
				return errors.Join(err, driver.ErrBadConn)
			},
			"no such savepoint": func(tx *transaction) error {
				_, err := tx.exec(rollback)
				return err // RELEASE will fail
			},
		} {
			t.Run(name+" "+trouble, func(t *testing.T) {
				s := open(t)
				release := hold(t, s)
				requests := enqueue(t, s, add("before"), fail, add("after"))
				release()
				for i, r := range requests {
					if err := <-r.done; err == nil {
						t.Errorf("request %d was acknowledged", i)
					}
				}
				if err := s.SaveTask(t.Context(), "aa", &scheduler.Task{ID: "next"}); err != nil {
					t.Errorf("after it: %v", err)
				}
				if got := fmt.Sprint(ids(t, s)); got != "[a next]" {
					t.Errorf("stored: %s", got)
				}
			})
		}
	}
}

func TestAConnectionLeftInATransactionIsReplaced(t *testing.T) {
	s := fileStore(t, Options{})
	err := s.writer.submit(t.Context(), &request{use: func(conn *sql.Conn) error {
		_, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE; UPDATE tasks SET error = 'lost'")
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SaveTask(t.Context(), "aa", &scheduler.Task{ID: "b"}); err != nil {
		t.Fatal(err)
	}
	got, err := s.GetTask(t.Context(), "aa", "a")
	if err != nil || got.Error != "" {
		t.Errorf("what nobody committed is there: %v, %v", got, err)
	}
	if n := s.writing.Stats().OpenConnections; n != 1 {
		t.Errorf("%d connections of the writer are open", n)
	}
}

var errStop = errors.New("stop")

func TestACancelledRequestThatWaitsIsDropped(t *testing.T) {
	s := fileStore(t, Options{})
	release := hold(t, s)
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	const callers = 5
	for i := range callers {
		go func() {
			done <- s.SaveTask(ctx, "aa", &scheduler.Task{ID: scheduler.TaskID(fmt.Sprint("t", i))})
		}()
	}
	cancel(errStop)
	for range callers {
		if err := <-done; !errors.Is(err, errStop) {
			t.Errorf("got %v, want the cause", err)
		}
	}
	release() // the callers were answered while the writer was still busy
	if err := s.SaveTask(t.Context(), "aa", &scheduler.Task{ID: "last"}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(ids(t, s)); got != "[a last]" {
		t.Errorf("stored: %s", got)
	}
}

func TestARequestCancelledWhileAnotherProcessHoldsTheLockIsDropped(t *testing.T) {
	s := fileStore(t, Options{})
	other := sql.OpenDB(newConnector(s.path, url.Values{"_txlock": {"immediate"}}, settings(true, "", false)))
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() { done <- s.SaveTask(ctx, "aa", &scheduler.Task{ID: "b"}) }()
	cancel(errStop)
	if err := <-done; !errors.Is(err, errStop) {
		t.Errorf("got %v, want the cause", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveTask(t.Context(), "aa", &scheduler.Task{ID: "c"}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(ids(t, s)); got != "[a c]" {
		t.Errorf("stored: %s", got)
	}
}

func TestALockHeldForTooLongIsBusy(t *testing.T) {
	s := fileStore(t, Options{})
	err := s.writer.submit(t.Context(), &request{use: func(conn *sql.Conn) error {
		_, err := conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 1")
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	other := sql.OpenDB(newConnector(s.path, url.Values{"_txlock": {"immediate"}}, settings(true, "", false)))
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	err = s.SaveTask(t.Context(), "aa", &scheduler.Task{ID: "b"})
	var e *Error
	if !errors.Is(err, ErrBusy) || !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("got %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveTask(t.Context(), "aa", &scheduler.Task{ID: "b"}); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func TestUnchangedDependenciesAreNotWritten(t *testing.T) {
	s := fileStore(t, Options{})
	task := &scheduler.Task{ID: "b", DependsOn: []scheduler.TaskID{"a"}}
	if err := s.SaveTask(t.Context(), "aa", task); err != nil {
		t.Fatal(err)
	}
	var before, after int64
	total := func(n *int64) {
		t.Helper()
		err := s.writer.submit(t.Context(), &request{use: func(conn *sql.Conn) error {
			return conn.QueryRowContext(t.Context(), "SELECT total_changes()").Scan(n)
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	total(&before)
	if err := s.SaveTask(t.Context(), "aa", task); err != nil {
		t.Fatal(err)
	}
	total(&after)
	if after-before != 1 {
		t.Errorf("saving again changed %d rows", after-before)
	}
}

// TestAFullDatabaseFailsTheBatchAndTheNextOneWorks meets an error after which SQLite may have rolled back by itself: the
// requests before it in the batch must not be acknowledged.
func TestAFullDatabaseFailsTheBatchAndTheNextOneWorks(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *SQLiteStore{
		"file":   func(t *testing.T) *SQLiteStore { return fileStore(t, Options{}) },
		"memory": smallMemoryStore,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			limit := func(pages string) {
				onWriter(t, s, func(conn *sql.Conn) error {
					_, err := conn.ExecContext(t.Context(), "PRAGMA max_page_count = "+pages)
					return err
				})
			}
			limit("1") // SQLite takes the present size instead
			release := hold(t, s)
			requests := enqueue(t, s, add("before"), func(tx *transaction) error {
				_, err := tx.exec(updateTask, "running", nil, string(make([]byte, 100_000)), "aa", "a")
				return err
			}, add("after"))
			release()
			for i, r := range requests {
				if err := <-r.done; code(err)&0xff != sqlite3.SQLITE_FULL {
					t.Errorf("request %d: %v", i, err)
				}
			}
			limit("1000000")
			if err := s.SaveTask(t.Context(), "aa", &scheduler.Task{ID: "next"}); err != nil {
				t.Errorf("after it: %v", err)
			}
			if got := fmt.Sprint(ids(t, s)); got != "[a next]" {
				t.Errorf("stored: %s", got)
			}
		})
	}
}

func TestCloseWritesWhatWasQueuedBefore(t *testing.T) {
	for range 8 { // the writer may notice first that it is to end, or the queue
		s := smallMemoryStore(t)
		release := hold(t, s)
		requests := enqueue(t, s, add("one"), add("two"))
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		<-s.writer.closing
		release()
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		for i, r := range requests {
			select {
			case err := <-r.done:
				if err != nil {
					t.Errorf("request %d: %v", i, err)
				}
			default:
				t.Fatalf("request %d was left in the queue", i)
			}
		}
	}
}
