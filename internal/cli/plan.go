package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// planFile is the plan that is meant when none is named.
const planFile = "plan.yaml"

func newPlan(a *App) *cobra.Command {
	return groupCommand(a, &cobra.Command{
		Use:   "plan",
		Short: "create | check | show | graph | import | fmt | schema",
		Long:  "Makes plans and looks at them; nothing of them is run. How a plan is written: orc help plan.",
	}, newPlanCreate(a), newPlanCheck(a), newPlanShow(a), newPlanGraph(a), newPlanImport(a), newPlanFmt(a), newPlanSchema(a))
}

// completePlans completes the files that may be plans.
func completePlans(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt
}

// planPath returns how the plan is opened and named in messages: as it was written, while that means the same file.
func (a *App) planPath(args []string) string {
	path := optional(args)
	if path == "" {
		path = planFile
	}
	if dir, err := os.Getwd(); err != nil || dir != a.Dir {
		return a.path(path)
	}
	return path
}

// readPlan reads and checks a plan as the settings of this repository make it. The plan is nil when it has errors.
func (a *App) readPlan(path string) (*plan.Plan, diagnostic.List, error) {
	cfg, err := a.settingsHere()
	if err != nil {
		return nil, nil, err
	}
	o := planOptions(cfg)
	o.DefaultIsolation = cfg.Isolation
	p, list, err := plan.Load(path, o)
	if err != nil {
		return nil, nil, &ExitError{Code: ExitUsage, Err: err}
	}
	return p, list, nil
}

// goodPlan is readPlan that tells what is wrong, and fails on it.
func (a *App) goodPlan(path string) (*plan.Plan, error) {
	p, list, err := a.readPlan(path)
	if err != nil {
		return nil, err
	}
	return p, a.planVerdict(path, list)
}

// planVerdict tells what was found in a plan, and fails when there is an error among it.
func (a *App) planVerdict(path string, list diagnostic.List) error {
	err := a.printDiagnostics(list, path)
	if list.HasErrors() {
		_, werr := fmt.Fprintf(a.Stderr, "\n%s. Nothing was run.\n", list.Summary())
		err = errors.Join(err, werr)
	}
	return err
}

func newPlanCheck(a *App) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "check [PLAN]",
		Short: "Tell every mistake at once, each with its place",
		Long: `Checks a plan (plan.yaml) and tells all that is wrong with it. Warnings do not keep it from running.
The exit code is 2 when there are errors.`,
		Example: `  orc plan check
  orc plan check ci/plan.yaml --format github
  orc plan check --jq '.diagnostics[].message'`,
		Args:              between(0, 1),
		ValidArgsFunction: completePlans,
	}
	out := newOutput(cmd, diagnostic.Report{}, "diagnostics")
	cmd.Flags().StringVar(&format, "format", string(diagnostic.Text), "how: "+strings.Join(diagnostic.Formats(), ", "))
	mustComplete(cmd, "format", diagnostic.Formats()...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		path := a.planPath(args)
		p, list, err := a.readPlan(path)
		if err != nil {
			return err
		}
		switch {
		case wanted:
			err = out.write(a, list.Report())
		case format == string(diagnostic.Text):
			return a.checkedPlan(path, p, list)
		default:
			if err = diagnostic.Write(a.Stdout, list, diagnostic.Format(format), diagnostic.Style{}); err != nil {
				err = usageError("one of: "+strings.Join(diagnostic.Formats(), ", "), "--format: %w", err)
			}
		}
		if err == nil && list.HasErrors() {
			err = silent(ExitUsage)
		}
		return err
	}
	return cmd
}

// checkedPlan tells a person what was found.
func (a *App) checkedPlan(path string, p *plan.Plan, list diagnostic.List) error {
	if err := a.planVerdict(path, list); err != nil {
		return err
	}
	if len(list) > 0 && !a.globals.quiet {
		if _, err := fmt.Fprintln(a.Stderr); err != nil {
			return err
		}
	}
	f := p.Figures()
	with := ""
	if len(list) > 0 {
		with = ", with " + view.Plural(len(list), "warning")
	}
	_, err := fmt.Fprintf(a.Stdout, "%s is fine%s: %s, at most %d at a time, %d one after the other\n",
		view.SanitizeLine(path), with, view.Plural(f.Tasks, "task"), f.Widest, f.Levels)
	return err
}

