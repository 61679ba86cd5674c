package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"orchestrator/internal/config"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// edition is a new plan for a run that is there already.
type edition struct {
	app  *App
	st   persistence.Store
	run  persistence.Run
	cfg  *config.Config
	old  *plan.Plan // nil = what the run has cannot be read as a plan any more
	text *plan.Plan // the new one, as it is written
	new  *plan.Plan // with the tasks of its lists
	r    orchestrator.EditRequest
	diff orchestrator.Edit
}

// newEdition checks a text as any plan, and whether the run can have it. Prompt files are looked for where the run's
// plan lies. What is wrong goes to stderr.
func (a *App) newEdition(ctx context.Context, st persistence.Store, run persistence.Run, name string, text []byte, c consent) (*edition, error) {
	cfg, err := a.settings(run.Repository, nil)
	if err != nil {
		return nil, err
	}
	e := &edition{app: a, st: st, run: run, cfg: cfg}
	options := planOptions(cfg)
	options.Dir = filepath.Dir(run.PlanPath)
	// What is wrong with the old one by now, such as the file of a prompt that is gone, is not the edit's: it is nil then.
	e.old, _ = plan.Parse(run.PlanPath, []byte(run.Plan), options)
	p, list := plan.Parse(name, text, options)
	if err := a.planVerdict(name, list); err != nil {
		return nil, err
	}
	e.text, e.new = p, p
	if e.old != nil && e.old.Base != p.Base {
		return nil, usageError("start a new run for that: orc run", "the `base` of a run cannot change: this one was cut from %s", baseName(run))
	}
	if err := e.spread(ctx, options, c); err != nil {
		return nil, err
	}
	if e.old != nil && e.otherBudgets() {
		return nil, usageError("give more by: orc resume "+string(run.ID)+" --budget cost=+2", "budgets do not change by another plan: leave `budget` as it was")
	}
	stored, err := st.ListTasks(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	tasks := e.part(stored)
	if len(tasks) == 0 {
		return nil, usageError("orc cancel "+string(run.ID), "nothing would be left of the run")
	}
	for _, t := range tasks {
		if t.Isolation == "" {
			t.Isolation = cfg.Isolation
		}
	}
	e.request(tasks)
	return e, nil
}

// spread makes the tasks of the plan's lists, at the commit that the run was cut from.
func (e *edition) spread(ctx context.Context, o plan.Options, c consent) error {
	if len(e.new.Each()) == 0 {
		return nil
	}
	repo, err := e.app.openRepository(ctx, e.run.Repository)
	if err != nil {
		return err
	}
	if runsLists(e.new) {
		if err := e.consent(ctx, c); err != nil {
			return err
		}
	}
	e.new, err = e.app.spread(ctx, repo, e.new, e.cfg, e.run.Base, o, e.run.Options.Lists)
	return err
}

// consent fails unless a person agrees to the commands that the run does not have yet.
func (e *edition) consent(ctx context.Context, c consent) error {
	items := configItems(e.cfg)
	if item, ok := planItem(e.text, e.run.PlanPath); ok {
		if e.old != nil {
			had, _ := planItem(e.old, e.run.PlanPath)
			item.Commands = slices.DeleteFunc(item.Commands, func(c string) bool { return slices.Contains(had.Commands, c) })
		}
		if len(item.Commands) > 0 {
			items = append(items, item)
		}
	}
	return e.app.allow(ctx, items, e.run.PlanPath, c, "Trust them?")
}

// part leaves out what the run left out of its plan: one that was started with --only or --until stays a part.
func (e *edition) part(stored []*scheduler.Task) []*scheduler.Task {
	tasks := e.new.Tasks()
	if e.old == nil {
		return tasks
	}
	out := map[scheduler.TaskID]bool{}
	for _, t := range e.old.Tasks() {
		list := slices.ContainsFunc(e.old.Each(), func(l plan.Each) bool { return l.Task == string(t.ID) })
		out[t.ID] = !slices.ContainsFunc(stored, func(s *scheduler.Task) bool {
			return s.ID == t.ID || list && strings.HasPrefix(string(s.ID), string(t.ID)+".")
		})
		for _, id := range e.new.Made(string(t.ID)) {
			out[scheduler.TaskID(id)] = out[t.ID]
		}
	}
	tasks = slices.DeleteFunc(tasks, func(t *scheduler.Task) bool { return out[t.ID] })
	for _, t := range tasks {
		t.DependsOn = slices.DeleteFunc(t.DependsOn, func(id scheduler.TaskID) bool { return out[id] })
	}
	return tasks
}

// request is what the owner is asked for.
func (e *edition) request(tasks []*scheduler.Task) {
	p := e.new
	workflows, of := p.Workflows()
	items, budgets := p.Items(), p.BudgetOf()
	maps.DeleteFunc(budgets, func(id scheduler.TaskID, _ scheduler.Budget) bool { _, part := items[id]; return !part })
	e.r = orchestrator.EditRequest{
		Name: p.Name, Description: p.Description, PlanPath: e.run.PlanPath, Plan: string(p.Source.Text), Context: p.Context, Tasks: tasks,
		Options: persistence.RunOptions{
			StrictWrites: p.StrictWrites(), Setup: p.Setup(), Setups: setups(p, tasks), FreshSessions: p.FreshSessions(), Items: items,
			Lists: within(listsOf(p, e.run.Options.Lists), tasks), BudgetOf: budgets,
			QuestionsOf: p.QuestionsOf(), Questions: e.app.questions(p, e.cfg),
			Approve: p.Approve(), ApproveOf: p.ApproveOf(), Workflows: workflows, WorkflowOf: of, Merge: mergingOf(p, e.cfg),
		},
	}
	if e.old == nil {
		return
	}
	if planName(p) == planName(e.old) {
		e.r.Name = e.run.Name // the name of a file is not the plan's
	}
	if p.Questions() == e.old.Questions() {
		e.r.Options.Questions = e.run.Options.Questions
	}
	if p.Concurrency != e.old.Concurrency {
		e.r.Concurrency = p.Concurrency
	}
}

// otherBudgets says whether the new plan has other budgets. They are counted from the start of a run, and given more by a
// command of their own.
func (e *edition) otherBudgets() bool {
	if e.old.Budget() != e.new.Budget() || e.old.TaskBudget() != e.new.TaskBudget() {
		return true
	}
	for id, b := range e.text.BudgetOf() {
		if e.old.BudgetOf()[id] != b {
			return true
		}
	}
	return false
}

// planName is the name that a plan gives itself; empty = it has that of its file.
func planName(p *plan.Plan) string {
	base := filepath.Base(p.Source.Path)
	if p.Name == strings.TrimSuffix(base, filepath.Ext(base)) {
		return ""
	}
	return p.Name
}

// admit says what the new plan means for the run, and asks for what it needs: consent to commands that the run does
// not have yet, agents that are there, and a person's yes.
func (e *edition) admit(ctx context.Context, o watching, trusted bool) error {
	a := e.app
	var err error
	if e.diff, err = orchestrator.PreviewEdit(ctx, e.st, e.run.ID, e.r); err != nil {
		return usageError("orc status "+string(e.run.ID), "%w", err)
	}
	if err := e.show(); err != nil {
		return err
	}
	if err := e.consent(ctx, consent{plan: o.yes, trust: trusted}); err != nil {
		return err
	}
	in := a.inspector(e.cfg, e.run.Repository)
	agents, err := in.agentsOf(ctx, e.new, withTemplates(e.new, e.r.Tasks))
	if err != nil {
		return err
	}
	e.r.Options.Agents = agents
	run := e.run
	run.Options.Agents, run.Options.Merge = agents, e.r.Options.Merge
	run.Options.Questions, run.Options.QuestionsOf = e.r.Options.Questions, e.r.Options.QuestionsOf
	if err := in.besides(ctx, e.new, &run); err != nil {
		return err
	}
	if err := in.preflight(ctx, agents); err != nil {
		return err
	}
	if o.yes {
		return nil
	}
	if !a.canAsk() {
		return usageError("the same command with --yes", "nobody is there to agree to the new plan")
	}
	ok, err := a.confirmContext(ctx, "Go on with the new plan?", true)
	if err == nil && !ok {
		err = &ExitError{Code: ExitUsage, Err: errorf("the run goes on as it was")}
	}
	return err
}

// use hands the new plan to the run's owner, or goes on with the run by it.
func (e *edition) use(ctx context.Context, o watching) error {
	a := e.app
	mode, err := a.display(o)
	if err != nil {
		return err
	}
	alive, err := a.ownerAlive(ctx, e.st, e.run)
	if err != nil {
		return err
	}
	request, err := a.newRequest(e.run.ID, orchestrator.RequestEdit, e.r)
	if err != nil {
		return err
	}
	id, err := e.st.AddRequest(ctx, request)
	if err != nil {
		return err
	}
	if alive {
		if err := a.answered(ctx, e.st, e.run, id); err != nil {
			return err
		}
		return a.tell("Run %s goes on with the new plan. Watch it: orc status %s", e.run.ID, e.run.ID)
	}
	w := &watch{app: a, store: e.st, run: e.run, mode: mode, cfg: e.cfg, yes: o.yes}
	return w.goOn(ctx, o)
}

// show prints what the new plan means.
func (e *edition) show() error {
	if e.app.globals.quiet {
		return nil
	}
	out := bufio.NewWriter(e.app.Stderr)
	fmt.Fprintf(out, "Run %s · %s, by the new plan\n", e.run.ID, view.SanitizeLine(e.r.Name))
	if e.diff.Empty() {
		fmt.Fprintln(out, "  no task is different")
	}
	d := e.diff
	showIDs(out, "added", d.Added, "")
	showIDs(out, "removed", d.Removed, "")
	showEdited(out, "changed", d.Changed, func(t orchestrator.EditedTask) string { return strings.Join(t.Keys, ", ") })
	showEdited(out, "again", d.Again, func(t orchestrator.EditedTask) string { return t.Why })
	showIDs(out, "back", d.Back, "were not run because of others")
	showIDs(out, "stopped", d.Stop, "run now; their work is saved")
	showIDs(out, "keep", d.Kept, "done; not run again")
	return out.Flush()
}

func showIDs(out io.Writer, what string, ids []scheduler.TaskID, why string) {
	if len(ids) == 0 {
		return
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("  %-8s %3d  %-36s %s", what, len(ids), view.List(names, namedOnOneLine), why), " "))
}

func showEdited(out io.Writer, what string, list []orchestrator.EditedTask, why func(orchestrator.EditedTask) string) {
	for i, t := range list {
		count := ""
		if i == 0 {
			count = itoa(len(list))
		} else {
			what = ""
		}
		if i == 2*namedOnOneLine {
			fmt.Fprintf(out, "  %-8s %3s  … and %d more\n", "", "", len(list)-i)
			return
		}
		fmt.Fprintf(out, "  %-8s %3s  %-36s %s\n", what, count, t.Task, why(t))
	}
}
