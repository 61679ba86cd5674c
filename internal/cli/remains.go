package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/clone"
	"orchestrator/internal/workspace/worktree"
)

// remains is all that is left of a run: refs in its repository, workspaces, files, and its record.
type remains struct {
	app    *App
	run    persistence.Run
	repo   *workspace.Repository // nil when the repository is gone, and its refs with it
	folder string                // the run's files
	area   string                // the run's workspaces
	keep   string                // why it has to stay; empty = it may go
	why    string                // why it may go
	counts persistence.RunCounts // what is recorded of it
}

func (r *remains) item(why string) cleanedItem {
	return cleanedItem{
		Run: string(r.run.ID), Name: r.run.Name, Repository: r.run.Repository, Why: why,
		Tasks: r.counts.Tasks, Attempts: r.counts.Attempts, Turns: r.counts.Turns,
	}
}

// examineRemains finds out whether a run may go. Only proof lets it go: that its work is in a branch of the user's, or
// that it is old, or that the user said so; and that nothing in its workspaces is unsaved.
func (a *App) examineRemains(ctx context.Context, st persistence.Store, run persistence.Run, o cleanFlags) (*remains, error) {
	r := &remains{app: a, run: run}
	var err error
	if r.folder, err = a.RunDir(string(run.ID)); err != nil {
		return nil, err
	}
	if r.area, err = a.workspaceDir(run.ID); err != nil {
		return nil, err
	}
	if r.counts, err = st.CountRun(ctx, run.ID); err != nil {
		return nil, err
	}
	alive, err := a.ownerAlive(ctx, st, run)
	if err != nil {
		return nil, err
	}
	over := a.Now().Sub(run.FinishedAt)
	switch {
	case alive:
		r.keep = "it is running"
		return r, nil
	case !run.State.Terminal():
		r.keep = "it is not over (orc resume " + string(run.ID) + ", or orc cancel " + string(run.ID) + ")"
		return r, nil
	case over < time.Duration(o.olderThan):
		r.keep = fmt.Sprintf("it has been over for less than %s (--older-than)", days(time.Duration(o.olderThan)))
		return r, nil
	}
	r.repo, err = a.openRepository(ctx, run.Repository)
	if errors.Is(err, workspace.ErrNotRepository) {
		r.repo, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := r.examineWork(ctx, st, o); err != nil || r.keep != "" {
		return r, err
	}
	if r.repo != nil {
		r.keep, err = r.examineWorkspaces(ctx, st)
	}
	return r, err
}

// examineWork looks for the run's saved work in the user's branches.
func (r *remains) examineWork(ctx context.Context, st persistence.Store, o cleanFlags) error {
	over := r.app.Now().Sub(r.run.FinishedAt)
	cfg, err := r.app.settings(r.run.Repository, nil)
	if err != nil {
		return err
	}
	old := over > cfg.Retention
	landed, missing, err := r.landed(ctx, st)
	if err != nil {
		return err
	}
	switch {
	case landed:
		r.why = "all its work is in your branches"
	case old:
		r.why = fmt.Sprintf("it has been over for %s", days(over))
	case o.unmerged:
		r.why = "as you say (" + missing + ")"
	default:
		r.keep = fmt.Sprintf("%s; kept for %s more (--unmerged removes it now)", missing, days(cfg.Retention-over))
	}
	return nil
}

// landed says whether everything that was saved of the run is in a branch of the user's, and if not, what is missing.
func (r *remains) landed(ctx context.Context, st persistence.Store) (landed bool, missing string, err error) {
	id := string(r.run.ID)
	if r.repo == nil {
		return false, "its repository is gone", nil
	}
	head, err := r.repo.Integration(ctx, id)
	if errors.Is(err, workspace.ErrNotBegun) {
		return r.nothing(ctx, st)
	}
	if err != nil {
		return false, "", err
	}
	if head != r.run.Base {
		holders, err := r.repo.Holders(ctx, head, r.run.Branch)
		if err != nil {
			return false, "", err
		}
		if len(holders) == 0 {
			return false, "its work is not merged (orc merge " + id + ")", nil
		}
	}
	unmerged, err := r.repo.Unmerged(ctx, id, head)
	if err != nil || len(unmerged) == 0 {
		return err == nil, "", err
	}
	var tasks []string
	for _, s := range unmerged {
		if len(tasks) == 0 || tasks[len(tasks)-1] != s.Task {
			tasks = append(tasks, s.Task)
		}
	}
	return false, fmt.Sprintf("%s not merged: %s", plural(len(unmerged), "saved attempt is", "saved attempts are"), some(tasks)), nil
}

// nothing says whether a run without refs never had any work.
func (r *remains) nothing(ctx context.Context, st persistence.Store) (landed bool, missing string, err error) {
	attempts, err := st.ListAttempts(ctx, r.run.ID, "")
	if err != nil {
		return false, "", err
	}
	for _, at := range attempts {
		if at.Saved != "" {
			return false, "its refs are gone from the repository", nil
		}
	}
	return true, "", nil
}

// examineWorkspaces looks for work in the run's folders that is not saved, and returns why the run has to stay.
func (r *remains) examineWorkspaces(ctx context.Context, st persistence.Store) (keep string, err error) {
	if _, err := os.Lstat(filepath.Join(r.area, mergeFiles)); err == nil {
		return fmt.Sprintf("a merge of it waits (orc merge %s --continue, or --abort)", r.run.ID), nil
	}
	names, err := r.workspaces()
	if err != nil {
		return "", err
	}
	tasks, err := st.ListTasks(ctx, r.run.ID)
	if err != nil {
		return "", err
	}
	known := map[string]bool{}
	for _, t := range tasks {
		known[string(t.ID)] = true
	}
	for _, name := range names {
		dir := filepath.Join(r.area, name)
		if !known[name] {
			return "there is a folder that is not of it: " + r.app.tilde(dir), nil
		}
		err := r.repo.CheckSaved(ctx, r.spec(name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// Without an index it was never complete, and nobody has worked in it.
		case errors.Is(err, workspace.ErrUnsaved):
			return "a workspace has changes that are not saved: " + r.app.tilde(dir), nil
		case err != nil:
			return "", err
		}
	}
	return "", nil
}

// workspaces lists the folders of tasks that are left, without those that are the program's own.
func (r *remains) workspaces() ([]string, error) {
	entries, err := os.ReadDir(r.area)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the workspaces: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (r *remains) spec(task string) workspace.Spec {
	return workspace.Spec{
		Run: string(r.run.ID), Task: task, Dir: filepath.Join(r.area, task), Base: r.run.Base,
		Index: filepath.Join(r.folder, "index", task),
	}
}

// remove removes the run, its record last, so that what was cut off can be done again. It holds the locks of an owner
// and of a merge meanwhile, and looks once more for unsaved work.
func (r *remains) remove(ctx context.Context, st persistence.Store) (kept string, err error) {
	if err := os.MkdirAll(r.folder, 0o700); err != nil {
		return "", fmt.Errorf("make the run's folder: %w", err)
	}
	for _, name := range []string{claimLock, ownerLock, mergeLock} {
		lock, err := process.Hold(filepath.Join(r.folder, name))
		if errors.Is(err, process.ErrHeld) {
			return "another command works on it", nil
		}
		if err != nil {
			return "", fmt.Errorf("lock the run: %w", err)
		}
		defer func() { err = errors.Join(err, lock.Release()) }()
	}
	now, err := st.GetRun(ctx, r.run.ID)
	if err != nil {
		return "", err
	}
	if !now.State.Terminal() {
		return "it goes on again", nil
	}
	if r.repo != nil {
		if kept, err := r.examineWorkspaces(ctx, st); err != nil || kept != "" {
			return kept, err
		}
		if err := r.removeFromRepository(ctx, st); err != nil {
			return "", err
		}
	} else if err := os.RemoveAll(r.area); err != nil {
		return "", fmt.Errorf("remove the workspaces: %w", err)
	}
	if err := os.RemoveAll(r.folder); err != nil {
		return "", fmt.Errorf("remove the run's files: %w", err)
	}
	return "", st.DeleteRun(ctx, r.run.ID)
}

// removeFromRepository removes workspaces and refs.
func (r *remains) removeFromRepository(ctx context.Context, st persistence.Store) error {
	names, err := r.workspaces()
	if err != nil {
		return err
	}
	attempts, err := st.ListAttempts(ctx, r.run.ID, "")
	if err != nil {
		return err
	}
	isolation := map[string]scheduler.Isolation{}
	for _, at := range attempts {
		isolation[string(at.Task)] = at.Isolation
	}
	for _, name := range names {
		var driver workspace.Driver = clone.New(r.repo)
		if isolation[name] == scheduler.IsolationWorktree {
			driver = worktree.New(r.repo)
		}
		if err := driver.Remove(ctx, r.spec(name)); err != nil {
			return err
		}
	}
	if err := r.repo.RemoveAll(r.area); err != nil {
		return err
	}
	saves, err := r.repo.Saves(ctx, string(r.run.ID))
	if err != nil {
		return err
	}
	kept, err := r.repo.DeleteRun(ctx, string(r.run.ID), r.run.Branch, workspace.DeleteOptions{})
	if err != nil {
		return err
	}
	gone := []string{view.Plural(len(names), "workspace"), view.Plural(len(saves), "ref") + " of saved work"}
	if !kept {
		gone = append(gone, "branch "+r.run.Branch)
	}
	if err := r.app.tell("removed %s  %s, its logs and its record", r.run.ID, strings.Join(gone, ", ")); err != nil {
		return err
	}
	if kept {
		return r.app.tell("        branch %s stays: it is checked out, or has commits of its own", r.run.Branch)
	}
	return nil
}

// days writes a long time for people.
func days(d time.Duration) string {
	if n := int(d.Hours() / 24); n > 0 {
		return view.Plural(n, "day")
	}
	return view.Plural(max(1, int(d.Hours())), "hour")
}
