// Package workspacetest is the contract of workspace.Driver as a suite of tests, and the scratch repository that it
// and other tests of the package work with.
package workspacetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/workspace"
)

// RunID is the run that a rig's workspaces belong to, and Branch the branch that shows it.
const (
	RunID  = "7f3c"
	Branch = "orc/7f3c"
)

// Rig is a user's repository with a data folder beside it, with nothing of this machine's configuration.
type Rig struct {
	T       testing.TB
	Root    string // the user's checkout
	Data    string
	Environ []string
	Repo    *workspace.Repository

	mu       sync.Mutex
	Commands []workspace.Command
	before   map[string]string
}

// Options say how a rig's repository is made.
type Options struct {
	Format string // of objects; empty = sha1
	Name   string // of the checkout's folder; empty = repo
	Empty  bool   // without a commit
	Config string // a global git configuration
}

// New makes a rig. When the test ends, the user's checkout and git folder have to be as they were when Begin was
// called, byte for byte.
func New(t testing.TB, o Options) *Rig {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if o.Name == "" {
		o.Name = "repo"
	}
	r := &Rig{T: t, Root: filepath.Join(top, o.Name), Data: filepath.Join(top, "data")}
	home := filepath.Join(top, "home")
	for _, d := range []string{r.Root, r.Data, home} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(home, "gitconfig")
	if err := os.WriteFile(config, []byte("[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n"+o.Config), 0o644); err != nil {
		t.Fatal(err)
	}
	r.Environ = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + home, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + config, "TMPDIR=" + os.TempDir(), "GIT_DIR=/nonexistent",
	}
	if o.Format == "" {
		o.Format = "sha1"
	}
	r.Git("init", "-q", "--object-format="+o.Format)
	if !o.Empty {
		r.Write("README", "a repository\n")
		r.Write("shared.txt", "one\ntwo\nthree\n")
		r.Write("src/main.txt", "main\n")
		r.Write("src/deep/er.txt", "deeper\n")
		r.Write(".gitignore", "*.log\nbuild/\n")
		r.Write("bin/tool", "#!/bin/sh\n")
		if err := os.Chmod(filepath.Join(r.Root, "bin/tool"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("README", filepath.Join(r.Root, "link")); err != nil {
			t.Fatal(err)
		}
		r.Git("add", "-A")
		r.Git("commit", "-q", "-m", "first")
	}
	r.Open()
	return r
}

// Open opens the repository again, as a new process would.
func (r *Rig) Open() {
	r.T.Helper()
	repo, err := workspace.Open(context.Background(), r.Root, workspace.Options{
		Data: r.Data, Environ: r.Environ, Observe: func(c workspace.Command) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.Commands = append(r.Commands, c)
		},
	})
	if err != nil {
		r.T.Fatal(err)
	}
	r.Repo = repo
}

// crash ends an operation in the middle.
type crash struct{}

// Crash runs an operation on the repository as a new process would and cuts it off right after its nth git command.
// nil means that it came to its end before that; an operation that was cut off gives an error.
func (r *Rig) Crash(n int, operation func(*workspace.Repository) error) (err error) {
	r.T.Helper()
	count := 0
	repo, err := workspace.Open(context.Background(), r.Root, workspace.Options{
		Data: r.Data, Environ: r.Environ, Observe: func(workspace.Command) {
			if count++; count == n+openCommands {
				panic(crash{})
			}
		},
	})
	if err != nil {
		r.T.Fatal(err)
	}
	defer func() {
		if cut := recover(); cut != nil {
			if _, ours := cut.(crash); !ours {
				panic(cut)
			}
			err = fmt.Errorf("cut off after command %d", n)
		}
	}()
	if err := operation(repo); err != nil {
		r.T.Fatal(err)
	}
	return nil
}

// openCommands is how many git commands opening a repository takes.
const openCommands = 3

// Git runs git in the user's checkout.
func (r *Rig) Git(args ...string) string {
	r.T.Helper()
	return r.GitIn(r.Root, args...)
}

