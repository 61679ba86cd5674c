package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"orchestrator/internal/event"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
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
	a, e := &at.a, at.e
	log, err := os.OpenFile(a.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return "", fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()
	if _, err := fmt.Fprintf(log, "\n$ %s   # verify %d of %d\n", gate, n, len(at.task.Verify)); err != nil {
		return "", fmt.Errorf("write the log: %w", err)
	}
	st, err := log.Stat()
	if err != nil {
		return "", fmt.Errorf("look at the log: %w", err)
	}
	ctx, cancel := at.limited()
	defer cancel()
	child, err := e.launchers.Launch(ctx, process.Spec{
		ID: turnID(a) + ".v" + strconv.Itoa(n), Argv: []string{"/bin/sh", "-c", gate}, Dir: at.dir(), Env: env, Stdout: log, Stderr: log,
	})
	if err != nil {
		return "", fmt.Errorf("start gate %q: %w", gate, err)
	}
	exit, err := child.Wait(ctx)
	if err != nil {
		if ctx.Err() == nil {
			return "", fmt.Errorf("wait for gate %q: %w", gate, err)
		}
		cause := context.Cause(ctx)
		if _, err := child.Stop(context.WithoutCancel(ctx), e.o.Grace); err != nil {
			return "", fmt.Errorf("stop gate %q: %w", gate, err)
		}
		return "", cause
	}
	switch {
	case exit.Signal != "":
		failure = fmt.Sprintf("verify failed: %s: ended by signal %s", gate, exit.Signal)
	case exit.Code != 0:
		failure = fmt.Sprintf("verify failed: %s: exit %d", gate, exit.Code)
		a.ExitCode = &exit.Code
	default:
		return "", nil
	}
	a.Output, err = provider.Tail(a.Log, st.Size(), outputKept)
	return failure, err
}
