package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/clone"
)

// Names in a run's folders.
const (
	mergeFolder = "merge"      // in the run's folder: what is known of a merge that waits
	mergeLock   = "merge.lock" // in the run's folder: held by the command that merges
	mergeFiles  = ".merge"     // among the run's workspaces: the files of a conflict
)

// mergeDocument is `orc merge --json`.
type mergeDocument struct {
	Schema      int            `json:"schema"`
	Run         string         `json:"run"`
	Branch      string         `json:"branch"`
	Old         string         `json:"old"`
	New         string         `json:"new"` // the same as old when nothing changed
	FastForward bool           `json:"fast_forward"`
	Merged      []string       `json:"merged"` // tasks
	Skipped     []string       `json:"skipped"`
	Conflict    *conflictState `json:"conflict"`
}

// conflictState is a merge that waits for a person.
type conflictState struct {
	Task    string             `json:"task"`
	Files   []string           `json:"files"`
	Details []conflictDocument `json:"details"` // of each file
	Dir     string             `json:"dir"`     // edit the files there
}

// mergeFlags are the flags of `orc merge`.
type mergeFlags struct {
	into  string
	goOn  bool
	edit  bool
	abort bool
	skip  []string
}

func newMerge(a *App) *cobra.Command {
	var o mergeFlags
	cmd := &cobra.Command{
		Use:   "merge [RUN]",
		Short: "Bring finished work into your branch; --edit, --continue, --abort",
		Long: `Merges the finished tasks of the latest run, or of RUN, into the branch you are on. Uncommitted changes stay as
they are; where they are in the way, that is said before anything is done.

At a conflict your branch is untouched. The files with the conflict lie in a folder of their own: edit them there
(--edit opens them in git's merge.tool, or else in your editor), then orc merge --continue; or leave the task out with --skip, or go back with --abort.

With on_conflict: ask, a conflict inside of the run that the resolver has resolved waits for your yes, too: orc diff
TASK shows it, and orc merge --continue says yes when no merge into your branch waits.`,
		Example: `  orc merge
  orc merge 7f3c --into release
  orc merge --skip handlers`,
		Args:              between(0, 1),
		ValidArgsFunction: a.completeRuns,
	}
	out := newOutput(cmd, mergeDocument{}, "")
	f := cmd.Flags()
	f.StringVar(&o.into, "into", "", "the `BRANCH` to merge into (default: the one you are on)")
	f.BoolVar(&o.goOn, "continue", false, "go on after the conflict was resolved")
	f.BoolVar(&o.edit, "edit", false, "open the files of a conflict in your merge tool or editor")
	f.BoolVar(&o.abort, "abort", false, "give up a merge that waits")
	f.StringSliceVar(&o.skip, "skip", nil, "leave `TASK` out")
	cmd.MarkFlagsMutuallyExclusive("continue", "abort", "edit")
	cmd.MarkFlagsMutuallyExclusive("abort", "skip")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("skip", a.completeTasks))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		return a.withRun(cmd.Context(), optional(args), func(st persistence.Store, run persistence.Run) error {
			m := &merging{app: a, store: st, run: run, flags: o}
			if wanted {
				if o.edit {
					return usageError("", "--edit is for people: it has no JSON")
				}
				m.out = out
			}
			if err := m.merge(cmd.Context()); err != nil || !m.accepts {
				return err
			}
			return m.accept(cmd.Context())
		})
	}
	return cmd
}

// merging is one `orc merge`.
type merging struct {
	app   *App
	store persistence.Store
	run   persistence.Run
	flags mergeFlags
	out   *output // not nil = the outcome as JSON

	repo    *workspace.Repository
	tasks   []*scheduler.Task
	accepts bool // nothing but conflicts inside of the run wait, which the resolver has resolved
	spec    workspace.LandSpec
}

