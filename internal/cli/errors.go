package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"orchestrator/internal/persistence"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
)

// ExitError ends a command with an exit code of its own.
type ExitError struct {
	Code int    // one of the Exit constants
	Err  error  // the cause; nil when everything was said already
	Hint string // the next command, or what to do; may have several lines
}

// Error returns the cause's text.
func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *ExitError) Unwrap() error { return e.Err }

// errorf is fmt.Errorf under a name that reads well inside an ExitError.
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// usageError is a mistake of the person who typed the command: exit code 2, nothing was run.
func usageError(hint, format string, args ...any) error {
	return &ExitError{Code: ExitUsage, Err: fmt.Errorf(format, args...), Hint: hint}
}

// silent ends a command with a code when its output has said everything.
func silent(code int) error {
	if code == ExitOK {
		return nil
	}
	return &ExitError{Code: code}
}

// errSignal is the cause of a context that a signal ended.
type errSignal struct{ sig os.Signal }

func (e errSignal) Error() string { return "interrupted (" + e.sig.String() + ")" }

// exitCode says with which code an error ends the program.
func exitCode(err error) int {
	var exit *ExitError
	var sig errSignal
	var conflict *workspace.ConflictError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &exit):
		return exit.Code
	case errors.As(err, &sig):
		if sig.sig == syscall.SIGTERM {
			return ExitTerminated
		}
		return ExitInterrupted
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &conflict):
		return ExitConflict
	}
	for _, kind := range unusable {
		if errors.Is(err, kind) {
			return ExitUsage
		}
	}
	return ExitFailures
}

// unusable are the reasons why nothing can be run in a place, or nothing looked for.
var unusable = []error{
	persistence.ErrQuery,
	workspace.ErrGitMissing, workspace.ErrGitTooOld, workspace.ErrNotRepository, workspace.ErrUnsafe, workspace.ErrBare,
	workspace.ErrNoCommits, workspace.ErrUnknown, workspace.ErrInvalid, workspace.ErrDirty, workspace.ErrCheckedOut,
	workspace.ErrNoLanding, workspace.ErrLanding, workspace.ErrNotBegun,
}

// hint returns what a person can do about an error: the outermost hint in its chain.
func hint(err error) string {
	var exit *ExitError
	if errors.As(err, &exit) && exit.Hint != "" {
		return exit.Hint
	}
	var stored *persistence.Error
	if errors.As(err, &stored) && stored.Hint != "" {
		return stored.Hint
	}
	if h := workspace.Hint(err); h != "" {
		return h
	}
	if diskFull(err) {
		return "free some space on the disk, then go on: orc resume"
	}
	return ""
}

// diskFull says whether something could not be written for want of space: by this program, or by git, which only says
// it in words.
func diskFull(err error) bool {
	var git *workspace.CommandError
	return errors.Is(err, syscall.ENOSPC) || errors.As(err, &git) && strings.Contains(git.Stderr, "No space left on device")
}

// report prints an error and its hint, and returns the exit code.
func (a *App) report(w io.Writer, err error) int {
	code := exitCode(err)
	var exit *ExitError
	if err == nil || (errors.As(err, &exit) && exit.Err == nil) {
		return code
	}
	p := a.paint(w)
	text := strings.ReplaceAll(a.secrets.String(view.Sanitize(err.Error())), "\n", "\n  ")
	// Nothing is left to tell when stderr itself is gone: the code is the message then.
	_, _ = fmt.Fprintf(w, "%s %s\n", p.red("error:"), text)
	if h := hint(err); h != "" {
		_, _ = fmt.Fprintf(w, "%s %s\n", p.bold("hint:"), strings.ReplaceAll(view.Sanitize(h), "\n", "\n      "))
	}
	return code
}