// GitIn runs git in a folder and gives its output without the last newline.
func (r *Rig) GitIn(dir string, args ...string) string {
	r.T.Helper()
	out, err := r.TryGit(dir, args...)
	if err != nil {
		r.T.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSuffix(out, "\n")
}

// TryGit is GitIn for commands that may fail.
func (r *Rig) TryGit(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	for _, kv := range r.Environ {
		if !strings.HasPrefix(kv, "GIT_DIR=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out) + stderr.String(), err
	}
	return string(out), nil
}

// Write writes a file of the user's checkout.
func (r *Rig) Write(name, text string) {
	r.T.Helper()
	Write(r.T, r.Root, name, text)
}

// Write writes a file below a folder.
func Write(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Head is the commit of the user's checkout.
func (r *Rig) Head() string {
	r.T.Helper()
	return r.Git("rev-parse", "HEAD")
}

// Begin begins the run at the user's HEAD and takes the snapshot that the end of the test is compared with.
func (r *Rig) Begin() {
	r.T.Helper()
	if _, err := r.Repo.Begin(r.T.Context(), RunID, Branch, r.Head()); err != nil {
		r.T.Fatal(err)
	}
	r.Guard()
}

// Guard takes the snapshot.
func (r *Rig) Guard() {
	r.T.Helper()
	r.before = r.Snapshot()
	r.T.Cleanup(func() {
		if r.before == nil || r.T.Failed() {
			return
		}
		if d := cmp.Diff(r.before, r.Snapshot()); d != "" {
			r.T.Errorf("the user's checkout or git folder changed:\n%s", d)
		}
		if out, err := r.TryGit(r.Root, "fsck", "--strict", "--no-dangling"); err != nil {
			r.T.Errorf("git fsck: %v\n%s", err, out)
		}
	})
}

// Unguard forgets the snapshot, for tests of what may change the user's checkout.
func (r *Rig) Unguard() { r.before = nil }

// Snapshot is every file of the user's checkout and git folder, with mode and content, apart from what a run may write.
func (r *Rig) Snapshot() map[string]string {
	r.T.Helper()
	files := map[string]string{}
	add := func(top, label string, skip func(rel string) bool) {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(top, path)
			if err != nil {
				return err
			}
			if skip(filepath.ToSlash(rel)) {
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			st, err := d.Info()
			if err != nil {
				return err
			}
			if d.IsDir() {
				return nil
			}
			var content string
			if st.Mode()&fs.ModeSymlink != 0 {
				content, err = os.Readlink(path)
			} else {
				var b []byte
				b, err = os.ReadFile(path)
				content = fmt.Sprintf("%x", sha256.Sum256(b))
			}
			files[label+rel] = fmt.Sprintf("%v %v %s", st.Mode(), st.ModTime().UnixNano(), content)
			return err
		})
		if err != nil {
			r.T.Fatal(err)
		}
	}
	add(r.Root, "", func(rel string) bool { return rel == ".git" })
	add(r.Git("rev-parse", "--path-format=absolute", "--git-common-dir"), ".git/", func(rel string) bool {
		switch rel {
		case "objects", "refs/orc", "logs/refs/orc", "refs/heads/orc", "logs/refs/heads/orc", "worktrees":
			return true
		}
		return false
	})
	return files
}

// Spec is the workspace of a task, cut from the integration.
func (r *Rig) Spec(task string) workspace.Spec {
	r.T.Helper()
	base, err := r.Repo.Integration(r.T.Context(), RunID)
	if err != nil {
		r.T.Fatal(err)
	}
	return workspace.Spec{
		Run: RunID, Task: task, Dir: filepath.Join(r.Data, "ws", RunID, task), Base: base,
		Index: filepath.Join(r.Data, "runs", RunID, "index", task),
	}
}

// SealSpec says how the first attempt at a task is saved.
func SealSpec(s workspace.Spec, number int) workspace.SealSpec {
	return workspace.SealSpec{
		Run: s.Run, Task: s.Task, Number: number, Dir: s.Dir, Index: s.Index, Base: s.Base, Message: Message(s.Task, number),
	}
}

// Message is a commit message with the trailers of an attempt.
func Message(task string, number int) string {
	return fmt.Sprintf("Work of %s\n\nOrc-Run: %s\nOrc-Task: %s\nOrc-Attempt: %d\n", task, RunID, task, number)
}

// Seal saves a workspace as attempt 1.
func (r *Rig) Seal(s workspace.Spec) workspace.Saved {
	r.T.Helper()
	saved, err := r.Repo.Seal(r.T.Context(), SealSpec(s, 1))
	if err != nil {
		r.T.Fatal(err)
	}
	return saved
}

// Merge merges saved work.
func (r *Rig) Merge(task, commit string) workspace.Merge {
	r.T.Helper()
	m, err := r.Repo.PlanMerge(r.T.Context(), RunID, commit, Message(task, 1))
	if err != nil {
		r.T.Fatal(err)
	}
	if err := r.Repo.Advance(r.T.Context(), RunID, m); err != nil {
		r.T.Fatal(err)
	}
	return m
}

// Files are the paths of a commit with their modes and content.
func (r *Rig) Files(commit string) map[string]string {
	r.T.Helper()
	files := map[string]string{}
	for f := range strings.SplitSeq(strings.TrimSuffix(r.Git("ls-tree", "-r", "-z", commit), "\x00"), "\x00") {
		meta, path, ok := strings.Cut(f, "\t")
		if !ok {
			continue
		}
		m := strings.Fields(meta)
		content := m[2]
		if m[1] == "blob" {
			out, err := r.TryGit(r.Root, "cat-file", "blob", m[2])
			if err != nil {
				r.T.Fatal(err)
			}
			content = out
		}
		files[path] = m[0] + " " + content
	}
	return files
}
