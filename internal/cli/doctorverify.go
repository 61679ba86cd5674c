package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"orchestrator/internal/invariants"
	"orchestrator/internal/persistence"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
)

// verifyDocument is `orc doctor --verify --json`.
type verifyDocument struct {
	Schema   int           `json:"schema"`
	OK       bool          `json:"ok"`       // nothing is broken
	Database string        `json:"database"` // what is wrong with the database itself; empty = it is sound
	Runs     []verifiedRun `json:"runs"`     // newest first
}

// verifiedRun is what became of looking at one run.
type verifiedRun struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	State   string       `json:"state"`
	Skipped string       `json:"skipped"` // why it was not looked at; empty = it was
	Broken  []brokenRule `json:"broken"`
}

// brokenRule is a rule that does not hold.
type brokenRule struct {
	Rule  string `json:"rule"`  // its number in docs/reliability.md
	Means string `json:"means"` // what should hold
	Text  string `json:"text"`  // what does not
	Fix   string `json:"fix"`
}

// verify looks at the runs of the repository, or at the one that is named.
func (a *App) verify(ctx context.Context, args []string, out *output, wanted bool) error {
	doc := verifyDocument{Schema: schema, OK: true, Runs: []verifiedRun{}}
	err := a.withStore(ctx, func(st persistence.Store) error {
		runs, err := a.verifiable(ctx, st, optional(args))
		if err != nil {
			return err
		}
		if err := st.Check(ctx); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			doc.OK, doc.Database = false, err.Error()
		}
		for _, run := range runs {
			v, err := a.verifyRun(ctx, st, run)
			if err != nil {
				return fmt.Errorf("verify run %s: %w", run.ID, err)
			}
			doc.OK = doc.OK && len(v.Broken) == 0
			doc.Runs = append(doc.Runs, v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if wanted {
		err = out.write(a, doc)
	} else {
		err = a.writeVerified(doc)
	}
	if err == nil && !doc.OK {
		err = silent(ExitFailures)
	}
	return err
}

// verifiable finds the runs to look at, newest first.
func (a *App) verifiable(ctx context.Context, st persistence.Store, arg string) ([]persistence.Run, error) {
	run, err := a.findRun(ctx, st, arg)
	if err != nil {
		return nil, err
	}
	if arg != "" {
		return []persistence.Run{run}, nil
	}
	return st.ListRuns(ctx, persistence.RunFilter{Repository: run.Repository})
}

// verifyRun holds one run's records against git.
func (a *App) verifyRun(ctx context.Context, st persistence.Store, run persistence.Run) (verifiedRun, error) {
	v := verifiedRun{ID: string(run.ID), Name: run.Name, State: string(run.State), Broken: []brokenRule{}}
	const busy = "it is being worked on; look again when it has ended or stopped"
	alive, err := a.ownerAlive(ctx, st, run)
	if err != nil {
		return v, err
	}
	if alive {
		v.Skipped = busy
		return v, nil
	}
	repo, err := a.openRepository(ctx, run.Repository)
	if errors.Is(err, workspace.ErrNotRepository) {
		v.Skipped = "its repository " + a.tilde(run.Repository) + " is not there"
		return v, nil
	}
	if err != nil {
		return v, err
	}
	facts, err := invariants.Read(ctx, st, repo.Query, run.ID)
	if err != nil {
		return v, err
	}
	found := invariants.Check(facts)
	if len(found) == 0 {
		return v, nil
	}
	// An owner that began meanwhile wrote between our reading of the one and the other.
	if lease, err := st.GetLease(ctx, run.ID); err == nil && lease.Generation != facts.Owners {
		v.Skipped = busy
		return v, nil
	}
	for _, b := range found {
		v.Broken = append(v.Broken, brokenRule{Rule: string(b.Rule), Means: meaning[b.Rule], Text: b.Text, Fix: remedy(run, b.Rule)})
	}
	return v, nil
}

// meaning says what each rule promises.
var meaning = map[invariants.Invariant]string{
	invariants.NoRerun:     "what is completed never runs again, and attempts are counted without a gap",
	invariants.Needs:       "a task starts when what it needs is settled, with its work",
	invariants.Exclusion:   "tasks that write the same files never run together",
	invariants.MergedOnce:  "completed means merged, exactly once",
	invariants.History:     "the integration branch consists of this run's merges alone and only moves forward",
	invariants.NothingLost: "the work of every attempt is under a ref",
	invariants.Turns:       "what was said is stored once and in order",
	invariants.Hygiene:     "what counts as removed is gone",
	invariants.Allowance:   "no more attempts are made than are allowed",
	invariants.Limit:       "no more tasks run at a time than there are slots",
	invariants.OneWriter:   "one owner at a time writes",
	invariants.Events:      "every change is told by one event",
}

// remedy says what a person can do about a broken rule.
func remedy(run persistence.Run, rule invariants.Invariant) string {
	refs := "refs/orc/" + string(run.ID)
	switch rule {
	case invariants.NothingLost:
		return "git fsck --lost-found still finds commits whose ref was deleted; put one back: git update-ref REF COMMIT"
	case invariants.History:
		return fmt.Sprintf("somebody moved it: git reflog show %s/integration says when and where to; "+
			"git branch -f %s %s/integration puts the branch back, git update-ref the ref", refs, run.Branch, refs)
	case invariants.MergedOnce:
		return fmt.Sprintf("see what is merged: git log --first-parent %s/integration; what a task did: orc show %s TASK; "+
			"its work again: orc restore %s TASK", refs, run.ID, run.ID)
	case invariants.Hygiene:
		return "see that nothing in the folder is missed, then: orc clean " + string(run.ID)
	}
	return "nothing that is saved is in danger; keep the records (orc db backup FILE) and report it as a bug of orc, with what stands here"
}

// writeVerified prints what was found, for people.
func (a *App) writeVerified(doc verifyDocument) error {
	p := a.paint(a.Stdout)
	signs := view.Unicode
	if a.ascii() {
		signs = view.ASCII
	}
	w := bufio.NewWriter(a.Stdout)
	if doc.Database != "" {
		fmt.Fprintf(w, "%s database: %s\n  fix: orc help db says how to restore a backup\n", p.red(signs.Of(view.Failed)), view.SanitizeLine(doc.Database))
	}
	for _, r := range doc.Runs {
		name := fmt.Sprintf("%s  %s, %s", r.ID, view.SanitizeLine(r.Name), r.State)
		switch {
		case r.Skipped != "":
			fmt.Fprintf(w, "%s %s: not looked at: %s\n", p.yellow(signs.Warning), name, r.Skipped)
		case len(r.Broken) == 0:
			fmt.Fprintf(w, "%s %s\n", p.green(signs.Of(view.Done)), name)
		default:
			fmt.Fprintf(w, "%s %s\n", p.red(signs.Of(view.Failed)), name)
			writeBroken(w, r.Broken)
		}
	}
	if doc.OK {
		fmt.Fprintln(w, "\nWhat is recorded and what is in git agree.")
	}
	return w.Flush()
}

// writeBroken prints broken rules, each with everything that breaks it.
func writeBroken(w *bufio.Writer, list []brokenRule) {
	for i, b := range list {
		if i == 0 || list[i-1].Rule != b.Rule {
			fmt.Fprintf(w, "  should hold (%s): %s\n", b.Rule, b.Means)
		}
		fmt.Fprintf(w, "    %s\n", strings.TrimSpace(view.Sanitize(b.Text)))
		if i == len(list)-1 || list[i+1].Rule != b.Rule {
			fmt.Fprintf(w, "    fix: %s\n", b.Fix)
		}
	}
}
