package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"orchestrator/internal/commandlog"
	"orchestrator/internal/config"
	"orchestrator/internal/fault"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/clone"
	"orchestrator/internal/workspace/worktree"
)

// Files in a run's folder beside ownerLock.
const (
	ownerLog       = "owner.log"
	supervisorLock = "supervisor.lock"
	claimLock      = "claim.lock" // held for the moments in which the owner changes
	exitJournal    = "exits.log"
	commandsFile   = "commands.log" // commandlog's
)

// patience is how long a new owner waits for the processes of a dead one to be gone.
const patience = 20 * time.Second

// ownership is what a process holds while it owns a run.
type ownership struct {
	app    *App
	store  persistence.Store
	run    persistence.Run
	folder string
	lock   *process.Lock
	lease  *orchestrator.Lease
	frozen int // process number of the owner that was passed over; 0 = none
	pools  []*workspace.Pool
	call   string // what is run when a person is wanted; empty = nothing
	log    *slog.Logger
	record *commandlog.Log       // of the commands that are run; nil = not begun
	repo   *workspace.Repository // that this command has opened already; nil = not yet
}

// own makes this process the owner of a run: it takes the run's lock and lease, and ends what an earlier owner left
// running. The error names the owner that lives.
func (a *App) own(ctx context.Context, st persistence.Store, run persistence.Run) (*ownership, error) {
	folder, err := a.RunDir(string(run.ID))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the run's folder: %w", err)
	}
	if err := seal(); err != nil {
		return nil, err
	}
	o := &ownership{app: a, store: st, run: run, folder: folder}
	if err := o.claim(ctx); err != nil {
		return nil, err
	}
	fault.Point("owner.locked")
	if err := o.quiesce(ctx); err != nil {
		return nil, errors.Join(err, o.release())
	}
	fault.Point("owner.quiet")
	return o, nil
}

// claim takes the lock, which proves that no other owner lives, or passes over an owner that holds the lock and does
// not answer. One process at a time does this.
func (o *ownership) claim(ctx context.Context) (err error) {
	door, err := process.Hold(filepath.Join(o.folder, claimLock))
	if errors.Is(err, process.ErrHeld) {
		return &ExitError{
			Code: ExitUsage, Err: errorf("another command is just taking run %s over", o.run.ID),
			Hint: "see it: orc status " + string(o.run.ID),
		}
	}
	if err != nil {
		return fmt.Errorf("claim the run: %w", err)
	}
	defer func() { err = errors.Join(err, door.Release()) }()
	path := filepath.Join(o.folder, ownerLock)
	o.lock, err = process.Hold(path)
	if held := (*process.HeldError)(nil); errors.As(err, &held) {
		return o.passOver(ctx, held.PID)
	}
	if err != nil {
		return fmt.Errorf("take the run's lock: %w", err)
	}
	if err := o.takeLease(ctx, true); err != nil {
		return errors.Join(err, o.lock.Release())
	}
	return nil
}

// passOver takes the run from an owner that holds the lock but has not renewed its lease for too long: it is frozen.
// It can write nothing any more when it wakes up, and ends itself then.
func (o *ownership) passOver(ctx context.Context, pid int) error {
	frozen, err := o.app.ownerFrozen(ctx, o.store, o.run)
	if err != nil {
		return err
	}
	if !frozen {
		return o.app.alreadyOwned(o.run, pid)
	}
	if err := o.app.tell("The owner of run %s (pid %d) does not answer; taking over from it.", o.run.ID, pid); err != nil {
		return err
	}
	if err := o.takeLease(ctx, false); err != nil {
		return err
	}
	if o.lock, err = process.Seize(filepath.Join(o.folder, ownerLock)); err != nil {
		return errors.Join(fmt.Errorf("take the run's lock: %w", err), o.lease.Release(ctx))
	}
	o.frozen = pid
	return nil
}

// takeLease makes this process the owner in the store. dead says that the lock proves the last owner of this machine
// to be dead.
func (o *ownership) takeLease(ctx context.Context, dead bool) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("read the name of this machine: %w", err)
	}
	last, err := o.store.GetLease(ctx, o.run.ID)
	if err != nil && !errors.Is(err, persistence.ErrNotFound) {
		return err
	}
	o.lease, err = orchestrator.TakeLease(ctx, orchestrator.Claim{
		Store: o.store, Run: o.run.ID, Owner: randomHex(8), PID: os.Getpid(), Host: host,
		Force: dead && (last.Host == "" || last.Host == host), Heartbeat: o.app.Heartbeat, Now: o.app.Now,
	})
	return err
}

