package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
)

func newResume(a *App) *cobra.Command {
	var o watching
	var concurrency int
	var file string
	cmd := &cobra.Command{
		Use:   "resume [RUN]",
		Short: "Go on with a stopped or crashed run",
		Long: `Go on with a run that was stopped, killed, or waits. What is completed is never run again; work that was done
but not yet merged is merged; commands that were cut off are run again, and what they had written is saved first.

With --plan the run goes on by another plan, also a run that is over or that somebody works on: it is shown what is
added, removed and changed, and what runs again and why (orc help edit).`,
		Example: `  orc resume
  orc resume 7f3c --yes
  orc resume --plan plan.yaml`,
		Args:        between(0, 1),
		Annotations: map[string]string{ownSignals: ""},
		RunE: func(cmd *cobra.Command, args []string) error {
			arg := ""
			if len(args) == 1 {
				arg = args[0]
			}
			mode, err := a.display(o)
			if err != nil {
				return err
			}
			return a.withRun(cmd.Context(), arg, func(st persistence.Store, run persistence.Run) error {
				if cmd.Flags().Changed("plan") {
					return a.resumeEdited(cmd.Context(), st, run, file, o)
				}
				cfg, err := a.settings(run.Repository, nil)
				if err != nil {
					return err
				}
				w := &watch{app: a, store: st, run: run, mode: mode, cfg: cfg, yes: o.yes, concurrency: concurrency}
				return w.resume(cmd.Context(), o)
			})
		},
		ValidArgsFunction: a.completeRuns,
	}
	o.bind(cmd)
	cmd.Flags().StringVar(&file, "plan", "", "go on by the plan in this `FILE`")
	cobra.CheckErr(cmd.MarkFlagFilename("plan", "yaml", "yml", "json"))
	cmd.Flags().IntVar(&concurrency, "concurrency", 0, "tasks at a time (default: as before)")
	return cmd
}

// resume says what going on would do, asks, and goes on.
func (w *watch) resume(ctx context.Context, o watching) error {
	if err := w.refuseOwned(ctx); err != nil {
		return err
	}
	if w.run.State.Terminal() {
		return w.over()
	}
	folder, err := w.app.RunDir(string(w.run.ID))
	if err != nil {
		return err
	}
	merges, err := w.merges(ctx)
	if err != nil {
		return err
	}
	list, err := orchestrator.Preview(ctx, w.store, w.run.ID, filepath.Join(folder, exitJournal), merges)
	if err != nil {
		return err
	}
	if w.mode != modeQuiet {
		if err := w.prospects(list); err != nil {
			return err
		}
	}
	if waits(list) {
		return w.leave(ctx)
	}
	if !w.yes && w.app.interactive() && !w.app.globals.noInput {
		ok, err := w.app.confirm("Go on?", true)
		if err != nil {
			return err
		}
		if !ok {
			return nil
		}
	}
	return w.goOn(ctx, o)
}

// merges asks git what it holds of the run; nothing before its first owner has begun.
func (w *watch) merges(ctx context.Context) ([]workspace.MergedWork, error) {
	repo, err := w.app.openRepository(ctx, w.run.Repository)
	if err != nil {
		return nil, err
	}
	merges, err := repo.Merges(ctx, string(w.run.ID))
	if errors.Is(err, workspace.ErrNotBegun) {
		return nil, nil
	}
	return merges, err
}

// goOn has a run worked on that may have been worked on before.
func (w *watch) goOn(ctx context.Context, o watching) (err error) {
	if w.known, err = w.store.Events(ctx, w.run.ID, 0, 0); err != nil {
		return err
	}
	return w.start(ctx, o)
}

func (w *watch) refuseOwned(ctx context.Context) error {
	alive, err := w.app.ownerAlive(ctx, w.store, w.run)
	if err != nil || !alive {
		return err
	}
	lease, err := w.store.GetLease(ctx, w.run.ID)
	if err != nil {
		return err
	}
	return w.app.alreadyOwned(w.run, lease.PID)
}

