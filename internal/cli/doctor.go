package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"orchestrator/internal/view"
)

// doctorDocument is `orc doctor --json`.
type doctorDocument struct {
	Schema int     `json:"schema"`
	OK     bool    `json:"ok"` // no check failed
	Checks []check `json:"checks"`
}

// check is one thing that was looked at.
type check struct {
	Name   string `json:"name"`
	State  string `json:"state"` // ok, warn, fail
	Detail string `json:"detail"`
	Fix    string `json:"fix"` // what to do; empty = nothing
}

// The states of a check.
const (
	checkOK   = "ok"
	checkWarn = "warn" // it works, less well
	checkFail = "fail" // nothing runs before it is repaired
)

func newDoctor(a *App) *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check git, disk, supervision, agents and logins, and say how to fix each; --verify",
		Long: `Looks at everything that a run depends on. It changes nothing. The exit code is 1 when something has to be
repaired before anything can run.

With --verify it looks at the runs of this repository instead, or at RUN: it holds what is recorded of them against
the commits and refs in git, rule by rule, and says what does not hold and what to do. A run that is just being worked
on is passed over. The exit code is 1 when a rule is broken.`,
		Example: `  orc doctor
  orc doctor --jq '.checks[] | select(.state != "ok")'
  orc doctor --verify
  orc doctor --verify 7f3c --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if verify {
				return between(0, 1)(cmd, args)
			}
			return between(0, 0)(cmd, args)
		},
		ValidArgsFunction: a.completeRuns,
	}
	out := newOutput(cmd, doctorDocument{}, "checks")
	cmd.Flags().BoolVar(&verify, "verify", false, "hold the records of runs against git")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if verify {
			out.prints(verifyDocument{}, "runs")
		}
		wanted, err := out.wanted(a, cmd)
		if verify && err == nil {
			return a.verify(cmd.Context(), args, out, wanted)
		}
		if err != nil {
			return err
		}
		doc := a.examine(cmd.Context())
		if err := cmd.Context().Err(); err != nil {
			return context.Cause(cmd.Context())
		}
		if wanted {
			err = out.write(a, doc)
		} else {
			err = a.writeChecks(doc)
		}
		if err == nil && !doc.OK {
			err = silent(ExitFailures)
		}
		return err
	}
	return cmd
}

// examine makes every check.
func (a *App) examine(ctx context.Context) doctorDocument {
	doc := doctorDocument{Schema: schema, OK: true}
	for _, look := range []func(context.Context) check{
		a.checkGit, a.checkRepository, a.checkFilters, a.checkDataFolder, a.checkDisk, a.checkDatabase, a.checkSupervision,
		a.checkSandbox, a.checkSettings,
	} {
		c := look(ctx)
		doc.Checks = append(doc.Checks, c)
		doc.OK = doc.OK && c.State != checkFail
	}
	for _, c := range a.checkAgents(ctx) {
		doc.Checks = append(doc.Checks, c)
		doc.OK = doc.OK && c.State != checkFail
	}
	return doc
}

func (a *App) writeChecks(doc doctorDocument) error {
	p := a.paint(a.Stdout)
	var t table
	for _, c := range doc.Checks {
		sign, style := view.Unicode.Of(view.Done), p.green
		ascii := view.ASCII.Of(view.Done)
		switch c.State {
		case checkWarn:
			sign, ascii, style = view.Unicode.Warning, view.ASCII.Warning, p.yellow
		case checkFail:
			sign, ascii, style = view.Unicode.Of(view.Failed), view.ASCII.Of(view.Failed), p.red
		}
		if a.ascii() {
			sign = ascii
		}
		t.add(cell{text: sign, style: style}, plain(c.Name), plain(c.Detail))
		if c.Fix != "" {
			t.add(cell{}, cell{}, plain("fix: "+c.Fix))
		}
	}
	// A fix that is cut off helps nobody: long lines wrap.
	if err := t.write(a.Stdout, "", 0); err != nil {
		return err
	}
	if !doc.OK {
		return nil
	}
	return a.tell("\nReady to run.")
}

// failed makes a check of an error.
func failed(name string, err error, fix string) check {
	if h := hint(err); h != "" {
		fix = h
	}
	return check{Name: name, State: checkFail, Detail: fmt.Sprint(err), Fix: fix}
}
