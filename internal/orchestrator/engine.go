// Package orchestrator is the engine: the only place that changes a run's state.
//
// One loop per run takes what happened (progress of attempts, requests of clients, timers), asks the pure scheduler
// what follows, makes that true in the store in one transition with its events, and only then acts on it: it
// starts an attempt, stops one, lets one go on. An attempt runs in a goroutine of its own and reports each step to
// the loop, which answers when the step is durable; so nothing that the store does not hold has an effect, and a
// process killed at any instant can be resumed from what the store and git say.
package orchestrator

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/fault"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// Supervisor starts the commands of attempts; process.Supervisor is one.
type Supervisor interface {
	provider.Launcher
	Close(ctx context.Context) error
}

// Repository is what the engine needs of git.
type Repository interface {
	Root() string
	Begin(ctx context.Context, run, branch, base string) (fresh bool, err error)
	Integration(ctx context.Context, run string) (string, error)
	Seal(ctx context.Context, s workspace.SealSpec) (workspace.Saved, error)
	PlanMerge(ctx context.Context, run, tip, message string) (workspace.Merge, error)
	Advance(ctx context.Context, run string, m workspace.Merge) error
	Merged(ctx context.Context, run, task string, number int) (string, bool, error)
	Merges(ctx context.Context, run string) ([]workspace.MergedWork, error)
	Saves(ctx context.Context, run string) ([]workspace.SavedRef, error)
	Provide(ctx context.Context, s workspace.Spec, copies, links []string) error
	SealLate(ctx context.Context, s workspace.SealSpec) (workspace.Saved, bool, error)
	Mirror(ctx context.Context, run, branch string) error
	Changes(ctx context.Context, from, to string) ([]workspace.FileChange, error)
	Onto(ctx context.Context, run, task string, number int, tip, message string) (workspace.Merge, error)
	Conflict(ctx context.Context, run, tip, base string) ([]workspace.ConflictFile, error)
	Conflicted(ctx context.Context, run, task string, number int, tip, message string) (workspace.Conflicted, error)
	StageConflict(ctx context.Context, s workspace.Spec, c workspace.Conflicted) error
	Markers(ctx context.Context, tree string, paths []string) ([]string, error)
	Diff(ctx context.Context, w io.Writer, from, to string, o workspace.DiffOptions) error
	Look(ctx context.Context, s workspace.Spec) (tree string, err error)
	Sweep(ctx context.Context, run string) error
}

// Workspaces makes and takes back the folders that attempts work in; workspace.Pool is one.
type Workspaces interface {
	// Take makes the workspace; what was at its path before is gone then.
	Take(ctx context.Context, s workspace.Spec) error
	// Give takes a workspace back whose work is saved and merged.
	Give(ctx context.Context, s workspace.Spec) error
	// Drop deletes a workspace in which nobody has worked.
	Drop(ctx context.Context, s workspace.Spec) error
}

// Options are what an engine works with. All fields without a default are needed.
type Options struct {
	Run        scheduler.RunID
	Store      persistence.Store
	Repository Repository
	Workspaces func(scheduler.Isolation) (Workspaces, error)
	Supervise  func(ctx context.Context) (Supervisor, error) // starts a supervisor; again after one was lost
	Providers  map[string]provider.Provider
	Folder     string // the run's own files: logs, prompts, indexes, exit journal
	Area       string // workspaces lie below it, one folder per task
	Journal    string // where the supervisor writes exits
	Environ    []string
	Lease      *Lease // of this process; nil = Run takes one by the following fields, and releases it
	Owner      string // random name of this owner process
	PID        int
	Host       string
	// Expand makes a list that a task has made into the run's plan with its tasks. Its error fails the attempt. Needed where
	// the run has lists that are made while it goes on.
	Expand   func(Expansion) (EditRequest, error)
	Tools    *provider.Server // the MCP server that agents are offered; it gets its attempt by ORC_ variables; nil = none
	Takeover bool             // the caller has proof that no other owner lives

	// Confine says how the commands of an attempt are confined; a nil Cell, or no Confine, means that they are not.
	Confine func(Room) (Cell, error)
	// Desk serves the tools of an agent at a socket, until ctx ends; nil = agents' servers reach the store themselves.
	Desk func(ctx context.Context, b Binding, socket string) error

	Concurrency int           // 0 = the run's own
	Grace       time.Duration // between asking a command to end and killing it; 0 = 10 s
	OutputLimit int64         // bytes of output per attempt; 0 = none
	// How long nothing may be heard of an agent while none of its tools is at work, and how long one tool may be; 0 =
	// DefaultStallTimeout, DefaultToolTimeout. The turn is interrupted then, and gone on with in its session.
	StallTimeout, ToolTimeout time.Duration
	Heartbeat                 time.Duration // of the lease that Run takes; 0 = DefaultHeartbeat
	LeaseTime                 time.Duration // of the same; 0 = LeaseTime(Heartbeat)
	Poll                      time.Duration // how often requests are looked for; 0 = 100 ms

	Now    func() time.Time    // nil = time.Now
	Random func() float64      // in [0, 1), for back-offs; nil = rand.Float64
	Redact func(string) string // takes secrets out of what is stored of conversations; nil = nothing does
	Log    *slog.Logger        // nil = none
}

