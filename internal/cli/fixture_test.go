package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
)

func TestMain(m *testing.M) {
	if code, is := supervise(os.Args[1:]); is {
		os.Exit(code)
	}
	time.Local = time.UTC // the golden files show local times
	os.Exit(m.Run())
}

// noon is when the tests take place.
var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// fixture is a program in a world of its own: a repository, a data folder, an empty environment.
type fixture struct {
	t    *testing.T
	app  *App
	out  bytes.Buffer
	err  bytes.Buffer
	repo string
	seq  int

	looks chan struct{} // one for each time that the program looked at a task
}

// watched is a store that tells when a task is looked at.
type watched struct {
	persistence.Store
	looks chan struct{}
}

func (w watched) GetTask(ctx context.Context, run scheduler.RunID, id scheduler.TaskID) (*scheduler.Task, error) {
	select {
	case w.looks <- struct{}{}:
	default:
	}
	return w.Store.GetTask(ctx, run, id)
}

// countLooks makes waitLooks possible.
func (f *fixture) countLooks() {
	f.looks = make(chan struct{})
	open := f.app.OpenStore
	f.app.OpenStore = func(ctx context.Context, path string, o persistence.Options) (persistence.Store, error) {
		st, err := open(ctx, path, o)
		return watched{st, f.looks}, err
	}
}

// waitLooks waits until the program has begun to look n times more.
func (f *fixture) waitLooks(n int) {
	for range n {
		<-f.looks
	}
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, repo: filepath.Join(root, "repo")}
	for _, dir := range []string{f.repo, filepath.Join(root, "home"), filepath.Join(root, "data")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f.app = System()
	f.app.Stdin, f.app.Stdout, f.app.Stderr = strings.NewReader(""), &f.out, &f.err
	f.app.Dir = f.repo
	f.app.Now = func() time.Time { return noon }
	f.app.Environ = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(root, "home"), "XDG_DATA_HOME=" + filepath.Join(root, "data"),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "TZ=UTC",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
	}
	// Reading commands look no further than this; initGit makes a repository of it.
	if err := os.Mkdir(filepath.Join(f.repo, ".git"), 0o700); err != nil {
		t.Fatal(err)
	}
	return f
}

// initGit makes the repository a real one, with one commit.
func (f *fixture) initGit() {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.repo, ".git")); err != nil {
		f.t.Fatal(err)
	}
	f.git("init", "-q", "-b", "main")
	f.git("commit", "-q", "--allow-empty", "-m", "first")
}

