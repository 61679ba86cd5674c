package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"orchestrator/internal/persistence"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(fileKey); file != "" {
		fmt.Fprintln(os.Stderr, "writer:", write(context.Background(), file, os.Stdout))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A plain `go test` kills a few dozen times; `make kill-store N=…` does more.
func TestNothingAcknowledgedIsLostByKills(t *testing.T) {
	shell, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Log("without another program that opens the file: there is no sqlite3")
		shell = ""
	}
	kills := 20
	if testing.Short() {
		kills = 4
	}
	for seed := range uint64(2) {
		tally, err := playFile(t.Context(), t.TempDir(), shell, seed+1, kills)
		if err != nil {
			t.Fatalf("seed %d: %v", seed+1, err)
		}
		if tally.kills != kills || tally.acknowledged == 0 {
			t.Errorf("seed %d: %s", seed+1, tally)
		}
		t.Logf("seed %d: %s", seed+1, tally)
	}
}

// finished is a file on which each writer has written three numbers.
func finished(t *testing.T) (*game, *persistence.SQLiteStore) {
	t.Helper()
	g := &game{file: filepath.Join(t.TempDir(), "orc.db")}
	s, err := persistence.NewSQLiteStore(t.Context(), g.file)
	if err != nil {
		t.Fatal(err)
	}
	g.other = s
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	generation, err := s.AcquireLease(t.Context(), persistence.Lease{Run: run, Owner: "test"}, time.Now(), true)
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	for w := range writers {
		err := writeNumbers(t.Context(), s, generation, w, func(n int) error {
			if n == 3 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
	return g, s
}

func TestALostWriteIsNoticed(t *testing.T) {
	g, _ := finished(t)
	for told, good := range map[int]bool{2: true, 3: true, 4: false, 1: false} {
		g.known = [writers]int{}
		if err := g.verify(t.Context(), [writers]int{3, told, 3, 3}); (err == nil) != good {
			t.Errorf("told %d, stored 3: %v", told, err)
		}
	}
}

func TestHalfATransactionIsNoticed(t *testing.T) {
	g, s := finished(t)
	if err := s.SaveMessage(t.Context(), run, taskOf(2), persistence.ConversationTurn{Role: "user", Content: "4"}); err != nil {
		t.Fatal(err)
	}
	if err := g.verify(t.Context(), [writers]int{3, 3, 3, 3}); !errors.Is(err, errTorn) {
		t.Errorf("got %v", err)
	}
}
