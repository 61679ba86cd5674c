package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/persistence"
	"orchestrator/internal/workspace"
)

func TestExitCodesFollowTheError(t *testing.T) {
	cases := map[string]struct {
		err  error
		want int
	}{
		"nothing":              {nil, ExitOK},
		"anything":             {errors.New("x"), ExitFailures},
		"usage":                {usageError("", "x"), ExitUsage},
		"wrapped usage":        {fmt.Errorf("outer: %w", usageError("", "x")), ExitUsage},
		"joined":               {errors.Join(&ExitError{Code: ExitNeedsYou}, errors.New("x")), ExitNeedsYou},
		"Ctrl-C":               {errSignal{os.Interrupt}, ExitInterrupted},
		"terminated":           {fmt.Errorf("x: %w", errSignal{syscall.SIGTERM}), ExitTerminated},
		"canceled":             {context.Canceled, ExitInterrupted},
		"store":                {&persistence.Error{Op: "x", Kind: persistence.ErrFull}, ExitFailures},
		"conflict of a merge":  {&ExitError{Code: ExitConflict}, ExitConflict},
		"agent is not there":   {&ExitError{Code: ExitAgent}, ExitAgent},
		"budget is used up":    {&ExitError{Code: ExitBudget}, ExitBudget},
		"success said already": {silentOK, ExitOK},
	}
	for name, c := range cases {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got, c.want)
		}
	}
}

func TestReportTellsTheCauseThenTheHint(t *testing.T) {
	cases := map[string]struct {
		err  error
		want string
	}{
		"plain":  {errors.New("disk on fire"), "error: disk on fire\n"},
		"hint":   {usageError("orc status", "no run %q", "x"), "error: no run \"x\"\nhint: orc status\n"},
		"lines":  {usageError("a\nb", "one\ntwo"), "error: one\n  two\nhint: a\n      b\n"},
		"escape": {errors.New("bad \x1b[31mred\x1b[0m\x07 name"), "error: bad red name\n"},
		"store":  {fmt.Errorf("open: %w", &persistence.Error{Op: "x", Hint: "free some space"}), "error: open: x\nhint: free some space\n"},
		"full disk": {
			fmt.Errorf("task a: %w", &workspace.CommandError{Args: []string{"update-index"}, Err: errors.New("exit status 128"), Stderr: "fatal: unable to write: No space left on device"}),
			"error: task a: git update-index: exit status 128: fatal: unable to write: No space left on device\nhint: free some space on the disk, then go on: orc resume\n",
		},
		"outermost":     {&ExitError{Code: 1, Err: &persistence.Error{Op: "x", Hint: "inner"}, Hint: "outer"}, "error: x\nhint: outer\n"},
		"empty outside": {&ExitError{Code: 1, Err: &persistence.Error{Op: "x", Hint: "inner"}}, "error: x\nhint: inner\n"},
	}
	for name, c := range cases {
		var out bytes.Buffer
		(&App{}).report(&out, c.err)
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
