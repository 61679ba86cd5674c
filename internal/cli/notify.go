package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"syscall"
	"time"

	"orchestrator/internal/environ"
	"orchestrator/internal/process"
	"orchestrator/internal/view"
)

// notifyTime is how long the command may take that calls a person.
const notifyTime = 10 * time.Second

// notifier runs the settings' notify.command when a person is wanted. It belongs to the owner, so that it works while
// nobody watches.
type notifier struct {
	own     *ownership
	command string
	log     *slog.Logger
	source  *tail
	run     *view.Run
	alerts  view.Alerts
}

// notify begins to look for what a person is wanted for. The returned function ends that, when what there is to tell
// has been told.
func (o *ownership) notify(ctx context.Context) (stop func()) {
	if o.call == "" {
		return func() {}
	}
	w := &watch{app: o.app, store: o.store, run: o.run}
	run, err := w.view(ctx)
	if err != nil {
		o.log.Warn("nobody is notified", "error", err)
		return func() {}
	}
	n := &notifier{own: o, command: o.call, log: o.log, source: w.source(), run: run}
	watching, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.look(watching); err != nil {
			n.log.Warn("nobody is notified any more", "error", err)
		}
	}()
	return func() {
		end()
		<-done
	}
}

// look follows the run until ctx ends, and tells what is left.
func (n *notifier) look(ctx context.Context) error {
	n.alerts.Look(n.run, n.own.app.Now())
	for {
		events, err := n.source.Next(ctx)
		if errors.Is(err, context.Canceled) {
			if events, err = n.source.look(context.WithoutCancel(ctx)); err == nil && len(events) == 0 {
				return nil
			}
		}
		if err != nil {
			return err
		}
		for _, e := range events {
			n.run.Fold(e)
		}
		for _, a := range n.alerts.Look(n.run, n.own.app.Now()) {
			n.call(context.WithoutCancel(ctx), a)
		}
	}
}

// call runs the command. That it fails is in the owner's log and changes nothing about the run.
func (n *notifier) call(ctx context.Context, a view.Alert) {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	text := a.Text
	if a.Task != "" {
		text = a.Task + ": " + a.Text
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", n.command)
	cmd.Dir = n.own.run.Repository
	cmd.Env = append(environ.Allowed(n.own.app.Environ, n.own.run.Options.Pass...),
		"ORC_ALERT="+text, "ORC_RUN="+string(n.own.run.ID), "ORC_TASK="+a.Task, process.MarkVariable+"="+n.own.run.Mark)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // its group, which is unreaped
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		n.log.Warn("notify.command failed", "error", fmt.Errorf("%s: %w", n.command, err))
	}
}
