package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
	"orchestrator/internal/view"
)

// cleanDocument is `orc clean --json`.
type cleanDocument struct {
	Schema  int           `json:"schema"`
	DryRun  bool          `json:"dry_run"`
	Removed []cleanedItem `json:"removed"`
	Kept    []cleanedItem `json:"kept"`
}

// cleanedItem is a run and why it was removed or kept.
type cleanedItem struct {
	Run        string `json:"run"`
	Name       string `json:"name"`
	Repository string `json:"repository"`
	Why        string `json:"why"`
	Tasks      int    `json:"tasks"` // what is recorded of it
	Attempts   int    `json:"attempts"`
	Turns      int    `json:"turns"` // of conversations
}

// cleanFlags are the flags of `orc clean`.
type cleanFlags struct {
	all       bool
	dryRun    bool
	unmerged  bool
	yes       bool
	olderThan age // zero = any
}

func newClean(a *App) *cobra.Command {
	var o cleanFlags
	cmd := &cobra.Command{
		Use:   "clean [RUN]",
		Short: "Remove workspaces, branches and records of finished runs",
		Long: `Removes what is left of runs of this repository: workspaces, branches, saved work, logs and records, conversations
included. A run goes when it is over and everything that was saved of it is in one of your branches, or when it has
been over for longer than the setting "retention". With --older-than only runs go that have also been over for that
long. It says what it removes and what is kept, and why.

Work that is not saved is never removed, nor a run that is going on. With --unmerged also runs go whose work you do
not want.`,
		Example: `  orc clean --dry-run
  orc clean --yes
  orc clean --all --older-than 30d
  orc clean 7f3c --unmerged`,
		Args:              between(0, 1),
		ValidArgsFunction: a.completeRuns,
	}
	out := newOutput(cmd, cleanDocument{}, "")
	f := cmd.Flags()
	f.BoolVar(&o.all, "all", false, "runs of every repository")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "only say what would be removed")
	f.Var(&o.olderThan, "older-than", "only runs that have been over for `TIME`, such as 12h, 30d or 2w")
	f.BoolVar(&o.unmerged, "unmerged", false, "also runs whose saved work is in none of your branches")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		if o.all && len(args) > 0 {
			return usageError("", "choose --all or a run")
		}
		err = a.withStore(cmd.Context(), func(st persistence.Store) error {
			doc, err := a.clean(cmd.Context(), st, optional(args), o)
			if wanted && doc != nil {
				err = errors.Join(err, out.write(a, doc))
			}
			return err
		})
		return err
	}
	return cmd
}

// clean removes runs and tells what became of each.
func (a *App) clean(ctx context.Context, st persistence.Store, arg string, o cleanFlags) (*cleanDocument, error) {
	runs, err := a.cleanable(ctx, st, arg, o)
	if err != nil {
		return nil, err
	}
	doc := &cleanDocument{Schema: schema, DryRun: o.dryRun, Removed: []cleanedItem{}, Kept: []cleanedItem{}}
	var goes []*remains
	for _, run := range runs {
		r, err := a.examineRemains(ctx, st, run, o)
		if err != nil {
			return nil, fmt.Errorf("look at run %s: %w", run.ID, err)
		}
		if r.keep != "" {
			doc.Kept = append(doc.Kept, r.item(r.keep))
			if err := a.tell("keep    %s  %s: %s", run.ID, view.SanitizeLine(run.Name), r.keep); err != nil {
				return nil, err
			}
			continue
		}
		goes = append(goes, r)
		if err := a.tell("remove  %s  %s: %s (%s)", run.ID, view.SanitizeLine(run.Name), r.why, records(r.counts)); err != nil {
			return nil, err
		}
	}
	if len(goes) == 0 {
		return doc, a.tell("Nothing to remove.")
	}
	if o.dryRun {
		for _, r := range goes {
			doc.Removed = append(doc.Removed, r.item(r.why))
		}
		return doc, a.tell("Nothing was removed (--dry-run).")
	}
	if !o.yes {
		if !a.canAsk() {
			return doc, usageError("orc clean --yes", "removing %s needs a yes", view.Plural(len(goes), "run"))
		}
		ok, err := a.confirmContext(ctx, fmt.Sprintf("Remove %s?", view.Plural(len(goes), "run")), false)
		if err != nil || !ok {
			return doc, err
		}
	}
	var gone persistence.RunCounts
	for _, r := range goes {
		kept, err := r.remove(ctx, st)
		if err != nil {
			return doc, fmt.Errorf("remove run %s: %w", r.run.ID, err)
		}
		if kept != "" {
			doc.Kept = append(doc.Kept, r.item(kept))
			if err := a.tell("keep    %s  %s: %s", r.run.ID, view.SanitizeLine(r.run.Name), kept); err != nil {
				return doc, err
			}
			continue
		}
		doc.Removed = append(doc.Removed, r.item(r.why))
		gone.Tasks, gone.Attempts, gone.Turns = gone.Tasks+r.counts.Tasks, gone.Attempts+r.counts.Attempts, gone.Turns+r.counts.Turns
	}
	if len(doc.Removed) == 0 {
		return doc, a.tell("Removed nothing.")
	}
	return doc, a.tell("Removed %s: %s.", view.Plural(len(doc.Removed), "run"), records(gone))
}

// records says how much is recorded of runs.
func records(n persistence.RunCounts) string {
	text := view.Plural(n.Tasks, "task") + ", " + view.Plural(n.Attempts, "attempt")
	if n.Turns > 0 {
		text += ", " + view.Plural(n.Turns, "turn")
	}
	return text
}

// cleanable lists the runs that are meant.
func (a *App) cleanable(ctx context.Context, st persistence.Store, arg string, o cleanFlags) ([]persistence.Run, error) {
	if arg != "" {
		run, err := a.findRun(ctx, st, arg)
		return []persistence.Run{run}, err
	}
	filter := persistence.RunFilter{}
	if !o.all {
		repo, err := a.repository()
		if err != nil {
			return nil, err
		}
		if repo == "" {
			return nil, usageError("go into one, or clean all: orc clean --all", "%s is not in a git repository", a.tilde(a.Dir))
		}
		filter.Repository = repo
	}
	return st.ListRuns(ctx, filter)
}