func (m *merging) merge(ctx context.Context) (err error) {
	if err := m.prepare(ctx); err != nil {
		return err
	}
	lock, err := process.Hold(filepath.Join(filepath.Dir(m.spec.Folder), mergeLock))
	if errors.Is(err, process.ErrHeld) {
		return &ExitError{Code: ExitUsage, Err: errorf("run %s is being merged by another command", m.run.ID), Hint: "wait for it"}
	}
	if err != nil {
		return fmt.Errorf("lock the merge: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if m.flags.abort {
		if err := m.repo.LandAbort(ctx, m.spec); err != nil {
			return m.explain(err)
		}
		return m.app.tell("The merge of run %s is given up; nothing has changed.", m.run.ID)
	}
	landing, err := m.land(ctx)
	if stopped := (*workspace.StoppedError)(nil); errors.As(err, &stopped) {
		if err := m.stopped(stopped); !m.flags.edit || exitCode(err) != ExitConflict {
			return err
		}
		return m.edit(ctx)
	}
	if m.flags.goOn && errors.Is(err, workspace.ErrNoLanding) {
		p, perr := m.app.load(ctx, m.store, m.run)
		if perr != nil {
			return perr
		}
		if m.accepts = slices.ContainsFunc(p.conflicts(), resolved); m.accepts {
			return nil
		}
	}
	if m.flags.edit && errors.Is(err, workspace.ErrLanding) {
		return m.edit(ctx)
	}
	if err != nil {
		return m.explain(err)
	}
	return m.landed(ctx, landing)
}

// accept agrees with how the resolver has resolved the conflicts that wait inside of the run.
func (m *merging) accept(ctx context.Context) error {
	if m.out != nil {
		return usageError("orc merge "+string(m.run.ID)+" --continue", "what waits is inside of the run: the run goes on, which has no JSON")
	}
	a := m.app
	asked, err := a.ask(ctx, m.store, m.run, orchestrator.RequestAccept, orchestrator.AcceptRequest{})
	if err != nil || asked == 0 {
		return err
	}
	if err := a.answered(ctx, m.store, m.run, asked); err != nil {
		return err
	}
	return a.tell("Run %s merges what was resolved, and goes on. Watch it: orc status %s", m.run.ID, m.run.ID)
}

// prepare finds everything that a merge needs, before anything is changed.
func (m *merging) prepare(ctx context.Context) (err error) {
	if m.repo, err = m.app.openRepository(ctx, m.here()); err != nil {
		return err
	}
	if m.tasks, err = m.store.ListTasks(ctx, m.run.ID); err != nil {
		return err
	}
	folder, err := m.app.RunDir(string(m.run.ID))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make the run's folder: %w", err)
	}
	area, err := m.app.workspaceDir(m.run.ID)
	if err != nil {
		return err
	}
	branch := m.flags.into
	if branch == "" && !m.flags.abort {
		if branch, _, err = m.repo.Head(ctx); err != nil {
			return err
		}
		if branch == "" {
			return usageError("orc merge --into BRANCH", "no branch is checked out here (detached HEAD)")
		}
	}
	m.spec = workspace.LandSpec{
		Run: string(m.run.ID), Branch: strings.TrimPrefix(branch, "refs/heads/"), Driver: clone.New(m.repo),
		Folder: filepath.Join(folder, mergeFolder), Dir: filepath.Join(area, mergeFiles),
	}
	if m.spec.Branch == m.run.Branch {
		return usageError("git switch "+m.run.BaseRef, "%s is the run's own branch", m.run.Branch)
	}
	for _, arg := range m.flags.skip {
		t, err := findTask(m.run, m.tasks, arg)
		if err != nil {
			return err
		}
		m.spec.Skip = append(m.spec.Skip, string(t.ID))
	}
	return nil
}

// here is the checkout from which the run is merged: the one that we are in, if it is of the run's repository.
func (m *merging) here() string {
	if top, err := m.app.repository(); err == nil && top == m.run.Repository {
		return m.app.Dir
	}
	return m.run.Repository
}

// workspaceDir is the folder of a run's workspaces.
func (a *App) workspaceDir(run scheduler.RunID) (string, error) {
	data, err := a.DataDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(data, "ws", string(run)), nil
}

// land begins or goes on. What git writes into the user's checkout gets the user's mask.
func (m *merging) land(ctx context.Context) (landing workspace.Landing, err error) {
	err = m.app.asUser(func() error {
		switch {
		case m.flags.goOn:
			landing, err = m.repo.LandContinue(ctx, m.spec)
		case len(m.spec.Skip) > 0:
			// A task that is in conflict right now, or one of a merge that is about to begin.
			landing, err = m.repo.LandContinue(ctx, m.spec)
			if errors.Is(err, workspace.ErrNoLanding) {
				landing, err = m.begin(ctx)
			}
		default:
			landing, err = m.begin(ctx)
		}
		return err
	})
	return landing, err
}

func (m *merging) begin(ctx context.Context) (workspace.Landing, error) {
	open := 0
	for _, t := range m.tasks {
		if !t.Status.Terminal() {
			open++
		}
	}
	if open > 0 && !m.app.globals.quiet {
		m.app.note("%s of run %s not done yet; what is merged now is what has been finished", plural(open, "task is", "tasks are"), m.run.ID)
	}
	return m.repo.Land(ctx, m.spec)
}

