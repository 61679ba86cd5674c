package workspace_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/workspacetest"
)

func TestWorkspaceCanBeginWithEarlierWorkOnTopOfWhatIsMerged(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	one, two := r.Spec("one"), r.Spec("two")
	make1(t, r, one)
	make1(t, r, two)
	put(t, "one.txt", "1\n")(one.Dir)
	put(t, "two.txt", "2\n")(two.Dir)
	saved := r.Seal(two)
	r.Merge("one", r.Seal(one).Commit)
	m, err := r.Repo.Onto(t.Context(), workspacetest.RunID, "two", 1, saved.Commit, "on top")
	must(t, err)
	head, err := r.Repo.Integration(t.Context(), workspacetest.RunID)
	must(t, err)
	if m.Old != head || m.Work != saved.Tree || m.Tree == saved.Tree {
		t.Errorf("merge = %+v, the head is %s, the work %+v", m, head, saved)
	}
	again, err := r.Repo.Onto(t.Context(), workspacetest.RunID, "two", 1, saved.Commit, "on top")
	must(t, err)
	saves, err := r.Repo.Saves(t.Context(), workspacetest.RunID)
	must(t, err)
	if !slices.ContainsFunc(saves, func(s workspace.SavedRef) bool { return s.Task == "two" && s.Beside && s.Commit == again.New }) {
		t.Errorf("nothing keeps the commit: %+v", saves)
	}
	if now, err := r.Repo.Integration(t.Context(), workspacetest.RunID); err != nil || now != head {
		t.Errorf("the integration went to %s, %v", now, err)
	}

	// What is done there counts from the head, the earlier work included.
	two.Base = again.New
	make1(t, r, two)
	if read(t, filepath.Join(two.Dir, "one.txt")) != "1\n" || read(t, filepath.Join(two.Dir, "two.txt")) != "2\n" {
		t.Error("the workspace does not hold both")
	}
	put(t, "joined.txt", "both\n")(two.Dir)
	late, err := r.Repo.Seal(t.Context(), workspace.SealSpec{
		Run: workspacetest.RunID, Task: "two", Number: 2, Dir: two.Dir, Index: two.Index, Base: head, Message: workspacetest.Message("two", 2),
	})
	must(t, err)
	var changed []string
	for _, c := range late.Changed {
		changed = append(changed, c.Path)
	}
	if !slices.Equal(changed, []string{"joined.txt", "two.txt"}) {
		t.Errorf("changed %q", changed)
	}
	r.Merge("two", late.Commit)
	if left, err := r.Repo.Unmerged(t.Context(), workspacetest.RunID, mustIntegration(t, r)); err != nil || left != nil {
		t.Errorf("not merged: %+v, %v", left, err)
	}
}

func mustIntegration(t *testing.T, r *workspacetest.Rig) string {
	t.Helper()
	head, err := r.Repo.Integration(t.Context(), workspacetest.RunID)
	must(t, err)
	return head
}

func TestWorkThatDoesNotFitIsNotBroughtOnTop(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	one, two := r.Spec("one"), r.Spec("two")
	make1(t, r, one)
	make1(t, r, two)
	put(t, "shared.txt", "1\n")(one.Dir)
	put(t, "shared.txt", "2\n")(two.Dir)
	saved := r.Seal(two)
	r.Merge("one", r.Seal(one).Commit)
	_, err := r.Repo.Onto(t.Context(), workspacetest.RunID, "two", 1, saved.Commit, "on top")
	if conflict := (*workspace.ConflictError)(nil); !errors.As(err, &conflict) {
		t.Errorf("Onto = %v", err)
	}
}

func TestLandTakesEveryMergeOfATask(t *testing.T) {
	r := done(t, "one", "one.txt", "1\n", "two", "two.txt", "2\n")
	again := r.Spec("one")
	again.Base = mustIntegration(t, r)
	make1(t, r, again)
	put(t, "one.txt", "repaired\n")(again.Dir)
	late, err := r.Repo.Seal(t.Context(), workspace.SealSpec{
		Run: workspacetest.RunID, Task: "one", Number: 2, Dir: again.Dir, Index: again.Index, Base: again.Base, Message: workspacetest.Message("one", 2),
	})
	must(t, err)
	r.Merge("one", late.Commit)
	r.Write("mine.txt", "mine\n")
	r.Git("add", "-A")
	r.Git("commit", "-q", "-m", "mine")
	got, err := r.Repo.Land(t.Context(), landSpec(r))
	must(t, err)
	if !slices.Equal(got.Merged, []string{"one", "two"}) || read(t, filepath.Join(r.Root, "one.txt")) != "repaired\n" {
		t.Errorf("landing = %+v, one.txt %q", got, read(t, filepath.Join(r.Root, "one.txt")))
	}
}

func TestPoolDropsAWorkspaceWithAllThatIsInIt(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	pool := newPool(r, r.Repo)
	s := r.Spec("one")
	must(t, pool.Take(t.Context(), s))
	workspacetest.Write(t, s.Dir, "left.txt", "by a gate\n")
	must(t, pool.Drop(t.Context(), s))
	must(t, pool.Drop(t.Context(), s))
	for _, path := range []string{s.Dir, s.Index} {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", strings.TrimPrefix(path, r.Data), err)
		}
	}
}
