package persistence_test

import (
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/internal/persistence"
)

func TestProcessesThatOpenANewFileTogetherAllSucceed(t *testing.T) {
	for range 3 {
		path := filepath.Join(t.TempDir(), "orc", "orc.db")
		openTogether(t, path)
		if err := openStore(t, path).Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// openTogether lets six processes open a database at the same moment, all of which must succeed.
func openTogether(t *testing.T, path string) {
	t.Helper()
	const processes = 6
	var children []*exec.Cmd
	var inputs []io.Closer
	var outputs []*strings.Builder
	for range processes {
		c := child(t, "open", path)
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out := new(strings.Builder)
		c.Stdout = out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		children, inputs, outputs = append(children, c), append(inputs, in), append(outputs, out)
	}
	for _, in := range inputs {
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range children {
		if err := c.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, outputs[i])
		}
	}
}

func TestStoresThatOpenANewFileTogetherAllSucceed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	const stores = 6
	done := make(chan error)
	for range stores {
		go func() {
			s, err := persistence.NewSQLiteStore(t.Context(), path)
			if err == nil {
				err = s.Close()
			}
			done <- err
		}()
	}
	var errs []error
	for range stores {
		errs = append(errs, <-done)
	}
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}