// explain adds what to do about an error that is not a conflict.
func (m *merging) explain(err error) error {
	id := string(m.run.ID)
	switch {
	case errors.Is(err, workspace.ErrLanding):
		return &ExitError{
			Code: ExitConflict, Err: err,
			Hint: fmt.Sprintf("orc merge %s --continue, once the files in %s are resolved\norc merge %s --abort, to give it up", id, m.app.tilde(m.spec.Dir), id),
		}
	case errors.Is(err, workspace.ErrMarkers):
		return &ExitError{Code: ExitConflict, Err: err, Hint: fmt.Sprintf("edit the files in %s, then orc merge %s --continue", m.app.tilde(m.spec.Dir), id)}
	case errors.Is(err, workspace.ErrNoLanding):
		return usageError("orc merge "+id, "no merge of run %s is waiting", id)
	case errors.Is(err, workspace.ErrNotBegun):
		return usageError("orc status "+id, "run %s has no branch yet, or it was cleaned", id)
	}
	return err
}

// landed tells what was merged.
func (m *merging) landed(ctx context.Context, l workspace.Landing) error {
	if m.out != nil {
		return m.out.write(m.app, m.document(l))
	}
	id := string(m.run.ID)
	if l.Old == l.New {
		head, err := m.repo.Integration(ctx, id)
		if err == nil && head == m.run.Base {
			return m.app.tell("Run %s has nothing to merge: no finished task changed a file.", id)
		}
		return m.app.tell("%s has everything of run %s already.", m.spec.Branch, id)
	}
	if err := m.listLanded(ctx, l); err != nil {
		return err
	}
	for _, task := range l.Skipped {
		if err := m.app.tell("  %s left out", task); err != nil {
			return err
		}
	}
	return m.app.tell("%s is at %s now (it was at %s).", m.spec.Branch, short(l.New), short(l.Old))
}

// listLanded names the merged tasks with the number of their files.
func (m *merging) listLanded(ctx context.Context, l workspace.Landing) error {
	attempts, err := m.store.ListAttempts(ctx, m.run.ID, "")
	if err != nil {
		return err
	}
	files := map[string]int{}
	for _, at := range attempts {
		if at.MergeNew != "" {
			files[string(at.Task)] = at.Files
		}
	}
	a := m.app
	p := a.paint(a.Stdout)
	if _, err := fmt.Fprintf(a.Stdout, "Merging run %s into %s, in the order the tasks finished\n", m.run.ID, m.spec.Branch); err != nil {
		return err
	}
	var t table
	for _, task := range l.Merged {
		t.add(cell{text: taskMark(scheduler.TaskCompleted, false).sign(a.ascii()), style: p.green}, plain(task), plain(view.Plural(files[task], "file")))
	}
	return t.write(a.Stdout, "  ", a.width(a.Stdout))
}

func (m *merging) document(l workspace.Landing) mergeDocument {
	return mergeDocument{
		Schema: schema, Run: string(m.run.ID), Branch: m.spec.Branch, Old: l.Old, New: l.New, FastForward: l.FastForward,
		Merged: append([]string{}, l.Merged...), Skipped: append([]string{}, l.Skipped...),
	}
}

// stopped tells about a conflict and what can be done about it.
func (m *merging) stopped(s *workspace.StoppedError) error {
	a := m.app
	if m.out != nil {
		doc := m.document(workspace.Landing{Skipped: m.spec.Skip})
		doc.Conflict = &conflictState{
			Task: s.Task, Files: append([]string{}, s.Conflict.Paths...), Details: conflictDocuments(s.Files), Dir: s.Dir,
		}
		if err := m.out.write(a, doc); err != nil {
			return err
		}
		return silent(ExitConflict)
	}
	p := a.paint(a.Stdout)
	var b strings.Builder
	fmt.Fprintf(&b, "Merging run %s into %s, in the order the tasks finished\n", m.run.ID, m.spec.Branch)
	for _, task := range s.Merged {
		fmt.Fprintf(&b, "  %s %s\n", p.green(taskMark(scheduler.TaskCompleted, false).sign(a.ascii())), task)
	}
	fmt.Fprintf(&b, "  %s %s  conflict in %s\n\n", p.red(taskMark(scheduler.TaskFailed, false).sign(a.ascii())), s.Task, view.Plural(len(s.Conflict.Paths), "file"))
	if err := writeConflict(&b, s.Task, s.Files); err != nil {
		return err
	}
	id := m.run.ID
	fmt.Fprintf(&b, "\n%s is untouched; the files wait in %s\n", m.spec.Branch, a.tilde(s.Dir))
	for _, next := range [][2]string{
		{fmt.Sprintf("orc merge %s --edit", id), "open them in your merge tool or editor"},
		{fmt.Sprintf("orc merge %s --continue", id), "when you have resolved them there"},
		{fmt.Sprintf("orc merge %s --skip %s", id, s.Task), "merge the rest"},
		{fmt.Sprintf("orc merge %s --abort", id), "back to before"},
	} {
		fmt.Fprintf(&b, "  %-36s %s\n", next[0], next[1])
	}
	if _, err := a.Stdout.Write([]byte(b.String())); err != nil {
		return err
	}
	return silent(ExitConflict)
}
