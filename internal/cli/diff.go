package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
)

// diffDocument is `orc diff --json`.
type diffDocument struct {
	Schema    int          `json:"schema"`
	Run       string       `json:"run"`
	Task      string       `json:"task"`    // empty = the whole run
	Attempt   int          `json:"attempt"` // 0 = the whole run
	From      string       `json:"from"`    // commit id
	To        string       `json:"to"`      // commit id
	Files     []fileChange `json:"files"`
	Additions int          `json:"additions"`
	Deletions int          `json:"deletions"`
}

// fileChange is what happened to one file.
type fileChange struct {
	Path      string `json:"path"`
	Additions int    `json:"additions"`
	Deletions int    `json:"deletions"`
	Binary    bool   `json:"binary"`
}

// span of commits that a difference is shown of.
type commits struct {
	from, to string
	task     scheduler.TaskID
	attempt  int
}

func newDiff(a *App) *cobra.Command {
	var stat bool
	var attempt int
	cmd := &cobra.Command{
		Use:   "diff [RUN] [TASK]",
		Short: "Changes of a task or of the whole run; --stat",
		Long: `Shows what a task changed, as it was last saved, or what all merged tasks of a run changed together. Into a pipe
it is a patch that git apply understands.`,
		Example: `  orc diff --stat
  orc diff oauth-client
  orc diff 7f3c > run.patch`,
		Args:              between(0, 2),
		ValidArgsFunction: a.completeRunThenTasks,
	}
	out := newOutput(cmd, diffDocument{}, "files")
	cmd.Flags().BoolVar(&stat, "stat", false, "only how much changed in which file")
	cmd.Flags().IntVar(&attempt, "attempt", 0, "what attempt `N` of the task left instead of the last")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		return a.withStore(cmd.Context(), func(st persistence.Store) error {
			run, tasks, err := a.findTasks(cmd.Context(), st, args)
			if err != nil {
				return err
			}
			if len(tasks) > 1 {
				return usageError("orc diff "+string(run.ID)+" TASK", "name one task")
			}
			repo, err := a.openRepository(cmd.Context(), run.Repository)
			if err != nil {
				return err
			}
			c, err := a.diffSpan(cmd.Context(), st, repo, run, tasks, attempt)
			if err != nil {
				return err
			}
			if wanted {
				return a.diffJSON(cmd.Context(), out, repo, run, c)
			}
			return a.diffText(cmd.Context(), repo, c, stat)
		})
	}
	return cmd
}

// openRepository opens a run's repository, wherever the working directory is.
func (a *App) openRepository(ctx context.Context, dir string) (*workspace.Repository, error) {
	data, err := a.DataDir()
	if err != nil {
		return nil, err
	}
	return workspace.Open(ctx, dir, workspace.Options{Data: data, Environ: a.Environ})
}

// diffSpan finds the commits between which the wanted changes lie.
func (a *App) diffSpan(ctx context.Context, st persistence.Store, repo *workspace.Repository, run persistence.Run, tasks []*scheduler.Task, attempt int) (commits, error) {
	if len(tasks) == 0 {
		if attempt > 0 {
			return commits{}, usageError("", "--attempt wants a task")
		}
		head, err := repo.Integration(ctx, string(run.ID))
		if errors.Is(err, workspace.ErrNotBegun) {
			return commits{}, usageError("orc status "+string(run.ID), "run %s has no branch yet, or it was cleaned", run.ID)
		}
		return commits{from: run.Base, to: head}, err
	}
	t := tasks[0]
	attempts, err := st.ListAttempts(ctx, run.ID, t.ID)
	if err != nil {
		return commits{}, err
	}
	found := commits{}
	for _, at := range attempts {
		if at.Saved != "" && (attempt == 0 || attempt == at.Number) {
			found = commits{from: at.Base, to: at.Saved, task: t.ID, attempt: at.Number}
		}
	}
	if found.to != "" {
		return found, nil
	}
	h := "orc show " + string(run.ID) + " " + string(t.ID)
	if attempt > 0 {
		return commits{}, usageError(h, "nothing is saved of attempt %d of %s", attempt, t.ID)
	}
	return commits{}, usageError(h, "nothing is saved of %s: it is %s", t.ID, taskMark(t.Status, false).word)
}

func (a *App) diffJSON(ctx context.Context, out *output, repo *workspace.Repository, run persistence.Run, c commits) error {
	changes, err := repo.Changes(ctx, c.from, c.to)
	if err != nil {
		return err
	}
	doc := diffDocument{
		Schema: schema, Run: string(run.ID), Task: string(c.task), Attempt: c.attempt, From: c.from, To: c.to,
		Files: []fileChange{},
	}
	for _, ch := range changes {
		doc.Files = append(doc.Files, fileChange{ch.Path, ch.Added, ch.Deleted, ch.Binary})
		doc.Additions += ch.Added
		doc.Deletions += ch.Deleted
	}
	return out.write(a, doc)
}

func (a *App) diffText(ctx context.Context, repo *workspace.Repository, c commits, stat bool) error {
	if !a.isTerminal(a.Stdout) {
		return repo.Diff(ctx, a.Stdout, c.from, c.to, workspace.DiffOptions{Stat: stat, Color: a.colorOn(a.Stdout)})
	}
	// Files may hold escape sequences, which a terminal must not see; so the colours are ours.
	w := &diffPainter{w: a.Stdout, p: a.paint(a.Stdout), stat: stat}
	err := repo.Diff(ctx, w, c.from, c.to, workspace.DiffOptions{Stat: stat})
	return errors.Join(err, w.flush())
}

// diffPainter shows a patch on a terminal, line by line.
type diffPainter struct {
	w    io.Writer
	p    paint
	stat bool
	hold []byte
}

// Write takes any piece of the patch.
func (d *diffPainter) Write(b []byte) (int, error) {
	d.hold = append(d.hold, b...)
	for {
		i := bytes.IndexByte(d.hold, '\n')
		if i < 0 {
			return len(b), nil
		}
		if err := d.line(string(d.hold[:i])); err != nil {
			return 0, err
		}
		d.hold = d.hold[i+1:]
	}
}

func (d *diffPainter) flush() error {
	if len(d.hold) == 0 {
		return nil
	}
	return d.line(string(d.hold))
}

func (d *diffPainter) line(s string) error {
	s = view.SanitizeLine(s)
	switch {
	case d.stat:
	case strings.HasPrefix(s, "+++"), strings.HasPrefix(s, "---"), strings.HasPrefix(s, "diff "):
		s = d.p.bold(s)
	case strings.HasPrefix(s, "+"):
		s = d.p.green(s)
	case strings.HasPrefix(s, "-"):
		s = d.p.red(s)
	case strings.HasPrefix(s, "@@"):
		s = d.p.cyan(s)
	}
	_, err := io.WriteString(d.w, s+"\n")
	return err
}
