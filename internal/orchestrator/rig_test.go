package orchestrator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/invariants"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/command"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/clone"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == process.DefaultArg {
		os.Exit(process.Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// rig is a real repository, a real store and real processes for one run.
type rig struct {
	t       *testing.T
	ctx     context.Context
	store   persistence.Store
	repo    *workspace.Repository
	root    string // of the repository
	data    string
	run     persistence.Run
	environ []string

	grace  time.Duration
	limit  int64
	stall  time.Duration
	levels process.Level
	agent  *scripted                    // nil = none
	roles  map[string]persistence.Agent // nil = the coder that is a command
	tools  *provider.Server
	steps  []scheduler.Step // the workflow of every task; nil = none
	// questions is what becomes of them; empty = a person is asked.
	questions string
	now       func() time.Time
	one       bool // one attempt at a time
	looked    atomic.Int64
	cut       *cut // nil = nothing is cut off
	lossy     bool // the test itself destroys work

	mu  sync.Mutex
	sup *process.Supervisor // the latest
}

func newRig(t *testing.T) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	data := t.TempDir()
	home := filepath.Join(data, "home")
	root := filepath.Join(data, "repository")
	for _, d := range []string{home, root} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r := &rig{t: t, ctx: ctx, root: root, data: data, grace: 5 * time.Second, environ: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LANG=C.UTF-8", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.com",
	}}
	r.git("init", "-q", "-b", "main")
	r.write("README", "a repository\n")
	r.write("shared.txt", "one\ntwo\nthree\n")
	r.git("add", "-A")
	r.git("commit", "-q", "-m", "first")

	store, err := persistence.NewSQLiteStore(ctx, filepath.Join(data, "orc.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	r.store = store
	if r.repo, err = workspace.Open(ctx, root, workspace.Options{Environ: r.environ, Data: data}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.verify)
	return r
}

// verify holds what is recorded of the run against git, whatever a test did to it. No owner is left.
func (r *rig) verify() {
	if r.run.ID == "" || r.t.Failed() {
		return
	}
	ctx := context.WithoutCancel(r.ctx)
	f, err := invariants.Gather(ctx, r.store, r.repo.Query, r.run.ID)
	if err != nil {
		r.t.Errorf("read what is left of the run: %v", err)
	}
	for _, b := range invariants.Check(f) {
		if r.lossy && b.Rule == invariants.NothingLost {
			continue
		}
		r.t.Errorf("in the end: %s", b)
	}
}

func (r *rig) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = r.root, r.environ
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.root, name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// create stores a run of the tasks.
func (r *rig) create(tasks ...*scheduler.Task) {
	r.t.Helper()
	for _, t := range tasks {
		if t.Isolation == "" {
			t.Isolation = scheduler.IsolationClone
		}
	}
	r.run = persistence.Run{
		ID: "7f3c", Name: "test", Repository: r.root, State: scheduler.RunRunning, Base: r.git("rev-parse", "HEAD"), BaseRef: "main",
		Branch: "orc/7f3c", Concurrency: 4, Mark: fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano()), CreatedAt: time.Now(),
		Options: persistence.RunOptions{Agents: map[string]persistence.Agent{"coder": {Provider: "command", Command: "cat > prompt.seen; echo agreed"}}},
	}
	if r.roles != nil {
		r.run.Options.Agents = r.roles
	}
	r.run.Options.Questions = r.questions
	if r.steps != nil {
		o := &r.run.Options
		o.Workflows, o.WorkflowOf = map[string][]scheduler.Step{"w": r.steps}, map[scheduler.TaskID]string{}
		for _, t := range tasks {
			o.WorkflowOf[t.ID] = "w"
		}
	}
	if err := r.store.CreateRun(r.ctx, r.run, tasks); err != nil {
		r.t.Fatal(err)
	}
}

