package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
)

// addFromRepository adds what only the repository knows of a task: the refs that keep its work, and the conflict that
// it waits with.
func (a *App) addFromRepository(ctx context.Context, p *picture, t *scheduler.Task, doc *showDocument) ([]workspace.ConflictFile, error) {
	if len(p.attempts[t.ID]) == 0 {
		return nil, nil
	}
	repo, err := a.openRepository(ctx, p.run.Repository)
	if errors.Is(err, workspace.ErrNotRepository) {
		return nil, nil // it is gone, and the refs with it; what the store holds can still be shown
	}
	if err != nil {
		return nil, err
	}
	saves, err := repo.Saves(ctx, string(p.run.ID))
	if err != nil {
		return nil, err
	}
	for _, s := range saves {
		if s.Task == string(t.ID) {
			doc.Saves = append(doc.Saves, saveDocument{Attempt: s.Number, Ref: s.Ref, Commit: s.Commit})
		}
	}
	at := p.last(t.ID)
	if at.Outcome != scheduler.OutcomeConflict || at.Phase != scheduler.PhaseWaiting {
		return nil, nil
	}
	files, err := a.heldConflict(ctx, p.run, at)
	if err != nil {
		return nil, err
	}
	doc.Conflict = conflictDocuments(files)
	return files, nil
}

// writeHeld shows the conflict that a task waits with, and what a person can do about it.
func (a *App) writeHeld(b *strings.Builder, p *picture, t *scheduler.Task, files []workspace.ConflictFile, pt paint) error {
	at := p.last(t.ID)
	if at.Outcome != scheduler.OutcomeConflict || at.Phase != scheduler.PhaseWaiting {
		return nil
	}
	fmt.Fprintf(b, "\n%s\n", pt.bold("Conflict with what is merged"))
	if len(files) == 0 {
		fmt.Fprint(b, "  none any more\n")
	} else if err := writeConflict(b, string(t.ID), files); err != nil {
		return err
	}
	if a.globals.quiet {
		return nil
	}
	b.WriteString("\n")
	for _, d := range decisions(p.run, at) {
		fmt.Fprintf(b, "  %-36s %s\n", d[0], d[1])
	}
	return nil
}

// writeWants says what a task waits for that a person has to give, and how.
func (a *App) writeWants(b *strings.Builder, p *picture, t *scheduler.Task, d taskDocument, pt paint) {
	if d.Wants == "" {
		return
	}
	fmt.Fprintf(b, "\n%s\n  %s\n", pt.bold("Waits for you"), view.SanitizeLine(d.WaitsFor))
	if a.globals.quiet {
		return
	}
	for _, c := range p.wordOn(t) {
		fmt.Fprintf(b, "  %-36s %s\n", c[0], c[1])
	}
}

// writeSaves lists the refs that keep a task's work.
func (a *App) writeSaves(b *strings.Builder, p *picture, t *scheduler.Task, saves []saveDocument, pt paint) {
	if len(saves) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", pt.bold("Saved"))
	for _, s := range saves {
		fmt.Fprintf(b, "  attempt %d  %s  %s\n", s.Attempt, short(s.Commit), pt.dim(s.Ref))
	}
	if !a.globals.quiet {
		fmt.Fprintf(b, "  %-36s brings it back\n", fmt.Sprintf("orc restore %s %s", p.run.ID, t.ID))
	}
}
