package workspace_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/workspacetest"
)

// task makes a workspace, lets edit change it, and saves it.
func task(t *testing.T, r *workspacetest.Rig, name string, edit func(dir string)) workspace.Saved {
	t.Helper()
	s := r.Spec(name)
	make1(t, r, s)
	edit(s.Dir)
	return r.Seal(s)
}

func put(t *testing.T, name, text string) func(string) {
	return func(dir string) { workspacetest.Write(t, dir, name, text) }
}

func TestMergeConflictsAreNamedWithTheirKind(t *testing.T) {
	del := func(name string) func(string) {
		return func(dir string) { must(t, os.RemoveAll(filepath.Join(dir, name))) }
	}
	mv := func(from, to string) func(string) {
		return func(dir string) { must(t, os.Rename(filepath.Join(dir, from), filepath.Join(dir, to))) }
	}
	for name, c := range map[string]struct {
		ours, theirs func(string)
		kind         string
		path         string
	}{
		"content":          {put(t, "shared.txt", "1\ntwo\nthree\n"), put(t, "shared.txt", "eins\ntwo\nthree\n"), "CONFLICT (contents)", "shared.txt"},
		"modify/delete":    {del("shared.txt"), put(t, "shared.txt", "eins\n"), "CONFLICT (modify/delete)", "shared.txt"},
		"binary":           {put(t, "blob", "\x00a"), put(t, "blob", "\x00b"), "CONFLICT (binary)", "blob"},
		"rename":           {mv("shared.txt", "left.txt"), mv("shared.txt", "right.txt"), "CONFLICT (rename/rename)", "left.txt"},
		"case":             {put(t, "Util.go", "a\n"), put(t, "util.go", "b\n"), "CONFLICT (case)", "util.go"},
		"case of a folder": {put(t, "Lib/a.go", "a\n"), put(t, "lib/b.go", "b\n"), "CONFLICT (case)", "lib"},
		"odd name":         {put(t, "a\n\"b", "1\n"), put(t, "a\n\"b", "2\n"), "CONFLICT (contents)", "a\n\"b"},
	} {
		t.Run(name, func(t *testing.T) {
			r := workspacetest.New(t, workspacetest.Options{})
			r.Begin()
			one, two := r.Spec("one"), r.Spec("two")
			make1(t, r, one)
			make1(t, r, two)
			c.ours(one.Dir)
			c.theirs(two.Dir)
			r.Merge("one", r.Seal(one).Commit)
			_, err := r.Repo.PlanMerge(t.Context(), workspacetest.RunID, r.Seal(two).Commit, workspacetest.Message("two", 1))
			conflict := (*workspace.ConflictError)(nil)
			if !errors.As(err, &conflict) {
				t.Fatalf("PlanMerge = %v", err)
			}
			if !slices.Contains(conflict.Paths, c.path) {
				t.Errorf("paths = %q", conflict.Paths)
			}
			if !slices.ContainsFunc(conflict.Details, func(d workspace.ConflictDetail) bool { return d.Kind == c.kind }) {
				t.Errorf("details = %+v", conflict.Details)
			}
		})
	}
}

func TestMergeOfSeparateChangesGoesThrough(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Write("Existing", "a\n")
	r.Write("existing", "b\n") // a collision that was there before is nobody's conflict
	r.Git("add", "-A")
	r.Git("commit", "-q", "-m", "both")
	r.Begin()
	one, two := r.Spec("one"), r.Spec("two")
	make1(t, r, one)
	make1(t, r, two)
	workspacetest.Write(t, one.Dir, "shared.txt", "1\ntwo\nthree\n")
	workspacetest.Write(t, two.Dir, "shared.txt", "one\ntwo\n3\n")
	r.Merge("one", r.Seal(one).Commit)
	tip := r.Seal(two).Commit
	m := r.Merge("two", tip)
	if got := r.Files(m.New)["shared.txt"]; got != "100644 1\ntwo\n3\n" {
		t.Errorf("shared.txt is %q", got)
	}
	again, err := r.Repo.PlanMerge(t.Context(), workspacetest.RunID, tip, workspacetest.Message("two", 1))
	if err != nil || again.New != m.New || again.Old != m.New {
		t.Errorf("a second merge is %+v, %v", again, err)
	}
	must(t, r.Repo.Advance(t.Context(), workspacetest.RunID, m)) // repeated
	must(t, r.Repo.Mirror(t.Context(), workspacetest.RunID, workspacetest.Branch))
	if got := r.Git("rev-parse", workspacetest.Branch); got != m.New {
		t.Errorf("the branch is at %s", got)
	}
}

