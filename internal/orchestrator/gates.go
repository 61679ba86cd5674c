package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"orchestrator/internal/event"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

const outputKept = 8 << 10 // bytes of a failing output that are kept with the attempt

// gates runs the gates, again when the process that supervises them was killed: the work that they look at is done and
// still there.
func (at *attempt) gates() (failure string, err error) {
	for lost := 0; ; lost++ {
		failure, err = at.verify()
		if !errors.Is(err, process.ErrSupervisorLost) || lost == maxLost {
			return failure, err
		}
		if err := at.e.report(progress{attempt: at.a, events: []event.Event{at.e.event(event.Notice, at.a.Task, at.a.Number, event.Detail{
			Message: "the process that supervises its gates was killed; they run again",
		})}}); err != nil {
			return "", err
		}
	}
}

// verify runs the task's gates in its workspace, one after another, until one fails. The failure is for people and
// for the next attempt; empty means that all passed.
func (at *attempt) verify() (failure string, err error) {
	env, err := at.environ()
	if err != nil {
		return "", err
	}
	for i, gate := range at.task.Verify {
		failure, err := at.gate(i+1, gate, env)
		if failure != "" || err != nil {
			return failure, err
		}
	}
	return "", nil
}

func (at *attempt) gate(n int, gate string, env []string) (failure string, err error) {
	return at.shell(gate, fmt.Sprintf("verify %d of %d", n, len(at.task.Verify)), turnID(&at.a)+".v"+strconv.Itoa(n), "verify", env)
}

// setUp brings what the plan wants into the fresh workspace: ignored files of the user's checkout, and what its command
// makes. It happens once for a workspace: an attempt that is cut off here gets a new one.
func (at *attempt) setUp() (failure string, err error) {
	if at.a.Isolation == scheduler.IsolationNone {
		return "", nil
	}
	return at.furnish(at.e.spec(&at.a), at.e.setupOf(at.task.ID))
}

// furnish sets a fresh workspace up, which is the one of the attempt or one of its checks.
func (at *attempt) furnish(s workspace.Spec, setup scheduler.Setup) (failure string, err error) {
	if len(setup.Copy)+len(setup.Symlink) > 0 {
		if err := at.e.o.Repository.Provide(at.ctx, s, setup.Copy, setup.Symlink); err != nil {
			return "", err
		}
	}
	if setup.Command == "" {
		return "", nil
	}
	env, err := at.environ()
	if err != nil {
		return "", err
	}
	return at.shell(setup.Command, "setup of the workspace", turnID(&at.a)+".setup", "setup", env)
}

// setupOf is how the workspace of a task is set up.
func (e *Engine) setupOf(id scheduler.TaskID) scheduler.Setup {
	if own, ok := e.options().Setups[id]; ok {
		return own
	}
	if e.options().Setup != nil {
		return *e.options().Setup
	}
	return scheduler.Setup{}
}

// shell runs a command of ours in the workspace, with its output in the task's log. title stands in the log, what
// before the failure.
func (at *attempt) shell(command, title, id, what string, env []string) (failure string, err error) {
	a, e := &at.a, at.e
	log, err := os.OpenFile(a.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return "", fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()
	if _, err := fmt.Fprintf(log, "\n$ %s   # %s\n", command, title); err != nil {
		return "", fmt.Errorf("write the log: %w", err)
	}
	st, err := log.Stat()
	if err != nil {
		return "", fmt.Errorf("look at the log: %w", err)
	}
	ctx, cancel := at.limited()
	defer cancel()
	launcher, err := at.launcher(env)
	if err != nil {
		return "", err
	}
	child, err := launcher.Launch(ctx, process.Spec{
		ID: id, Argv: []string{"/bin/sh", "-c", command}, Dir: at.dir(), Env: env, Stdout: log, Stderr: log,
	})
	if err != nil {
		return "", fmt.Errorf("start %s %q: %w", what, command, err)
	}
	exit, err := child.Wait(ctx)
	if err != nil {
		if ctx.Err() == nil {
			return "", fmt.Errorf("wait for %s %q: %w", what, command, err)
		}
		cause := context.Cause(ctx)
		if _, err := child.Stop(context.WithoutCancel(ctx), e.o.Grace); err != nil {
			return "", fmt.Errorf("stop %s %q: %w", what, command, err)
		}
		return "", cause
	}
	switch {
	case exit.Signal != "":
		failure = fmt.Sprintf("%s failed: %s: ended by signal %s", what, command, exit.Signal)
	case exit.Code != 0:
		failure = fmt.Sprintf("%s failed: %s: exit %d", what, command, exit.Code)
		a.ExitCode = &exit.Code
	default:
		return "", nil
	}
	a.Output, err = e.tail(a.Log, st.Size())
	return failure, err
}
