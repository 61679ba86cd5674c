package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
)

// showDocument is `orc show --json`.
type showDocument struct {
	Schema       int                `json:"schema"`
	Run          runDocument        `json:"run"`
	Task         wholeTask          `json:"task"`
	Attempts     []attemptDocument  `json:"attempts"`
	Conflict     []conflictDocument `json:"conflict"` // of the last attempt, if it waits with one
	Saves        []saveDocument     `json:"saves"`    // everything that is saved of the task
	Conversation []turnDocument     `json:"conversation"`
}

// saveDocument is a ref that keeps work of a task.
type saveDocument struct {
	Attempt int    `json:"attempt"`
	Ref     string `json:"ref"`
	Commit  string `json:"commit"`
}

// wholeTask is a task with what it was asked to do.
type wholeTask struct {
	taskDocument
	Prompt    string   `json:"prompt"`
	Command   string   `json:"command"`
	Verify    []string `json:"verify"`
	Writes    []string `json:"writes"`
	TimeoutMS int64    `json:"timeout_ms"` // per attempt; 0 = none
}

// brokeDocument is a gate that fails on the merged work since an attempt's work is in it.
type brokeDocument struct {
	Found  string `json:"found"` // the task that brought it to light
	Error  string `json:"error"`
	Output string `json:"output"`
}

// attemptDocument is one try at a task in JSON.
type attemptDocument struct {
	Number     int               `json:"number"`
	Phase      scheduler.Phase   `json:"phase"`
	Outcome    scheduler.Outcome `json:"outcome"` // empty = not over
	ExitCode   *int              `json:"exit_code"`
	Error      string            `json:"error"`
	Output     string            `json:"output"`
	Note       string            `json:"note"`
	Rejected   bool              `json:"rejected"` // it failed because a person did not want its work
	StartedAt  *time.Time        `json:"started_at"`
	EndedAt    *time.Time        `json:"ended_at"`
	DurationMS int64             `json:"duration_ms"`
	NotBefore  *time.Time        `json:"not_before"`
	Base       string            `json:"base"`
	Saved      string            `json:"saved"`
	SavedRef   string            `json:"saved_ref"`
	Merged     string            `json:"merged"` // commit id on the integration branch
	Broke      *brokeDocument    `json:"broke"`  // what it was found to have broken once it was merged; null = nothing
	Awaits     string            `json:"awaits"` // the task whose repair of the merged work it waits for; empty = none
	Conflicts  []string          `json:"conflicts"`
	Files      int               `json:"files"`
	Additions  int               `json:"additions"`
	Deletions  int               `json:"deletions"`
	Workspace  string            `json:"workspace"` // empty when it is gone
	Log        string            `json:"log"`
	Session    string            `json:"session"` // the agent's own id of its conversation
	Sandbox    string            `json:"sandbox"` // what confined the agent's last turn; empty = nothing did
	Usage      *usageDocument    `json:"usage"`
	Turns      []turnUsage       `json:"turns"`     // what each turn used
	Steps      []stepDocument    `json:"steps"`     // of the task's workflow, as far as they were entered
	Questions  []askedDocument   `json:"questions"` // that its agent asked, in order
}

func newShow(a *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show [RUN] TASK",
		Short: "One task: prompt, attempts, checks, conversation",
		Long: `Shows a task of the latest run, or of RUN: what it was asked, how each attempt went, and what was said.
With -v the prompt and the conversation are shown whole.`,
		Example: `  orc show oauth-client
  orc show 7f3c oauth-client -v
  orc show oauth-client --jq '.attempts[-1].error'`,
		Args:              between(1, 2),
		ValidArgsFunction: a.completeRunThenTasks,
	}
	out := newOutput(cmd, showDocument{}, "task")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		return a.withStore(cmd.Context(), func(st persistence.Store) error {
			run, task, err := a.oneTask(cmd.Context(), st, args)
			if err != nil {
				return err
			}
			p, err := a.load(cmd.Context(), st, run)
			if err != nil {
				return err
			}
			doc := newShowDocument(p, task)
			conflict, err := a.addFromRepository(cmd.Context(), p, task, &doc)
			if err != nil {
				return err
			}
			said := conversation{store: st, run: run.ID, task: task.ID}
			if wanted {
				if doc.Conversation, err = said.whole(cmd.Context()); err != nil {
					return err
				}
				return out.write(a, doc)
			}
			return a.writeShow(cmd.Context(), p, task, doc, conflict, said)
		})
	}
	return cmd
}

