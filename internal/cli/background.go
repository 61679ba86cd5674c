package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
)

// spawn starts a process that owns the run and outlives this one, and waits until it does own it.
func (w *watch) spawn(ctx context.Context) error {
	folder, err := w.app.RunDir(string(w.run.ID))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make the run's folder: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(folder, ownerLog), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the owner's log: %w", err)
	}
	defer log.Close()
	began, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("open the owner's log: %w", err)
	}
	args := []string{ownerCommand, string(w.run.ID)}
	if w.concurrency > 0 {
		args = append(args, "--concurrency", fmt.Sprint(w.concurrency))
	}
	cmd := exec.Command(self, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = w.run.Repository, w.app.Environ, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := w.app.asUser(cmd.Start); err != nil { // it takes our mask for the user's
		return fmt.Errorf("start the background process: %w", err)
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		lease, err := w.store.GetLease(ctx, w.run.ID)
		if err != nil && !errors.Is(err, persistence.ErrNotFound) {
			return err
		}
		if err == nil && lease.PID == cmd.Process.Pid {
			return nil
		}
		select {
		case err := <-gone:
			return w.died(log, began, err)
		case <-tick.C:
		}
	}
}

// died says why the background process ended before it owned the run: its own words.
func (w *watch) died(log *os.File, began int64, err error) error {
	words, rerr := io.ReadAll(io.NewSectionReader(log, began, 64<<10))
	if rerr != nil {
		return fmt.Errorf("read the owner's log: %w", rerr)
	}
	code := ExitFailures
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 {
		code = exit.ExitCode()
	}
	if len(words) > 0 {
		if _, err := w.app.Stderr.Write(words); err != nil {
			return err
		}
		return silent(code)
	}
	return &ExitError{Code: code, Err: errorf("the background process ended at once: %v", err), Hint: "try orc resume --foreground"}
}

// ownerCommand is the hidden command that a background owner is started with.
const ownerCommand = "__owner"

func newOwner(a *App) *cobra.Command {
	var concurrency int
	cmd := &cobra.Command{
		Use: ownerCommand + " RUN", Hidden: true, Args: between(1, 1),
		Annotations: map[string]string{ownSignals: ""},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRun(cmd.Context(), args[0], func(st persistence.Store, run persistence.Run) error {
				cfg, err := a.settings(run.Repository, nil)
				if err != nil {
					return err
				}
				w := &watch{app: a, store: st, run: run, mode: modeQuiet, cfg: cfg, concurrency: concurrency}
				return w.background(cmd.Context())
			})
		},
	}
	cmd.Flags().IntVar(&concurrency, "concurrency", 0, "tasks at a time")
	return cmd
}

// background owns the run without showing it.
func (w *watch) background(ctx context.Context) error {
	own, err := w.app.own(ctx, w.store, w.run)
	if err != nil {
		return err
	}
	log, closeLog, err := own.openLog()
	if err != nil {
		return errors.Join(err, own.release())
	}
	engine, err := own.engine(ctx, w.cfg, w.concurrency, log)
	if err != nil {
		return errors.Join(err, closeLog(), own.release())
	}
	end, err := own.work(ctx, engine, func(string) {})
	code := ExitFailures
	if err == nil {
		code, err = own.exit(ctx, end)
	}
	if err = errors.Join(err, closeLog(), own.release()); err != nil {
		return err
	}
	return silent(code)
}
