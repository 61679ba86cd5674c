package workspace_test

import (
	"slices"
	"testing"

	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/workspacetest"
)

func TestLookSeesEveryChangeAndSavesNothing(t *testing.T) {
	r, s := working(t)
	look := func() []string {
		t.Helper()
		tree, err := r.Repo.Look(t.Context(), s)
		must(t, err)
		changes, err := r.Repo.Changes(t.Context(), s.Base, tree)
		must(t, err)
		var paths []string
		for _, c := range changes {
			paths = append(paths, c.Path)
		}
		return paths
	}
	if got := look(); len(got) != 0 {
		t.Fatalf("a workspace just made has changes: %q", got)
	}
	workspacetest.Write(t, s.Dir, "README", "changed\n")
	workspacetest.Write(t, s.Dir, "new.txt", "new\n")
	r.GitIn(s.Dir, "add", "new.txt")
	r.GitIn(s.Dir, "commit", "-qm", "its own")
	workspacetest.Write(t, s.Dir, "later.txt", "later\n")
	want := []string{"README", "later.txt", "new.txt"}
	for range 2 {
		if got := look(); !slices.Equal(got, want) {
			t.Errorf("changes %q, want %q", got, want)
		}
	}
	saved, err := r.Repo.Seal(t.Context(), workspace.SealSpec{
		Run: s.Run, Task: s.Task, Number: 1, Dir: s.Dir, Index: s.Index, Base: s.Base, Message: "save",
	})
	must(t, err)
	if len(saved.Changed) != len(want) {
		t.Errorf("saved after looking: %+v", saved.Changed)
	}
}