// git runs git in the repository and returns what it printed.
func (f *fixture) git(args ...string) string {
	f.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = f.repo, f.app.Environ
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// orc runs the program and returns its exit code; its output is in out and err.
func (f *fixture) orc(args ...string) int {
	f.t.Helper()
	f.out.Reset()
	f.err.Reset()
	dir := f.app.Dir
	defer func() { f.app.Dir = dir }()
	return Main(context.Background(), f.app, args)
}

// must runs the program and fails the test unless it exits with code.
func (f *fixture) must(code int, args ...string) string {
	f.t.Helper()
	if got := f.orc(args...); got != code {
		f.t.Fatalf("orc %s: exit code %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), got, code, f.out.String(), f.err.String())
	}
	return f.out.String()
}

// store gives f the database.
func (f *fixture) store(use func(context.Context, persistence.Store) error) {
	f.t.Helper()
	ctx := f.t.Context()
	st, err := f.app.openStore(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := use(ctx, st); err != nil {
		f.t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		f.t.Fatal(err)
	}
}

// seeded is what a test puts into the database.
type seeded struct {
	run      persistence.Run
	tasks    []*scheduler.Task
	attempts []persistence.Attempt
	turns    []persistence.TaskTurn
	leased   bool // it had an owner
}

// seed stores a run in the state that it describes.
func (f *fixture) seed(s seeded) persistence.Run {
	f.t.Helper()
	r := s.run
	if r.ID == "" {
		r.ID = "7f3c"
	}
	if r.Name == "" {
		r.Name = "add-oauth"
	}
	if r.Repository == "" {
		r.Repository = f.repo
	}
	if r.State == "" {
		r.State = scheduler.RunRunning
	}
	if r.CreatedAt.IsZero() {
		// Each is newer than the one before.
		f.seq++
		r.CreatedAt = noon.Add(-20*time.Minute + time.Duration(f.seq)*time.Second)
	}
	if r.Base == "" {
		r.Base = strings.Repeat("1c9e2ab", 5) + "12345"
	}
	r.BaseRef, r.Branch, r.Concurrency = "main", "orc/"+string(r.ID), 4
	if r.State.Terminal() && r.FinishedAt.IsZero() {
		r.FinishedAt = r.CreatedAt.Add(18*time.Minute + 20*time.Second)
	}
	f.store(func(ctx context.Context, st persistence.Store) error {
		if err := st.CreateRun(ctx, r, s.tasks, event.Event{Kind: event.RunStarted, Time: r.CreatedAt}); err != nil {
			return err
		}
		if !s.leased && len(s.attempts) == 0 {
			return nil
		}
		lease := persistence.Lease{Run: r.ID, Owner: "o", PID: 1, ExpiresAt: noon.Add(-3 * time.Minute)}
		gen, err := st.AcquireLease(ctx, lease, r.CreatedAt, true)
		if err != nil {
			return err
		}
		tr := persistence.Transition{Run: r.ID, Generation: gen, Now: noon.Add(-time.Minute), Attempts: s.attempts, Turns: s.turns}
		for i := range tr.Attempts {
			tr.Attempts[i].Run, tr.Attempts[i].Generation = r.ID, gen
		}
		_, err = st.Apply(ctx, tr)
		return err
	})
	return r
}

// holdOwner makes this test the live owner of a run.
func (f *fixture) holdOwner(run scheduler.RunID) {
	f.t.Helper()
	dir, err := f.app.RunDir(string(run))
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		f.t.Fatal(err)
	}
	lock, err := process.Hold(filepath.Join(dir, ownerLock))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := lock.Release(); err != nil {
			f.t.Error(err)
		}
	})
	f.store(func(ctx context.Context, st persistence.Store) error {
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		_, err = st.AcquireLease(ctx, persistence.Lease{Run: run, Owner: "live", PID: os.Getpid(), Host: host, ExpiresAt: noon.Add(time.Minute)}, noon, true)
		return err
	})
}

// apply makes a transition as the present owner of a run.
func (f *fixture) apply(run scheduler.RunID, tr persistence.Transition) {
	f.t.Helper()
	f.store(func(ctx context.Context, st persistence.Store) error {
		lease, err := st.GetLease(ctx, run)
		if err != nil {
			return err
		}
		tr.Run, tr.Generation, tr.Now = run, lease.Generation, noon
		for i := range tr.Attempts {
			tr.Attempts[i].Run, tr.Attempts[i].Generation = run, lease.Generation
		}
		_, err = st.Apply(ctx, tr)
		return err
	})
}

// answer waits for one request of a run, consumes it as its owner would, and returns its payload.
func (f *fixture) answer(run scheduler.RunID, refusal string) string {
	ctx := f.t.Context()
	st, err := f.app.openStore(ctx)
	if err != nil {
		return err.Error()
	}
	defer st.Close()
	for ctx.Err() == nil {
		pending, err := st.PendingRequests(ctx, run)
		if err != nil {
			return err.Error()
		}
		if len(pending) == 0 {
			runtime.Gosched()
			continue
		}
		lease, err := st.GetLease(ctx, run)
		if err != nil {
			return err.Error()
		}
		_, err = st.Apply(ctx, persistence.Transition{
			Run: run, Generation: lease.Generation, Now: noon,
			Requests: []persistence.RequestDone{{ID: pending[0].ID, Error: refusal}},
		})
		if err != nil {
			return err.Error()
		}
		return pending[0].Payload
	}
	return "no request"
}
