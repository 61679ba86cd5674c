package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// noRuns says that nothing was ever run.
func noRuns() error {
	return usageError("orc run plan.yaml", "there are no runs yet")
}

// repository returns the top folder of the git repository that the working directory is in, with symbolic links
// resolved, as runs record it; or an empty string outside of one.
func (a *App) repository() (string, error) {
	dir, err := filepath.EvalSymlinks(a.Dir)
	if err != nil {
		return "", fmt.Errorf("read the working directory: %w", err)
	}
	for {
		_, err := os.Lstat(filepath.Join(dir, ".git"))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return "", fmt.Errorf("look for the git repository: %w", err)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", nil
		}
		dir = parent
	}
}

// isLast says whether an argument means the last run.
func isLast(arg string) bool { return arg == "" || arg == "@last" || arg == "-" }

// findRun returns the run that an argument means: a unique prefix of an id; or, for none, @last and -, the latest
// run of this repository.
func (a *App) findRun(ctx context.Context, st persistence.Store, arg string) (persistence.Run, error) {
	if isLast(arg) {
		return a.latestRun(ctx, st)
	}
	runs, err := st.ListRuns(ctx, persistence.RunFilter{})
	if err != nil {
		return persistence.Run{}, err
	}
	want := strings.ToLower(arg)
	var found []persistence.Run
	for _, r := range runs {
		if string(r.ID) == want {
			return r, nil
		}
		if strings.HasPrefix(string(r.ID), want) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return persistence.Run{}, a.unknownRun(arg, runs)
	}
	return persistence.Run{}, usageError(a.listRuns(found), "%q means %d runs", arg, len(found))
}

// latestRun returns the newest run of this repository.
func (a *App) latestRun(ctx context.Context, st persistence.Store) (persistence.Run, error) {
	repo, err := a.repository()
	if err != nil {
		return persistence.Run{}, err
	}
	if repo == "" {
		return persistence.Run{}, usageError("go into a repository, use -C DIR, or name a run: orc history --all",
			"%s is not in a git repository", a.tilde(a.Dir))
	}
	runs, err := st.ListRuns(ctx, persistence.RunFilter{Repository: repo, Limit: 1})
	if err != nil {
		return persistence.Run{}, err
	}
	if len(runs) == 0 {
		return persistence.Run{}, usageError("orc run plan.yaml, or name a run of another one: orc history --all",
			"there are no runs of %s yet", a.tilde(repo))
	}
	return runs[0], nil
}

// liveRun returns this repository's latest run while it is not over, or nil.
func (a *App) liveRun(ctx context.Context) (*persistence.Run, error) {
	repo, err := a.repository()
	if err != nil || repo == "" {
		return nil, err
	}
	st, err := a.readStore(ctx)
	if err != nil || st == nil {
		return nil, err
	}
	runs, err := st.ListRuns(ctx, persistence.RunFilter{Repository: repo, Limit: 1})
	if err = errors.Join(err, st.Close()); err != nil {
		return nil, err
	}
	if len(runs) == 0 || runs[0].State.Terminal() {
		return nil, nil
	}
	return &runs[0], nil
}

func (a *App) unknownRun(arg string, runs []persistence.Run) error {
	if len(runs) == 0 {
		return noRuns()
	}
	var ids []string
	for _, r := range runs {
		ids = append(ids, string(r.ID))
	}
	h := a.listRuns(runs)
	if best := closest(arg, ids); best != "" {
		h = didYouMean(best) + "\n" + h
	}
	return usageError(h, "there is no run %q", arg)
}

// listed is how many candidates an error message names.
const listed = 5

// listRuns names runs for an error message.
func (a *App) listRuns(runs []persistence.Run) string {
	var b strings.Builder
	b.WriteString("runs:")
	for i, r := range runs {
		if i == listed {
			b.WriteString("\n  …  orc history --all")
			break
		}
		fmt.Fprintf(&b, "\n  %s  %s, %s, %s", r.ID, r.Name, r.State, ago(a.Now(), r.CreatedAt))
	}
	return b.String()
}

// findTask returns the task of a run that an argument means: an id or a unique prefix of one.
func findTask(run persistence.Run, tasks []*scheduler.Task, arg string) (*scheduler.Task, error) {
	want := strings.ToLower(arg)
	var found []*scheduler.Task
	for _, t := range tasks {
		if string(t.ID) == want {
			return t, nil
		}
		if want != "" && strings.HasPrefix(string(t.ID), want) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		var ids []string
		for _, t := range tasks {
			ids = append(ids, string(t.ID))
		}
		h := "tasks: " + some(ids)
		if best := closest(arg, ids); best != "" {
			h = didYouMean(best) + "\n" + h
		}
		return nil, usageError(h, "run %s has no task %q", run.ID, arg)
	}
	var ids []string
	for _, t := range found {
		ids = append(ids, string(t.ID))
	}
	return nil, usageError("tasks: "+some(ids), "%q means %d tasks of run %s", arg, len(found), run.ID)
}
