package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// statusDocument is `orc status --json`.
type statusDocument struct {
	Schema int            `json:"schema"`
	Run    runDocument    `json:"run"`
	Tasks  []taskDocument `json:"tasks"`
	Usage  *usageDocument `json:"usage"` // of all tasks; null when no agent worked
}

func newStatus(a *App) *cobra.Command {
	var exitStatus bool
	cmd := &cobra.Command{
		Use:   "status [RUN]",
		Short: "What is done, running and waiting for you",
		Long: `Shows a run: the latest one of this repository, or RUN (any unique prefix of its id, @last).

With --exit-status the exit code tells: 0 done, or going on well; 1 finished with failures; 3 needs you;
5 waits with a merge conflict; 6 waits for more budget; 130 paused or interrupted, resumable.`,
		Example: `  orc status
  orc status 7f3c --json=id,state
  orc status --jq '.tasks[] | select(.state == "failed") | .id'`,
		Args:              between(0, 1),
		ValidArgsFunction: a.completeRuns,
	}
	out := newOutput(cmd, statusDocument{}, "tasks")
	cmd.Flags().BoolVar(&exitStatus, "exit-status", false, "tell the state by the exit code")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		if !wanted {
			out = nil
		}
		return a.status(cmd.Context(), optional(args), out, exitStatus)
	}
	return cmd
}

