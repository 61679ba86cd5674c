package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// restoreDocument is `orc restore --json`.
type restoreDocument struct {
	Schema  int    `json:"schema"`
	Run     string `json:"run"`
	Task    string `json:"task"`
	Attempt int    `json:"attempt"`
	Commit  string `json:"commit"`
	Ref     string `json:"ref"`    // that keeps it
	Branch  string `json:"branch"` // made; empty = none
	Dir     string `json:"dir"`    // made; empty = none
}

// restoreFlags are the flags of `orc restore`.
type restoreFlags struct {
	attempt int
	to      string
	branch  string
}

func newRestore(a *App) *cobra.Command {
	var o restoreFlags
	cmd := &cobra.Command{
		Use:   "restore [RUN] TASK",
		Short: "Bring back the saved work of a task, in a new branch or folder",
		Long: `Brings back what an attempt left in its workspace, whatever became of it: the last one that was saved, or
--attempt N. orc show TASK lists what is saved.

It makes a new branch, by default restored/RUN-TASK-N, or with --to a new folder with the files. Your checkout is not
touched, and nothing that exists is overwritten.`,
		Example: `  orc restore docs
  orc restore docs --attempt 1 --branch docs-first-try
  orc restore 7f3c docs --to ../docs-files`,
		Args:              between(1, 2),
		ValidArgsFunction: a.completeRunThenTasks,
	}
	out := newOutput(cmd, restoreDocument{}, "")
	f := cmd.Flags()
	f.IntVar(&o.attempt, "attempt", 0, "which attempt (default: the last that was saved)")
	f.StringVar(&o.to, "to", "", "put the files into `DIR`, which must not exist")
	f.StringVar(&o.branch, "branch", "", "the `NAME` of the new branch")
	cmd.MarkFlagsMutuallyExclusive("to", "branch")
	cobra.CheckErr(cmd.MarkFlagDirname("to"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		return a.withStore(cmd.Context(), func(st persistence.Store) error {
			run, task, err := a.oneTask(cmd.Context(), st, args)
			if err != nil {
				return err
			}
			doc, err := a.restore(cmd.Context(), run, task, o)
			if err != nil {
				return err
			}
			if wanted {
				return out.write(a, doc)
			}
			if doc.Dir != "" {
				return a.tell("The files of %s (attempt %d, %s) are in %s", task.ID, doc.Attempt, short(doc.Commit), a.tilde(doc.Dir))
			}
			return a.tell("Branch %s has the work of %s (attempt %d, %s)\n  git log -p %s..%s\n  git switch %s",
				doc.Branch, task.ID, doc.Attempt, short(doc.Commit), short(run.Base), doc.Branch, doc.Branch)
		})
	}
	return cmd
}

// restore brings saved work back.
func (a *App) restore(ctx context.Context, run persistence.Run, t *scheduler.Task, o restoreFlags) (*restoreDocument, error) {
	repo, err := a.openRepository(ctx, run.Repository)
	if err != nil {
		return nil, err
	}
	s, err := findSave(ctx, repo, run, t, o.attempt)
	if err != nil {
		return nil, err
	}
	doc := &restoreDocument{Schema: schema, Run: string(run.ID), Task: s.Task, Attempt: s.Number, Commit: s.Commit, Ref: s.Ref}
	if o.to != "" {
		doc.Dir = a.path(o.to)
		return doc, refused(a.asUser(func() error { return repo.RestoreFolder(ctx, doc.Dir, s.Commit) }))
	}
	if doc.Branch = strings.TrimPrefix(o.branch, "refs/heads/"); doc.Branch == "" {
		doc.Branch = fmt.Sprintf("restored/%s-%s-%d", run.ID, repo.BranchName(string(t.ID)), s.Number)
	}
	return doc, refused(a.asUser(func() error { return repo.RestoreBranch(ctx, doc.Branch, s.Commit) }))
}

// refused makes wrong usage of an error that says that something is there already.
func refused(err error) error {
	if errors.Is(err, workspace.ErrExists) || errors.Is(err, workspace.ErrInvalid) {
		return &ExitError{Code: ExitUsage, Err: err, Hint: hint(err)}
	}
	return err
}

// findSave finds the saved work of an attempt; 0 means the last that has any.
func findSave(ctx context.Context, repo *workspace.Repository, run persistence.Run, t *scheduler.Task, attempt int) (workspace.SavedRef, error) {
	saves, err := repo.Saves(ctx, string(run.ID))
	if err != nil {
		return workspace.SavedRef{}, err
	}
	var found *workspace.SavedRef
	var numbers []string
	for i := range saves {
		s := &saves[i]
		if s.Task != string(t.ID) || s.Beside {
			continue
		}
		numbers = append(numbers, itoa(s.Number))
		if attempt == 0 || s.Number == attempt {
			found = s
		}
	}
	switch {
	case found != nil:
		return *found, nil
	case len(numbers) == 0:
		return workspace.SavedRef{}, usageError("orc show "+string(run.ID)+" "+string(t.ID), "nothing is saved of %s", t.ID)
	}
	return workspace.SavedRef{}, usageError("saved attempts: "+strings.Join(numbers, ", "), "nothing is saved of attempt %d of %s", attempt, t.ID)
}
