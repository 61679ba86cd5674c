package persistence_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"modernc.org/sqlite"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// TestEveryAcknowledgedWriteSurvivesKill kills a writing process again and again: after each, what it had been told
// is stored is there, and the transition that was under way is there whole or not at all.
func TestEveryAcknowledgedWriteSurvivesKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	s := openStore(t, path)
	run := persistence.Run{ID: "aa", State: scheduler.RunRunning}
	if err := s.CreateRun(t.Context(), run, []*scheduler.Task{{ID: "a", Status: scheduler.TaskEligible}}); err != nil {
		t.Fatal(err)
	}
	kills := 30
	if testing.Short() {
		kills = 5
	}
	for kill := range kills {
		acknowledged := killWriter(t, path, 1+rand.IntN(25))
		stored := readNumber(t, s)
		if stored != acknowledged && stored != acknowledged+1 {
			t.Fatalf("kill %d: %d was acknowledged, %d is stored", kill, acknowledged, stored)
		}
	}
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// killWriter lets a process write until it has acknowledged a number of transitions and kills it at once. It
// returns the last number that it acknowledged.
func killWriter(t *testing.T, path string, writes int) (last int) {
	t.Helper()
	c := child(t, "write", path)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ {
		if _, err := fmt.Sscanf(lines.Text(), "%d", &last); err != nil {
			t.Fatalf("the writer says %q", lines.Text())
		}
		if i == writes-1 {
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Wait(); err == nil {
		t.Fatal("the writer ended by itself")
	}
	if last == 0 {
		t.Fatal("the writer acknowledged nothing")
	}
	return last
}

// readNumber reads the number that the last transition left, which must be the same everywhere.
func readNumber(t *testing.T, s persistence.Store) (n int) {
	t.Helper()
	tasks, err := s.ListTasks(t.Context(), "aa")
	if err != nil {
		t.Fatal(err)
	}
	run, err := s.GetRun(t.Context(), "aa")
	if err != nil {
		t.Fatal(err)
	}
	attempts, err := s.ListAttempts(t.Context(), "aa", "")
	if err != nil {
		t.Fatal(err)
	}
	turns, err := s.GetHistory(t.Context(), "aa", "a")
	if err != nil {
		t.Fatal(err)
	}
	var events []event.Event
	if events, err = s.Events(t.Context(), "aa", 0, 0); err != nil {
		t.Fatal(err)
	}
	want := tasks[0].Error
	if _, err := fmt.Sscan(want, &n); err != nil {
		t.Fatal(err)
	}
	if len(attempts) != 1 || len(turns) != n || len(events) != n {
		t.Fatalf("half a transition: number %s, %d attempts, %d turns, %d events", want, len(attempts), len(turns), len(events))
	}
	for place, got := range map[string]string{
		"run": run.Error, "attempt": attempts[0].Error, "turn": turns[n-1].Content, "event": events[n-1].Message,
	} {
		if got != want {
			t.Fatalf("half a transition: task says %s, %s says %s", want, place, got)
		}
	}
	return n
}

// TestAnotherProgramCannotTakeTheWALAway reads the database file in this process, which drops locks of the classic
// kind, and lets the system's own sqlite3 open and close it. With such locks it would then delete the WAL, and the
// commits in it would be gone after a kill.
func TestAnotherProgramCannotTakeTheWALAway(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("locks that belong to the open file exist on Linux only")
	}
	path := filepath.Join(t.TempDir(), "orc.db")
	s := openStore(t, path)
	run := persistence.Run{ID: "aa", State: scheduler.RunRunning}
	if err := s.CreateRun(t.Context(), run, []*scheduler.Task{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if !sqlite.OFDLockingEnabled() {
		t.Skip("this kernel or file system has no locks that belong to the open file")
	}
	shell, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("no sqlite3 here to try it with")
	}
	c := exec.CommandContext(t.Context(), shell, path, "SELECT count(*) FROM tasks")
	c.Env = []string{"HOME=" + t.TempDir()}
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
		t.Fatalf("the WAL is gone or empty: %v", err)
	}
}
