package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"orchestrator/internal/persistence"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
)

// conflictDocument is one file of a conflict in JSON.
type conflictDocument struct {
	Path  string   `json:"path"`
	Kind  string   `json:"kind"`  // in words
	Lines []string `json:"lines"` // "7", "40-58"
	With  []string `json:"with"`  // the tasks, or the branch, on the other side
}

func conflictDocuments(files []workspace.ConflictFile) []conflictDocument {
	docs := make([]conflictDocument, 0, len(files))
	for _, f := range files {
		d := conflictDocument{Path: f.Path, Kind: conflictKind(f.Kind), Lines: []string{}, With: append([]string{}, f.With...)}
		for _, l := range f.Lines {
			d.Lines = append(d.Lines, l.String())
		}
		docs = append(docs, d)
	}
	return docs
}

// writeConflict lists the files of a task's conflict: what is the matter with each, where, and who is on the other
// side.
func writeConflict(w io.Writer, task string, files []workspace.ConflictFile) error {
	var t table
	for _, d := range conflictDocuments(files) {
		where := d.Kind
		if len(d.Lines) > 0 {
			where = "line " + d.Lines[0]
			if len(d.Lines) > 1 || strings.Contains(d.Lines[0], "-") {
				where = "lines " + some(d.Lines)
			}
		}
		sides := ""
		if len(d.With) > 0 {
			sides = task + " ↔ " + some(d.With)
		}
		t.add(plain(view.SanitizeLine(d.Path)), plain(where), plain(sides))
	}
	return t.write(w, "  ", 0)
}

// conflictKind says in a word what is the matter with a file.
func conflictKind(kind string) string {
	kind = strings.TrimPrefix(kind, "CONFLICT ")
	kind = strings.Trim(kind, "()")
	if kind == "" || slices.Contains([]string{"contents", "content"}, kind) {
		return "changed on both sides"
	}
	return kind
}

// heldConflict looks at the conflict that an attempt waits with, as it is now. Nothing when its work would go in by
// now.
func (a *App) heldConflict(ctx context.Context, run persistence.Run, at persistence.Attempt) ([]workspace.ConflictFile, error) {
	repo, err := a.openRepository(ctx, run.Repository)
	if err != nil {
		return nil, err
	}
	tip, base := at.Saved, at.Base
	if at.Resolve != nil { // the resolver's own work is something else
		tip, base = at.Resolve.Tip, at.Resolve.Base
	}
	files, err := repo.Conflict(ctx, string(run.ID), tip, base)
	if err != nil {
		return nil, fmt.Errorf("look at the conflict of %s: %w", at.Task, err)
	}
	return files, nil
}

// decisions are what a person can do about a conflict inside of a run.
func decisions(run persistence.Run, at persistence.Attempt) [][2]string {
	var first [][2]string
	if resolved(at) {
		first = [][2]string{
			{fmt.Sprintf("orc diff %s %s", run.ID, at.Task), "see how it was resolved"},
			{fmt.Sprintf("orc merge %s --continue", run.ID), "agree: it is merged, and the run goes on"},
		}
	}
	return append(first, [][2]string{
		{fmt.Sprintf("orc retry %s %s", run.ID, at.Task), "do it again on top of what is merged"},
		{fmt.Sprintf("orc restore %s %s", run.ID, at.Task), "look at its work, which is saved"},
		{fmt.Sprintf("orc cancel %s %s", run.ID, at.Task), "leave it out"},
	}...)
}

// resolved says whether an attempt's conflict is resolved and waits for a person's yes.
func resolved(at persistence.Attempt) bool { return at.Resolve != nil && at.Resolve.Done }
