package workspace_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/clone"
	"orchestrator/internal/workspace/workspacetest"
)

func TestNothingIsWrittenByAnOwnerThatWasReplaced(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	base := r.Head()
	r.Begin()
	saved := task(t, r, "one", put(t, "a", "a\n"))
	planned, err := r.Repo.PlanMerge(t.Context(), workspacetest.RunID, saved.Commit, "one")
	must(t, err)
	before := r.Git("for-each-ref")

	replaced := errors.New("another process owns the run")
	fenced, err := workspace.Open(t.Context(), r.Root, workspace.Options{
		Data: r.Data, Environ: r.Environ, Fence: func(context.Context) error { return replaced },
	})
	must(t, err)
	spec := r.Spec("two")
	must(t, os.MkdirAll(spec.Dir, 0o700))
	must(t, os.WriteFile(filepath.Join(spec.Dir, "of the new owner"), nil, 0o600))
	_, began := fenced.Begin(t.Context(), "8a8a", "orc/8a8a", base)
	for name, err := range map[string]error{
		"Advance":   fenced.Advance(t.Context(), workspacetest.RunID, planned),
		"Begin":     began,
		"Create":    clone.New(fenced).Create(t.Context(), spec),
		"Remove":    clone.New(fenced).Remove(t.Context(), spec),
		"RemoveAll": fenced.RemoveAll(spec.Dir),
		"Take":      workspace.NewPool(clone.New(fenced), fenced, filepath.Join(r.Data, "pool")).Take(t.Context(), spec),
	} {
		if !errors.Is(err, replaced) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := fenced.Seal(t.Context(), workspace.SealSpec{
		Run: spec.Run, Task: spec.Task, Number: 1, Dir: spec.Dir, Index: spec.Index, Base: base, Message: "two",
	}); !errors.Is(err, replaced) {
		t.Errorf("Seal: %v", err)
	}
	if after := r.Git("for-each-ref"); after != before {
		t.Errorf("refs moved:\n%s\nbefore:\n%s", after, before)
	}
	if _, err := os.Stat(filepath.Join(spec.Dir, "of the new owner")); err != nil {
		t.Errorf("the new owner's folder: %v", err)
	}
}