func (a *App) alreadyOwned(run persistence.Run, pid int) error {
	return &ExitError{
		Code: ExitUsage,
		Err:  errorf("run %s is already running (pid %d, %s)", run.ID, pid, span(a.Now().Sub(run.CreatedAt))),
		Hint: "see it: orc status " + string(run.ID),
	}
}

// quiesce proves that nothing of an earlier owner is alive: its supervisor is gone, and no process carries the run's
// mark. The supervisor of a frozen owner does not go by itself: the mark finds it.
func (o *ownership) quiesce(ctx context.Context) error {
	if fault.Mutant("no-quiesce") {
		return os.RemoveAll(filepath.Join(o.folder, supervisorLock))
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if o.frozen != 0 {
		if _, err := process.Sweep(ctx, o.run.Mark); err != nil {
			return fmt.Errorf("end the processes of the frozen owner: %w", err)
		}
	}
	if err := process.WaitLock(ctx, filepath.Join(o.folder, supervisorLock)); err != nil {
		return fmt.Errorf("wait until the processes of the last owner are gone: %w", err)
	}
	if _, err := process.Sweep(ctx, o.run.Mark); err != nil {
		return fmt.Errorf("end the processes of the last owner: %w", err)
	}
	return nil
}

// release gives up what the owner held, and the folders that were kept for further tasks. Those belong to the next
// owner when there is one already.
func (o *ownership) release() error {
	var errs []error
	if o.lease.Err() == nil {
		for _, p := range o.pools {
			errs = append(errs, p.Drain())
		}
	}
	if err := o.record.Close(); err != nil {
		o.log.Warn("commands were not recorded", "error", err) // a run is not worth less for that
	}
	errs = append(errs, o.lease.Release(context.Background()), o.lock.Release())
	return errors.Join(errs...)
}

// replaced explains that another process owns the run now.
func (o *ownership) replaced(ctx context.Context, err error) error {
	now, lerr := o.store.GetLease(ctx, o.run.ID)
	if lerr != nil {
		return errors.Join(err, lerr)
	}
	return &ExitError{
		Code: ExitFailures,
		Err: errorf("run %s was taken over by process %d on %s, because this one did not answer; it has written nothing since and ends",
			o.run.ID, now.PID, now.Host),
		Hint: "see it: orc status " + string(o.run.ID),
	}
}

// repository is the run's.
func (o *ownership) repository(ctx context.Context, opt workspace.Options) (*workspace.Repository, error) {
	if o.repo != nil {
		return o.repo.With(opt)
	}
	return workspace.Open(ctx, o.run.Repository, opt)
}

// engine puts the engine of the run together.
func (o *ownership) engine(ctx context.Context, cfg *config.Config, concurrency int, log *slog.Logger) (*orchestrator.Engine, error) {
	// What git writes into the repository and the workspaces is the user's; our own files lie in a folder of 0700.
	syscall.Umask(o.app.Umask)
	data, err := o.app.DataDir()
	if err != nil {
		return nil, err
	}
	if o.record, err = commandlog.Open(filepath.Join(o.folder, commandsFile), o.app.secretsOf(o.run).String); err != nil {
		return nil, err
	}
	repo, err := o.repository(ctx, workspace.Options{
		// The git commands of an owner that is passed over are ended with everything else that carries the mark.
		Environ: append(slices.Clone(o.app.Environ), process.MarkVariable+"="+o.run.Mark), Data: data, Fence: o.lease.Check,
		Observe: o.ranGit,
	})
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	level, err := process.ParseLevel(cfg.Supervision)
	if err != nil {
		return nil, err
	}
	area := filepath.Join(data, "ws", string(o.run.ID))
	if err := os.MkdirAll(area, 0o700); err != nil {
		return nil, fmt.Errorf("make the workspaces' folder: %w", err)
	}
	pool := workspace.NewPool(clone.New(repo), repo, filepath.Join(area, ".pool"))
	trees := workspace.NewPool(worktree.New(repo), repo, filepath.Join(area, ".trees"))
	trees.Size = -1 // a worktree is made anew for every attempt
	o.pools = []*workspace.Pool{pool, trees}
	o.call, o.log = cfg.NotifyCommand, log
	confine, err := o.confinement(ctx, repo)
	if err != nil {
		return nil, err
	}
	return orchestrator.New(orchestrator.Options{
		Run: o.run.ID, Store: redactedStore{o.store, o.app.secretsOf(o.run)}, Repository: repo,
		Workspaces: func(i scheduler.Isolation) (orchestrator.Workspaces, error) {
			switch i {
			case scheduler.IsolationClone:
				return pool, nil
			case scheduler.IsolationWorktree:
				return trees, nil
			}
			return nil, fmt.Errorf("no workspace for isolation %q", i)
		},
		Supervise: func(ctx context.Context) (orchestrator.Supervisor, error) {
			var s *process.Supervisor
			err := unsealed(func() (err error) {
				s, err = process.Start(ctx, process.Options{
					Executable: self, Args: o.app.supervisorArgs(), Level: level, Mark: o.run.Mark,
					Journal: filepath.Join(o.folder, exitJournal), Lock: filepath.Join(o.folder, supervisorLock),
				})
				return err
			})
			if err != nil {
				return nil, err
			}
			return &recording{s, o.record}, nil
		},
		Providers: o.app.providers(), Redact: o.app.secretsOf(o.run).String,
		Expand: o.app.expand(cfg),
		Tools:  o.tools(self), Folder: o.folder, Area: area, Journal: filepath.Join(o.folder, exitJournal),
		Environ: o.app.Environ, Lease: o.lease, Confine: confine, Desk: o.deskHere(),
		Concurrency: concurrency, Grace: cfg.Grace, OutputLimit: cfg.OutputLimit,
		StallTimeout: cfg.StallTimeout, ToolTimeout: cfg.ToolTimeout, Now: o.app.Now, Log: log,
	})
}

// ending is how an owner's work on a run ended.
type ending struct {
	state  scheduler.RunState
	signal os.Signal // that stopped it; nil = none
}

// work runs the engine to its end under the signals of this process: the first Ctrl-C stops in good order, the next
// at once; SIGTERM and a closed terminal stop at once. Both leave the run resumable.
func (o *ownership) work(ctx context.Context, e *orchestrator.Engine, say func(string)) (ending, error) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	var end ending
	done := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-done:
				return
			case sig := <-signals:
				first := end.signal == nil
				end.signal = sig
				if first && sig == os.Interrupt {
					say("Stopping: nothing new is started; running tasks may end. Ctrl-C again stops them now. Their work is kept.")
					e.Stop(false)
					continue
				}
				say("Stopping now; the work of running tasks is kept.")
				e.Stop(true)
			}
		}
	}()
	quiet := o.notify(ctx)
	state, err := e.Run(ctx)
	quiet()
	close(done)
	<-watched
	end.state = state
	if errors.Is(err, persistence.ErrLeaseLost) {
		err = o.replaced(context.WithoutCancel(ctx), err)
	}
	return end, err
}

