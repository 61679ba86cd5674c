package persistence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"orchestrator/internal/scheduler"
)

// TestTheKernelListsLocksOfTheOpenFile looks into the kernel's own list: every lock on the database file must belong
// to the open file (OFDLCK), none to the process (POSIX), also after this process has opened and closed the file
// beside SQLite, which drops locks of the latter kind. The driver keeps those on the -shm file, which nothing of ours
// ever opens.
func TestTheKernelListsLocksOfTheOpenFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("locks that belong to the open file exist on Linux only")
	}
	s := fileStore(t, Options{})
	if _, err := os.ReadFile(s.path); err != nil {
		t.Fatal(err)
	}
	kinds := locksOn(t, s.path)
	if kinds["OFDLCK"] == 0 || len(kinds) != 1 {
		t.Errorf("locks by kind %v, want only OFDLCK", kinds)
	}
}

// locksOn counts the kernel's locks on a file by kind.
func locksOn(t *testing.T, name string) map[string]int {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	inode := fmt.Sprintf(":%d", info.Sys().(*syscall.Stat_t).Ino)
	text, err := os.ReadFile("/proc/locks")
	if err != nil {
		t.Skipf("no list of locks: %v", err)
	}
	kinds := map[string]int{}
	for line := range strings.Lines(string(text)) {
		// 1: OFDLCK ADVISORY  READ -1 fe:00:1234 1073741826 1073742335
		if f := strings.Fields(line); len(f) > 5 && strings.HasSuffix(f[5], inode) {
			kinds[f[1]]++
		}
	}
	return kinds
}

// TestTheLockForWritingIsHeldFromBeginOn tries to write from elsewhere between BEGIN and the first statement. Had the
// transaction begun deferred, this would succeed, and our own first write would meet SQLITE_BUSY_SNAPSHOT.
func TestTheLockForWritingIsHeldFromBeginOn(t *testing.T) {
	s := fileStore(t, Options{})
	other := sql.OpenDB(newConnector(s.path, url.Values{}, []setting{{name: "busy_timeout", value: "0"}}))
	defer other.Close()
	err := s.apply(t.Context(), "test", func(tx *transaction) error {
		_, err := other.ExecContext(t.Context(), "UPDATE tasks SET error = 'elsewhere'")
		if code(err)&0xff != sqlite3.SQLITE_BUSY {
			t.Errorf("writing elsewhere after BEGIN: %v, want busy", err)
		}
		_, err = tx.exec(updateTask, "running", nil, "here", "aa", "a")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.GetTask(t.Context(), "aa", "a"); err != nil || got.Error != "here" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestReadersHoldNoRows empties the WAL after each call that reads, which any row or snapshot still held prevents.
func TestReadersHoldNoRows(t *testing.T) {
	s := fileStore(t, Options{})
	ctx := t.Context()
	id, err := s.AddRequest(ctx, Request{Run: "aa", Kind: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"GetTask":         func() error { _, err := s.GetTask(ctx, "aa", "a"); return err },
		"ListTasks":       func() error { _, err := s.ListTasks(ctx, "aa"); return err },
		"GetHistory":      func() error { _, err := s.GetHistory(ctx, "aa", "a"); return err },
		"GetSession":      func() error { _, err := s.GetSession(ctx, "aa", "a"); return err },
		"GetRun":          func() error { _, err := s.GetRun(ctx, "aa"); return err },
		"ListRuns":        func() error { _, err := s.ListRuns(ctx, RunFilter{}); return err },
		"ListAttempts":    func() error { _, err := s.ListAttempts(ctx, "aa", ""); return err },
		"Durations":       func() error { _, err := s.Durations(ctx, "", ""); return err },
		"GetLease":        func() error { _, err := s.GetLease(ctx, "aa"); return err },
		"PendingRequests": func() error { _, err := s.PendingRequests(ctx, "aa"); return err },
		"GetRequest":      func() error { _, err := s.GetRequest(ctx, id); return err },
		"Events":          func() error { _, err := s.Events(ctx, "aa", 0, 0); return err },
		"DataVersion":     func() error { _, err := s.DataVersion(ctx); return err },
		"Check":           func() error { return s.Check(ctx) },
		"a query that fails": func() error {
			return s.snapshot(ctx, "test", func(ctx context.Context, q querier) error {
				rows, err := q.QueryContext(ctx, "SELECT id FROM tasks")
				_, err = collect(rows, err, func(scanner) (int, error) { return 0, errStop })
				return err
			})
		},
	} {
		if err := s.UpdateTaskStatus(ctx, "aa", "a", scheduler.TaskRunning, nil, name); err != nil {
			t.Fatal(err)
		}
		if err := read(); err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, errStop) {
			t.Errorf("%s: %v", name, err)
		}
		if n := s.readers.Stats().InUse; n != 0 {
			t.Errorf("after %s %d readers are in use", name, n)
		}
		onWriter(t, s, func(conn *sql.Conn) error {
			if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
				return err
			}
			var busy, frames, moved int
			err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
			if err != nil || busy != 0 {
				t.Errorf("after %s something is still being read: busy %d, %v", name, busy, err)
			}
			return nil
		})
	}
}