// Causes that end an attempt, or the engine.
var (
	errStopped  = errors.New("stopped by a person")
	errCanceled = errors.New("canceled")
	errTimeout  = errors.New("timed out")
	errFatal    = errors.New("engine ended")
)

// Engine works one run through. Make it with New, use it once.
type Engine struct {
	o     Options
	log   *slog.Logger
	inbox chan input
	stop  chan bool // force?

	// Owned by the loop.
	run        persistence.Run
	lease      *Lease
	generation int64
	state      *scheduler.State
	tasks      map[scheduler.TaskID]*tracked
	order      []scheduler.TaskID // in plan order
	live       int                // goroutines that may still report
	stopping   bool               // no new attempts; running ones end
	settled    scheduler.RunState
	trouble    error // an error of ours (disk, git): the run is paused with it
	deadline   <-chan time.Time
	parked     map[scheduler.TaskID]time.Time // attempts that wait until then
	holds      map[string]hold                // agents that do not start, by account
	frozen     atomic.Pointer[frozen]         // what attempts read of the plan
	edit       *waitingEdit                   // nil = none
	listings   []listing                      // lists that wait until it is made
	relook     bool                           // requests wait that could not be taken when they came
	slots      int                            // attempts at a time
	durations  persistence.Durations          // of earlier runs
	running    map[scheduler.TaskID]bool      // with an attempt under way in a goroutine
	meter      *meter                         // nil = nothing has a budget
	bounded    atomic.Bool                    // there is a meter
	circuits   map[string]*circuit            // accounts that failed, by name
	awaiting   map[scheduler.TaskID]bool      // attempts that wait until another task has repaired the merged work

	ctx       context.Context // of every attempt; ends when nothing may be written any more
	abort     context.CancelCauseFunc
	attempts  sync.WaitGroup
	merging   chan struct{} // one merge at a time: full while there is one
	left      bool          // it was said that the branch does not follow; under merging
	passed    passedGates
	launchers launchers
	blanks    *blanks
}

// tracked is a task with the attempt that is under way.
type tracked struct {
	task    *scheduler.Task
	attempt *persistence.Attempt // the latest; nil = never started
	failure *persistence.Attempt // the latest that failed; told to the next one
	cancel  context.CancelCauseFunc
	lost    int // times that its supervisor went away
	started int // of a task that was removed from the plan: attempts ever started

	repaired bool // it was sent back once to repair what it broke
	cleaning bool // the workspace of its last attempt is being taken away
	stuck    bool // it waited for a repair that nothing but a person can bring on
	shelved  bool // what it waits for waits for a person's word

	before    *persistence.Attempt  // the one before attempt; nil = none
	startable bool                  // a person has said yes to its start
	note      string                // for the next attempt
	found     *workspace.MergedWork // merged work of an attempt that the store does not know
	pin       string                // the ref that keeps it

	referring map[int64]context.CancelCauseFunc // questions of its agent that another agent is asked
	waiting   []chan struct{}                   // closed when there are none any more
}