func TestMergeOfAnUnknownTipIsNoConflict(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	for _, tip := range []string{"1234567890123456789012345678901234567890", "main", "--all", ""} {
		_, err := r.Repo.PlanMerge(t.Context(), workspacetest.RunID, tip, "x")
		if conflict := (*workspace.ConflictError)(nil); err == nil || errors.As(err, &conflict) {
			t.Errorf("PlanMerge of %q = %v", tip, err)
		}
	}
}

func TestMergedIsFoundByTrailersOfTheRunsOwnMergesAlone(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	s := r.Spec("one")
	make1(t, r, s)
	workspacetest.Write(t, s.Dir, "a", "a\n")
	r.GitIn(s.Dir, "add", "-A")
	r.GitIn(s.Dir, "commit", "-q", "-m", workspacetest.Message("forged", 1))
	saved := r.Seal(s)
	m, err := r.Repo.PlanMerge(t.Context(), workspacetest.RunID, saved.Commit,
		"One\n\nOrc-Task: quoted\nin the text.\n\nSigned-off-by: A <a@b>\nOrc-Run: 7f3c\nOrc-Task: one\nOrc-Attempt: 1\nReviewed-by: B\n")
	must(t, err)
	must(t, r.Repo.Advance(t.Context(), workspacetest.RunID, m))
	for name, want := range map[string]bool{"one": true, "forged": false, "quoted": false} {
		if commit, found, err := r.Repo.Merged(t.Context(), workspacetest.RunID, name, 1); err != nil || found != want || found && commit != m.New {
			t.Errorf("Merged of %s = %s, %v, %v", name, commit, found, err)
		}
	}
	if _, found, err := r.Repo.Merged(t.Context(), workspacetest.RunID, "one", 2); err != nil || found {
		t.Errorf("Merged of another attempt = %v, %v", found, err)
	}
}

