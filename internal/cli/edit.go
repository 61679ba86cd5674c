package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
)

func newEdit(a *App) *cobra.Command {
	var o watching
	var trusted bool
	cmd := &cobra.Command{
		Use:   "edit [RUN]",
		Short: "Change the plan of a run, live or stopped, in your editor",
		Long: `Opens the plan that a run was started with, as it was last edited, in $VISUAL, $EDITOR or vi. When you are done it is
checked; then it is shown what that means for the run: what is added, removed and changed, what runs again and why. After
your consent it is made true in one step, by the run's owner or, where there is none, by going on with the run.

Tasks that are completed and unchanged never run again. A completed task runs again when its prompt, run, verify or needs
changed, and so does what needs it. A task that is removed, or changed while it runs, is stopped; its work is saved. The
base of a run cannot change. orc resume --plan FILE does the same with a file.`,
		Example:           "  orc edit\n  orc edit 7f3c --yes",
		Args:              between(0, 1),
		Annotations:       map[string]string{ownSignals: ""},
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRun(cmd.Context(), optional(args), func(st persistence.Store, run persistence.Run) error {
				return a.editRun(cmd.Context(), st, run, o, trusted)
			})
		},
	}
	o.bind(cmd)
	cmd.Flags().BoolVar(&trusted, "trust", false, "trust the commands of this repository's settings and of the new plan until they change")
	return cmd
}

// editRun has a person edit a run's plan until it is good, and makes that true.
func (a *App) editRun(ctx context.Context, st persistence.Store, run persistence.Run, o watching, trusted bool) error {
	dir, err := a.RunDir(string(run.ID))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the run's folder: %w", err)
	}
	var e *edition
	return a.editUntilGood(ctx, dir, "plan-*"+filepath.Ext(run.PlanPath), []byte(run.Plan), editing{
		check: func(copied string, text []byte) (err error) {
			if e, err = a.newEdition(ctx, st, run, copied, text, consent{plan: o.yes, trust: trusted}); err != nil {
				return err
			}
			return e.admit(ctx, o, trusted)
		},
		then:  func() error { return e.use(ctx, o) },
		again: func(err error) bool { return exitCode(err) == ExitUsage },
		next:  func(copied string) string { return fmt.Sprintf("orc resume %s --plan %s", run.ID, a.tilde(copied)) },
	})
}

// resumeEdited goes on with a run by another plan, which is a file.
func (a *App) resumeEdited(ctx context.Context, st persistence.Store, run persistence.Run, file string, o watching) error {
	path := a.path(file)
	text, err := os.ReadFile(path)
	if err != nil {
		return &ExitError{Code: ExitUsage, Err: fmt.Errorf("read the plan: %w", err), Hint: "name the plan file: orc resume --plan FILE"}
	}
	e, err := a.newEdition(ctx, st, run, path, text, consent{plan: o.yes})
	if err == nil {
		err = e.admit(ctx, o, false)
	}
	if err != nil {
		return err
	}
	return e.use(ctx, o)
}
