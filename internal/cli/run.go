package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"orchestrator/internal/config"
	"orchestrator/internal/diagnostic"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// watching are the flags of the commands that go on with a run and show it.
type watching struct {
	progress   string
	json       bool
	detach     bool
	foreground bool
	yes        bool
}

func (w *watching) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.progress, "progress", "auto", "how to show it: auto, tty, plain, json, quiet")
	f.BoolVar(&w.json, "json", false, "the same as --progress=json: one event a line on stdout")
	f.BoolVarP(&w.detach, "detach", "d", false, "let it run in the background and return")
	f.BoolVar(&w.foreground, "foreground", false, "run it in this process, also on a terminal")
	f.BoolVarP(&w.yes, "yes", "y", false, "do not ask")
	cmd.MarkFlagsMutuallyExclusive("detach", "foreground")
	cmd.MarkFlagsMutuallyExclusive("progress", "json")
	mustComplete(cmd, "progress", "auto", "tty", "plain", "json", "quiet")
}

// runFlags are the flags of `orc run`.
type runFlags struct {
	watching
	dryRun      bool
	trust       bool
	only, until []string
	failFast    bool
	concurrency int
	goal        string // have a plan made for it first
	budget      string
	named       bool // the plan stands on the command line
}

func newRun(a *App) *cobra.Command {
	var o runFlags
	cmd := &cobra.Command{
		Use:   "run [PLAN]",
		Short: "Run a plan (default: plan.yaml)",
		Long: `Run a plan: every task in a workspace of its own, in parallel as far as their needs allow, each checked,
saved and merged into the branch orc/RUN. Your checkout and your branches are not touched.

On a terminal the run goes on in the background and this command shows it: q leaves it running, Ctrl-C stops it.
Without a terminal, or with --foreground, this process runs it. A run that was stopped, or killed, goes on with
orc resume.`,
		Example: `  orc run
  orc run plan.yaml --concurrency 8
  orc run --dry-run
  orc run --until e2e --fail-fast
  orc run --goal "Add a linter to CI" lint.yaml
  orc run --json | jq .`,
		Args:        between(0, 1),
		Annotations: map[string]string{ownSignals: ""},
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "plan.yaml"
			if len(args) == 1 {
				path = args[0]
				o.named = true
			}
			if cmd.Flags().Changed("goal") {
				return a.runGoal(cmd.Context(), path, o)
			}
			return a.runPlan(cmd.Context(), path, o)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	o.bind(cmd)
	f := cmd.Flags()
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "check the plan and say what would run; start nothing")
	f.BoolVar(&o.trust, "trust", false, "trust the commands of this repository's settings and plan until they change")
	f.StringSliceVar(&o.only, "only", nil, "run just these tasks, without what they need")
	f.StringSliceVar(&o.until, "until", nil, "run these tasks and everything that they need")
	f.StringVar(&o.goal, "goal", "", "have an agent write PLAN for this `GOAL` first (orc plan create), and ask before it is run")
	f.StringVar(&o.budget, "budget", "", "what the run may spend instead of what the plan says, such as `cost=5,time=2h`")
	f.BoolVar(&o.failFast, "fail-fast", false, "start nothing more after the first failure")
	f.IntVar(&o.concurrency, "concurrency", 0, "tasks at a time (default: the plan's, else the configuration's)")
	return cmd
}