func newShowDocument(p *picture, t *scheduler.Task) showDocument {
	doc := showDocument{
		Schema: schema,
		Run:    p.runDocument(),
		Task: wholeTask{
			taskDocument: p.taskDocument(t),
			Prompt:       t.Prompt, Command: t.Command, TimeoutMS: t.Timeout.Milliseconds(),
			Verify: append([]string{}, t.Verify...), Writes: append([]string{}, t.WritesFiles...),
		},
		Attempts:     []attemptDocument{},
		Conflict:     []conflictDocument{},
		Saves:        []saveDocument{},
		Conversation: []turnDocument{},
	}
	for _, at := range p.attempts[t.ID] {
		d := attemptDocument{
			Number: at.Number, Phase: at.Phase, Outcome: at.Outcome, ExitCode: at.ExitCode, Error: at.Error,
			Output: at.Output, Note: at.Note, Rejected: at.Rejected, StartedAt: moment(at.StartedAt), EndedAt: moment(at.EndedAt),
			DurationMS: worked(at, p.alive, p.now).Milliseconds(), NotBefore: moment(at.NotBefore), Base: at.Base,
			Saved: at.Saved, SavedRef: at.SavedRef, Merged: at.MergeNew, Conflicts: append([]string{}, at.Conflicts...),
			Files: at.Files, Additions: at.Additions, Deletions: at.Deletions, Log: at.Log,
			Usage: usageOf(at), Turns: turnsOf(at), Steps: stepsOf(t.AgentRole, at), Questions: askedOf(at),
		}
		d.Awaits = string(at.Awaits)
		if br := at.Broke; br != nil {
			d.Broke = &brokeDocument{Found: string(br.Found), Error: br.Error, Output: br.Output}
		}
		if at.Work != nil {
			d.Sandbox = at.Work.Sandbox
			if own := at.Work.At(0); own != nil {
				d.Session = own.Session
			}
		}
		if !at.Cleaned {
			d.Workspace = at.Workspace
		}
		doc.Attempts = append(doc.Attempts, d)
	}
	return doc
}

// Shown of a long text unless -v asks for all.
const (
	promptLines = 12
	turnLines   = 6
	turnsShown  = 6
)

// writeShow shows a task to a person.
func (a *App) writeShow(ctx context.Context, p *picture, t *scheduler.Task, doc showDocument, conflict []workspace.ConflictFile, said conversation) error {
	pt := a.paint(a.Stdout)
	var b strings.Builder
	if err := a.writeTask(&b, p, t, doc, conflict); err != nil {
		return err
	}
	if err := a.writeConversation(ctx, &b, said, pt); err != nil {
		return err
	}
	if len(doc.Attempts) > 0 && !a.globals.quiet {
		fmt.Fprintf(&b, "\n  %-36s what it printed\n", fmt.Sprintf("orc logs %s %s", p.run.ID, t.ID))
		if doc.Attempts[len(doc.Attempts)-1].Saved != "" {
			fmt.Fprintf(&b, "  %-36s what it changed\n", fmt.Sprintf("orc diff %s %s", p.run.ID, t.ID))
		}
	}
	_, err := io.WriteString(a.Stdout, b.String())
	return err
}

// writeTask shows all of a task but its conversation.
func (a *App) writeTask(b *strings.Builder, p *picture, t *scheduler.Task, doc showDocument, conflict []workspace.ConflictFile) error {
	pt := a.paint(a.Stdout)
	m := p.mark(t)
	title := doc.Task.ID
	if doc.Task.Name != "" {
		title += " · " + view.SanitizeLine(doc.Task.Name)
	}
	fmt.Fprintf(b, "%s %s · %s · run %s\n", pt.sgr(m.color, m.sign(a.ascii())), pt.bold(title), m.word, p.run.ID)
	if e := view.Sanitize(doc.Task.Error); e != "" {
		fmt.Fprintf(b, "  %s\n", pt.red(strings.ReplaceAll(e, "\n", "\n  ")))
	}
	a.writeFacts(b, p, doc, pt)
	if doc.Task.Command != "" {
		a.writeText(b, "Command", doc.Task.Command, promptLines, pt)
	}
	if doc.Task.Prompt != "" {
		a.writeText(b, "Prompt", doc.Task.Prompt, promptLines, pt)
	}
	if doc.Task.Result != nil && *doc.Task.Result != "" {
		a.writeText(b, "Result", *doc.Task.Result, promptLines, pt)
	}
	for _, at := range doc.Attempts {
		a.writeAttempt(b, at, pt)
	}
	if err := a.writeHeld(b, p, t, conflict, pt); err != nil {
		return err
	}
	a.writeWants(b, p, t, doc.Task.taskDocument, pt)
	a.writeSaves(b, p, t, doc.Saves, pt)
	return nil
}

