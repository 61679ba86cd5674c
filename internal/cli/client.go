package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"orchestrator/internal/config"
	"orchestrator/internal/event"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/tui"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
)

// mode is how a run is shown.
type mode string

const (
	modeTTY   mode = "tty"
	modePlain mode = "plain"
	modeJSON  mode = "json"
	modeQuiet mode = "quiet"
)

// display chooses how to show a run, by the flags, ORC_PROGRESS and what stdout and stderr are.
func (a *App) display(w watching) (mode, error) {
	word := w.progress
	if w.json {
		return modeJSON, nil
	}
	if word == "auto" {
		if v := a.Getenv("ORC_PROGRESS"); v != "" {
			word = v
		}
	}
	switch m := mode(word); m {
	case modeTTY, modePlain, modeJSON, modeQuiet:
		return m, nil
	case "auto":
		switch {
		case a.globals.quiet:
			return modeQuiet, nil
		case a.interactive() && a.Getenv("CI") == "" && a.Getenv("TERM") != "dumb" && a.Getenv("ORC_ACCESSIBLE") == "":
			return modeTTY, nil
		}
		return modePlain, nil
	}
	return "", usageError("one of: auto, tty, plain, json, quiet", "--progress cannot be %q", word)
}

// interactive says whether a person sits at both ends.
func (a *App) interactive() bool {
	return a.isTerminal(a.Stdin) && a.isTerminal(a.Stderr) && a.isTerminal(a.Stdout)
}

// watch has a run worked on and shows it.
type watch struct {
	app   *App
	store persistence.Store
	run   persistence.Run
	tasks []*scheduler.Task
	mode  mode
	cfg   *config.Config
	yes   bool
	repo  *workspace.Repository // opened already; nil = not yet

	creation    *process.Lock // held until the run has an owner; nil = none
	concurrency int           // 0 = the run's own
	known       []event.Event // of an earlier owner: they happened before this command and are not shown again
	again       bool          // it was over before this command
}

// created lets other commands create runs of the same plan again.
func (w *watch) created() error {
	if w.creation == nil {
		return nil
	}
	err := w.creation.Release()
	w.creation = nil
	return err
}

// start has the run worked on: by a background process when a person watches or wants none of it, else by this one.
func (w *watch) start(ctx context.Context, o watching) error {
	background := o.detach || (w.mode == modeTTY && !o.foreground)
	if !background {
		return w.foreground(ctx)
	}
	err := w.spawn(ctx)
	if err = errors.Join(err, w.created()); err != nil {
		return err
	}
	if o.detach {
		if w.mode == modeJSON {
			_, err := fmt.Fprintf(w.app.Stdout, "{\"schema\":%d,\"run\":{\"id\":%q,\"branch\":%q}}\n", schema, w.run.ID, w.run.Branch)
			return err
		}
		_, err := fmt.Fprintf(w.app.Stdout, "run %s goes on in the background\n  orc status %s\n  orc logs TASK -f\n", w.run.ID, w.run.ID)
		return err
	}
	return w.follow(ctx)
}

// foreground owns the run in this process.
func (w *watch) foreground(ctx context.Context) error {
	own, err := w.app.own(ctx, w.store, w.run)
	if err = errors.Join(err, w.created()); err != nil {
		return err
	}
	own.repo = w.repo
	code, err := w.work(ctx, own)
	if err = errors.Join(err, own.release()); err != nil {
		return err
	}
	return silent(code)
}