// runPlan checks everything that can be checked before anything is started, stores the run, and has it worked on.
func (a *App) runPlan(ctx context.Context, path string, o runFlags) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	mode, err := a.display(o.watching)
	if err != nil {
		return err
	}
	if o.concurrency < 0 || o.concurrency > maxConcurrency {
		return usageError("", "--concurrency wants a number from 1 to %d", maxConcurrency)
	}
	repo, err := workspace.Open(ctx, a.Dir, workspace.Options{Environ: a.Environ})
	if err != nil {
		return err
	}
	if err := a.refuseInside(repo.Root()); err != nil {
		return err
	}
	flags := map[string]string{}
	if o.concurrency > 0 {
		flags["concurrency"] = strconv.Itoa(o.concurrency)
	}
	cfg, err := a.settings(repo.Root(), flags)
	if err != nil {
		return err
	}
	p, err := a.loadPlan(a.planPath([]string{path}), cfg)
	if err != nil {
		return err
	}
	if p, err = a.spreadForRun(ctx, repo, p, cfg, o); err != nil {
		return err
	}
	tasks, err := p.Select(o.only, o.until)
	if err != nil {
		return usageError("orc plan show "+path, "%w", err)
	}
	run, err := a.frame(ctx, repo, p, cfg, tasks, o)
	if err != nil {
		return err
	}
	if err := a.refuseFilters(ctx, repo, run.Base, tasks); err != nil {
		return err
	}
	if !o.dryRun {
		if err := a.admit(ctx, p, cfg, tasks, &run, o); err != nil {
			return err
		}
	}
	a.caution(ctx, repo, run)
	if o.dryRun {
		return a.dryRun(run, p, cfg, tasks, mode)
	}
	st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	w := &watch{app: a, store: st, run: run, tasks: tasks, mode: mode, cfg: cfg, yes: o.yes, repo: repo}
	err = a.create(ctx, st, w, tasks)
	if err == nil {
		stop() // from here the signals mean the run
		err = w.start(context.WithoutCancel(ctx), o.watching)
	}
	return errors.Join(err, st.Close())
}

const maxConcurrency = 1024

// refuseInside fails when the data folder lies in the repository: workspaces would be part of what they are made of.
func (a *App) refuseInside(root string) error {
	data, err := a.DataDir()
	if err != nil {
		return err
	}
	rel, apart := filepath.Rel(root, data)
	if inside := apart == nil && filepath.IsLocal(rel); !inside {
		return nil
	}
	return usageError("set XDG_DATA_HOME to a folder outside of it", "the data folder %s lies in the repository", a.tilde(data))
}

// loadPlan reads and checks the plan; what is wrong with it goes to stderr.
func (a *App) loadPlan(path string, cfg *config.Config) (*plan.Plan, error) {
	p, list, err := plan.Load(path, planOptions(cfg))
	if err != nil {
		return nil, &ExitError{Code: ExitUsage, Err: err, Hint: "orc run PLAN, or orc init to write a first plan.yaml"}
	}
	return p, a.planVerdict(path, list)
}

// spreadForRun makes the tasks of the plan's lists. With --dry-run no command is run, and a list that one makes stays a
// single task.
func (a *App) spreadForRun(ctx context.Context, repo *workspace.Repository, p *plan.Plan, cfg *config.Config, o runFlags) (*plan.Plan, error) {
	if len(p.Each()) == 0 || o.dryRun && makesLists(p) {
		return p, nil
	}
	rev := p.Base
	if rev == "" {
		rev = "HEAD"
	}
	base, err := repo.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	if runsLists(p) {
		if err := a.consentToRun(ctx, p, cfg, o); err != nil {
			return nil, err
		}
	}
	return a.spread(ctx, repo, p, cfg, base, planOptions(cfg), nil)
}

// consentToRun fails unless a person agrees to what the settings and the plan run.
func (a *App) consentToRun(ctx context.Context, p *plan.Plan, cfg *config.Config, o runFlags) error {
	path, err := filepath.Abs(p.Source.Path)
	if err != nil {
		return fmt.Errorf("find the plan: %w", err)
	}
	items := configItems(cfg)
	if item, ok := planItem(p, path); ok {
		items = append(items, item)
	}
	return a.allow(ctx, items, path, consent{plan: o.yes || o.named && !a.canAsk(), trust: o.trust}, "Trust and start?")
}

// printDiagnostics shows what was found in a file and fails when there is an error among it.
func (a *App) printDiagnostics(list diagnostic.List, path string) error {
	shown := list
	if a.globals.quiet {
		shown = list.Errors()
	}
	if len(shown) > 0 {
		style := diagnostic.Style{Color: a.colorOn(a.Stderr), ASCII: a.ascii(), Limit: 50}
		if err := diagnostic.Write(a.Stderr, shown, diagnostic.Text, style); err != nil {
			return fmt.Errorf("print what is wrong with %s: %w", path, err)
		}
	}
	if n := len(list.Errors()); n > 0 {
		return silent(ExitUsage)
	}
	return nil
}

