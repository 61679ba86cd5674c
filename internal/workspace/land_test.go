package workspace_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/clone"
	"orchestrator/internal/workspace/workspacetest"
)

type writer struct{ text string }

func (w *writer) Write(p []byte) (int, error) { w.text += string(p); return len(p), nil }
func (w *writer) lines() []string             { return strings.Split(w.text, "\n") }

func landSpec(r *workspacetest.Rig) workspace.LandSpec {
	return workspace.LandSpec{
		Run: workspacetest.RunID, Branch: "main", Driver: clone.New(r.Repo),
		Folder: filepath.Join(r.Data, "runs", workspacetest.RunID, "merge"), Dir: filepath.Join(r.Data, "ws", workspacetest.RunID, ".merge"),
	}
}

// done is a rig whose run has finished some tasks, each of which wrote one file.
func done(t *testing.T, files ...string) *workspacetest.Rig {
	t.Helper()
	r := workspacetest.New(t, workspacetest.Options{})
	r.Begin()
	r.Unguard()
	for i := 0; i+2 < len(files); i += 3 {
		r.Merge(files[i], task(t, r, files[i], put(t, files[i+1], files[i+2])).Commit)
	}
	return r
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

func TestLandMovesTheBranchForwardWithItsCheckout(t *testing.T) {
	r := done(t, "one", "one.txt", "1\n", "two", "two.txt", "2\n")
	r.Write("shared.txt", "dirty\n")
	r.Write("untracked", "u\n")
	got, err := r.Repo.Land(t.Context(), landSpec(r))
	must(t, err)
	if !got.FastForward || got.CheckedOut != r.Root || !slices.Equal(got.Merged, []string{"one", "two"}) {
		t.Errorf("landing = %+v", got)
	}
	if read(t, filepath.Join(r.Root, "two.txt")) != "2\n" || read(t, filepath.Join(r.Root, "shared.txt")) != "dirty\n" {
		t.Error("the checkout is not what it should be")
	}
	if s := r.Git("status", "--porcelain"); s != " M shared.txt\n?? untracked" {
		t.Errorf("status is %q", s)
	}
	again, err := r.Repo.Land(t.Context(), landSpec(r))
	if err != nil || again.New != again.Old || again.New != got.New {
		t.Errorf("a second landing is %+v, %v", again, err)
	}
}

func TestLandRefusesWhenUncommittedChangesAreInTheWay(t *testing.T) {
	for name, file := range map[string]string{"tracked": "shared.txt", "untracked": "one.txt"} {
		t.Run(name, func(t *testing.T) {
			r := done(t, "one", file, "landed\n")
			r.Write(file, "mine\n")
			r.Guard()
			_, err := r.Repo.Land(t.Context(), landSpec(r))
			if !errors.Is(err, workspace.ErrDirty) || !strings.Contains(err.Error(), file) {
				t.Errorf("Land = %v", err)
			}
		})
	}
}

func TestLandMergesEachTaskWhenTheBranchHasGoneOn(t *testing.T) {
	r := done(t, "one", "one.txt", "1\n", "two", "two.txt", "2\n")
	r.Write("mine.txt", "mine\n")
	r.Git("add", "-A")
	r.Git("commit", "-q", "-m", "mine")
	got, err := r.Repo.Land(t.Context(), landSpec(r))
	must(t, err)
	if got.FastForward || !slices.Equal(got.Merged, []string{"one", "two"}) || r.Head() != got.New {
		t.Errorf("landing = %+v", got)
	}
	if s := r.Git("log", "--first-parent", "--format=%s", "-4"); s != "Work of two\nWork of one\nmine\nfirst" {
		t.Errorf("the history is %q", s)
	}
	if s := r.Git("status", "--porcelain"); s != "" {
		t.Errorf("status is %q", s)
	}
}

func TestLandOnABranchThatIsNotCheckedOutTouchesNoFiles(t *testing.T) {
	r := done(t, "one", "one.txt", "1\n")
	r.Git("branch", "release")
	before := r.Snapshot()
	s := landSpec(r)
	s.Branch = "release"
	got, err := r.Repo.Land(t.Context(), s)
	must(t, err)
	if r.Git("rev-parse", "release") != got.New || got.CheckedOut != "" {
		t.Errorf("landing = %+v", got)
	}
	after := r.Snapshot()
	for name := range before {
		if before[name] != after[name] && !strings.Contains(name, "release") {
			t.Errorf("%s changed", name)
		}
	}
}

// quarrel is a rig whose second of three tasks does not fit what the user committed since.
func quarrel(t *testing.T) *workspacetest.Rig {
	t.Helper()
	r := done(t, "one", "one.txt", "1\n", "two", "shared.txt", "one\nzwei\nthree\n", "three", "three.txt", "3\n")
	r.Write("shared.txt", "one\n2\nthree\n")
	r.Git("commit", "-q", "-a", "-m", "mine")
	return r
}

func TestLandStopsAtAConflictAndGoesOnWhenItIsResolved(t *testing.T) {
	r := quarrel(t)
	r.Guard()
	s := landSpec(r)
	_, err := r.Repo.Land(t.Context(), s)
	stopped := (*workspace.StoppedError)(nil)
	if !errors.As(err, &stopped) || stopped.Task != "two" || !slices.Equal(stopped.Conflict.Paths, []string{"shared.txt"}) {
		t.Fatalf("Land = %v", err)
	}
	if got := r.GitIn(s.Dir, "status", "--porcelain"); got != "UU shared.txt" {
		t.Errorf("the folder's status is %q", got)
	}
	if text := read(t, filepath.Join(s.Dir, "shared.txt")); !strings.Contains(text, "<<<<<<<") || !strings.Contains(text, "zwei") {
		t.Errorf("shared.txt is %q", text)
	}
	if waiting, err := r.Repo.LandState(s); err != nil || waiting != "two" {
		t.Errorf("LandState = %q, %v", waiting, err)
	}
	if _, err := r.Repo.Land(t.Context(), s); !errors.Is(err, workspace.ErrLanding) {
		t.Errorf("a second Land = %v", err)
	}
	if _, err := r.Repo.LandContinue(t.Context(), s); !errors.Is(err, workspace.ErrMarkers) {
		t.Errorf("LandContinue with markers = %v", err)
	}
	if r.Snapshot()["shared.txt"] == "" {
		t.Error("no snapshot")
	}
	r.Unguard()
	workspacetest.Write(t, s.Dir, "shared.txt", "one\n2 zwei\nthree\n")
	r.Open() // another process goes on
	got, err := r.Repo.LandContinue(t.Context(), s)
	must(t, err)
	if !slices.Equal(got.Merged, []string{"one", "two", "three"}) || read(t, filepath.Join(r.Root, "shared.txt")) != "one\n2 zwei\nthree\n" {
		t.Errorf("landing = %+v", got)
	}
	if st := r.Git("status", "--porcelain"); st != "" {
		t.Errorf("status is %q", st)
	}
	if _, err := os.Lstat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("the conflict's folder is still there")
	}
	if refs := r.Git("for-each-ref", "refs/orc/7f3c/land"); refs != "" {
		t.Errorf("a ref is left: %s", refs)
	}
	if _, err := r.Repo.LandContinue(t.Context(), s); !errors.Is(err, workspace.ErrNoLanding) {
		t.Errorf("LandContinue afterwards = %v", err)
	}
}

