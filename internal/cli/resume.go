package cli

import (
	"bufio"
	"context"
	"encoding/json"
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
	var budgets []string
	cmd := &cobra.Command{
		Use:   "resume [RUN]",
		Short: "Go on with a stopped or crashed run",
		Long: `Go on with a run that was stopped, killed, or waits. What is completed is never run again; work that was done
but not yet merged is merged; commands that were cut off are run again, and what they had written is saved first.

With --plan the run goes on by another plan, also a run that is over or that somebody works on: it is shown what is
added, removed and changed, and what runs again and why (orc help edit).

With --budget the run, or one task of it, gets more to spend: an amount with + is added to the budget, one without
stands instead of it. A run that goes on now is told; one that waits goes on.`,
		Example: `  orc resume
  orc resume 7f3c --yes
  orc resume --plan plan.yaml
  orc resume --budget cost=+2
  orc resume --budget e2e:cost=+1,time=3h`,
		Args:        between(0, 1),
		Annotations: map[string]string{ownSignals: ""},
		RunE: func(cmd *cobra.Command, args []string) error {
			arg := ""
			if len(args) == 1 {
				arg = args[0]
			}
			for _, other := range []string{"budget", "concurrency"} {
				if f := cmd.Flags(); f.Changed("plan") && f.Changed(other) {
					return usageError("orc resume --"+other+" …, and --plan in a second step", "--plan and --%s are not done in one step", other)
				}
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
				raises, err := a.raises(cmd.Context(), st, run, budgets)
				if err != nil {
					return err
				}
				w := &watch{app: a, store: st, run: run, mode: mode, cfg: cfg, yes: o.yes, concurrency: concurrency}
				return w.resume(cmd.Context(), o, raises)
			})
		},
		ValidArgsFunction: a.completeRuns,
	}
	o.bind(cmd)
	cmd.Flags().StringVar(&file, "plan", "", "go on by the plan in this `FILE`")
	cobra.CheckErr(cmd.MarkFlagFilename("plan", "yaml", "yml", "json"))
	cmd.Flags().IntVar(&concurrency, "concurrency", 0, "tasks at a time (default: as before)")
	cmd.Flags().StringArrayVar(&budgets, "budget", nil, "more for the run or a task: `[TASK:]cost=+2`, tokens=, time=")
	return cmd
}

// resume says what going on would do, asks, and goes on.
func (w *watch) resume(ctx context.Context, o watching, raises []persistence.Request) error {
	if len(raises) > 0 && !w.run.State.Terminal() {
		alive, err := w.app.ownerAlive(ctx, w.store, w.run)
		if err != nil {
			return err
		}
		if alive {
			return w.raise(ctx, raises)
		}
	}
	if err := w.refuseOwned(ctx); err != nil {
		return err
	}
	if w.run.State.Terminal() {
		return w.over()
	}
	waiting, err := w.store.PendingRequests(ctx, w.run.ID)
	if err != nil {
		return err
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
	if err := told(list, waiting); err != nil {
		return err
	}
	if w.mode != modeQuiet {
		if err := w.prospects(list); err != nil {
			return err
		}
	}
	if waits(list) && len(waiting)+len(raises) == 0 { // else a word was given that may let it go on
		return w.stillWaits(ctx)
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
	for _, r := range raises {
		if _, err := w.store.AddRequest(ctx, r); err != nil {
			return err
		}
	}
	return w.goOn(ctx, o)
}

// stillWaits says what a person has to do before going on can change anything.
func (w *watch) stillWaits(ctx context.Context) error {
	p, err := w.app.load(ctx, w.store, w.run)
	if err != nil {
		return err
	}
	if err := w.app.tell("Nothing can go on before you have decided:"); err != nil {
		return err
	}
	for _, next := range waitCommands(p) {
		if err := w.app.tell("  %-36s %s", next[0], next[1]); err != nil {
			return err
		}
	}
	return w.leave(ctx)
}

// told corrects what resuming does with tasks on which a person has given their word while nobody owned the run.
func told(list []orchestrator.Prospect, requests []persistence.Request) error {
	words := map[scheduler.TaskID]string{}
	for _, r := range requests {
		if r.Kind != orchestrator.RequestApprove {
			continue
		}
		var word orchestrator.ApproveRequest
		if err := json.Unmarshal([]byte(r.Payload), &word); err != nil {
			return fmt.Errorf("read request %d: %w", r.ID, err)
		}
		for _, x := range word.Items {
			words[x.Task] = "you said yes"
			if word.Reject {
				words[x.Task] = "you said no"
			}
		}
	}
	for i := range list {
		if said, ok := words[list[i].Task]; ok && list[i].Action == orchestrator.ActionStill {
			list[i].Action, list[i].Why = orchestrator.ActionGoOn, said
		}
	}
	return nil
}

// raises are the requests for more budget.
func (a *App) raises(ctx context.Context, st persistence.Store, run persistence.Run, budgets []string) ([]persistence.Request, error) {
	if len(budgets) == 0 {
		return nil, nil
	}
	tasks, err := st.ListTasks(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	var list []persistence.Request
	for _, text := range budgets {
		more, err := parseRaise(text, func(name string) (*scheduler.Task, error) { return findTask(run, tasks, name) })
		if err != nil {
			return nil, err
		}
		if !run.Options.MayRaise(more.Task, more.More) {
			return nil, usageError("give its whole amount, without +", "there is no such budget to add to: --budget %s", text)
		}
		req, err := a.newRequest(run.ID, orchestrator.RequestBudget, more)
		if err != nil {
			return nil, err
		}
		list = append(list, req)
	}
	return list, nil
}

// raise gives a run that is being worked on more budget.
func (w *watch) raise(ctx context.Context, raises []persistence.Request) error {
	for _, r := range raises {
		id, err := w.store.AddRequest(ctx, r)
		if err != nil {
			return err
		}
		if err := w.app.answered(ctx, w.store, w.run, id); err != nil {
			return err
		}
	}
	return w.app.tell("Run %s has more budget and goes on. Watch it: orc status %s", w.run.ID, w.run.ID)
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
	w.again = w.run.State.Terminal()
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
type takeover struct {
	app    *App
	detach bool // by a process in the background, which is not watched
}

// ResumeRun stores the requests and goes on with the run.
func (t takeover) ResumeRun(ctx context.Context, run persistence.Run, requests []persistence.Request) (err error) {
	a := t.app
	st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	var o watching
	o.progress, o.detach = "auto", t.detach
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