// frame makes the run's record: everything that it needs is frozen in it.
func (a *App) frame(ctx context.Context, repo *workspace.Repository, p *plan.Plan, cfg *config.Config, tasks []*scheduler.Task, o runFlags) (persistence.Run, error) {
	var both sync.WaitGroup
	var hidden error
	both.Go(func() { hidden = refuseHidden(ctx, repo) })
	branch, head, err := repo.Head(ctx)
	both.Wait()
	if err == nil {
		err = hidden
	}
	if err != nil {
		return persistence.Run{}, err
	}
	base, ref := head, branch
	if p.Base != "" {
		if base, err = repo.Resolve(ctx, p.Base); err != nil {
			return persistence.Run{}, err
		}
		ref = p.Base
	}
	if ref == "" {
		ref = base // a detached HEAD
	}
	concurrency := o.concurrency
	if concurrency == 0 {
		concurrency = p.Concurrency
	}
	if concurrency == 0 {
		concurrency = cfg.Concurrency
	}
	for _, t := range tasks {
		if t.Isolation == "" {
			t.Isolation = cfg.Isolation
		}
	}
	abs, err := filepath.Abs(p.Source.Path)
	if err != nil {
		return persistence.Run{}, fmt.Errorf("find the plan: %w", err)
	}
	budget := p.Budget()
	if o.budget != "" {
		if budget, _, err = parseBudget(o.budget, false); err != nil {
			return persistence.Run{}, err
		}
	}
	workflows, workflowOf := p.Workflows()
	return persistence.Run{
		Name: p.Name, Description: p.Description, Repository: repo.Root(), State: scheduler.RunRunning,
		Base: base, BaseRef: ref, PlanPath: abs, Plan: string(p.Source.Text), Context: p.Context,
		Concurrency: concurrency, Mark: randomHex(16), CreatedAt: a.Now().UTC(),
		Options: persistence.RunOptions{
			FailFast: o.failFast, Pass: cfg.Env, StrictWrites: p.StrictWrites(), Setup: p.Setup(), Setups: setups(p, tasks),
			FreshSessions: p.FreshSessions(), Items: p.Items(), Lists: within(listsOf(p, nil), tasks), QuestionsOf: p.QuestionsOf(), Questions: a.questions(p, cfg), Limits: cfg.Limits,
			Approve: p.Approve(), ApproveOf: p.ApproveOf(), Budget: budget, TaskBudget: p.TaskBudget(), BudgetOf: p.BudgetOf(),
			Sandbox: commandSandbox(cfg), SandboxWrites: a.sandboxWrites(cfg), Workflows: workflows, WorkflowOf: workflowOf,
			Merge: mergingOf(p, cfg),
		},
	}, nil
}

// admit asks for what a run needs beside a good plan: consent to the commands that it runs, and agents that are there.
func (a *App) admit(ctx context.Context, p *plan.Plan, cfg *config.Config, tasks []*scheduler.Task, run *persistence.Run, o runFlags) error {
	if err := a.consentToRun(ctx, p, cfg, o); err != nil {
		return err
	}
	in := a.inspector(cfg, run.Repository)
	agents, err := in.agentsOf(ctx, p, withTemplates(p, tasks))
	if err != nil {
		return err
	}
	run.Options.Agents = agents
	if err := in.besides(ctx, p, run); err != nil {
		return err
	}
	return in.preflight(ctx, agents)
}

// caution says what a person may not expect, before anything starts. It never stops the run.
func (a *App) caution(ctx context.Context, repo *workspace.Repository, run persistence.Run) {
	if a.globals.quiet {
		return
	}
	var both sync.WaitGroup
	submodules := false
	both.Go(func() {
		has, err := repo.Submodules(ctx, run.Base)
		submodules = has && err == nil
	})
	n, err := repo.Dirty(ctx)
	both.Wait()
	if err == nil && n > 0 {
		a.note("%s not committed here; tasks start from %s and do not see that", plural(n, "file is", "files are"), short(run.Base))
	}
	if submodules {
		a.note("this repository has submodules; their folders are empty in workspaces (a task may run `git submodule update --init`)")
	}
}

// baseName is where a run starts from, for people: main@1c9e2ab.
func baseName(run persistence.Run) string {
	if strings.HasPrefix(run.Base, run.BaseRef) {
		return short(run.Base)
	}
	return run.BaseRef + "@" + short(run.Base)
}

func short(oid string) string { return oid[:min(len(oid), 7)] }

// note says something on stderr that is no error.
func (a *App) note(format string, args ...any) {
	// A note that cannot be written changes nothing about the work.
	_, _ = fmt.Fprintf(a.Stderr, "note: "+format+"\n", args...)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
