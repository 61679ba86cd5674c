package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

func newCancel(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel [RUN] [TASK...]",
		Short: "Stop a run or a task; its work is kept",
		Long: `Cancels tasks, or the whole run when none is named: the latest run of this repository, or RUN.

What they had done is saved, and orc retry takes it up again. To stop a run and go on later, press Ctrl-C in its
window instead.`,
		Example: `  orc cancel docs
  orc cancel 7f3c`,
		ValidArgsFunction: a.completeRunThenTasks,
		Annotations:       map[string]string{ownSignals: ""},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(st persistence.Store) error {
				run, tasks, err := a.findTasks(cmd.Context(), st, args)
				if err != nil {
					return err
				}
				return a.cancel(cmd.Context(), st, run, tasks)
			})
		},
	}
}

func (a *App) cancel(ctx context.Context, st persistence.Store, run persistence.Run, tasks []*scheduler.Task) error {
	if run.State.Terminal() {
		return usageError("orc status "+string(run.ID), "run %s is over: it is %s", run.ID, runMark(run.State, false).word)
	}
	ids := []scheduler.TaskID{}
	for _, t := range tasks {
		if t.Status.Terminal() {
			return usageError("orc status "+string(run.ID), "%s is over: it is %s", t.ID, taskMark(t.Status, false).word)
		}
		ids = append(ids, t.ID)
	}
	asked, err := a.ask(ctx, st, run, orchestrator.RequestCancel, orchestrator.CancelRequest{Tasks: ids})
	if err != nil || asked == 0 {
		return err
	}
	if err := a.answered(ctx, st, run, asked); err != nil {
		return err
	}
	what := "run " + string(run.ID)
	if len(ids) > 0 {
		what = taskNames(ids)
	}
	return a.tell("Cancelled %s. The work is kept; take it up again: orc retry %s", what, run.ID)
}

// taskNames joins the ids of tasks.
func taskNames(ids []scheduler.TaskID) string {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, string(id))
	}
	return strings.Join(names, ", ")
}

// tell says on stderr what was done, unless -q.
func (a *App) tell(format string, args ...any) error {
	if a.globals.quiet {
		return nil
	}
	_, err := fmt.Fprintf(a.Stderr, format+"\n", args...)
	return err
}

const (
	answerEvery = 50 * time.Millisecond // how often a client looks whether its request was consumed
	answerLimit = 30 * time.Second      // how long it looks
)

// answered waits until the owner has consumed a request and returns why it refused it, if it did.
func (a *App) answered(ctx context.Context, st persistence.Store, run persistence.Run, id int64) error {
	tick := time.NewTicker(answerEvery)
	defer tick.Stop()
	limit := time.NewTimer(answerLimit)
	defer limit.Stop()
	for {
		req, err := st.GetRequest(ctx, id)
		if err != nil {
			return err
		}
		if !req.ConsumedAt.IsZero() {
			if req.Error == "" {
				return nil
			}
			return usageError("orc status "+string(run.ID), "%s", req.Error)
		}
		alive, err := a.ownerAlive(ctx, st, run)
		if err != nil {
			return err
		}
		if !alive {
			return &ExitError{
				Code: ExitInterrupted,
				Err:  errorf("run %s stopped before it took the request, which waits for it", run.ID),
				Hint: "orc resume " + string(run.ID),
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limit.C:
			return &ExitError{
				Code: ExitFailures,
				Err:  errorf("run %s has not taken the request in %s; it stays stored", run.ID, view.Duration(answerLimit)),
				Hint: "orc status " + string(run.ID),
			}
		case <-tick.C:
		}
	}
}