// writeFacts lists what a task is bound to.
func (a *App) writeFacts(b *strings.Builder, p *picture, doc showDocument, pt paint) {
	fact := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "  %s %s\n", pt.dim(fmt.Sprintf("%-10s", name)), value)
		}
	}
	var needs []string
	for _, need := range doc.Task.Needs {
		word := ""
		if t := p.byID[need]; t != nil {
			word = " (" + p.mark(t).word + ")"
		}
		needs = append(needs, string(need)+word)
	}
	fact("agent", view.Sanitize(doc.Task.Agent))
	fact("needs", strings.Join(needs, ", "))
	fact("writes", view.SanitizeLine(strings.Join(doc.Task.Writes, ", ")))
	for _, gate := range doc.Task.Verify {
		fact("verify", view.SanitizeLine(gate))
	}
	if doc.Task.TimeoutMS > 0 {
		fact("timeout", spanMS(doc.Task.TimeoutMS))
	}
	if doc.Task.OnFailure != scheduler.FailHard {
		fact("on failure", string(doc.Task.OnFailure))
	}
	if n := len(doc.Attempts); n > 0 {
		fact("sandbox", doc.Attempts[n-1].Sandbox)
	}
	for _, step := range p.run.Options.Approvals(scheduler.TaskID(doc.Task.ID)) {
		fact("approve", string(step))
	}
	fact("used", doc.Task.Usage.long(p.run.Options.BudgetFor(scheduler.TaskID(doc.Task.ID))))
	fact("workspace", a.tilde(view.Sanitize(doc.Task.Workspace)))
}

// writeText shows a text under a title, cut after some lines unless -v.
func (a *App) writeText(b *strings.Builder, title, text string, most int, pt paint) {
	fmt.Fprintf(b, "\n%s\n", pt.bold(title))
	a.writeLines(b, text, most, "  ", pt)
}

func (a *App) writeLines(b *strings.Builder, text string, most int, indent string, pt paint) {
	lines := strings.Split(strings.Trim(view.Sanitize(text), "\n"), "\n")
	hidden := 0
	if !a.globals.verbose && len(lines) > most {
		hidden = len(lines) - most
		lines = lines[:most]
	}
	width := 0
	if !a.globals.verbose {
		width = a.width(a.Stdout)
	}
	for _, line := range lines {
		if line == "" {
			b.WriteString("\n")
			continue
		}
		fmt.Fprintf(b, "%s\n", truncate(indent+line, width))
	}
	if hidden > 0 {
		fmt.Fprintf(b, "%s%s\n", indent, pt.dim(fmt.Sprintf("… %s more (-v shows all)", view.Plural(hidden, "line"))))
	}
}

func (a *App) writeAttempt(b *strings.Builder, at attemptDocument, pt paint) {
	word := string(at.Outcome)
	if word == "" {
		word = string(at.Phase)
	}
	fmt.Fprintf(b, "\n%s %s", pt.bold(fmt.Sprintf("Attempt %d", at.Number)), word)
	if at.ExitCode != nil {
		fmt.Fprintf(b, ", exit code %d", *at.ExitCode)
	}
	if at.DurationMS > 0 {
		fmt.Fprintf(b, ", %s", spanMS(at.DurationMS))
	}
	if at.StartedAt != nil {
		fmt.Fprintf(b, ", %s", ago(a.Now(), *at.StartedAt))
	}
	b.WriteString("\n")
	if at.Note != "" {
		fmt.Fprintf(b, "  note: %s\n", view.SanitizeLine(at.Note))
	}
	if at.Error != "" {
		fmt.Fprintf(b, "  %s\n", pt.red(strings.ReplaceAll(view.Sanitize(at.Error), "\n", "\n  ")))
	}
	for _, line := range view.LastLines(view.Sanitize(at.Output), outputLines) {
		fmt.Fprintf(b, "    %s\n", pt.dim(line))
	}
	if at.Usage != nil {
		fmt.Fprintf(b, "  used %s\n", at.Usage.long(scheduler.Budget{}))
	}
	a.writeSteps(b, at.Steps, pt)
	a.writeQuestions(b, at.Questions, pt)
	if len(at.Conflicts) > 0 {
		fmt.Fprintf(b, "  conflicts: %s\n", view.SanitizeLine(some(at.Conflicts)))
	}
	if at.Saved != "" {
		fmt.Fprintf(b, "  saved %s  %s, +%d −%d  %s\n", short(at.Saved), view.Plural(at.Files, "file"), at.Additions, at.Deletions, pt.dim(at.SavedRef))
	}
	if at.Merged != "" {
		fmt.Fprintf(b, "  merged as %s\n", short(at.Merged))
	}
	if at.Awaits != "" {
		fmt.Fprintf(b, "  waits until %s has repaired what is merged\n", at.Awaits)
	}
	if br := at.Broke; br != nil {
		fmt.Fprintf(b, "  %s (found with %s)\n", pt.red(view.SanitizeLine(br.Error)), br.Found)
		for _, line := range view.LastLines(view.Sanitize(br.Output), outputLines) {
			fmt.Fprintf(b, "    %s\n", pt.dim(line))
		}
	}
}
