package persistence_test

import (
	"path/filepath"
	"testing"

	"orchestrator/internal/persistence"
	"orchestrator/internal/persistence/storetest"
)

// testStore is an empty store in a file that is removed with the test.
func testStore(t testing.TB) *persistence.SQLiteStore {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "orc.db"))
}

// openStore opens the file at path and closes it with the test.
func openStore(t testing.TB, path string) *persistence.SQLiteStore {
	t.Helper()
	s, err := persistence.NewSQLiteStore(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// memoryStore is an empty store in memory.
func memoryStore(t testing.TB) *persistence.SQLiteStore {
	t.Helper()
	s, err := persistence.NewMemoryStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestFileStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) persistence.Store { return testStore(t) })
}

func TestMemoryStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) persistence.Store { return memoryStore(t) })
}

func TestFileStoreOutlivesItsProcess(t *testing.T) {
	storetest.RunReopen(t, func(t *testing.T, path string) persistence.Store { return openStore(t, path) })
}
