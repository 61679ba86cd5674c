package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
	"orchestrator/internal/view"
)

// completeRuns completes a run's id. A shell shows no errors, so that whatever goes wrong completes to nothing.
func (a *App) completeRuns(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.runIDs(cmd.Context(), word), cobra.ShellCompDirectiveNoFileComp
}

// completeTasks completes a task's id of the latest run.
func (a *App) completeTasks(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.taskIDs(cmd.Context(), "", args, word), cobra.ShellCompDirectiveNoFileComp
}

// completeRunThenTasks completes a run's id, or a task's of the latest run, then tasks of that run.
func (a *App) completeRunThenTasks(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx := cmd.Context()
	if len(args) == 0 {
		return append(a.taskIDs(ctx, "", nil, word), a.runIDs(ctx, word)...), cobra.ShellCompDirectiveNoFileComp
	}
	if found := a.taskIDs(ctx, args[0], args[1:], word); len(found) > 0 {
		return found, cobra.ShellCompDirectiveNoFileComp
	}
	return a.taskIDs(ctx, "", args, word), cobra.ShellCompDirectiveNoFileComp
}

func (a *App) runIDs(ctx context.Context, word string) []cobra.Completion {
	if a.prepare() != nil {
		return nil
	}
	var found []cobra.Completion
	err := a.withStore(ctx, func(st persistence.Store) error {
		repo, err := a.repository()
		if err != nil {
			return err
		}
		runs, err := st.ListRuns(ctx, persistence.RunFilter{Repository: repo, Limit: 50})
		for _, r := range runs {
			if strings.HasPrefix(string(r.ID), word) {
				found = append(found, cobra.CompletionWithDesc(string(r.ID), view.SanitizeLine(r.Name)+", "+string(r.State)))
			}
		}
		return err
	})
	if err != nil {
		return nil
	}
	return found
}

func (a *App) taskIDs(ctx context.Context, run string, given []string, word string) []cobra.Completion {
	if a.prepare() != nil {
		return nil
	}
	used := map[string]bool{}
	for _, g := range given {
		used[g] = true
	}
	var found []cobra.Completion
	err := a.withRun(ctx, run, func(st persistence.Store, r persistence.Run) error {
		tasks, err := st.ListTasks(ctx, r.ID)
		for _, t := range tasks {
			if id := string(t.ID); strings.HasPrefix(id, word) && !used[id] {
				found = append(found, cobra.CompletionWithDesc(id, string(t.Status)))
			}
		}
		return err
	})
	if err != nil {
		return nil
	}
	return found
}

// mustComplete gives a flag of cmd the values that it may have.
func mustComplete(cmd *cobra.Command, flag string, values ...cobra.Completion) {
	complete := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag does not exist: a mistake in the program's text
	}
}
