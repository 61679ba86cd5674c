package workspace_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/clone"
	"orchestrator/internal/workspace/workspacetest"
)

func newPool(r *workspacetest.Rig, repo *workspace.Repository) *workspace.Pool {
	return workspace.NewPool(clone.New(repo), repo, filepath.Join(r.Data, "ws", workspacetest.RunID, ".pool"))
}

func TestPoolKeepsNothingOfTheLastAgent(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	pool := newPool(r, r.Repo)
	one := r.Spec("one")
	must(t, pool.Take(t.Context(), one))
	r.GitIn(one.Dir, "config", "core.hooksPath", "/evil")
	workspacetest.Write(t, one.Dir, ".git/hooks/pre-commit", "evil")
	workspacetest.Write(t, one.Dir, "build/out", "ignored\n")
	must(t, os.Chmod(filepath.Join(one.Dir, "shared.txt"), 0o606))
	must(t, os.Link(filepath.Join(one.Dir, "README"), filepath.Join(r.Data, "kept by the agent")))
	must(t, os.Chmod(filepath.Join(one.Dir, "src"), 0o711))
	workspacetest.Write(t, one.Dir, "cache/x.log", "x")
	must(t, os.Chmod(filepath.Join(one.Dir, "cache"), 0o500))
	workspacetest.Write(t, one.Dir, "new.txt", "new\n")
	r.Merge("one", r.Seal(one).Commit)
	must(t, pool.Give(t.Context(), one))
	two := r.Spec("two")
	must(t, pool.Take(t.Context(), two))
	must(t, os.WriteFile(filepath.Join(r.Data, "kept by the agent"), []byte("evil\n"), 0o644))
	if got := read(t, filepath.Join(two.Dir, "README")); got != "a repository\n" {
		t.Errorf("README is %q", got)
	}
	for name, want := range map[string]fs.FileMode{"shared.txt": 0o644, "src": 0o755} {
		if st, err := os.Stat(filepath.Join(two.Dir, name)); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v", name, st.Mode(), err)
		}
	}
	if got := r.GitIn(two.Dir, "status", "--porcelain", "--ignored"); got != "" {
		t.Errorf("status is %q", got)
	}
	if out, err := r.TryGit(two.Dir, "config", "core.hooksPath"); err == nil {
		t.Errorf("the last agent's configuration is there: %s", out)
	}
}

func TestGiveRefusesWhatIsNotSaved(t *testing.T) {
	for name, edit := range map[string]func(t *testing.T, dir string){
		"changed": func(t *testing.T, dir string) { workspacetest.Write(t, dir, "README", "after the save\n") },
		"new":     func(t *testing.T, dir string) { workspacetest.Write(t, dir, "late.txt", "late\n") },
		"removed": func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "new.txt"))) },
	} {
		t.Run(name, func(t *testing.T) {
			r := workspacetest.New(t, workspacetest.Options{})
			r.Begin()
			pool := newPool(r, r.Repo)
			s := r.Spec("one")
			must(t, pool.Take(t.Context(), s))
			workspacetest.Write(t, s.Dir, "new.txt", "new\n")
			r.Seal(s)
			edit(t, s.Dir)
			if err := pool.Give(t.Context(), s); !errors.Is(err, workspace.ErrUnsaved) {
				t.Errorf("Give = %v", err)
			}
			if _, err := os.Lstat(filepath.Join(s.Dir, ".git")); err != nil {
				t.Errorf("the folder did not stay: %v", err)
			}
		})
	}
}

func TestGiveTakesBackAWorkspaceThatWasOnlyTouched(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	pool := newPool(r, r.Repo)
	s := r.Spec("one")
	must(t, pool.Take(t.Context(), s))
	workspacetest.Write(t, s.Dir, "README", "a repository\n") // the same again
	must(t, pool.Give(t.Context(), s))
	must(t, pool.Take(t.Context(), r.Spec("two")))
}

func TestPoolTrustsNoSeedThatWasNotGivenBackWhole(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	s := r.Spec("one")
	must(t, newPool(r, r.Repo).Take(t.Context(), s))
	must(t, newPool(r, r.Repo).Give(t.Context(), s))
	dir := filepath.Join(r.Data, "ws", workspacetest.RunID, ".pool")
	seeds, err := os.ReadDir(dir)
	if err != nil || len(seeds) != 1 {
		t.Fatalf("the pool has %v, %v", seeds, err)
	}
	must(t, os.Remove(filepath.Join(dir, seeds[0].Name(), "whole")))
	workspacetest.Write(t, dir, "seed-x/tree/evil", "x")
	must(t, newPool(r, r.Repo).Take(t.Context(), s))
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the pool has %v, %v", left, err)
	}
	if _, err := os.Lstat(filepath.Join(s.Dir, "evil")); err == nil {
		t.Error("a strange seed was used")
	}
}

func TestPoolIsWholeAfterACrashAtAnyStep(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	for n := 1; ; n++ {
		s := r.Spec("one")
		cycle := func(repo *workspace.Repository) error {
			pool := newPool(r, repo)
			if err := pool.Take(t.Context(), s); err != nil {
				return err
			}
			workspacetest.Write(t, s.Dir, "x.log", "ignored\n")
			workspacetest.Write(t, s.Dir, "README", strings.Repeat("x", n)+"\n")
			if _, err := repo.Seal(t.Context(), workspacetest.SealSpec(s, n)); err != nil {
				return err
			}
			return pool.Give(t.Context(), s)
		}
		err := r.Crash(n, cycle)
		pool := newPool(r, r.Repo)
		must(t, pool.Take(t.Context(), s))
		if got := r.GitIn(s.Dir, "status", "--porcelain", "--ignored"); got != "" {
			t.Fatalf("after a crash at command %d status is %q", n, got)
		}
		must(t, pool.Give(t.Context(), s))
		if err == nil {
			break
		}
	}
	must(t, newPool(r, r.Repo).Drain())
}