func TestLandCanLeaveOutTheTaskInConflict(t *testing.T) {
	r := quarrel(t)
	s := landSpec(r)
	stopped := (*workspace.StoppedError)(nil)
	if _, err := r.Repo.Land(t.Context(), s); !errors.As(err, &stopped) {
		t.Fatalf("Land = %v", err)
	}
	s.Skip = []string{"two"}
	got, err := r.Repo.LandContinue(t.Context(), s)
	must(t, err)
	if !slices.Equal(got.Merged, []string{"one", "three"}) {
		t.Errorf("landing = %+v", got)
	}
	if read(t, filepath.Join(r.Root, "shared.txt")) != "one\n2\nthree\n" || read(t, filepath.Join(r.Root, "three.txt")) != "3\n" {
		t.Error("the checkout is not what it should be")
	}
}

func TestLandAbortLeavesNothing(t *testing.T) {
	r := quarrel(t)
	r.Guard()
	s := landSpec(r)
	stopped := (*workspace.StoppedError)(nil)
	if _, err := r.Repo.Land(t.Context(), s); !errors.As(err, &stopped) {
		t.Fatalf("Land = %v", err)
	}
	must(t, r.Repo.LandAbort(t.Context(), s))
	if err := r.Repo.LandAbort(t.Context(), s); !errors.Is(err, workspace.ErrNoLanding) {
		t.Errorf("a second LandAbort = %v", err)
	}
	if _, err := os.Lstat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("the conflict's folder is still there")
	}
	if refs := r.Git("for-each-ref", "refs/orc/7f3c/land"); refs != "" {
		t.Errorf("a ref is left: %s", refs)
	}
}

func TestALandingIsTheSameAfterACrashAtAnyStep(t *testing.T) {
	want := ""
	for n := 1; ; n++ {
		r := quarrel(t)
		s := landSpec(r)
		resolve := func(repo *workspace.Repository) error {
			s.Driver = clone.New(repo)
			waiting, err := repo.LandState(s)
			if err != nil {
				return err
			}
			if waiting == "" {
				if _, serr := os.Lstat(filepath.Join(s.Folder, "landing.json")); serr == nil {
					_, err = repo.LandContinue(t.Context(), s)
				} else {
					_, err = repo.Land(t.Context(), s)
				}
			}
			if stopped := (*workspace.StoppedError)(nil); waiting != "" || errors.As(err, &stopped) {
				workspacetest.Write(t, s.Dir, "shared.txt", "one\n2 zwei\nthree\n")
				_, err = repo.LandContinue(t.Context(), s)
			}
			return err
		}
		err := r.Crash(n, resolve)
		must(t, resolve(r.Repo))
		tree := r.Git("rev-parse", "HEAD^{tree}")
		if want == "" {
			want = tree
		}
		if tree != want || r.Git("status", "--porcelain") != "" || r.Git("rev-list", "--count", "--first-parent", "HEAD") != "5" {
			t.Fatalf("after a crash at command %d: %s", n, r.Git("log", "--oneline", "--graph"))
		}
		if err == nil {
			break
		}
		n += 7 // every step takes a repository of its own: a sample of them
	}
}