// planDocument is `orc plan show --json`.
type planDocument struct {
	Schema int           `json:"schema"`
	Plan   planHead      `json:"plan"`
	Tasks  []plannedTask `json:"tasks"`
}

// planHead is what a plan says about itself.
type planHead struct {
	Name         string   `json:"name"`
	Description  string   `json:"description"`
	Path         string   `json:"path"`
	Base         string   `json:"base"`
	Concurrency  int      `json:"concurrency"` // 0 = that of the settings
	Context      string   `json:"context"`
	Tasks        int      `json:"tasks"`
	Needs        int      `json:"needs"`
	Levels       int      `json:"levels"`
	Widest       int      `json:"widest"`
	CriticalPath []string `json:"critical_path"`
}

// plannedTask is a task as it would run.
type plannedTask struct {
	ID          string                `json:"id"`
	Name        string                `json:"name"`
	Agent       string                `json:"agent"`
	Prompt      string                `json:"prompt"`
	Command     string                `json:"command"`
	Needs       []scheduler.TaskID    `json:"needs"`
	Writes      []string              `json:"writes"`
	Verify      []string              `json:"verify"`
	OnFailure   scheduler.FailureMode `json:"on_failure"`
	Isolation   scheduler.Isolation   `json:"isolation"`
	MaxAttempts int                   `json:"max_attempts"`
	TimeoutMS   int64                 `json:"timeout_ms"` // per attempt; 0 = none
	ForEach     []string              `json:"for_each"`   // items that stand in the plan; a task is made for each
	ForEachRun  string                `json:"for_each_run"`
	Fallback    string                `json:"fallback"` // role that does the agent's work while its account is held; empty = none
}

func newPlanShow(a *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show [PLAN]",
		Short:             "What would run, with all defaults filled in",
		Example:           "  orc plan show\n  orc plan show --jq '.plan.critical_path'",
		Args:              between(0, 1),
		ValidArgsFunction: completePlans,
	}
	out := newOutput(cmd, planDocument{}, "tasks")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		p, err := a.goodPlan(a.planPath(args))
		if err != nil {
			return err
		}
		cfg, err := a.settingsHere()
		if err != nil {
			return err
		}
		doc := newPlanDocument(p)
		tellFallbacks(doc.Tasks, p, cfg)
		if wanted {
			return out.write(a, doc)
		}
		return a.writePlan(doc)
	}
	return cmd
}

func newPlanDocument(p *plan.Plan) planDocument {
	f := p.Figures()
	doc := planDocument{
		Schema: schema,
		Plan: planHead{
			Name: p.Name, Description: p.Description, Path: p.Source.Path, Base: p.Base, Concurrency: p.Concurrency,
			Context: p.Context, Tasks: f.Tasks, Needs: f.Needs, Levels: f.Levels, Widest: f.Widest,
			CriticalPath: append([]string{}, f.CriticalPath...),
		},
		Tasks: []plannedTask{},
	}
	for _, t := range p.Tasks() {
		doc.Tasks = append(doc.Tasks, newPlannedTask(t))
	}
	for _, e := range p.Each() {
		if i := slices.IndexFunc(doc.Tasks, func(t plannedTask) bool { return t.ID == e.Task }); i >= 0 {
			doc.Tasks[i].ForEach, doc.Tasks[i].ForEachRun = append([]string{}, e.Items...), e.Run
		}
	}
	return doc
}

func newPlannedTask(t *scheduler.Task) plannedTask {
	return plannedTask{
		ID: string(t.ID), Name: t.Name, Agent: t.AgentRole, Prompt: t.Prompt, Command: t.Command,
		Needs: append([]scheduler.TaskID{}, t.DependsOn...), Writes: append([]string{}, t.WritesFiles...),
		Verify: append([]string{}, t.Verify...), OnFailure: t.FailureMode, Isolation: t.Isolation,
		MaxAttempts: max(1, t.Attempts), TimeoutMS: t.Timeout.Milliseconds(), ForEach: []string{},
	}
}

