package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/config"
	"orchestrator/internal/diagnostic"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/provider"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
)

const (
	plannerRole = "orchestrator" // who writes plans when nobody else is named
	draftRounds = 3
	mostRounds  = 20
)

// createdDocument is `orc plan create --json`.
type createdDocument struct {
	Schema      int                  `json:"schema"`
	Path        string               `json:"path"`
	Text        string               `json:"text"` // of the file
	Plan        planHead             `json:"plan"`
	Tasks       []plannedTask        `json:"tasks"`
	Diagnostics []diagnostic.Finding `json:"diagnostics"` // warnings
	Agent       createdBy            `json:"agent"`
}

// createdBy is who wrote a plan, and what it took.
type createdBy struct {
	Role     string  `json:"role"`
	Provider string  `json:"provider"`
	Model    string  `json:"model"` // as the agent reported it
	Rounds   int     `json:"rounds"`
	Input    int64   `json:"input_tokens"`
	Output   int64   `json:"output_tokens"`
	Cost     float64 `json:"cost"` // US dollars; 0 when the agent did not report it
}

// creation is what is asked of `orc plan create`.
type creation struct {
	goal   string
	role   string
	output string // as the person named it
	rounds int
	force  bool
	trust  bool
	taken  string // what to do when the file exists
}

// created is a plan that was written to its file.
type created struct {
	draft
	by   createdBy
	path string // as the person named it
	file []byte
}