// over says that there is nothing to go on with.
func (w *watch) over() error {
	if w.run.State == scheduler.RunCompleted {
		_, err := fmt.Fprintf(w.app.Stderr, "Run %s is completed; nothing is left to do.   orc merge %s\n", w.run.ID, w.run.ID)
		return err
	}
	if _, err := fmt.Fprintf(w.app.Stderr, "Run %s is over: %s. Nothing is left to go on with.\n  orc status %s\n  orc retry   runs what failed again\n",
		w.run.ID, w.run.State, w.run.ID); err != nil {
		return err
	}
	return silent(ExitFailures)
}

// waits says that nothing can go on before a person has decided.
func waits(list []orchestrator.Prospect) bool {
	still := false
	for _, p := range list {
		switch p.Action {
		case orchestrator.ActionGoOn, orchestrator.ActionAgain:
			return false
		case orchestrator.ActionStill:
			still = true
		}
	}
	if !still {
		return false
	}
	for _, p := range list {
		if p.Action == orchestrator.ActionToDo {
			return false // the engine knows whether it can start
		}
	}
	return true
}

// prospects prints what is kept, gone on with and run again, and why.
func (w *watch) prospects(list []orchestrator.Prospect) error {
	out := bufio.NewWriter(w.app.Stderr)
	fmt.Fprintf(out, "Run %s · %s\n", w.run.ID, w.run.Name)
	for _, action := range []orchestrator.Action{
		orchestrator.ActionKeep, orchestrator.ActionGoOn, orchestrator.ActionStill, orchestrator.ActionAgain,
		orchestrator.ActionToDo, orchestrator.ActionOver, orchestrator.ActionSkip,
	} {
		w.prospect(out, action, list)
	}
	return out.Flush()
}

// namedOnOneLine is how many tasks of one action are named before they are only counted.
const namedOnOneLine = 8

func (w *watch) prospect(out io.Writer, action orchestrator.Action, list []orchestrator.Prospect) {
	var names []string
	why := map[string]bool{}
	reason := ""
	for _, p := range list {
		if p.Action == action {
			names = append(names, string(p.Task))
			why[p.Why] = true
			reason = p.Why
		}
	}
	if len(names) == 0 {
		return
	}
	shown := strings.Join(names[:min(len(names), namedOnOneLine)], ", ")
	if len(names) > namedOnOneLine {
		shown += fmt.Sprintf(", … and %d more", len(names)-namedOnOneLine)
	}
	if action == orchestrator.ActionToDo {
		reason, shown = "", ""
	}
	if len(why) == 1 || len(names) == 1 {
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("  %-8s %3d  %-36s %s", action, len(names), shown, view.SanitizeLine(reason)), " "))
		return
	}
	fmt.Fprintf(out, "  %-8s %3d\n", action, len(names))
	n := 0
	for _, p := range list {
		if p.Action != action {
			continue
		}
		if n++; n > namedOnOneLine {
			fmt.Fprintf(out, "  %-8s      … and %d more\n", "", len(names)-namedOnOneLine)
			return
		}
		fmt.Fprintf(out, "  %-8s      %-36s %s\n", "", p.Task, view.SanitizeLine(p.Why))
	}
}

// takeover goes on with runs on behalf of commands such as `orc retry`.
type takeover struct{ app *App }

// ResumeRun stores the requests and goes on with the run.
func (t takeover) ResumeRun(ctx context.Context, run persistence.Run, requests []persistence.Request) (err error) {
	a := t.app
	st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	var o watching
	o.progress = "auto"
	mode, err := a.display(o)
	if err != nil {
		return err
	}
	cfg, err := a.settings(run.Repository, nil)
	if err != nil {
		return err
	}
	w := &watch{app: a, store: st, run: run, mode: mode, cfg: cfg}
	if err := w.refuseOwned(ctx); err != nil {
		return err
	}
	for _, r := range requests {
		if _, err := st.AddRequest(ctx, r); err != nil {
			return err
		}
	}
	return w.goOn(ctx, o)
}
