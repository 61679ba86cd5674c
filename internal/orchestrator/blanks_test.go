package orchestrator

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// stocked waits until logs are ready.
func stocked(t *testing.T, s *blanks) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		n := len(s.ready)
		s.mu.Unlock()
		if n > 0 {
			return
		}
	}
	t.Fatal("no log was made ready")
}

func TestReadyMadeLogsAreTakenOnceAndLeaveNothingBehind(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".blank-7"), nil, 0o600); err != nil { // of an owner that was killed
		t.Fatal(err)
	}
	s := newBlanks(dir, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.keep(ctx) }()
	first := filepath.Join(dir, "first.log")
	s.take(first) // nothing is ready yet: the writer makes it
	stocked(t, s)
	if _, err := os.Stat(first); !os.IsNotExist(err) {
		t.Errorf("a log out of nothing: %v", err)
	}
	a, b := filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")
	s.take(a)
	stocked(t, s)
	s.take(b)
	stocked(t, s)
	if err := os.WriteFile(a, []byte("of a"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.take(a) // there is one already: it stays
	if got, err := os.ReadFile(a); err != nil || string(got) != "of a" {
		t.Errorf("a.log: %q, %v", got, err)
	}
	if got, err := os.ReadFile(b); err != nil || len(got) > 0 {
		t.Errorf("b.log: %q, %v", got, err)
	}
	if info, err := os.Stat(b); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("b.log: %v, %v", info, err)
	}
	cancel()
	<-done
	s.take(filepath.Join(dir, "late.log"))
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	hidden, err2 := filepath.Glob(filepath.Join(dir, ".blank*"))
	if err != nil || err2 != nil || len(left) != 2 || len(hidden) != 0 {
		t.Errorf("left: %v %v, %v %v", left, hidden, err, err2)
	}
}

func TestWithoutRoomForReadyMadeLogsNothingHappens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	s := newBlanks(dir, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.keep(ctx) }()
	s.take(filepath.Join(dir, "a.log"))
	s.take(filepath.Join(dir, "b.log"))
	cancel()
	<-done
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder: %v", err)
	}
}