// optional returns the first argument, or an empty string.
func optional(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// status prints a run: as JSON if out is not nil.
func (a *App) status(ctx context.Context, arg string, out *output, exitStatus bool) error {
	return a.withRun(ctx, arg, func(st persistence.Store, run persistence.Run) error {
		p, err := a.load(ctx, st, run)
		if err != nil {
			return err
		}
		if out != nil {
			err = out.write(a, statusDocument{Schema: schema, Run: p.runDocument(), Tasks: p.taskDocuments(), Usage: p.usage()})
		} else {
			err = a.writeStatus(a.Stdout, p)
		}
		if err == nil && exitStatus {
			err = silent(p.exitStatus())
		}
		return err
	})
}

// writeStatus shows a run to a person: the headline, the cause of a failure, the tasks, what to do next.
func (a *App) writeStatus(w io.Writer, p *picture) error {
	pt, ascii := a.paint(w), a.ascii()
	var b strings.Builder
	b.WriteString(a.headline(p, pt) + "\n")
	if cause := p.cause(); cause != nil {
		a.writeCause(&b, p, cause, pt)
	} else if p.run.Error != "" {
		fmt.Fprintf(&b, "\n%s %s\n", pt.bold("Cause:"), view.Sanitize(p.run.Error))
	}
	b.WriteString("\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	tasks, total := a.shownTasks(p), p.usage()
	var t table
	for _, task := range tasks {
		d := p.taskDocument(task)
		took := ""
		if d.DurationMS > 0 || d.EndedAt != nil {
			took = spanMS(d.DurationMS)
		}
		row := []cell{p.mark(task).cell(ascii, pt), plain(d.ID), plain(d.Agent), {text: took, right: true}}
		if total != nil {
			row = append(row, cell{text: d.Usage.short(p.run.Options.BudgetFor(task.ID)), right: true})
		}
		t.add(append(row, cell{text: remark(d, p)})...)
	}
	if err := t.write(w, "", a.width(w)); err != nil {
		return err
	}
	b.Reset()
	if hidden := len(p.tasks) - len(tasks); hidden > 0 {
		fmt.Fprintf(&b, "%s\n", pt.dim(fmt.Sprintf("  and %d that are done or wait; all of them: orc status %s -v", hidden, p.run.ID)))
	}
	counts := joinCounts(p.counts())
	if used := total.long(p.run.Options.Budget); used != "" {
		counts += " · " + used
	}
	fmt.Fprintf(&b, "\n  %s\n", counts)
	if !a.globals.quiet {
		for _, next := range nextCommands(p) {
			fmt.Fprintf(&b, "%s\n", next)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// manyTasks is how many tasks the status lists before it leaves out those that nothing happens with.
const manyTasks = 100

// shownTasks returns the tasks that the status lists.
func (a *App) shownTasks(p *picture) []*scheduler.Task {
	if len(p.tasks) <= manyTasks || a.globals.verbose {
		return p.tasks
	}
	var shown []*scheduler.Task
	for _, t := range p.tasks {
		switch t.Status {
		case scheduler.TaskRunning, scheduler.TaskFailed, scheduler.TaskCanceled:
			shown = append(shown, t)
		}
	}
	return shown[:min(len(shown), manyTasks)]
}

// headline says in one line what a run is and how it stands.
func (a *App) headline(p *picture, pt paint) string {
	r := p.run
	took := spanMS(p.runDocument().DurationMS)
	m := runMark(r.State, p.interrupted)
	name := view.Sanitize(r.Name)
	about := fmt.Sprintf("run %s · branch %s from %s", r.ID, r.Branch, baseName(r))
	sign := pt.sgr(m.color, m.sign(a.ascii()))
	switch {
	case p.frozen != 0:
		return fmt.Sprintf("%s Run %s (%s): its process %d does not answer. Nothing is lost.   %s", sign, r.ID, name,
			p.frozen, pt.bold("orc resume"))
	case p.interrupted:
		return fmt.Sprintf("%s Run %s (%s) stopped unexpectedly %s. Nothing is lost.   %s", sign, r.ID, name,
			ago(p.now, p.stoppedAt), pt.bold("orc resume"))
	case r.State == scheduler.RunPaused:
		return fmt.Sprintf("%s %s paused. Nothing is lost.   %s\n  %s", sign, pt.bold(name), pt.bold("orc resume"), about)
	case r.State == scheduler.RunWaiting:
		return fmt.Sprintf("%s %s needs you.\n  %s", sign, pt.bold(name), about)
	case r.State == scheduler.RunFailed:
		return fmt.Sprintf("%s %s failed after %s.\n  %s", sign, pt.bold(name), took, about)
	case r.State == scheduler.RunCanceled:
		return fmt.Sprintf("%s %s was cancelled after %s.\n  %s", sign, pt.bold(name), took, about)
	case r.State == scheduler.RunCompleted && p.cause() != nil:
		return fmt.Sprintf("%s %s finished with failures after %s.\n  %s", sign, pt.bold(name), took, about)
	case r.State == scheduler.RunCompleted:
		return fmt.Sprintf("%s %s done in %s.\n  %s", sign, pt.bold(name), took, about)
	}
	return fmt.Sprintf("%s %s %s %s\n  %s", sign, pt.bold(name), m.word, took, about)
}

// writeCause tells the failure that explains the run's.
func (a *App) writeCause(b *strings.Builder, p *picture, t *scheduler.Task, pt paint) {
	d := newTaskDocument(t, p.attempts[t.ID], p.alive, p.now)
	who := view.Plural(d.Attempts, "attempt")
	if d.Agent != "" {
		who = d.Agent + ", " + who
	}
	fmt.Fprintf(b, "\n%s %s (%s)\n", pt.bold("Cause:"), d.ID, view.Sanitize(who))
	for _, line := range view.LastLines(view.Sanitize(d.Error), outputLines) {
		fmt.Fprintf(b, "  %s\n", line)
	}
	for _, line := range view.LastLines(view.Sanitize(d.Output), outputLines) {
		fmt.Fprintf(b, "    %s\n", pt.dim(line))
	}
	if names := p.notRun(t.ID); len(names) > 0 {
		fmt.Fprintf(b, "  Not run because of it: %s\n", some(names))
	}
	if d.Workspace != "" && d.Isolation != scheduler.IsolationNone {
		kept := fmt.Sprintf("workspace %s", a.tilde(d.Workspace))
		if d.Files > 0 {
			kept += fmt.Sprintf("  (%s changed)", view.Plural(d.Files, "file"))
		}
		fmt.Fprintf(b, "\nKept: %s\n", kept)
	}
}

// outputLines is how much of a failing output is shown with its failure.
const outputLines = 10

// remark says in a few words what happens or happened with a task.
func remark(d taskDocument, p *picture) string {
	tries := ""
	if d.Attempts > 1 {
		tries = fmt.Sprintf("attempt %d of %d", d.Attempts, max(d.Attempts, d.MaxAttempts))
	}
	var parts []string
	say := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	switch d.State {
	case scheduler.TaskRunning:
		if len(d.Conflicts) > 0 {
			say("conflict in " + some(d.Conflicts))
			if d.Resolved {
				say("resolved, waits for your yes")
			}
		} else if len(d.Questions) > 0 {
			q, mine := pressing(d.Questions)
			if !mine {
				q = d.Questions[0]
			}
			say(q.String())
		} else if d.Wants != "" {
			say(firstLine(d.WaitsFor))
		} else if d.WaitsUntil != nil {
			say("waits until " + d.WaitsUntil.Local().Format("15:04") + ": " + firstLine(d.WaitsFor))
		} else if d.WaitsFor != "" {
			say("waits: " + d.WaitsFor)
		} else {
			say(string(d.Phase))
		}
		say(d.Step)
		say(d.Fallback)
		say(tries)
		say(repairs(d))
	case scheduler.TaskEligible:
		if say(repairs(d)); d.Repairs != "" {
			break
		}
		if d.Attempts > 0 && d.Error != "" {
			say("again after: " + firstLine(d.Error))
		} else if d.Attempts > 0 {
			say("runs again")
		}
	case scheduler.TaskCompleted:
		if d.Files > 0 {
			say(fmt.Sprintf("+%d −%d", d.Additions, d.Deletions))
			say(view.Plural(d.Files, "file"))
		}
		say(tries)
	case scheduler.TaskPending:
		say("needs " + some(unsettled(d, p)))
	default:
		say(firstLine(d.Error))
		if d.Attempts > 1 {
			say(fmt.Sprintf("(tried %d times)", d.Attempts))
		}
	}
	return view.SanitizeLine(strings.Join(parts, "  "))
}

// wordOn are the commands by which a person gives a task what it waits for; empty = it waits for nothing of that kind.
func (p *picture) wordOn(t *scheduler.Task) [][2]string {
	at, id := p.last(t.ID), string(t.ID)
	switch at.Asks() {
	case persistence.WishStart:
		return [][2]string{{"orc approve " + id, "let it start; no: --reject 'why'"}}
	case persistence.WishMerge:
		return [][2]string{{"orc diff " + id, "what it changed"}, {"orc approve " + id, "merge it; no: --reject 'why'"}}
	case persistence.WishReview:
		return [][2]string{{"orc show " + id, "what its reviewer says"}, {"orc approve " + id, "accept it as it is; back to work: --reject 'why'"}}
	case persistence.WishBudget:
		if p.run.Options.Overspent == "" {
			return [][2]string{{"orc resume --budget " + view.More(id, at.Consent.Parts), "give it more, and go on"}}
		}
	}
	return nil
}

// spentParts are the parts of the run's budget that are used up, while it waits for more.
func (p *picture) spentParts() []string {
	if p.run.Options.Overspent == "" {
		return nil
	}
	b := p.run.Options.Budget
	var spent scheduler.Budget
	for _, all := range p.attempts {
		for _, at := range all {
			spent = spent.Add(at.Work.Spent())
		}
	}
	cost, tokens, _ := b.Reached(spent)
	var parts []string
	if cost {
		parts = append(parts, "cost")
	}
	if tokens {
		parts = append(parts, "tokens")
	}
	if len(parts) == 0 { // the store holds no clock; what is left is the time
		parts = append(parts, "time")
	}
	return parts
}

// repairs says what a task that is sent back has to repair.
func repairs(d taskDocument) string {
	if d.Repairs == "" {
		return ""
	}
	return "sent back: " + firstLine(d.Repairs)
}

// unsettled names what a task still waits for.
func unsettled(d taskDocument, p *picture) []string {
	var names []string
	for _, need := range d.Needs {
		if t := p.byID[need]; t != nil && !t.Status.Terminal() {
			names = append(names, string(need))
		}
	}
	return names
}

// nextCommands are what a person would do now.
func nextCommands(p *picture) []string {
	var next []string
	add := func(command, why string) { next = append(next, fmt.Sprintf("  %-36s %s", command, why)) }
	r := p.run
	switch {
	case p.interrupted || r.State == scheduler.RunPaused:
		add("orc resume "+string(r.ID), "go on; what is done stays done")
	case r.State == scheduler.RunWaiting || len(p.needsYou()) > 0:
		for _, c := range waitCommands(p) {
			add(c[0], c[1])
		}
		if len(p.approvals()) > 0 && !p.alive {
			add("orc resume "+string(r.ID), "go on, when you have said it")
		}
	case r.State == scheduler.RunFailed || r.State == scheduler.RunCompleted || r.State == scheduler.RunCanceled:
		if cause := p.cause(); cause != nil {
			add("orc logs "+string(cause.ID), "what it did")
			add("orc retry "+string(cause.ID), "try again, then go on")
		}
		for _, t := range p.tasks {
			if t.Status == scheduler.TaskCompleted && p.last(t.ID).MergeNew != "" {
				add("orc merge "+string(r.ID), "bring the finished work into your branch")
				break
			}
		}
	}
	if len(next) > 0 {
		next = append([]string{""}, next...)
	}
	return next
}

// waitCommands are what a person can do about what the run waits for.
func waitCommands(p *picture) (list [][2]string) {
	r := p.run
	if parts := p.spentParts(); len(parts) > 0 {
		list = append(list, [2]string{"orc resume --budget " + view.More("", parts), "give the run more, and go on"})
	}
	for _, t := range p.needsYou() {
		if word := p.wordOn(t); len(word) > 0 {
			list = append(list, word...)
			continue
		}
		if q, ok := pressing(openQuestions(p.last(t.ID))); ok {
			list = append(list, [2]string{fmt.Sprintf("orc answer %s '…'", t.ID), "or a number: " + some(numbered(q.Options))})
			continue
		}
		list = append(list, [2]string{fmt.Sprintf("orc show %s %s", r.ID, t.ID), "what it waits for"})
	}
	for _, at := range p.conflicts() {
		list = append(list, decisions(r, at)...)
	}
	return list
}

func itoa(n int) string { return strconv.Itoa(n) }
