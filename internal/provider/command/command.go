// Package command drives any program: a plan's `run`, or an agent role that is a shell command. The prompt, if there
// is one, comes on standard input and in the file that ORC_PROMPT_FILE names; output goes to the log; exit code 0
// is success. It has no session to go on with: an interrupted command starts again.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
)

const (
	shell        = "/bin/sh"
	outputTail   = 64 << 10 // bytes of output kept beside the log
	summaryTail  = 2 << 10  // bytes of it that count as the last words
	limitPeriod  = time.Second
	exitNotFound = 127

	argumentLimit = 96 << 10 // bytes; Linux takes 128 KiB for one argument
)

// Command is the driver. The zero value is ready.
type Command struct{}

var _ provider.Provider = Command{}

// errOutputLimit is the cause when the log grows over its limit.
var errOutputLimit = errors.New("output limit reached")

// Name is "command".
func (Command) Name() string { return "command" }

// Turn runs the shell command to its end.
func (c Command) Turn(ctx context.Context, l provider.Launcher, t provider.Turn) (provider.Result, error) {
	log, err := os.OpenFile(t.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return provider.Result{}, fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()
	stdin, err := openPrompt(t.PromptFile)
	if err != nil {
		return provider.Result{}, err
	}
	if stdin != nil {
		defer stdin.Close()
	}
	argv, err := arguments(t)
	if err != nil {
		return provider.Result{}, err
	}
	out := log
	if t.Out != "" {
		if out, err = os.OpenFile(t.Out, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600); err != nil {
			return provider.Result{}, fmt.Errorf("open the file of its output: %w", err)
		}
		defer out.Close()
	}
	child, err := l.Launch(ctx, process.Spec{
		ID: t.ID, Argv: argv, Dir: t.Dir, Env: t.Env, Stdin: stdin, Stdout: out, Stderr: log, Unawaited: true,
	})
	if err != nil {
		return provider.Result{}, fmt.Errorf("start %s: %w", t.ID, err)
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if t.OutputLimit > 0 {
		for _, f := range slices.Compact([]*os.File{log, out}) {
			stop := watchSize(f, t.OutputLimit, func() { cancel(errOutputLimit) })
			defer stop()
		}
	}
	exit, err := child.Wait(ctx)
	if err == nil {
		if st, serr := log.Stat(); serr == nil && st.Size() == 0 {
			return outcome(exit, ""), nil
		}
		return c.Finish(t, exit)
	}
	if fault := (*process.LaunchError)(nil); errors.As(err, &fault) {
		return provider.Result{}, fmt.Errorf("start %s: %w", t.ID, err)
	}
	if ctx.Err() == nil {
		return provider.Result{}, fmt.Errorf("wait for %s: %w", t.ID, err)
	}
	cause := context.Cause(ctx)
	// The tree must be gone before the workspace may be looked at, whoever is impatient.
	if _, err := child.Stop(context.WithoutCancel(ctx), t.Grace); err != nil {
		return provider.Result{}, fmt.Errorf("stop %s: %w", t.ID, err)
	}
	if errors.Is(cause, errOutputLimit) {
		return c.overLimit(t)
	}
	return provider.Result{}, cause
}

// Finish says what an exit means.
func (Command) Finish(t provider.Turn, exit process.Exit) (provider.Result, error) {
	out, err := provider.Tail(t.Log, 0, outputTail)
	if err != nil {
		return provider.Result{}, err
	}
	return outcome(exit, out), nil
}

// outcome is the result of a command that ended with that exit and output.
func outcome(exit process.Exit, out string) provider.Result {
	r := provider.Result{Output: out, Summary: lastWords(out)}
	switch {
	case exit.Signal != "":
		r.Kind, r.Error = provider.KindCrashed, "ended by signal "+exit.Signal
	case exit.Code == exitNotFound:
		r.Kind, r.Error = provider.KindFailed, "exit 127 (command not found)"
	case exit.Code != 0:
		r.Kind, r.Error = provider.KindFailed, fmt.Sprintf("exit %d", exit.Code)
	}
	if exit.Signal == "" {
		r.ExitCode = &exit.Code
	}
	return r
}

func (Command) overLimit(t provider.Turn) (provider.Result, error) {
	out, err := provider.Tail(t.Log, 0, outputTail)
	if err != nil {
		return provider.Result{}, err
	}
	return provider.Result{
		Kind: provider.KindOutput, Output: out, Summary: lastWords(out),
		Error: fmt.Sprintf("stopped: it wrote more than %d MiB of output (output_limit)", t.OutputLimit>>20),
	}, nil
}

// arguments starts the shell on the command. One that is too long for an argument goes by a file beside the log.
func arguments(t provider.Turn) ([]string, error) {
	if len(t.Command) <= argumentLimit {
		return []string{shell, "-c", t.Command}, nil
	}
	script := t.Log + ".sh"
	if err := os.WriteFile(script, []byte(t.Command), 0o600); err != nil {
		return nil, fmt.Errorf("write the command: %w", err)
	}
	return []string{shell, script}, nil
}

func openPrompt(path string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the prompt: %w", err)
	}
	return f, nil
}

// watchSize calls over once when the file has grown beyond limit; it looks every second. The returned function
// ends the watch.
func watchSize(f *os.File, limit int64, over func()) (stop func()) {
	var timer *time.Timer
	done := make(chan struct{})
	ready := make(chan struct{})
	timer = time.AfterFunc(limitPeriod, func() {
		<-ready
		select {
		case <-done:
			return
		default:
		}
		if st, err := f.Stat(); err == nil && st.Size() > limit {
			over()
			return
		}
		timer.Reset(limitPeriod)
	})
	close(ready)
	return func() { close(done); timer.Stop() }
}

// lastWords is the end of the output, whole lines, without the blank ones around it.
func lastWords(out string) string {
	out = strings.TrimSpace(out)
	if len(out) <= summaryTail {
		return out
	}
	out = out[len(out)-summaryTail:]
	if i := strings.IndexByte(out, '\n'); i >= 0 && i < len(out)-1 {
		return out[i+1:]
	}
	return strings.ToValidUTF8(out, "")
}
