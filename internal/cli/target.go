package cli

import (
	"context"
	"errors"
	"strings"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// findTasks reads the arguments [RUN] [TASK…]. The first one is a task of the latest run, or else a run: a whole id
// counts before a beginning of one, and a task's before a run's.
func (a *App) findTasks(ctx context.Context, st persistence.Store, args []string) (persistence.Run, []*scheduler.Task, error) {
	run, tasks, args, err := a.splitRun(ctx, st, args)
	if err != nil {
		return persistence.Run{}, nil, err
	}
	var found []*scheduler.Task
	for _, arg := range args {
		t, err := findTask(run, tasks, arg)
		if err != nil {
			return persistence.Run{}, nil, err
		}
		found = append(found, t)
	}
	return run, found, nil
}

// splitRun takes the run off the front of [RUN] [TASK…], or means the latest one. It returns all the run's tasks
// and the arguments that are left.
func (a *App) splitRun(ctx context.Context, st persistence.Store, args []string) (persistence.Run, []*scheduler.Task, []string, error) {
	var none persistence.Run
	first := optional(args)
	latest, err := a.latestRun(ctx, st)
	var exit *ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit) && len(args) > 0 && !isLast(first):
		// There is no latest run here, so that the first argument has to name one.
		run, err := a.findRun(ctx, st, first)
		if err != nil {
			return none, nil, nil, err
		}
		tasks, err := st.ListTasks(ctx, run.ID)
		return run, tasks, args[1:], err
	default:
		return none, nil, nil, err
	}
	tasks, err := st.ListTasks(ctx, latest.ID)
	if err != nil {
		return none, nil, nil, err
	}
	if len(args) == 0 {
		return latest, tasks, nil, nil
	}
	if isLast(first) {
		return latest, tasks, args[1:], nil
	}
	runs, err := st.ListRuns(ctx, persistence.RunFilter{})
	if err != nil {
		return none, nil, nil, err
	}
	if run := meant(first, tasks, runs); run != nil {
		tasks, err := st.ListTasks(ctx, run.ID)
		return *run, tasks, args[1:], err
	}
	return latest, tasks, args, nil
}

// meant returns the run that a word means, or nil when it rather means a task.
func meant(word string, tasks []*scheduler.Task, runs []persistence.Run) *persistence.Run {
	word = strings.ToLower(word)
	begins := 0
	for _, t := range tasks {
		if string(t.ID) == word {
			return nil
		}
		if strings.HasPrefix(string(t.ID), word) {
			begins++
		}
	}
	var found []*persistence.Run
	for i := range runs {
		if string(runs[i].ID) == word {
			return &runs[i]
		}
		if strings.HasPrefix(string(runs[i].ID), word) {
			found = append(found, &runs[i])
		}
	}
	if begins == 0 && len(found) == 1 {
		return found[0]
	}
	return nil
}

// oneTask reads the arguments [RUN] TASK.
func (a *App) oneTask(ctx context.Context, st persistence.Store, args []string) (persistence.Run, *scheduler.Task, error) {
	run, tasks, rest, err := a.splitRun(ctx, st, args)
	if err != nil {
		return persistence.Run{}, nil, err
	}
	switch len(rest) {
	case 1:
		t, err := findTask(run, tasks, rest[0])
		return run, t, err
	case 0:
		var ids []string
		for _, t := range tasks {
			ids = append(ids, string(t.ID))
		}
		return run, nil, usageError("tasks: "+some(ids), "name a task of run %s", run.ID)
	}
	// Neither word is a run, so that the first one was meant to be.
	_, err = a.findRun(ctx, st, rest[0])
	if err == nil {
		err = usageError("orc status "+string(run.ID), "name one task, not %s", strings.Join(rest, " and "))
	}
	return run, nil, err
}
