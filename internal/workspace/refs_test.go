package workspace_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/workspacetest"
)

func hint(err error) string {
	if e := (*workspace.Error)(nil); errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

func open(dir string, environ []string, program string) error {
	_, err := workspace.Open(context.Background(), dir, workspace.Options{Environ: environ, Git: program})
	return err
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	outside := t.TempDir()
	r.GitIn(outside, "init", "-q", "--bare", "bare.git")
	workspacetest.Write(t, outside, "old-git", "#!/bin/sh\necho git version 2.37.9\n")
	must(t, os.Chmod(filepath.Join(outside, "old-git"), 0o755))
	for name, c := range map[string]struct {
		dir, program string
		kind         error
	}{
		"no repository":     {outside, "", workspace.ErrNotRepository},
		"no folder":         {filepath.Join(outside, "nothing"), "", workspace.ErrNotRepository},
		"bare":              {filepath.Join(outside, "bare.git"), "", workspace.ErrBare},
		"in the git folder": {filepath.Join(r.Root, ".git"), "", workspace.ErrBare},
		"no git":            {r.Root, filepath.Join(outside, "git"), workspace.ErrGitMissing},
		"old git":           {r.Root, filepath.Join(outside, "old-git"), workspace.ErrGitTooOld},
	} {
		err := open(c.dir, r.Environ, c.program)
		if !errors.Is(err, c.kind) || name != "no folder" && hint(err) == "" {
			t.Errorf("%s: %v, hint %q", name, err, hint(err))
		}
	}
	must(t, open(filepath.Join(r.Root, "src/deep"), r.Environ, ""))
}

func TestHeadAndResolve(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Git("branch", "release-2026")
	r.Git("tag", "-a", "v1", "-m", "v1")
	branch, commit, err := r.Repo.Head(t.Context())
	if err != nil || branch != "main" || commit != r.Head() {
		t.Errorf("Head = %q, %q, %v", branch, commit, err)
	}
	for _, rev := range []string{"main", "HEAD", "v1", "release-2026", r.Head()[:8]} {
		if got, err := r.Repo.Resolve(t.Context(), rev); err != nil || got != r.Head() {
			t.Errorf("Resolve(%q) = %q, %v", rev, got, err)
		}
	}
	for _, rev := range []string{"", "nothing", "--all", "-x", "--upload-pack=touch x", "main\nHEAD", "main..HEAD", "HEAD:README", "^main"} {
		if got, err := r.Repo.Resolve(t.Context(), rev); !errors.Is(err, workspace.ErrUnknown) {
			t.Errorf("Resolve(%q) = %q, %v", rev, got, err)
		}
	}
	if _, err := r.Repo.Resolve(t.Context(), "relase-2026"); hint(err) != "did you mean release-2026?" {
		t.Errorf("the hint is %q", hint(err))
	}
	r.Git("checkout", "-q", "--detach")
	if branch, _, err := r.Repo.Head(t.Context()); err != nil || branch != "" {
		t.Errorf("a detached Head = %q, %v", branch, err)
	}
	empty := workspacetest.New(t, workspacetest.Options{Empty: true})
	if _, _, err := empty.Repo.Head(t.Context()); !errors.Is(err, workspace.ErrNoCommits) || hint(err) == "" {
		t.Errorf("Head of an empty repository = %v", err)
	}
	if _, err := empty.Repo.Resolve(t.Context(), "main"); !errors.Is(err, workspace.ErrNoCommits) {
		t.Errorf("Resolve in an empty repository = %v", err)
	}
}

func TestDirtyCountsFiles(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	if n, err := r.Repo.Dirty(t.Context()); n != 0 || err != nil {
		t.Errorf("Dirty = %d, %v", n, err)
	}
	r.Write("README", "staged\n")
	r.Git("add", "README")
	r.Write("README", "and changed again\n")
	r.Write("shared.txt", "x\n")
	r.Write("new", "x\n")
	r.Guard()
	d, err := r.Repo.Dirtiness(t.Context())
	if err != nil || d.String() != "1 staged, 2 not staged, 1 untracked" {
		t.Errorf("Dirtiness = %s, %v", d, err)
	}
	if n, err := r.Repo.Dirty(t.Context()); n != 3 || err != nil {
		t.Errorf("Dirty = %d, %v", n, err)
	}
}

// begin begins the run again, which is not fresh any more.
func begin(t *testing.T, r *workspacetest.Rig, base string) {
	t.Helper()
	if fresh, err := r.Repo.Begin(t.Context(), workspacetest.RunID, workspacetest.Branch, base); fresh || err != nil {
		t.Fatalf("begun again: fresh %v, %v", fresh, err)
	}
}

func TestBeginIsRepeatableAndNeverMovesAnything(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	base := r.Head()
	r.Begin()
	begin(t, r, base)
	m := r.Merge("one", task(t, r, "one", put(t, "a", "a\n")).Commit)
	must(t, r.Repo.Mirror(t.Context(), workspacetest.RunID, workspacetest.Branch))
	begin(t, r, base)
	if got, err := r.Repo.Integration(t.Context(), workspacetest.RunID); err != nil || got != m.New {
		t.Errorf("the integration is %s, %v", got, err)
	}
	other := r.Git("commit-tree", "-m", "x", "HEAD^{tree}")
	if _, err := r.Repo.Begin(t.Context(), workspacetest.RunID, workspacetest.Branch, other); !errors.Is(err, workspace.ErrExists) {
		t.Errorf("Begin from another base = %v", err)
	}
}

func TestBeginNamesTheBranchThatIsInTheWay(t *testing.T) {
	for name, branch := range map[string]string{"the same": workspacetest.Branch, "above": "orc", "below": workspacetest.Branch + "/x"} {
		t.Run(name, func(t *testing.T) {
			r := workspacetest.New(t, workspacetest.Options{})
			r.Git("branch", branch, r.Git("commit-tree", "-m", "x", "HEAD^{tree}"))
			_, err := r.Repo.Begin(t.Context(), workspacetest.RunID, workspacetest.Branch, r.Head())
			if !errors.Is(err, workspace.ErrExists) || !strings.Contains(err.Error(), branch) || hint(err) == "" {
				t.Errorf("Begin = %v, hint %q", err, hint(err))
			}
			if refs := r.Git("for-each-ref", "refs/orc"); refs != "" {
				t.Errorf("refs are left: %s", refs)
			}
		})
	}
}

func TestMirrorLeavesABranchAloneThatIsInUse(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	base := r.Head()
	if fresh, err := r.Repo.Begin(t.Context(), workspacetest.RunID, workspacetest.Branch, base); !fresh || err != nil {
		t.Fatalf("begun: fresh %v, %v", fresh, err)
	}
	m := r.Merge("one", task(t, r, "one", put(t, "a", "a\n")).Commit)
	for name, use := range map[string]func() func(){
		"checked out": func() func() {
			r.Git("checkout", "-q", workspacetest.Branch)
			return func() { r.Git("checkout", "-q", "main") }
		},
		"in a linked worktree": func() func() {
			dir := filepath.Join(r.Data, "linked")
			r.Git("worktree", "add", "-q", dir, workspacetest.Branch)
			return func() { r.Git("worktree", "remove", "--force", dir) }
		},
		"in the middle of a rebase": func() func() {
			r.Git("checkout", "-q", workspacetest.Branch)
			r.Git("-c", "sequence.editor=sed -i s/pick/edit/", "rebase", "-q", "-i", "--root")
			return func() { r.Git("rebase", "--abort"); r.Git("checkout", "-q", "main") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			release := use()
			err := r.Repo.Mirror(t.Context(), workspacetest.RunID, workspacetest.Branch)
			if !errors.Is(err, workspace.ErrCheckedOut) {
				t.Errorf("Mirror = %v", err)
			}
			if got := r.Git("rev-parse", workspacetest.Branch); got != base {
				t.Errorf("the branch is at %s", got)
			}
			release()
		})
	}
	must(t, r.Repo.Mirror(t.Context(), workspacetest.RunID, workspacetest.Branch))
	if got := r.Git("rev-parse", workspacetest.Branch); got != m.New {
		t.Errorf("the branch is at %s", got)
	}
	r.Git("branch", "-f", workspacetest.Branch, r.Git("commit-tree", "-m", "x", "HEAD^{tree}"))
	if err := r.Repo.Mirror(t.Context(), workspacetest.RunID, workspacetest.Branch); !errors.Is(err, workspace.ErrDiverged) {
		t.Errorf("Mirror of a branch that went its own way = %v", err)
	}
}

func TestSweepRemovesOnlyTheRunsOwnLocks(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	own := []string{".git/refs/orc/7f3c/integration.lock", ".git/refs/heads/orc/7f3c.lock"}
	foreign := []string{".git/index.lock", ".git/HEAD.lock", ".git/refs/orc/beef/base.lock", ".git/refs/heads/main.lock"}
	for _, f := range append(own, foreign...) {
		workspacetest.Write(t, r.Root, f, "")
	}
	must(t, r.Repo.Sweep(t.Context(), workspacetest.RunID))
	for _, f := range own {
		if _, err := os.Lstat(filepath.Join(r.Root, f)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", f)
		}
	}
	for _, f := range foreign {
		must(t, os.Remove(filepath.Join(r.Root, f)))
	}
}

func TestDeleteRunKeepsABranchWithWorkOfItsOwn(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	task(t, r, "one", put(t, "a", "a\n"))
	kept, err := r.Repo.DeleteRun(t.Context(), workspacetest.RunID, workspacetest.Branch, workspace.DeleteOptions{})
	if err != nil || kept {
		t.Errorf("DeleteRun = %v, %v", kept, err)
	}
	if refs := r.Git("for-each-ref", "refs/orc", "refs/heads/orc"); refs != "" {
		t.Errorf("refs are left: %s", refs)
	}
	r.Begin()
	r.Git("branch", "-f", workspacetest.Branch, r.Git("commit-tree", "-m", "x", "HEAD^{tree}"))
	kept, err = r.Repo.DeleteRun(t.Context(), workspacetest.RunID, workspacetest.Branch, workspace.DeleteOptions{})
	if err != nil || !kept || r.Git("for-each-ref", "refs/heads/orc") == "" {
		t.Errorf("DeleteRun = %v, %v", kept, err)
	}
}

func TestTaskNamesThatGitWouldNotTakeAreSavedAllTheSame(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	for _, name := range []string{"a.lock", "a..b", "dot.", "x_1-2.3"} {
		task(t, r, name, put(t, "f", name))
	}
	saves, err := r.Repo.Saves(t.Context(), workspacetest.RunID)
	must(t, err)
	var names []string
	for _, s := range saves {
		names = append(names, s.Task)
	}
	if got := strings.Join(names, " "); got != "a..b a.lock dot. x_1-2.3" {
		t.Errorf("saved are %q", got)
	}
	for _, name := range []string{"", "../x", "-x", "A", "a/b", ".hidden"} {
		s := r.Spec("fine")
		s.Task = name
		if _, err := r.Repo.Seal(t.Context(), workspacetest.SealSpec(s, 1)); !errors.Is(err, workspace.ErrInvalid) {
			t.Errorf("Seal of task %q = %v", name, err)
		}
	}
}

func TestRunFromALinkedWorktreeLeavesBothCheckoutsAlone(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	linked := filepath.Join(filepath.Dir(r.Root), "linked checkout")
	r.Git("worktree", "add", "-q", "-b", "topic", linked)
	r.Begin()
	r.Root = linked
	r.Open()
	if r.Repo.Root() != linked {
		t.Errorf("Root = %s", r.Repo.Root())
	}
	r.Guard()
	r.Merge("one", task(t, r, "one", put(t, "a", "a\n")).Commit)
	s := landSpec(r)
	s.Branch = "topic"
	if got, err := r.Repo.Land(t.Context(), s); err != nil || got.CheckedOut != linked {
		t.Errorf("Land = %+v, %v", got, err)
	}
	r.Unguard()
}

func TestSubmodulesAreSeenAndStayInMerges(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	lib := workspacetest.New(t, workspacetest.Options{})
	if has, err := r.Repo.Submodules(t.Context(), r.Head()); has || err != nil {
		t.Errorf("Submodules = %v, %v", has, err)
	}
	r.Git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", lib.Root, "lib")
	r.Git("commit", "-q", "-m", "with a submodule")
	if has, err := r.Repo.Submodules(t.Context(), r.Head()); !has || err != nil {
		t.Errorf("Submodules = %v, %v", has, err)
	}
	r.Begin()
	saved := task(t, r, "one", put(t, "a", "a\n"))
	if len(saved.Changed) != 1 || len(saved.Notices) != 0 {
		t.Errorf("saved = %+v", saved)
	}
	two := task(t, r, "two", func(dir string) {
		r.GitIn(dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init")
		workspacetest.Write(t, dir, "lib/new.txt", "lost\n")
		workspacetest.Write(t, dir, "b", "b\n")
	})
	noticed(t, two, "submodule lib")
	r.Merge("one", saved.Commit)
	m := r.Merge("two", two.Commit)
	if !strings.HasPrefix(r.Files(m.New)["lib"], "160000 ") {
		t.Error("the submodule is gone")
	}
}
