package cli

import (
	"context"

	"github.com/spf13/cobra"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

func newRetry(a *App) *cobra.Command {
	var from, note string
	cmd := &cobra.Command{
		Use:   "retry [RUN] [TASK...]",
		Short: "Run failed tasks again, with what was skipped because of them",
		Long: `Puts tasks back so that they run again, and goes on with the run: every task that failed, was cancelled or waits
with a conflict, or only the TASKs. What was skipped because of them runs then, too.

With --from TASK also what has succeeded is run again: TASK and everything that needs it. With --note the next
attempt is told what you know.`,
		Example: `  orc retry
  orc retry oauth-client --note "use S256"
  orc retry --from schema`,
		ValidArgsFunction: a.completeRunThenTasks,
		Annotations:       map[string]string{ownSignals: ""},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "run `TASK` and everything that needs it again")
	f.StringVar(&note, "note", "", "what the next attempt should know")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("from", a.completeTasks))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withStore(cmd.Context(), func(st persistence.Store) error {
			run, tasks, err := a.findTasks(cmd.Context(), st, args)
			if err != nil {
				return err
			}
			req := orchestrator.RetryRequest{Note: note, Tasks: []scheduler.TaskID{}}
			if from != "" {
				if len(tasks) > 0 {
					return usageError("orc retry --from "+from, "choose --from or tasks")
				}
				all, err := st.ListTasks(cmd.Context(), run.ID)
				if err != nil {
					return err
				}
				t, err := findTask(run, all, from)
				if err != nil {
					return err
				}
				tasks, req.Cascade = []*scheduler.Task{t}, true
			}
			for _, t := range tasks {
				req.Tasks = append(req.Tasks, t.ID)
			}
			return a.retry(cmd.Context(), st, run, req)
		})
	}
	return cmd
}

func (a *App) retry(ctx context.Context, st persistence.Store, run persistence.Run, req orchestrator.RetryRequest) error {
	p, err := a.load(ctx, st, run)
	if err != nil {
		return err
	}
	wanted := map[scheduler.TaskID]bool{}
	for _, id := range req.Tasks {
		wanted[id] = true
	}
	possible := 0
	for _, t := range p.tasks {
		if p.removed(t) {
			if wanted[t.ID] {
				return usageError("orc edit "+string(run.ID), "%s was removed from the plan", t.ID)
			}
			continue
		}
		again := t.Status == scheduler.TaskFailed || t.Status == scheduler.TaskCanceled || t.Status == scheduler.TaskSkipped
		held := t.Status == scheduler.TaskRunning && p.last(t.ID).Outcome == scheduler.OutcomeConflict
		if again || held {
			possible++
		}
		if wanted[t.ID] && !again && !held && !req.Cascade {
			return cannotRetry(t)
		}
	}
	if len(req.Tasks) == 0 && possible == 0 {
		return usageError("orc retry --from TASK runs what has succeeded again", "run %s has no task that failed or was cancelled", run.ID)
	}
	asked, err := a.ask(ctx, st, run, orchestrator.RequestRetry, req)
	if err != nil || asked == 0 {
		return err
	}
	if err := a.answered(ctx, st, run, asked); err != nil {
		return err
	}
	what := "what failed"
	if len(req.Tasks) > 0 {
		what = taskNames(req.Tasks)
	}
	return a.tell("Run %s tries %s again. Watch it: orc status %s", run.ID, what, run.ID)
}

// cannotRetry says why a task cannot be run again, and what can be done instead.
func cannotRetry(t *scheduler.Task) error {
	switch t.Status {
	case scheduler.TaskRunning:
		return usageError("orc cancel "+string(t.ID), "%s is running", t.ID)
	case scheduler.TaskCompleted:
		return usageError("orc retry --from "+string(t.ID)+" runs it, and everything that needs it, again", "%s did not fail: it is done", t.ID)
	}
	return usageError("orc resume", "%s has not run yet", t.ID)
}