// exit is the exit code of an ended run.
func (o *ownership) exit(ctx context.Context, end ending) (int, error) {
	switch end.state {
	case scheduler.RunCompleted:
		return ExitOK, nil
	case scheduler.RunFailed, scheduler.RunCanceled:
		return ExitFailures, nil
	case scheduler.RunWaiting:
		return waitingCode(ctx, o.store, o.run.ID)
	case scheduler.RunPaused:
		if end.signal == syscall.SIGTERM || end.signal == syscall.SIGHUP {
			return ExitTerminated, nil
		}
		return ExitInterrupted, nil
	}
	return ExitFailures, fmt.Errorf("run %s was left %q", o.run.ID, end.state)
}

// waitingCode tells a run that waits with a merge conflict, or for more budget, from one that waits for a word.
func waitingCode(ctx context.Context, st persistence.Store, run scheduler.RunID) (int, error) {
	attempts, err := st.ListAttempts(ctx, run, "")
	if err != nil {
		return ExitFailures, err
	}
	r, err := st.GetRun(ctx, run)
	if err != nil {
		return ExitFailures, err
	}
	code := ExitNeedsYou
	if r.Options.Overspent != "" {
		code = ExitBudget
	}
	for _, at := range attempts {
		switch {
		case at.Phase == scheduler.PhaseWaiting && at.Outcome == scheduler.OutcomeConflict:
			return ExitConflict, nil
		case at.Asks() == persistence.WishBudget:
			code = ExitBudget
		}
	}
	return code, nil
}

// randomHex is n random bytes as hex.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