func TestConcurrentMergesAllGoIn(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	const each = 6
	var tips [2][each]string
	for w := range tips {
		for i := range each {
			name := "t" + strconv.Itoa(w) + "-" + strconv.Itoa(i)
			tips[w][i] = task(t, r, name, put(t, name+".txt", name)).Commit
		}
	}
	var wg sync.WaitGroup
	errs := make(chan error, 2)
	for w := range tips {
		wg.Go(func() {
			for i, tip := range tips[w] {
				for {
					m, err := r.Repo.PlanMerge(t.Context(), workspacetest.RunID, tip, workspacetest.Message("t"+strconv.Itoa(w)+"-"+strconv.Itoa(i), 1))
					if err == nil {
						err = r.Repo.Advance(t.Context(), workspacetest.RunID, m)
					}
					if err == nil {
						break
					}
					if !errors.Is(err, workspace.ErrMoved) {
						errs <- err
						return
					}
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	for w := range tips {
		for i := range each {
			name := "t" + strconv.Itoa(w) + "-" + strconv.Itoa(i)
			if _, found, err := r.Repo.Merged(t.Context(), workspacetest.RunID, name, 1); err != nil || !found {
				t.Errorf("%s: %v, %v", name, found, err)
			}
		}
	}
}

func TestAMergeIsTheSameAfterACrashAtAnyStep(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	saved := task(t, r, "one", put(t, "a.txt", "a\n"))
	base := saved.Commit + "^"
	var merges []workspace.Merge
	for n := 1; ; n++ {
		merge := func(repo *workspace.Repository) error {
			if _, done, err := repo.Merged(t.Context(), workspacetest.RunID, "one", 1); err != nil || done {
				return err
			}
			m, err := repo.PlanMerge(t.Context(), workspacetest.RunID, saved.Commit, workspacetest.Message("one", 1))
			if err != nil {
				return err
			}
			merges = append(merges, m)
			return repo.Advance(t.Context(), workspacetest.RunID, m)
		}
		err := r.Crash(n, merge)
		must(t, merge(r.Repo))
		head, herr := r.Repo.Integration(t.Context(), workspacetest.RunID)
		must(t, herr)
		if got := r.Git("rev-list", "--count", "--first-parent", base+".."+head); got != "1" {
			t.Fatalf("after a crash at command %d there are %s merges", n, got)
		}
		if err == nil {
			break
		}
		r.Git("update-ref", "refs/orc/7f3c/integration", base)
	}
	if len(merges) < 3 {
		t.Error("the crashes came too late to count")
	}
}

func TestDiffAndChangesAgree(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	saved := task(t, r, "one", func(dir string) {
		workspacetest.Write(t, dir, "a b.txt", "1\n2\n")
		workspacetest.Write(t, dir, "bin.dat", "\x00\x01")
		must(t, os.Remove(filepath.Join(dir, "README")))
	})
	want := []workspace.FileChange{{Path: "README", Deleted: 1}, {Path: "a b.txt", Added: 2}, {Path: "bin.dat", Binary: true}}
	if d := cmp.Diff(want, saved.Changed); d != "" {
		t.Error(d)
	}
	var out, stat writer
	must(t, r.Repo.Diff(t.Context(), &out, r.Head(), saved.Commit, workspace.DiffOptions{Paths: []string{"a b.txt"}}))
	must(t, r.Repo.Diff(t.Context(), &stat, r.Head(), saved.Commit, workspace.DiffOptions{Stat: true, Color: true}))
	if !slices.Contains(out.lines(), "+2") || slices.Contains(out.lines(), "-a repository") {
		t.Errorf("diff is %q", out.text)
	}
	if len(stat.lines()) < 4 {
		t.Errorf("stat is %q", stat.text)
	}
}

func TestMergeHonoursAttributesOfTheTree(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Write("docs/.gitattributes", "CHANGES merge=union\n*.lock binary\n")
	r.Write("docs/CHANGES", "first\n")
	r.Write("docs/a.lock", "1\n2\n3\n4\n5\n")
	r.Git("add", "-A")
	r.Git("commit", "-q", "-m", "attributes")
	r.Begin()
	one, two := r.Spec("one"), r.Spec("two")
	make1(t, r, one)
	make1(t, r, two)
	workspacetest.Write(t, one.Dir, "docs/CHANGES", "first\none\n")
	workspacetest.Write(t, two.Dir, "docs/CHANGES", "first\ntwo\n")
	r.Merge("one", r.Seal(one).Commit)
	m := r.Merge("two", r.Seal(two).Commit)
	if got := r.Files(m.New)["docs/CHANGES"]; got != "100644 first\none\ntwo\n" {
		t.Errorf("CHANGES is %q", got)
	}
	three, four := r.Spec("three"), r.Spec("four")
	make1(t, r, three)
	make1(t, r, four)
	workspacetest.Write(t, three.Dir, "docs/a.lock", "one\n2\n3\n4\n5\n")
	workspacetest.Write(t, four.Dir, "docs/a.lock", "1\n2\n3\n4\nfive\n")
	r.Merge("three", r.Seal(three).Commit)
	_, err := r.Repo.PlanMerge(t.Context(), workspacetest.RunID, r.Seal(four).Commit, "x")
	if conflict := (*workspace.ConflictError)(nil); !errors.As(err, &conflict) || conflict.Details[0].Kind != "CONFLICT (binary)" {
		t.Errorf("PlanMerge = %v", err)
	}
}