// New checks the options.
func New(o Options) (*Engine, error) {
	if o.Store == nil || o.Repository == nil || o.Supervise == nil || o.Workspaces == nil || o.Folder == "" || o.Area == "" || (o.Owner == "" && o.Lease == nil) {
		return nil, errors.New("orchestrator: incomplete options")
	}
	if o.Grace == 0 {
		o.Grace = 10 * time.Second
	}
	if o.StallTimeout == 0 {
		o.StallTimeout = DefaultStallTimeout
	}
	if o.ToolTimeout == 0 {
		o.ToolTimeout = DefaultToolTimeout
	}
	if o.Poll == 0 {
		o.Poll = 100 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return &Engine{
		o: o, log: o.Log.With("run", string(o.Run)), inbox: make(chan input, 256), stop: make(chan bool, 4),
		tasks: map[scheduler.TaskID]*tracked{}, parked: map[scheduler.TaskID]time.Time{}, holds: map[string]hold{}, awaiting: map[scheduler.TaskID]bool{},
		running: map[scheduler.TaskID]bool{}, circuits: map[string]*circuit{}, merging: make(chan struct{}, 1),
	}, nil
}

// Stop asks the engine to end in good order: nothing new is started; running commands may end within the grace
// period, are then stopped, and their work is saved. With force they are stopped at once. The run is resumable.
func (e *Engine) Stop(force bool) {
	select {
	case e.stop <- force:
	default: // enough of them are waiting already
	}
}

// Run owns the run until it is over, waits for a person, or was stopped, and returns the state that it left the run
// in. An error means that the run could not go on; what was acknowledged is in the store and the run is resumable.
// It is persistence.ErrConflict when another owner lives and persistence.ErrLeaseLost when one has taken over.
func (e *Engine) Run(ctx context.Context) (state scheduler.RunState, err error) {
	if e.lease = e.o.Lease; e.lease == nil {
		e.lease, err = TakeLease(ctx, Claim{
			Store: e.o.Store, Run: e.o.Run, Owner: e.o.Owner, PID: e.o.PID, Host: e.o.Host, Force: e.o.Takeover,
			Heartbeat: e.o.Heartbeat, Time: e.o.LeaseTime, Now: e.o.Now,
		})
		if err != nil {
			return "", err
		}
		defer func() {
			err = errors.Join(err, e.lease.Release(ctx))
			fault.Point("engine.released")
		}()
	}
	e.generation = e.lease.Generation()
	fault.Point("engine.leased")
	e.ctx, e.abort = context.WithCancelCause(context.WithoutCancel(ctx))
	defer e.abort(errFatal)
	defer func() {
		// Nothing of this engine may outlive it: first the processes, then the goroutines that waited for them.
		e.abort(errFatal)
		err = errors.Join(err, e.launchers.close(context.WithoutCancel(ctx)))
		e.attempts.Wait()
	}()
	e.launchers.start, e.launchers.fence = e.o.Supervise, e.lease.Held
	first, err := e.load(ctx)
	if err != nil {
		return "", err
	}
	e.blanks = newBlanks(filepath.Join(e.o.Folder, "log"), e.log)
	e.attempts.Go(func() { e.blanks.keep(e.ctx) })
	return e.loop(ctx, first)
}

// event makes an event of the run; the store adds sequence number and time.
func (e *Engine) event(kind event.Kind, task scheduler.TaskID, number int, d event.Detail) event.Event {
	return event.Event{Run: string(e.o.Run), Kind: kind, Task: string(task), Attempt: number, Detail: d}
}

// spec is the workspace of a task: always at the same path, because agents find their history by folder.
func (e *Engine) spec(a *persistence.Attempt) workspace.Spec {
	return workspace.Spec{
		Run: string(e.o.Run), Task: string(a.Task), Dir: a.Workspace, Base: a.Base,
		Index: filepath.Join(e.o.Folder, "index", string(a.Task)),
	}
}

// remember keeps the latest attempt if it failed, or broke what is merged, for what the next one is told.
func (t *tracked) remember() {
	broke := t.attempt.Broke
	t.repaired = t.repaired || broke != nil
	if o := t.attempt.Outcome; o == scheduler.OutcomeFailed || o == scheduler.OutcomeConflict || broke != nil {
		a := *t.attempt
		a.Work = a.Work.Clone()
		if broke != nil {
			a.Error, a.Output = broke.Error, broke.Output
		}
		t.failure = &a
	}
}
