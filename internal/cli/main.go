package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"orchestrator/internal/redact"
	"orchestrator/internal/sandbox"
)

// ownSignals is the annotation of commands that treat signals themselves. For all others the first SIGINT or
// SIGTERM ends the command's context with that cause, and a second one ends the process.
const ownSignals = "signals"

// Main runs the program with its arguments (without its name) and returns the exit code.
func Main(ctx context.Context, a *App, args []string) int {
	if code, is := supervise(args); is {
		return code
	}
	if len(args) > 0 && args[0] == sandbox.DefaultArg {
		return sandbox.Main(args[1:])
	}
	if a.Resume == nil {
		a.Resume = takeover{app: a}
	}
	root := newRoot(a)
	root.SetArgs(append([]string{}, args...)) // nil would mean those of the process
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)

	running := false
	release := func() {}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.prepare(); err != nil {
			return err
		}
		running = true
		if _, own := cmd.Annotations[ownSignals]; !own {
			ctx, stop := interruptible(cmd.Context())
			release = stop
			cmd.SetContext(ctx)
		}
		return nil
	}
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && cmd != nil && cmd.Context() != nil {
		if cause := context.Cause(cmd.Context()); cause != nil && errors.Is(err, context.Canceled) {
			err = cause
		}
	}
	release()
	var exit *ExitError
	if err != nil && !running && !errors.As(err, &exit) {
		// Whatever cobra found before the command began is wrong usage.
		err = &ExitError{Code: ExitUsage, Err: err, Hint: cmd.CommandPath() + " --help"}
	}
	if errors.Is(err, syscall.EPIPE) {
		// The reader of our output has seen enough (`orc logs | head`).
		return ExitOK
	}
	return a.report(a.Stderr, err)
}

// interruptible ends the context at the first signal.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	var once sync.Once
	go func() {
		select {
		case sig := <-ch:
			// From now on a signal does what it does by default.
			signal.Stop(ch)
			cancel(errSignal{sig})
		case <-done:
		}
	}()
	return ctx, func() {
		once.Do(func() {
			signal.Stop(ch)
			close(done)
			cancel(context.Canceled)
		})
	}
}

// prepare applies the global flags.
func (a *App) prepare() error {
	a.secrets = redact.New(a.Environ)
	switch a.globals.color {
	case "auto", "always", "never":
	default:
		return usageError("one of: auto, always, never", "--color cannot be %q", a.globals.color)
	}
	if a.globals.chdir != "" {
		dir := a.path(a.globals.chdir)
		st, err := os.Stat(dir)
		if err != nil {
			return usageError("", "-C: %w", err)
		}
		if !st.IsDir() {
			return usageError("", "-C: %s is not a folder", dir)
		}
		a.Dir, a.globals.chdir = dir, ""
	}
	return nil
}

// bindGlobals adds the flags that every command takes.
func (a *App) bindGlobals(f *pflag.FlagSet) {
	f.StringVar(&a.globals.color, "color", "auto", "colour: auto, always, never")
	f.BoolVar(&a.globals.noInput, "no-input", false, "never ask; fail where an answer is needed")
	f.BoolVarP(&a.globals.quiet, "quiet", "q", false, "say only what went wrong")
	f.BoolVarP(&a.globals.verbose, "verbose", "v", false, "say more")
	f.StringVarP(&a.globals.chdir, "chdir", "C", "", "run as if started in `DIR`")
}
