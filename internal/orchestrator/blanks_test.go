package orchestrator

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
)

func TestReadyMadeLogsAreTakenOnceAndLeaveNothingBehind(t *testing.T) {
	synctest.Test(t, takeReadyMadeLogs)
}

func takeReadyMadeLogs(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".blank-7"), nil, 0o600); err != nil { // of an owner that was killed
		t.Fatal(err)
	}
	s := newBlanks(dir, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.keep(ctx) }()
	first := filepath.Join(dir, "first.log")
	s.take(first)   // nothing is ready yet: the writer makes it
	synctest.Wait() // until some are ready
	if _, err := os.Stat(first); !os.IsNotExist(err) {
		t.Errorf("a log out of nothing: %v", err)
	}
	a, b := filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")
	s.take(a)
	synctest.Wait() // until some are ready
	s.take(b)
	synctest.Wait() // until some are ready
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
	synctest.Test(t, takeWithoutRoom)
}

func takeWithoutRoom(t *testing.T) {
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
