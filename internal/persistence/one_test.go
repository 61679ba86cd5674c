package persistence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"testing"

	"orchestrator/internal/scheduler"
)

// setAlone updates the only task by a caller that is alone and cannot be cancelled.
func setAlone(s *SQLiteStore, text string) error {
	return s.UpdateTaskStatus(context.Background(), "aa", "a", scheduler.TaskRunning, nil, text)
}

// wantSaid reads the task through another connection than the writer's, which sees only what is committed.
func wantSaid(t *testing.T, s *SQLiteStore, want string) {
	t.Helper()
	got, err := s.GetTask(t.Context(), "aa", "a")
	if err != nil || got.Error != want {
		t.Errorf("the task says %+v, %v; want %q", got, err, want)
	}
}

func TestOneStatementAloneIsATransaction(t *testing.T) {
	s := fileStore(t, Options{})
	commits := s.writer.commits.Load()
	for i := range 3 {
		idle(s)
		if err := setAlone(s, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		wantSaid(t, s, fmt.Sprint(i))
	}
	if n := s.writer.commits.Load() - commits; n != 3 {
		t.Errorf("%d commits are counted", n)
	}
	err := s.UpdateTaskStatus(context.Background(), "aa", "ghost", scheduler.TaskRunning, nil, "")
	if !errors.Is(err, ErrNotFound) || s.writer.commits.Load()-commits != 3 {
		t.Errorf("an unknown task: %v, %d commits", err, s.writer.commits.Load()-commits)
	}
	if err := s.UpdateTaskStatus(context.Background(), "aa", "a", "dancing", nil, ""); err == nil {
		t.Error("status dancing was stored")
	}
	if !s.writer.outside {
		t.Error("after a refusal the next one is served the long way")
	}
	wantSaid(t, s, "2")
}

// A statement inside of a transaction that somebody left open would be acknowledged and never committed.
func TestOneStatementAloneIsNotLostInATransactionThatWasLeftOpen(t *testing.T) {
	s := fileStore(t, Options{})
	for _, text := range []string{"one", "two"} {
		onWriter(t, s, func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE; UPDATE tasks SET error = 'lost'")
			return err
		})
		idle(s)
		if err := setAlone(s, text); err != nil {
			t.Fatal(err)
		}
		wantSaid(t, s, text)
	}
}

func TestOneStatementAloneWaitsForTheLockAndSaysBusy(t *testing.T) {
	s := fileStore(t, Options{})
	if err := setAlone(s, "before"); err != nil {
		t.Fatal(err)
	}
	other := sql.OpenDB(newConnector(s.path, url.Values{"_txlock": {"immediate"}}, settings(true, "", false)))
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "UPDATE tasks SET error = 'elsewhere'"); err != nil {
		t.Fatal(err)
	}
	written := make(chan error)
	idle(s)
	go func() { written <- setAlone(s, "after") }()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Errorf("the one that waited: %v", err)
	}
	wantSaid(t, s, "after")

	onWriter(t, s, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 1")
		return err
	})
	if tx, err = other.BeginTx(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for range 2 { // by the short way and by the long one
		s.writer.outside = true
		idle(s)
		if err := setAlone(s, "never"); !errors.Is(err, ErrBusy) {
			t.Errorf("the lock is held for too long: %v", err)
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	wantSaid(t, s, "after")
	if err := setAlone(s, "at last"); err != nil {
		t.Error(err)
	}
	wantSaid(t, s, "at last")
}

func TestOneStatementAloneOnALostConnectionIsServedByANewOne(t *testing.T) {
	s := fileStore(t, Options{})
	if err := setAlone(s, "before"); err != nil {
		t.Fatal(err)
	}
	idle(s)
	if err := s.writer.close(); err != nil {
		t.Fatal(err)
	}
	if err := setAlone(s, "after"); err != nil {
		t.Error(err)
	}
	wantSaid(t, s, "after")
}
