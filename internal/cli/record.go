package cli

import (
	"context"
	"regexp"
	"time"

	"orchestrator/internal/commandlog"
	"orchestrator/internal/process"
	"orchestrator/internal/sandbox"
	"orchestrator/internal/workspace"
)

// ranGit records a git command.
func (o *ownership) ranGit(c workspace.Command) {
	o.record.Add(commandlog.Entry{
		Time: c.Began, What: commandlog.Git, Task: c.Task, Dir: c.Dir, Args: c.Args, Exit: c.Exit, Took: c.Duration,
	})
}

// recording is a supervisor whose commands are recorded.
type recording struct {
	*process.Supervisor
	record *commandlog.Log
}

// Launch starts a command and records when it ends.
func (r *recording) Launch(ctx context.Context, s process.Spec) (*process.Child, error) {
	argv, boxed := sandbox.Unwrapped(s.Argv)
	e := commandlog.Entry{
		What: commandlog.Start, Time: time.Now(), Task: taskOf(s.ID), ID: s.ID, Dir: s.Dir, Args: argv, Boxed: boxed,
	}
	child, err := r.Supervisor.Launch(ctx, s)
	if err != nil {
		e.Exit, e.Error = -1, err.Error()
		r.record.Add(e)
		return nil, err
	}
	r.record.Add(e)
	go func() { // every command ends: at the latest with its supervisor
		exit, err := child.Wait(context.WithoutCancel(ctx))
		e.What, e.Exit, e.Took = commandlog.End, exit.Code, time.Since(e.Time)
		if err != nil {
			e.Exit, e.Error = -1, err.Error()
		}
		r.record.Add(e)
	}()
	return child, nil
}

// launched is the name of a command of an attempt: the task, the attempt's number, and which of its commands it is.
var launched = regexp.MustCompile(`^(.+)\.[0-9]+(?:\.[a-z]+[0-9]*)*$`)

// taskOf is the task that a command is for.
func taskOf(id string) string {
	if m := launched.FindStringSubmatch(id); m != nil {
		return m[1]
	}
	return ""
}
