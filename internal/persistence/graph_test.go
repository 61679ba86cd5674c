package persistence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"testing"

	"orchestrator/internal/scheduler"
)

// spoil writes into a store what it would never store itself.
func spoil(t *testing.T, s *SQLiteStore, text string) {
	t.Helper()
	onWriter(t, s, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(t.Context(), "PRAGMA foreign_keys = 0; PRAGMA ignore_check_constraints = 1; "+text+
			"; PRAGMA foreign_keys = 1; PRAGMA ignore_check_constraints = 0")
		return err
	})
}

func TestDamagedRowsAreReportedAsDamage(t *testing.T) {
	for name, text := range map[string]string{
		"dependencies of no task": "INSERT INTO task_dependencies VALUES ('aa', 'ghost', 0, 'a')",
		"files that are no list":  "UPDATE tasks SET writes_files = '{}'",
		"gates that are no JSON":  "UPDATE tasks SET verify = 'make'",
	} {
		t.Run(name, func(t *testing.T) {
			s := fileStore(t, Options{})
			spoil(t, s, text)
			_, err := s.ListTasks(t.Context(), "aa")
			var e *Error
			if !errors.Is(err, ErrCorrupt) || !errors.As(err, &e) || e.Hint == "" {
				t.Errorf("got %v", err)
			}
			if n := s.readers.Stats().InUse; n != 0 {
				t.Errorf("%d readers are in use", n)
			}
		})
	}
}

// A large graph is laid out in blocks; no list of one task may reach into that of another.
func TestAGraphOfManyBlocksIsReadWhole(t *testing.T) {
	s := fileStore(t, Options{})
	const n = 3*graphBlock + 7
	var tasks []*scheduler.Task
	for i := range n {
		task := &scheduler.Task{ID: scheduler.TaskID(fmt.Sprint("t", (i*7919)%n)), Status: scheduler.TaskPending}
		for d := range i % 9 {
			task.DependsOn = append(task.DependsOn, tasks[max(0, i-1-d*d)].ID)
		}
		task.DependsOn = withoutDuplicates(task.DependsOn)
		tasks = append(tasks, task)
	}
	// One with more dependencies than fit into a block.
	last := &scheduler.Task{ID: "last", Status: scheduler.TaskPending}
	for _, t := range tasks {
		last.DependsOn = append(last.DependsOn, t.ID)
	}
	tasks = append(tasks, last)
	if err := s.CreateRun(t.Context(), Run{ID: "bb", State: scheduler.RunRunning}, tasks); err != nil {
		t.Fatal(err)
	}
	list, err := s.ListTasks(t.Context(), "bb")
	if err != nil || len(list) != len(tasks) {
		t.Fatal(len(list), err)
	}
	for _, got := range list {
		got.DependsOn = append(got.DependsOn, "scribble") // must reach nobody else
	}
	for i, want := range tasks {
		got := list[i]
		if got.ID != want.ID || !slices.Equal(got.DependsOn[:len(got.DependsOn)-1], want.DependsOn) {
			t.Fatalf("task %d is %s with %v, want %s with %v", i, got.ID, got.DependsOn, want.ID, want.DependsOn)
		}
		one, err := s.GetTask(t.Context(), "bb", want.ID)
		if err != nil || !slices.Equal(one.DependsOn, want.DependsOn) {
			t.Fatalf("task %s alone has %v, %v", want.ID, one.DependsOn, err)
		}
	}
}

var errEnough = errors.New("enough")

// The driver looks at the context only while it waits, so a long scan has to do so itself.
func TestALongScanEndsWithItsContext(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *SQLiteStore{
		"file":   func(t *testing.T) *SQLiteStore { return fileStore(t, Options{}) },
		"memory": smallMemoryStore,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			rows := 0
			err := s.snapshotConn(ctx, "test", func(ctx context.Context, conn *sql.Conn) error {
				return scan(ctx, conn, func(_ []driver.Value) error {
					if rows++; rows == 3 {
						cancel(errEnough)
					}
					return nil
				}, "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
			})
			if !errors.Is(err, errEnough) || rows != 3 {
				t.Errorf("after %d rows: %v", rows, err)
			}
			if _, err := s.ListTasks(t.Context(), "aa"); err != nil {
				t.Errorf("after it: %v", err)
			}
		})
	}
}
