package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
)

func newPause(a *App) *cobra.Command {
	var off bool
	cmd := &cobra.Command{
		Use:   "pause [RUN]",
		Short: "Start no further tasks of a run; what runs goes on",
		Long: `Has the owner of a run start nothing new. What runs goes on to its end, is checked and merged; then the run is paused,
and orc resume goes on with it. With --off it starts tasks again, as long as it has not come to that.

To stop what runs, too, press Ctrl-C in its window, or cancel it: orc cancel.`,
		Example:           "  orc pause\n  orc pause 7f3c --off",
		Args:              between(0, 1),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRun(cmd.Context(), optional(args), func(st persistence.Store, run persistence.Run) error {
				said, err := a.pause(cmd.Context(), st, run, off)
				if err != nil {
					return err
				}
				return a.tell("Run %s: %s.", run.ID, said)
			})
		},
	}
	cmd.Flags().BoolVar(&off, "off", false, "start tasks again")
	return cmd
}

// pause asks the owner of a run to start nothing new, or to start tasks again, and says what became of it.
func (a *App) pause(ctx context.Context, st persistence.Store, run persistence.Run, off bool) (string, error) {
	if run.State.Terminal() {
		return "", usageError("orc status "+string(run.ID), "run %s is over: it is %s", run.ID, runMark(run.State, false).word)
	}
	alive, err := a.ownerAlive(ctx, st, run)
	if err != nil {
		return "", err
	}
	if !alive { // a request would wait, and pause the run when a person wants it to go on
		return "", usageError("orc resume "+string(run.ID), "nobody works on run %s now", run.ID)
	}
	taken, err := a.hand(ctx, st, run, orchestrator.RequestPause, orchestrator.PauseRequest{Off: off})
	switch {
	case err != nil:
		return "", err
	case !taken:
		return "", usageError("orc resume "+string(run.ID), "nobody works on run %s any more", run.ID)
	case off:
		return "tasks are started again", nil
	}
	return fmt.Sprintf("nothing new is started; what runs goes on. Start tasks again: orc pause %s --off", run.ID), nil
}