// work runs the engine and the display side by side; the display sees what is committed, as any client does.
func (w *watch) work(ctx context.Context, own *ownership) (code int, err error) {
	log, closeLog, err := own.openLog()
	if err != nil {
		return ExitFailures, err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	engine, err := own.engine(ctx, w.cfg, w.concurrency, log)
	if err != nil {
		return ExitFailures, err
	}
	screen, err := w.screen(ctx)
	if err != nil {
		return ExitFailures, err
	}
	shown := make(chan error, 1)
	watching, stopWatching := context.WithCancelCause(ctx)
	defer stopWatching(nil)
	go func() { shown <- screen.follow(watching) }()
	end, err := own.work(ctx, engine, screen.say)
	stopWatching(errRunEnded)
	showErr := <-shown
	if err != nil {
		return ExitFailures, errors.Join(err, showErr)
	}
	if showErr != nil {
		return ExitFailures, fmt.Errorf("show the run: %w", showErr)
	}
	if err := screen.finish(ctx); err != nil {
		return ExitFailures, fmt.Errorf("show the run: %w", err)
	}
	return own.exit(ctx, end)
}

// errRunEnded ends the watching when there is nothing more to come.
var errRunEnded = errors.New("the run has ended")

// openLog opens the owner's log in the run's folder.
func (o *ownership) openLog() (*slog.Logger, func() error, error) {
	f, err := os.OpenFile(filepath.Join(o.folder, ownerLog), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the owner's log: %w", err)
	}
	level := slog.LevelWarn
	if o.app.globals.verbose || o.app.Getenv("ORC_DEBUG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(discreet{f, o.app.secretsOf(o.run)}, &slog.HandlerOptions{Level: level})), f.Close, nil
}

// follow watches a run that another process owns.
func (w *watch) follow(ctx context.Context) error {
	if w.mode != modeTTY {
		return w.followPlain(ctx)
	}
	o, err := w.tui(ctx)
	if err != nil {
		return err
	}
	result, err := tui.Run(ctx, o)
	if err != nil {
		return err
	}
	if result.Left {
		_, err := fmt.Fprintf(w.app.Stdout, "run %s goes on in the background.   orc status   orc logs TASK -f\n", w.run.ID)
		return err
	}
	screen, err := w.screen(ctx)
	if err != nil {
		return err
	}
	screen.display = nil // everything was shown already; the closing words are missing
	if err := screen.drain(ctx); err != nil {
		return err
	}
	if err := screen.finish(ctx); err != nil {
		return err
	}
	return w.leave(ctx)
}

// followPlain shows a run that another process owns until that process is done with it.
func (w *watch) followPlain(ctx context.Context) error {
	screen, err := w.screen(ctx)
	if err != nil {
		return err
	}
	watching, stop := interruptible(ctx)
	defer stop()
	if err := screen.untilSettled(watching); err != nil {
		return err
	}
	if err := screen.finish(ctx); err != nil {
		return err
	}
	return w.leave(ctx)
}

// leave is the exit code of a watched run.
func (w *watch) leave(ctx context.Context) error {
	run, err := w.store.GetRun(ctx, w.run.ID)
	if err != nil {
		return err
	}
	code, err := (&ownership{store: w.store, run: run}).exit(ctx, ending{state: run.State})
	if err != nil {
		return err
	}
	return silent(code)
}

func (w *watch) requestStop(ctx context.Context, force bool) error {
	req, err := w.app.newRequest(w.run.ID, orchestrator.RequestStop, orchestrator.StopRequest{Force: force})
	if err != nil {
		return err
	}
	_, err = w.store.AddRequest(ctx, req)
	return err
}

// lastLine is the last line of output of a task's present attempt.
func (w *watch) lastLine(task string) string {
	line, err := w.app.lastLogLine(w.run.ID, task)
	if err != nil {
		return "" // a line that cannot be read now may be there the next time
	}
	return line
}

// seed is what a view knows of a run before its first event.
func (w *watch) seed(ctx context.Context) (view.Seed, error) {
	tasks := w.tasks
	if tasks == nil {
		var err error
		if tasks, err = w.store.ListTasks(ctx, w.run.ID); err != nil {
			return view.Seed{}, err
		}
	}
	s := view.Seed{
		ID: string(w.run.ID), Name: w.run.Name, Branch: w.run.Branch, Base: w.run.Base, BaseRef: w.run.BaseRef,
		Concurrency: w.run.Concurrency,
	}
	for _, t := range tasks {
		st := view.SeedTask{ID: string(t.ID), Name: t.Name, Agent: t.AgentRole, Attempts: max(t.Attempts, 1)}
		for _, d := range t.DependsOn {
			st.Needs = append(st.Needs, string(d))
		}
		s.Tasks = append(s.Tasks, st)
	}
	return s, nil
}

// view is the run as it was before this command.
func (w *watch) view(ctx context.Context) (*view.Run, error) {
	seed, err := w.seed(ctx)
	if err != nil {
		return nil, err
	}
	v := view.New(seed)
	for _, e := range w.known {
		v.Fold(e)
	}
	return v, nil
}

// source gives the events since then.
func (w *watch) source() *tail {
	t := &tail{store: w.store, run: w.run.ID}
	if n := len(w.known); n > 0 {
		t.after = w.known[n-1].Seq
	}
	return t
}
