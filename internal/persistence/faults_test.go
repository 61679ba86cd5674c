package persistence_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// say appends a turn to the only task.
func say(t *testing.T, s persistence.Store, text string) error {
	t.Helper()
	return s.SaveMessage(t.Context(), "aa", "a", persistence.ConversationTurn{Role: "user", Content: text})
}

// wantTurns fails the test unless exactly these turns are stored and the file is sound.
func wantTurns(t *testing.T, s *persistence.SQLiteStore, want ...string) {
	t.Helper()
	turns, err := s.GetHistory(t.Context(), "aa", "a")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, turn := range turns {
		got = append(got, turn.Content)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("stored are %q, want %q", got, want)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// wantHint fails the test unless err is of the kind and says what to do.
func wantHint(t *testing.T, err, kind error) {
	t.Helper()
	var e *persistence.Error
	if !errors.Is(err, kind) || !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("got %v, want %v with a hint", err, kind)
	}
}

// sayingStore is a store at path with one task, that has been said "one".
func sayingStore(t *testing.T, path string) *persistence.SQLiteStore {
	t.Helper()
	s := openStore(t, path)
	run := persistence.Run{ID: "aa", State: scheduler.RunRunning}
	if err := s.CreateRun(t.Context(), run, []*scheduler.Task{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	if err := say(t, s, "one"); err != nil {
		t.Fatal(err)
	}
	return s
}

// smallDisk is a folder on a disk of 2 MB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := mountSmall(dir); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestADiskThatTurnsReadOnlyLosesNothingAndWorksAgain(t *testing.T) {
	dir := smallDisk(t)
	// Open files keep a disk from being remounted, so this is how a store finds it when it starts.
	path := filepath.Join(dir, "orc.db")
	s := sayingStore(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := freezeDisk(dir, true); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, path, persistence.ErrReadOnly)
	wantRefusal(t, filepath.Join(dir, "new.db"), persistence.ErrReadOnly)
	if err := freezeDisk(dir, false); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path)
	if err := say(t, s, "two"); err != nil {
		t.Error(err)
	}
	wantTurns(t, s, "one", "two")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFullDiskIsRefusedAtTheStartAndOpensWithSpaceAgain(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "orc.db")
	if err := sayingStore(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err == nil {
		t.Fatal("4 MB fit on a disk of 2 MB")
	}
	wantRefusal(t, path, persistence.ErrFull)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, path)
	wantTurns(t, s, "one")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// The writer still holds the deleted WAL. Connections that are opened later find an empty new one, and say so.
func TestADeletedWALOfAnOpenStoreLosesNothingAtClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	s := sayingStore(t, path)
	if err := os.Remove(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	if err := say(t, s, "two"); err != nil {
		t.Fatal(err)
	}
	_, err := s.GetHistory(t.Context(), "aa", "a")
	wantHint(t, err, persistence.ErrCorrupt)
	if err := say(t, s, "three"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantTurns(t, openStore(t, path), "one", "two", "three")
}

// A WAL that is deleted after a crash takes its commits with it; nothing can bring them back. What had been moved
// into the file before is whole.
func TestADeletedWALOfADeadStoreLeavesAWholeDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	if err := sayingStore(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	killWriter(t, path, 5)
	if err := os.Remove(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, path)
	wantTurns(t, s, "one")
	if err := say(t, s, "two"); err != nil {
		t.Fatal(err)
	}
	wantTurns(t, s, "one", "two")
}

func TestATruncatedFileIsRefusedAndOpensWhenPutBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	if err := sayingStore(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{50, 100, 4096, int64(len(whole) / 2)} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, path, persistence.ErrCorrupt)
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantTurns(t, openStore(t, path), "one")
}

func TestAPageDamagedUnderAnOpenStoreIsReportedWhenRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	s := sayingStore(t, path)
	long := strings.Repeat("x", 10_000)
	if err := say(t, s, long); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(whole), long[:1000])
	if at < 0 {
		t.Fatal("the turn is nowhere in the file")
	}
	page := at / 4096 * 4096
	spoiled := append([]byte{}, whole...)
	copy(spoiled[page:page+4096], strings.Repeat("\xff", 4096))
	if err := os.WriteFile(path, spoiled, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path)
	wantHint(t, s.Check(t.Context()), persistence.ErrCorrupt)
	_, err = s.GetHistory(t.Context(), "aa", "a")
	wantHint(t, err, persistence.ErrCorrupt)
	if _, err := s.GetRun(t.Context(), "aa"); err != nil {
		t.Errorf("what lies on other pages: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	wantTurns(t, openStore(t, path), "one", long)
}

func TestADirectoryInPlaceOfTheFileIsRefusedUntilItIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	if err := sayingStore(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, path, nil, "directory")
	if err := errors.Join(os.Remove(path), os.Rename(path+".away", path)); err != nil {
		t.Fatal(err)
	}
	wantTurns(t, openStore(t, path), "one")
}
