package workspacetest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/workspace"
)

// Run runs the contract of a driver.
func Run(t *testing.T, open func(*workspace.Repository) workspace.Driver) {
	for name, test := range map[string]func(*testing.T, func(*workspace.Repository) workspace.Driver){
		"holds the files of its base":                holdsItsBase,
		"is created again over anything":             createdOverAnything,
		"saves and merges what a command did":        savesAndMerges,
		"the agent's own commits are kept":           agentCommits,
		"is removed whatever is in it":               removedWhateverIsInIt,
		"a stripped one becomes another":             becomesAnother,
		"a bad seed is refused":                      badSeed,
		"is never made in the user's repository":     neverInTheRepository,
		"is whole after a crash at any step":         wholeAfterACrash,
		"works on a repository of any object format": anyFormat,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

type opener = func(*workspace.Repository) workspace.Driver

func begin(t *testing.T, open opener) (*Rig, workspace.Driver) {
	t.Helper()
	r := New(t, Options{Name: "ein Repo mit ü"})
	r.Begin()
	return r, open(r.Repo)
}

func create(t *testing.T, d workspace.Driver, s workspace.Spec) {
	t.Helper()
	if err := d.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

// onDisk are the files of a folder as Rig.Files gives those of a commit.
func onDisk(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if rel == ".git" {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		switch {
		case d.IsDir():
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			files[rel] = "120000 " + to
			return err
		default:
			st, err := d.Info()
			if err != nil {
				return err
			}
			b, err := os.ReadFile(path)
			mode := "100644 "
			if st.Mode()&0o100 != 0 {
				mode = "100755 "
			}
			files[rel] = mode + string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func holdsItsBase(t *testing.T, open opener) {
	r, d := begin(t, open)
	s := r.Spec("build")
	create(t, d, s)
	if diff := cmp.Diff(r.Files(s.Base), onDisk(t, s.Dir)); diff != "" {
		t.Error(diff)
	}
	if got := r.GitIn(s.Dir, "status", "--porcelain", "--ignored"); got != "" {
		t.Errorf("status says %q", got)
	}
	if got := r.GitIn(s.Dir, "rev-parse", "--show-toplevel", "HEAD"); got != s.Dir+"\n"+s.Base {
		t.Errorf("git sees %q", got)
	}
	if got := r.GitIn(s.Dir, "remote"); got != "" && d.Name() == "clone" {
		t.Errorf("there is a remote: %q", got)
	}
}

func createdOverAnything(t *testing.T, open opener) {
	r, d := begin(t, open)
	s := r.Spec("build")
	create(t, d, s)
	Write(t, s.Dir, "left.over", "x")
	if err := os.RemoveAll(filepath.Join(s.Dir, ".git")); err != nil {
		t.Fatal(err)
	}
	create(t, d, s)
	if diff := cmp.Diff(r.Files(s.Base), onDisk(t, s.Dir)); diff != "" {
		t.Error(diff)
	}
	if err := os.RemoveAll(s.Dir); err != nil {
		t.Fatal(err)
	}
	Write(t, filepath.Dir(s.Dir), filepath.Base(s.Dir), "a file is in the way")
	create(t, d, s)
	if got := r.GitIn(s.Dir, "status", "--porcelain"); got != "" {
		t.Errorf("status says %q", got)
	}
}

func savesAndMerges(t *testing.T, open opener) {
	r, d := begin(t, open)
	s := r.Spec("build")
	create(t, d, s)
	Write(t, s.Dir, "new.txt", "new\n")
	Write(t, s.Dir, "shared.txt", "one\n2\nthree\n")
	saved := r.Seal(s)
	if diff := cmp.Diff(onDisk(t, s.Dir), r.Files(saved.Commit)); diff != "" {
		t.Error(diff)
	}
	want := []workspace.FileChange{{Path: "new.txt", Added: 1}, {Path: "shared.txt", Added: 1, Deleted: 1}}
	if diff := cmp.Diff(want, saved.Changed); diff != "" {
		t.Error(diff)
	}
	m := r.Merge("build", saved.Commit)
	if commit, found, err := r.Repo.Merged(t.Context(), RunID, "build", 1); err != nil || !found || commit != m.New {
		t.Errorf("Merged = %s, %v, %v", commit, found, err)
	}
	if err := d.Remove(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(s.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if got := r.Git("worktree", "list"); strings.Count(got, "\n") != 0 {
		t.Errorf("worktrees are left: %s", got)
	}
}

func agentCommits(t *testing.T, open opener) {
	r, d := begin(t, open)
	s := r.Spec("build")
	create(t, d, s)
	Write(t, s.Dir, "a.txt", "a\n")
	r.GitIn(s.Dir, "add", "-A")
	r.GitIn(s.Dir, "commit", "-q", "-m", "by the agent")
	head := r.GitIn(s.Dir, "rev-parse", "HEAD")
	saved := r.Seal(s)
	if saved.Commit != head {
		t.Errorf("saved %s instead of the agent's HEAD %s", saved.Commit, head)
	}
	if saved.Empty || len(saved.Notices) != 0 {
		t.Errorf("saved = %+v", saved)
	}
	s2 := r.Spec("second")
	create(t, d, s2)
	r.GitIn(s2.Dir, "checkout", "-q", "--detach")
	Write(t, s2.Dir, "b.txt", "b\n")
	r.GitIn(s2.Dir, "add", "-A")
	r.GitIn(s2.Dir, "commit", "-q", "-m", "detached")
	head = r.GitIn(s2.Dir, "rev-parse", "HEAD")
	Write(t, s2.Dir, "c.txt", "not committed\n")
	saved = r.Seal(s2)
	if got := r.Git("rev-parse", saved.Commit+"^"); got != head {
		t.Errorf("the parent is %s instead of the agent's HEAD %s", got, head)
	}
	if files := r.Files(saved.Commit); files["b.txt"] == "" || files["c.txt"] == "" {
		t.Errorf("files = %v", files)
	}
}

func removedWhateverIsInIt(t *testing.T, open opener) {
	r, d := begin(t, open)
	s := r.Spec("build")
	create(t, d, s)
	outside := filepath.Join(r.Data, "outside")
	Write(t, outside, "precious.txt", "x")
	if err := os.Symlink(outside, filepath.Join(s.Dir, "out")); err != nil {
		t.Fatal(err)
	}
	Write(t, s.Dir, "cache/mod/file", "x")
	for _, p := range []string{"cache/mod/file", "cache/mod", "cache"} {
		if err := os.Chmod(filepath.Join(s.Dir, p), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // idempotent
		if err := d.Remove(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(s.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if _, err := os.Lstat(s.Index); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the index is still there: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(outside, "precious.txt")); err != nil {
		t.Errorf("a symbolic link was followed: %v", err)
	}
}

func becomesAnother(t *testing.T, open opener) {
	r, d := begin(t, open)
	pool := workspace.NewPool(d, r.Repo, filepath.Join(r.Data, "ws", RunID, ".pool"))
	first := r.Spec("first")
	if err := pool.Take(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	Write(t, first.Dir, "new.txt", "new\n")
	Write(t, first.Dir, "ignored.log", "x")
	Write(t, first.Dir, "build/out/file", "x")
	Write(t, first.Dir, "src/main.txt", "changed\n")
	if err := os.Remove(filepath.Join(first.Dir, "src/deep/er.txt")); err != nil {
		t.Fatal(err)
	}
	saved := r.Seal(first)
	r.Merge("first", saved.Commit)
	inode := ino(t, filepath.Join(first.Dir, "README"))
	if err := pool.Give(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(first.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	second := r.Spec("second")
	if err := pool.Take(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if ino(t, filepath.Join(second.Dir, "README")) != inode {
		t.Error("the folder was made afresh")
	}
	if diff := cmp.Diff(r.Files(second.Base), onDisk(t, second.Dir)); diff != "" {
		t.Error(diff)
	}
	if got := r.GitIn(second.Dir, "status", "--porcelain", "--ignored"); got != "" {
		t.Errorf("status says %q", got)
	}
	if saved := r.Seal(second); !saved.Empty || saved.Commit != second.Base {
		t.Errorf("saved = %+v", saved)
	}
}

func badSeed(t *testing.T, open opener) {
	r, d := begin(t, open)
	s := r.Spec("first")
	create(t, d, s)
	if err := d.Strip(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	Write(t, s.Dir, "README", "changed after it was stripped\n")
	next := r.Spec("second")
	next.Seed = &workspace.Seed{Dir: s.Dir, Index: s.Index}
	if err := d.Create(t.Context(), next); !errors.Is(err, workspace.ErrSeed) {
		t.Fatalf("Create = %v", err)
	}
	next.Seed = nil
	create(t, d, next)
	if diff := cmp.Diff(r.Files(next.Base), onDisk(t, next.Dir)); diff != "" {
		t.Error(diff)
	}
}

func neverInTheRepository(t *testing.T, open opener) {
	r, d := begin(t, open)
	inside := filepath.Join(r.Data, "into")
	if err := os.Symlink(r.Root, inside); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{
		r.Root, filepath.Dir(r.Root), filepath.Join(r.Root, "src"), filepath.Join(r.Root, ".git"), filepath.Join(inside, "src"), filepath.Join(inside, "new"),
		r.Data, r.Data + "/x/../y", filepath.Join(filepath.Dir(r.Data), "elsewhere"), "relative", "",
	} {
		s := r.Spec("build")
		s.Dir = dir
		if err := d.Create(t.Context(), s); !errors.Is(err, workspace.ErrOutside) {
			t.Errorf("Create at %q = %v", dir, err)
		}
		if err := d.Remove(t.Context(), s); !errors.Is(err, workspace.ErrOutside) {
			t.Errorf("Remove at %q = %v", dir, err)
		}
	}
}

func anyFormat(t *testing.T, open opener) {
	r := New(t, Options{Format: "sha256"})
	r.Begin()
	d := open(r.Repo)
	s := r.Spec("build")
	create(t, d, s)
	Write(t, s.Dir, "new.txt", "new\n")
	r.GitIn(s.Dir, "add", "-A")
	r.GitIn(s.Dir, "commit", "-q", "-m", "by the agent")
	Write(t, s.Dir, "more.txt", "more\n")
	saved := r.Seal(s)
	if diff := cmp.Diff(onDisk(t, s.Dir), r.Files(saved.Commit)); diff != "" {
		t.Error(diff)
	}
	r.Merge("build", saved.Commit)
}

func wholeAfterACrash(t *testing.T, open opener) {
	r, d := begin(t, open)
	s := r.Spec("build")
	for n := 1; ; n++ {
		cut := r.Crash(n, func(repo *workspace.Repository) error {
			driver := open(repo)
			if err := driver.Create(t.Context(), s); err != nil {
				return err
			}
			return driver.Remove(t.Context(), s)
		})
		create(t, d, s)
		if got := r.GitIn(s.Dir, "status", "--porcelain", "--ignored"); got != "" {
			t.Fatalf("after a crash at command %d status is %q", n, got)
		}
		if err := d.Remove(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if got := r.Git("worktree", "list"); strings.Count(got, "\n") != 0 {
			t.Fatalf("after a crash at command %d worktrees are left: %s", n, got)
		}
		if cut == nil {
			break
		}
	}
}