func (a *App) writePlan(doc planDocument) error {
	p := a.paint(a.Stdout)
	head := fmt.Sprintf("%s · %s, at most %d at a time", p.bold(view.SanitizeLine(doc.Plan.Name)), view.Plural(doc.Plan.Tasks, "task"), doc.Plan.Widest)
	if doc.Plan.Concurrency > 0 {
		head += fmt.Sprintf(" (limited to %d)", doc.Plan.Concurrency)
	}
	if _, err := fmt.Fprintf(a.Stdout, "%s\n\n", head); err != nil {
		return err
	}
	var t table
	for _, task := range doc.Tasks {
		who := task.Agent
		if who == "" {
			who = "run"
		}
		what := task.Name
		if what == "" {
			what = firstLine(task.Command + task.Prompt)
		}
		if task.Fallback != "" {
			who += ", else " + task.Fallback
		}
		var rules []string
		if len(task.Needs) > 0 {
			rules = append(rules, "needs "+taskNames(task.Needs))
		}
		if len(task.Verify) > 0 {
			rules = append(rules, view.Plural(len(task.Verify), "gate"))
		}
		if task.MaxAttempts > 1 {
			rules = append(rules, fmt.Sprintf("%d attempts", task.MaxAttempts))
		}
		if task.TimeoutMS > 0 {
			rules = append(rules, "at most "+span(time.Duration(task.TimeoutMS)*time.Millisecond))
		}
		if task.OnFailure != "" && task.OnFailure != scheduler.FailHard {
			rules = append(rules, string(task.OnFailure)+" failure")
		}
		t.add(cell{text: task.ID, style: p.bold}, plain(who), plain(strings.Join(rules, ", ")), cell{text: view.SanitizeLine(what), style: p.dim})
	}
	return t.write(a.Stdout, "  ", a.width(a.Stdout))
}

func newPlanSchema(a *App) *cobra.Command {
	return &cobra.Command{
		Use:               "schema",
		Short:             "Print the JSON Schema of plans, for editors",
		Example:           "  orc plan schema > .orc/plan.schema.json",
		Args:              between(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.Stdout.Write(plan.Schema())
			return err
		},
	}
}

func newPlanFmt(a *App) *cobra.Command {
	var check, print bool
	cmd := &cobra.Command{
		Use:   "fmt [PLAN...]",
		Short: "Lay a plan out in the usual way; comments stay",
		Long: `Rewrites plans (plan.yaml) in the usual layout. What they mean does not change, and comments stay.
With --check nothing is written; the exit code is 1 when a plan would change.`,
		Example:           "  orc plan fmt\n  orc plan fmt --check plans/*.yaml",
		ValidArgsFunction: completePlans,
	}
	cmd.Flags().BoolVar(&check, "check", false, "only name the plans that would change")
	cmd.Flags().BoolVar(&print, "stdout", false, "print the result instead of writing it")
	cmd.MarkFlagsMutuallyExclusive("check", "stdout")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			args = []string{planFile}
		}
		changed := false
		for _, arg := range args {
			differs, err := a.formatPlan(a.planPath([]string{arg}), check, print)
			if err != nil {
				return err
			}
			changed = changed || differs
		}
		if check && changed {
			return silent(ExitFailures)
		}
		return nil
	}
	return cmd
}

// formatPlan lays out one file and says whether that changes it.
func (a *App) formatPlan(path string, check, print bool) (changed bool, err error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return false, &ExitError{Code: ExitUsage, Err: fmt.Errorf("read the plan: %w", err), Hint: "name the plan file, or write one: orc init"}
	}
	laidOut, err := plan.Format(src)
	if err != nil {
		return false, usageError("orc plan check "+path, "%s: %w", path, err)
	}
	changed = !bytes.Equal(src, laidOut)
	switch {
	case print:
		_, err = a.Stdout.Write(laidOut)
	case !changed:
	case check:
		_, err = fmt.Fprintln(a.Stdout, path)
	default:
		if err = a.asUser(func() error { return replaceFile(path, laidOut) }); err == nil {
			_, err = fmt.Fprintln(a.Stdout, path)
		}
	}
	return changed, err
}

// replaceFile puts new content into a file whole or not at all, and keeps its mode.
func replaceFile(path string, content []byte) (err error) {
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Chmod(st.Mode().Perm()), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
