package persistence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"orchestrator/internal/scheduler"
)

// onOwnGoroutine says whether it runs below the test that calls it, and not on the writer's goroutine.
func onOwnGoroutine() bool {
	callers := make([]uintptr, 100)
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers)])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, "(*writer).run") {
			return false
		}
		if !more {
			return true
		}
	}
}

// idle waits until the writer's goroutine has put down what it held for its last request: it answers before that.
func idle(s *SQLiteStore) {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
}

func TestALoneCallerThatCannotBeCancelledWritesByItself(t *testing.T) {
	s := fileStore(t, Options{})
	cancellable, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		own  bool
	}{
		{"cancellable", cancellable, false},
		{"not cancellable", context.WithoutCancel(cancellable), true},
	} {
		idle(s)
		err := s.apply(c.ctx, "test", func(*transaction) error {
			if own := onOwnGoroutine(); own != c.own {
				t.Errorf("%s: on its own goroutine %v, want %v", c.name, own, c.own)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestACallerThatIsNotAloneSharesTheCommitOfTheOthers(t *testing.T) {
	s := fileStore(t, Options{})
	release := hold(t, s)
	before := s.writer.commits.Load()
	const callers = 10
	done := make(chan error)
	for i := range callers {
		go func() {
			done <- s.apply(context.Background(), "test", func(tx *transaction) error {
				if onOwnGoroutine() {
					return errors.New("not on the writer's goroutine")
				}
				return add(fmt.Sprint("t", i))(tx)
			})
		}()
	}
	for len(s.writer.queue) < callers {
		runtime.Gosched()
	}
	release()
	for range callers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := s.writer.commits.Load() - before; n != 1 {
		t.Errorf("%d callers took %d commits", callers, n)
	}
}

// The callers of a batch come again, and are better served together than by whoever of them is first.
func TestAfterABatchOfSeveralNobodyWritesByItself(t *testing.T) {
	s := fileStore(t, Options{})
	for _, batch := range []int64{2, 1} {
		idle(s)
		s.writer.last.Store(batch)
		err := s.apply(context.Background(), "test", func(*transaction) error {
			if own := onOwnGoroutine(); own != (batch == 1) {
				t.Errorf("after a batch of %d: on its own goroutine %v", batch, own)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestCloseWaitsForALoneCaller(t *testing.T) {
	s := fileStore(t, Options{})
	closed := make(chan error, 1)
	idle(s)
	err := s.apply(context.Background(), "test", func(tx *transaction) error {
		go func() { closed <- s.Close() }()
		<-s.writer.ended // Close has come to the point where it waits for us
		_, err := tx.exec(updateTask, "running", nil, "just in time", "aa", "a")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if err := s.SaveTask(context.Background(), "aa", &scheduler.Task{ID: "late"}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	again, err := NewSQLiteStore(t.Context(), s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got, err := again.GetTask(t.Context(), "aa", "a"); err != nil || got.Error != "just in time" {
		t.Errorf("%v, %v", got, err)
	}
}

// The writer's connection is lost while the file cannot be opened again: each write says so, and works once the file
// is back.
func TestALostConnectionComesBackWithTheFile(t *testing.T) {
	s := fileStore(t, Options{})
	spoil := func() {
		t.Helper()
		onWriter(t, s, func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE; UPDATE tasks SET error = 'lost'")
			return err
		})
	}
	away := s.path + ".away"
	spoil()
	if err := errors.Join(os.Rename(s.path, away), os.Mkdir(s.path, 0o700)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := s.SaveTask(t.Context(), "aa", &scheduler.Task{ID: "b"})
		var e *Error
		if !errors.Is(err, ErrReadOnly) || !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("without the file: %v", err)
		}
	}
	if err := errors.Join(os.Remove(s.path), os.Rename(away, s.path)); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveTask(t.Context(), "aa", &scheduler.Task{ID: "b"}); err != nil {
		t.Fatalf("with the file again: %v", err)
	}
	if got := fmt.Sprint(ids(t, s)); got != "[a b]" {
		t.Errorf("stored: %s", got)
	}
	if got, err := s.GetTask(t.Context(), "aa", "a"); err != nil || got.Error != "" {
		t.Errorf("what nobody committed is there: %v, %v", got, err)
	}
}
