package workspace_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/clone"
	"orchestrator/internal/workspace/workspacetest"
)

// working is a rig with one workspace made.
func working(t *testing.T) (*workspacetest.Rig, workspace.Spec) {
	t.Helper()
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	s := r.Spec("build")
	make1(t, r, s)
	return r, s
}

func make1(t *testing.T, r *workspacetest.Rig, s workspace.Spec) {
	t.Helper()
	if err := clone.New(r.Repo).Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func noticed(t *testing.T, saved workspace.Saved, word string) {
	t.Helper()
	if !slices.ContainsFunc(saved.Notices, func(n string) bool { return strings.Contains(n, word) }) {
		t.Errorf("no notice has %q: %q", word, saved.Notices)
	}
}

func TestSealSavesEveryKindOfChange(t *testing.T) {
	r, s := working(t)
	write := func(name, text string) { workspacetest.Write(t, s.Dir, name, text) }
	write("staged.txt", "staged\n")
	r.GitIn(s.Dir, "add", "staged.txt")
	write("README", "not staged\n")
	write("untracked/in a folder/ü.txt", "untracked\n")
	write("a\nb\"c", "odd name\n")
	write("-rf", "dash\n")
	write(".hidden", "hidden\n")
	write("latin\xff1", "not UTF-8\n")
	write("back\\slash", "backslash\n")
	write("ignored.log", "ignored\n")
	write("forced.log", "forced\n")
	r.GitIn(s.Dir, "add", "-f", "forced.log")
	must(t, os.Remove(filepath.Join(s.Dir, "src/main.txt")))
	must(t, os.Chmod(filepath.Join(s.Dir, "shared.txt"), 0o755))
	must(t, os.Symlink("/etc/passwd", filepath.Join(s.Dir, "outward")))
	must(t, os.WriteFile(filepath.Join(s.Dir, "binary"), []byte{0, 1, 2}, 0o600))
	must(t, os.Remove(filepath.Join(s.Dir, "link")))
	write("link/now/a/folder", "x")
	must(t, os.RemoveAll(filepath.Join(s.Dir, "bin")))
	write("bin", "now a file\n")

	saved := r.Seal(s)
	files := r.Files(saved.Commit)
	for name, want := range map[string]string{
		"staged.txt": "100644 staged\n", "README": "100644 not staged\n", "untracked/in a folder/ü.txt": "100644 untracked\n",
		"a\nb\"c": "100644 odd name\n", "-rf": "100644 dash\n", ".hidden": "100644 hidden\n", "latin\xff1": "100644 not UTF-8\n",
		"back\\slash": "100644 backslash\n", "forced.log": "100644 forced\n", "shared.txt": "100755 one\ntwo\nthree\n",
		"outward": "120000 /etc/passwd", "binary": "100644 \x00\x01\x02", "link/now/a/folder": "100644 x", "bin": "100644 now a file\n",
		"src/deep/er.txt": "100644 deeper\n", ".gitignore": "100644 *.log\nbuild/\n",
	} {
		if files[name] != want {
			t.Errorf("%q is %q instead of %q", name, files[name], want)
		}
		delete(files, name)
	}
	if len(files) > 0 {
		t.Errorf("also saved: %q", files)
	}
	if got := r.Git("show", "-s", "--format=%an <%ae> %cn <%ce>%n%(trailers:key=Orc-Task,valueonly)", saved.Commit); got != "Ada <ada@example.com> Ada <ada@example.com>\nbuild\n" {
		t.Errorf("the commit says %q", got)
	}
	again := r.Seal(s)
	if again.Commit != saved.Commit || again.Tree != saved.Tree || len(again.Changed) != len(saved.Changed) {
		t.Errorf("a second save gave %+v", again)
	}
}

func TestSealOfAnUntouchedWorkspaceIsEmpty(t *testing.T) {
	r, s := working(t)
	saved := r.Seal(s)
	if !saved.Empty || saved.Commit != s.Base || len(saved.Changed) != 0 || len(saved.Notices) != 0 {
		t.Errorf("saved = %+v", saved)
	}
	if again := r.Seal(s); !again.Empty || again.Commit != s.Base {
		t.Errorf("saved again = %+v", again)
	}
}

func TestSealSurvivesWhateverBecameOfTheGitFolder(t *testing.T) {
	for name, wreck := range map[string]func(t *testing.T, r *workspacetest.Rig, dir string){
		"a stale index.lock": func(t *testing.T, _ *workspacetest.Rig, dir string) {
			workspacetest.Write(t, dir, ".git/index.lock", "")
		},
		"deleted": func(t *testing.T, _ *workspacetest.Rig, dir string) {
			must(t, os.RemoveAll(filepath.Join(dir, ".git")))
		},
		"a broken HEAD": func(t *testing.T, _ *workspacetest.Rig, dir string) {
			workspacetest.Write(t, dir, ".git/HEAD", "nonsense")
		},
		"an unborn HEAD": func(t *testing.T, r *workspacetest.Rig, dir string) {
			r.GitIn(dir, "checkout", "-q", "--orphan", "fresh")
		},
		"HEAD of a missing commit": func(t *testing.T, _ *workspacetest.Rig, dir string) {
			workspacetest.Write(t, dir, ".git/HEAD", strings.Repeat("1234", 10)+"\n")
		},
		"HEAD is a pipe": func(t *testing.T, _ *workspacetest.Rig, dir string) {
			must(t, os.Remove(filepath.Join(dir, ".git/HEAD")))
			must(t, syscall.Mkfifo(filepath.Join(dir, ".git/HEAD"), 0o600))
		},
		"HEAD leads out": func(t *testing.T, r *workspacetest.Rig, dir string) {
			must(t, os.Remove(filepath.Join(dir, ".git/HEAD")))
			must(t, os.Symlink(filepath.Join(r.Root, ".git/HEAD"), filepath.Join(dir, ".git/HEAD")))
		},
		"a file": func(t *testing.T, r *workspacetest.Rig, dir string) {
			must(t, os.RemoveAll(filepath.Join(dir, ".git")))
			workspacetest.Write(t, dir, ".git", "gitdir: "+r.Root+"/.git\n")
		},
		"a symbolic link": func(t *testing.T, r *workspacetest.Rig, dir string) {
			must(t, os.RemoveAll(filepath.Join(dir, ".git")))
			must(t, os.Symlink(filepath.Join(r.Root, ".git"), filepath.Join(dir, ".git")))
		},
		"a damaged index": func(t *testing.T, _ *workspacetest.Rig, dir string) {
			workspacetest.Write(t, dir, ".git/index", "DIRC nonsense")
		},
		"damaged objects of commits": func(t *testing.T, r *workspacetest.Rig, dir string) {
			r.GitIn(dir, "commit", "-q", "--allow-empty", "-m", "x")
			head := r.GitIn(dir, "rev-parse", "HEAD")
			object := filepath.Join(dir, ".git/objects", head[:2], head[2:])
			must(t, os.Chmod(object, 0o600))
			must(t, os.WriteFile(object, []byte("damaged"), 0o600))
		},
		"a pipe among the objects": func(t *testing.T, r *workspacetest.Rig, dir string) {
			r.GitIn(dir, "commit", "-q", "--allow-empty", "-m", "x")
			must(t, syscall.Mkfifo(filepath.Join(dir, ".git/objects/pack/pack-x.idx"), 0o600))
		},
		"no private index": func(t *testing.T, r *workspacetest.Rig, dir string) {
			must(t, os.Remove(filepath.Join(r.Data, "runs", workspacetest.RunID, "index", "build")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, s := working(t)
			workspacetest.Write(t, s.Dir, "new.txt", "new\n")
			must(t, os.Remove(filepath.Join(s.Dir, "README")))
			wreck(t, r, s.Dir)
			saved := r.Seal(s)
			files := r.Files(saved.Commit)
			if files["new.txt"] != "100644 new\n" || files["README"] != "" || files["shared.txt"] == "" {
				t.Errorf("files = %q", files)
			}
			if got := r.Git("rev-parse", saved.Commit+"^"); got != s.Base {
				t.Errorf("the parent is %s", got)
			}
		})
	}
}

func TestSealRunsNothingOfTheAgents(t *testing.T) {
	r, s := working(t)
	trap := filepath.Join(r.Data, "sprung")
	evil := filepath.Join(r.Data, "evil")
	must(t, os.WriteFile(evil, []byte("#!/bin/sh\ntouch '"+trap+"'\ncat\n"), 0o755))
	workspacetest.Write(t, s.Dir, "a.txt", "a\n")
	r.GitIn(s.Dir, "add", "-A")
	r.GitIn(s.Dir, "commit", "-q", "-m", "x")
	r.GitIn(s.Dir, "branch", "beside")
	for _, kv := range [][2]string{
		{"core.fsmonitor", evil},
		{"core.hooksPath", r.Data},
		{"filter.evil.clean", evil},
		{"filter.evil.smudge", evil},
		{"diff.evil.textconv", evil},
		{"merge.evil.driver", evil},
		{"core.alternateRefsCommand", evil},
		{"uploadpack.packObjectsHook", evil},
		{"core.sshCommand", evil},
		{"core.editor", evil},
		{"gpg.program", evil},
		{"commit.gpgSign", "true"},
	} {
		r.GitIn(s.Dir, "config", kv[0], kv[1])
	}
	for _, hook := range []string{"pre-commit", "post-checkout", "reference-transaction", "post-index-change"} {
		must(t, os.Symlink(evil, filepath.Join(r.Data, hook)))
	}
	workspacetest.Write(t, s.Dir, ".gitattributes", "* filter=evil diff=evil merge=evil\n")
	workspacetest.Write(t, s.Dir, "README", "changed\n")
	must(t, os.Mkdir(filepath.Join(s.Dir, "sub"), 0o755))
	r.GitIn(filepath.Join(s.Dir, "sub"), "init", "-q")
	workspacetest.Write(t, s.Dir, "sub/in.txt", "in\n")
	r.GitIn(filepath.Join(s.Dir, "sub"), "config", "core.fsmonitor", evil)
	must(t, removeIfThere(trap))
	saved := r.Seal(s)
	r.Merge("build", saved.Commit)
	pool := workspace.NewPool(clone.New(r.Repo), r.Repo, filepath.Join(r.Data, "pool"))
	must(t, pool.Give(t.Context(), s))
	next := r.Spec("next")
	must(t, pool.Take(t.Context(), next))
	if _, err := os.Lstat(trap); err == nil {
		t.Error("something of the agent's was executed")
	}
	if r.Files(saved.Commit)["README"] != "100644 changed\n" {
		t.Error("README was not saved")
	}
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func TestSealDoesNotBelieveTheAgentsIndexBits(t *testing.T) {
	r, s := working(t)
	r.GitIn(s.Dir, "update-index", "--assume-unchanged", "README")
	r.GitIn(s.Dir, "update-index", "--skip-worktree", "shared.txt")
	workspacetest.Write(t, s.Dir, "README", "changed\n")
	workspacetest.Write(t, s.Dir, "shared.txt", "changed\n")
	files := r.Files(r.Seal(s).Commit)
	if files["README"] != "100644 changed\n" || files["shared.txt"] != "100644 changed\n" {
		t.Errorf("files = %q", files)
	}
}

func TestSealSeesAChangeThatKeepsSizeAndTime(t *testing.T) {
	r, s := working(t)
	path := filepath.Join(s.Dir, "README")
	st, err := os.Stat(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte("A repository\n"), 0o644))
	must(t, os.Chtimes(path, st.ModTime(), st.ModTime()))
	if got := r.Files(r.Seal(s).Commit)["README"]; got != "100644 A repository\n" {
		t.Errorf("README is %q", got)
	}
}

func TestSealSavesRepositoriesInsideAsPlainFiles(t *testing.T) {
	r, s := working(t)
	for _, sub := range []string{"inner", "unborn", "src"} {
		dir := filepath.Join(s.Dir, sub)
		must(t, os.MkdirAll(dir, 0o755))
		r.GitIn(dir, "init", "-q")
		workspacetest.Write(t, dir, "deep/file.txt", sub+"\n")
		workspacetest.Write(t, dir, "skip.log", "ignored\n")
		if sub == "inner" {
			r.GitIn(dir, "add", "-A")
			r.GitIn(dir, "commit", "-q", "-m", "inner")
			must(t, os.MkdirAll(filepath.Join(dir, "nested"), 0o755))
			r.GitIn(filepath.Join(dir, "nested"), "init", "-q")
			workspacetest.Write(t, dir, "nested/x", "x\n")
		}
	}
	saved := r.Seal(s)
	files := r.Files(saved.Commit)
	for name, want := range map[string]string{
		"inner/deep/file.txt": "100644 inner\n", "unborn/deep/file.txt": "100644 unborn\n", "src/deep/file.txt": "100644 src\n",
		"inner/nested/x": "100644 x\n", "src/main.txt": "100644 main\n",
	} {
		if files[name] != want {
			t.Errorf("%s is %q", name, files[name])
		}
	}
	for name := range files {
		if strings.HasSuffix(name, ".log") || strings.Contains(name, ".git/") {
			t.Errorf("%s was saved", name)
		}
	}
	noticed(t, saved, "inner is a git repository of its own")
	noticed(t, saved, "unborn is a git repository of its own")
	pool := workspace.NewPool(clone.New(r.Repo), r.Repo, filepath.Join(r.Data, "pool"))
	must(t, pool.Give(t.Context(), s))
}

func TestSealPassesOverPipesAndSockets(t *testing.T) {
	r, s := working(t)
	must(t, os.Remove(filepath.Join(s.Dir, "README")))
	must(t, syscall.Mkfifo(filepath.Join(s.Dir, "README"), 0o600))
	workspacetest.Write(t, s.Dir, "new/file", "x\n")
	must(t, syscall.Mkfifo(filepath.Join(s.Dir, "new/pipe"), 0o600))
	saved := r.Seal(s)
	noticed(t, saved, "README is not a file")
	noticed(t, saved, "new/pipe is not a file")
	files := r.Files(saved.Commit)
	if files["README"] != "" || files["new/file"] != "100644 x\n" {
		t.Errorf("files = %q", files)
	}
}

func TestSealSavesWhatIsHiddenBehindASymbolicLink(t *testing.T) {
	r, s := working(t)
	must(t, os.Rename(filepath.Join(s.Dir, "src"), filepath.Join(s.Dir, "lib")))
	must(t, os.Symlink("lib", filepath.Join(s.Dir, "src")))
	files := r.Files(r.Seal(s).Commit)
	if files["src"] != "120000 lib" || files["lib/main.txt"] != "100644 main\n" || files["src/main.txt"] != "" {
		t.Errorf("files = %q", files)
	}
}

func TestSealKeepsCommitsBesideHead(t *testing.T) {
	r, s := working(t)
	r.GitIn(s.Dir, "checkout", "-q", "-b", "side")
	workspacetest.Write(t, s.Dir, "side.txt", "side\n")
	r.GitIn(s.Dir, "add", "-A")
	r.GitIn(s.Dir, "commit", "-q", "-m", "side")
	side := r.GitIn(s.Dir, "rev-parse", "HEAD")
	r.GitIn(s.Dir, "checkout", "-q", "build")
	workspacetest.Write(t, s.Dir, "README", "stashed\n")
	r.GitIn(s.Dir, "stash")
	stash := r.GitIn(s.Dir, "rev-parse", "refs/stash")
	workspacetest.Write(t, s.Dir, "new.txt", "new\n")
	saved := r.Seal(s)
	noticed(t, saved, "refs/heads/side")
	saves, err := r.Repo.Saves(t.Context(), workspacetest.RunID)
	must(t, err)
	var commits []string
	for _, save := range saves {
		if save.Task != "build" || save.Number != 1 {
			t.Errorf("a save is %+v", save)
		}
		commits = append(commits, save.Commit)
	}
	if !slices.Equal(commits, []string{saved.Commit, side, stash}) {
		t.Errorf("saved are %v", saves)
	}
}

func TestSealOfAHeadThatLeftTheBaseKeepsBoth(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	r.Write("second.txt", "second\n")
	r.Git("add", "-A")
	r.Git("commit", "-q", "-m", "second")
	r.Begin()
	s := r.Spec("build")
	make1(t, r, s)
	r.GitIn(s.Dir, "commit", "-q", "--amend", "-m", "amended")
	amended := r.GitIn(s.Dir, "rev-parse", "HEAD")
	workspacetest.Write(t, s.Dir, "second.txt", "changed\n")
	saved := r.Seal(s)
	noticed(t, saved, "does not go on from the base")
	if got := r.Git("show", "-s", "--format=%P", saved.Commit); got != s.Base+" "+amended {
		t.Errorf("the parents are %s", got)
	}
	r.Merge("build", saved.Commit)
}

func TestSealOfCommittedRemovalsAndIgnoredFilesIsTheAgentsTree(t *testing.T) {
	r, s := working(t)
	workspacetest.Write(t, s.Dir, "kept.log", "kept\n")
	workspacetest.Write(t, s.Dir, ".gitignore", "*.log\nbuild/\nREADME\n")
	r.GitIn(s.Dir, "rm", "-q", "--cached", "README")
	r.GitIn(s.Dir, "add", "-f", "kept.log", ".gitignore")
	r.GitIn(s.Dir, "commit", "-q", "-m", "x")
	head := r.GitIn(s.Dir, "rev-parse", "HEAD")
	saved := r.Seal(s)
	if saved.Commit != head {
		t.Errorf("saved %+v instead of the agent's commit", saved)
	}
}

func TestSealOfAWorkspaceThatIsGoneFails(t *testing.T) {
	r, s := working(t)
	must(t, os.RemoveAll(s.Dir))
	if _, err := r.Repo.Seal(t.Context(), workspacetest.SealSpec(s, 1)); !errors.Is(err, workspace.ErrNoWorkspace) {
		t.Errorf("Seal = %v", err)
	}
}

func TestSealNamesWhatGitRefuses(t *testing.T) {
	r, s := working(t)
	for _, name := range []string{".git ", "git~1", "deep/.GIT", ".git::$DATA"} {
		workspacetest.Write(t, s.Dir, name, "x")
	}
	workspacetest.Write(t, s.Dir, "fine", "fine\n")
	saved := r.Seal(s)
	noticed(t, saved, "a name that git does not take")
	if r.Files(saved.Commit)["fine"] == "" {
		t.Error("the other files were not saved")
	}
}

func TestSealHonoursTheUsersOwnExcludesAndLineEnds(t *testing.T) {
	r := workspacetest.New(t, workspacetest.Options{})
	workspacetest.Write(t, r.Root, ".git/info/exclude", "local-only\n")
	workspacetest.Write(t, filepath.Dir(r.Root), "home/excludes", "*.swp\n")
	r.Git("config", "core.excludesFile", filepath.Join(filepath.Dir(r.Root), "home/excludes"))
	r.Git("config", "core.autocrlf", "true")
	r.Begin()
	s := r.Spec("build")
	make1(t, r, s)
	if b, err := os.ReadFile(filepath.Join(s.Dir, "shared.txt")); err != nil || string(b) != "one\r\ntwo\r\nthree\r\n" {
		t.Errorf("shared.txt is %q, %v", b, err)
	}
	for _, n := range []string{"local-only", "x.swp", "new.txt"} {
		workspacetest.Write(t, s.Dir, n, "a\r\nb\r\n")
	}
	if got := r.GitIn(s.Dir, "status", "--porcelain"); got != "?? new.txt" {
		t.Errorf("the agent's git sees %q", got)
	}
	files := r.Files(r.Seal(s).Commit)
	if files["local-only"] != "" || files["x.swp"] != "" || files["new.txt"] != "100644 a\nb\n" {
		t.Errorf("files = %q", files)
	}
}

func TestSealIsTheSameAfterACrashAtAnyStep(t *testing.T) {
	r, s := working(t)
	workspacetest.Write(t, s.Dir, "a.txt", "a\n")
	r.GitIn(s.Dir, "add", "-A")
	r.GitIn(s.Dir, "commit", "-q", "-m", "x")
	workspacetest.Write(t, s.Dir, "b.txt", "b\n")
	index, err := os.ReadFile(s.Index)
	must(t, err)
	want := ""
	for n := 1; ; n++ {
		must(t, os.WriteFile(s.Index, index, 0o600))
		number := n
		err := r.Crash(n, func(repo *workspace.Repository) error {
			_, err := repo.Seal(t.Context(), workspacetest.SealSpec(s, number))
			return err
		})
		saved, serr := r.Repo.Seal(t.Context(), workspacetest.SealSpec(s, number))
		must(t, serr)
		if want == "" {
			want = saved.Tree
		}
		if saved.Tree != want {
			t.Fatalf("after a crash at command %d the tree differs: %s", n, fmt.Sprint(r.Files(saved.Commit)))
		}
		if err == nil {
			break
		}
	}
}