// engine makes an owner of the run.
func (r *rig) engine() *orchestrator.Engine {
	r.t.Helper()
	folder, area := filepath.Join(r.data, "run"), filepath.Join(r.data, "ws")
	for _, d := range []string{folder, area} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			r.t.Fatal(err)
		}
	}
	pool := workspace.NewPool(clone.New(r.repo), r.repo, filepath.Join(area, ".pool"))
	journal := filepath.Join(folder, "exits.log")
	providers := map[string]provider.Provider{"command": command.Command{}}
	if r.agent != nil {
		providers["scripted"] = r.agent
	}
	store, repo := r.store, orchestrator.Repository(r.repo)
	if r.cut != nil {
		store, repo = &cutStore{r.store, r.cut}, &cutRepository{r.repo, r.cut}
	}
	e, err := orchestrator.New(orchestrator.Options{
		Run: r.run.ID, Store: store, Repository: repo,
		Workspaces: func(scheduler.Isolation) (orchestrator.Workspaces, error) { return pool, nil },
		Supervise: func(ctx context.Context) (orchestrator.Supervisor, error) {
			s, err := process.Start(ctx, process.Options{Level: r.levels, Journal: journal, Lock: filepath.Join(folder, "supervisor.lock"), Mark: r.run.Mark})
			r.mu.Lock()
			r.sup = s
			r.mu.Unlock()
			return s, err
		},
		Providers: providers, Tools: r.tools, Now: r.clock(), Concurrency: map[bool]int{true: 1}[r.one],
		Folder: folder, Area: area, Journal: journal, Environ: r.environ, Owner: "test", PID: os.Getpid(), Takeover: true, Expand: expandSimply,
		Grace: r.grace, OutputLimit: r.limit, StallTimeout: r.stall,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// finish owns the run until it settles.
func (r *rig) finish() scheduler.RunState {
	r.t.Helper()
	state, err := r.engine().Run(r.ctx)
	if err != nil {
		r.t.Fatalf("run: %v", err)
	}
	return state
}

// begin owns the run in the background; the returned function waits for the end.
func (r *rig) begin() (e *orchestrator.Engine, wait func() scheduler.RunState) {
	r.t.Helper()
	e = r.engine()
	type end struct {
		state scheduler.RunState
		err   error
	}
	c := make(chan end, 1)
	go func() {
		s, err := e.Run(r.ctx)
		c <- end{s, err}
	}()
	return e, func() scheduler.RunState {
		r.t.Helper()
		x := <-c
		if x.err != nil {
			r.t.Fatalf("run: %v", x.err)
		}
		return x.state
	}
}

func (r *rig) task(id scheduler.TaskID) *scheduler.Task {
	r.t.Helper()
	t, err := r.store.GetTask(r.ctx, r.run.ID, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return t
}

// states are the tasks' states in plan order: "a completed, b failed".
func (r *rig) states() string {
	r.t.Helper()
	tasks, err := r.store.ListTasks(r.ctx, r.run.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	var s []string
	for _, t := range tasks {
		s = append(s, string(t.ID)+" "+string(t.Status))
	}
	return strings.Join(s, ", ")
}

func (r *rig) attempts(id scheduler.TaskID) []persistence.Attempt {
	r.t.Helper()
	list, err := r.store.ListAttempts(r.ctx, r.run.ID, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func (r *rig) events() []event.Event {
	r.t.Helper()
	list, err := r.store.Events(r.ctx, r.run.ID, 0, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

// request asks the run's owner for something.
func (r *rig) request(kind string, payload any) int64 {
	r.t.Helper()
	body, err := json.Marshal(payload)
	if err != nil {
		r.t.Fatal(err)
	}
	id, err := r.store.AddRequest(r.ctx, persistence.Request{Run: r.run.ID, Kind: kind, Payload: string(body), CreatedAt: time.Now()})
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// until waits for a condition.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-r.ctx.Done():
			r.t.Fatalf("never came: %s", what)
		case <-tick.C:
		}
	}
}

func (r *rig) exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// wrote says whether a file of a task's workspace has something in it: a shell makes it before it writes.
func (r *rig) wrote(task, name string) bool {
	info, err := os.Stat(filepath.Join(r.data, "ws", task, name))
	return err == nil && info.Size() > 0
}

// merged is a file on the integration branch.
func (r *rig) merged(name string) string {
	r.t.Helper()
	return r.git("show", "orc/7f3c:"+name)
}