func newPlanCreate(a *App) *cobra.Command {
	c := creation{taken: "replace it: --force; or another file: --output FILE"}
	cmd := &cobra.Command{
		Use:   "create GOAL",
		Short: "Have an agent read the repository and write a plan for a goal",
		Long: `The agent of a role (orchestrator) reads the repository, in a clone of its last commit where it can change nothing that
counts, and writes a plan. It is checked as orc plan check does; with errors, and once for tasks that overlap or verify
nothing, it goes back to the agent, at most --rounds times. Nothing of the plan is run: look at it, edit it, then orc run.`,
		Example: `  orc plan create "Sign in with GitHub, sessions in SQLite, docs and tests"
  orc plan create "Move from log to slog" --agent senior --output slog.yaml
  orc plan create - < goal.md
  orc plan create "Add a linter" --jq '.tasks[].id'`,
		Args:              between(1, 1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	out := newOutput(cmd, createdDocument{}, "tasks")
	f := cmd.Flags()
	f.StringVar(&c.role, "agent", plannerRole, "the `ROLE` that writes it")
	f.StringVarP(&c.output, "output", "o", planFile, "the file to write")
	f.IntVar(&c.rounds, "rounds", draftRounds, "how often it may be sent back")
	f.BoolVar(&c.force, "force", false, "replace the file if it exists")
	f.BoolVar(&c.trust, "trust", false, "trust the commands of this repository's settings until they change")
	mustComplete(cmd, "agent", config.Roles...)
	cobra.CheckErr(cmd.MarkFlagFilename("output", "yaml", "yml"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		if c.goal, err = a.readGoal(args[0]); err != nil {
			return err
		}
		repo, err := workspace.Open(cmd.Context(), a.Dir, workspace.Options{Environ: a.Environ})
		if err != nil {
			return err
		}
		plan, err := a.createPlan(cmd.Context(), repo, c)
		if err != nil {
			return err
		}
		if wanted {
			return out.write(a, plan.document())
		}
		if err := a.showCreated(a.Stdout, plan); err != nil {
			return err
		}
		return a.tell("Look at it, then: orc run%s", argumentOf(plan.path))
	}
	return cmd
}

// argumentOf is a plan as an argument; nothing for the one that is meant anyway.
func argumentOf(path string) string {
	if path == planFile {
		return ""
	}
	return " " + view.SanitizeLine(path)
}

// readGoal is the goal, from standard input when it is "-".
func (a *App) readGoal(arg string) (string, error) {
	if arg == "-" {
		text, err := io.ReadAll(io.LimitReader(a.Stdin, plan.MaxPromptFile+1))
		if err != nil {
			return "", fmt.Errorf("read the goal: %w", err)
		}
		if len(text) > plan.MaxPromptFile {
			return "", usageError("", "the goal has more than %d MiB", plan.MaxPromptFile>>20)
		}
		arg = string(text)
	}
	if arg = strings.TrimSpace(arg); arg == "" {
		return "", usageError(`orc plan create "what shall be true afterwards"`, "the goal is empty")
	}
	return arg, nil
}

// createPlan has the agent write the plan, and puts it into its file.
func (a *App) createPlan(ctx context.Context, repo *workspace.Repository, c creation) (*created, error) {
	if c.rounds < 0 || c.rounds > mostRounds {
		return nil, usageError("", "--rounds wants a number from 0 to %d", mostRounds)
	}
	replace, err := a.mayWrite(ctx, c)
	if err != nil {
		return nil, err
	}
	cfg, err := a.settings(repo.Root(), nil)
	if err != nil {
		return nil, err
	}
	agent, err := a.planner(ctx, repo, cfg, c)
	if err != nil {
		return nil, err
	}
	if n, err := repo.Dirty(ctx); err == nil && n > 0 && !a.globals.quiet {
		a.note("%s not committed here; the agent reads the last commit", plural(n, "file is", "files are"))
	}
	d := &drafter{
		app: a, cfg: cfg, role: c.role, agent: agent, repo: repo, output: a.planPath([]string{c.output}),
		progress: &draftProgress{out: a.Stderr, name: c.role, quiet: a.globals.quiet},
	}
	got, err := d.write(ctx, c.goal, c.rounds)
	if failed := (*turnError)(nil); errors.As(err, &failed) {
		err = a.noDraft(failed, c, got)
	}
	if err != nil {
		return nil, err
	}
	if got.plan == nil {
		return nil, a.badDraft(c, got)
	}
	made := &created{draft: got, path: c.output, by: createdBy{
		Role: c.role, Provider: agent.Account, Model: got.usage.Model, Rounds: got.sent, Input: got.usage.Input, Output: got.usage.Output, Cost: got.usage.Cost,
	}}
	return made, a.savePlan(d, made, replace)
}

// mayWrite fails when the file is there and must stay as it is.
func (a *App) mayWrite(ctx context.Context, c creation) (replace bool, err error) {
	_, err = os.Lstat(a.path(c.output))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for %s: %w", c.output, err)
	case c.force:
		return true, nil
	}
	if !a.canAsk() {
		return false, usageError(c.taken, "%s exists already", view.SanitizeLine(c.output))
	}
	ok, err := a.confirmContext(ctx, view.SanitizeLine(c.output)+" exists already. Replace it by the new plan?", false)
	if err == nil && !ok {
		err = usageError(c.taken, "%s exists already", view.SanitizeLine(c.output))
	}
	return ok, err
}

// planner is the agent that writes the plan; whatever its role says, it may only read.
func (a *App) planner(ctx context.Context, repo *workspace.Repository, cfg *config.Config, c creation) (agent persistence.Agent, err error) {
	defined, ok := cfg.Agents[c.role]
	if !ok {
		h := "orc agents list"
		if best := closest(c.role, cfg.AgentNames()); best != "" {
			h = didYouMean("--agent " + best)
		}
		return agent, usageError(h, "there is no agent %q", c.role)
	}
	if err := a.allow(ctx, configItems(cfg), "", consent{trust: c.trust}, "Trust and start?"); err != nil {
		return agent, err
	}
	defined.Permissions = string(provider.PermitRead)
	in := a.inspector(cfg, repo.Root())
	if agent, err = in.resolve(ctx, c.role, defined); err != nil {
		return agent, err
	}
	return agent, in.preflight(ctx, map[string]persistence.Agent{c.role: agent})
}

// noDraft explains a turn that failed.
func (a *App) noDraft(failed *turnError, c creation, got draft) error {
	h := "see whether it works at all: orc agents test " + c.role
	code := trialCode(failed.result.Kind)
	if code == ExitAgent {
		h = "log in, or choose another agent or model: orc agents list"
	}
	err := error(&ExitError{Code: code, Err: failed, Hint: h})
	if got.text != nil {
		kept, kerr := a.keepDraft(c, got)
		err = errors.Join(err, kerr)
		if kerr == nil {
			a.note("what it had written is in %s", view.SanitizeLine(kept))
		}
	}
	return err
}

// badDraft explains a plan that did not become good.
func (a *App) badDraft(c creation, got draft) error {
	if got.text == nil {
		return &ExitError{
			Code: ExitUsage, Err: errorf("the agent %s wrote no plan", c.role), Hint: "say the goal in other words, or choose another agent: --agent ROLE",
		}
	}
	kept, err := a.keepDraft(c, got)
	if err != nil {
		return err
	}
	shown := got.list.Errors()
	for i := range shown {
		shown[i].File = kept
	}
	bad := &ExitError{
		Code: ExitUsage, Err: errorf("the plan has errors still, after it was sent back %s; it is kept in %s", plural(got.sent, "time", "times"), kept),
		Hint: "repair it: orc plan check " + kept,
	}
	var exit *ExitError
	if err := a.printDiagnostics(shown, kept); err != nil && !errors.As(err, &exit) {
		return errors.Join(bad, err)
	}
	return bad
}

// keepDraft writes what is no plan yet beside where the plan would be: plan.draft.yaml, plan.draft2.yaml, …
func (a *App) keepDraft(c creation, got draft) (string, error) {
	ext := filepath.Ext(c.output)
	base := strings.TrimSuffix(c.output, ext)
	for n := 1; ; n++ {
		name := base + ".draft" + ext
		if n > 1 {
			name = base + ".draft" + itoa(n) + ext
		}
		err := a.writeNew(name, got.text)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("keep what the agent wrote: %w", err)
		}
		return name, nil
	}
}

// writeNew writes a file that must not exist.
func (a *App) writeNew(name string, content []byte) error {
	return a.asUser(func() error {
		f, err := os.OpenFile(a.path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		return errors.Join(err, f.Close())
	})
}

// savePlan lays the plan out in the usual way and writes it, with the comment by which editors find its schema.
func (a *App) savePlan(d *drafter, made *created, replace bool) error {
	text, err := plan.Format(made.text)
	if err != nil {
		return fmt.Errorf("lay out the plan: %w", err)
	}
	path := a.path(made.path)
	made.file = append([]byte(schemaComment(d.repo.Root(), path)), withoutSchema(text)...)
	// Checked as it will be read, so that findings have their places in the file.
	if made.plan, made.list = d.check(made.file); made.plan == nil {
		return fmt.Errorf("lay out the plan: %s", made.list.Errors()[0])
	}
	if replace {
		err = a.asUser(func() error { return replaceFile(path, made.file) })
	} else {
		err = a.writeNew(made.path, made.file)
	}
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

const schemaMark = "# yaml-language-server:"

// schemaComment is the first line of a plan: where its schema lies, as orc init writes it.
func schemaComment(root, path string) string {
	at := filepath.Join(root, ".orc", "plan.schema.json")
	if rel, err := filepath.Rel(filepath.Dir(path), at); err == nil {
		at = filepath.ToSlash(rel)
	}
	return schemaMark + " $schema=" + at + "\n"
}

// withoutSchema is a plan without such a line of its own.
func withoutSchema(text []byte) []byte {
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, schemaMark) {
			b.WriteString(line)
		}
	}
	return []byte(b.String())
}

// showCreated draws the plan, and says on stderr what is doubtful about it and where it is.
func (a *App) showCreated(w io.Writer, made *created) error {
	p := a.paint(w)
	if _, err := fmt.Fprintf(w, "%s · %s, at most %d at a time\n", p.bold(view.SanitizeLine(made.plan.Name)),
		view.Plural(made.plan.Len(), "task"), made.plan.Figures().Widest); err != nil {
		return err
	}
	format := plan.Text
	if a.ascii() {
		format = plan.ASCII
	}
	if err := plan.Graph(w, made.plan.Tasks(), format); err != nil {
		return err
	}
	warned := ""
	if n := len(made.list); n > 0 {
		warned = fmt.Sprintf(" with %s (orc plan check%s)", view.Plural(n, "warning"), argumentOf(made.path))
	}
	cost := ""
	if made.by.Cost > 0 {
		cost = fmt.Sprintf(", $%.2f", made.by.Cost)
	}
	return a.tell("Wrote %s%s: %s by %s (%s)%s", view.SanitizeLine(made.path), warned, view.Plural(made.plan.Len(), "task"), made.by.Role, made.by.Provider, cost)
}

// document is the plan for programs.
func (c *created) document() createdDocument {
	shown := newPlanDocument(c.plan)
	shown.Plan.Path = c.path
	return createdDocument{
		Schema: schema, Path: c.path, Text: string(c.file), Plan: shown.Plan, Tasks: shown.Tasks,
		Diagnostics: c.list.Report().Diagnostics, Agent: c.by,
	}
}
