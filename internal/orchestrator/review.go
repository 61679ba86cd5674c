package orchestrator

import (
	"fmt"
	"regexp"
	"strings"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// mostFindings bounds what is kept of a review, in bytes.
const mostFindings = 16 << 10

// howToJudge ends every message to a reviewer.
const howToJudge = `Do not change any file. Reject only for what has to change before this work can be merged; say of each such point where it
is (file and line) and what is wrong, the most important one first. Do not repeat what the checks would find.

End your answer with one line of its own, which says your verdict: either

    VERDICT: approve

or

    VERDICT: reject
`

// verdictLine finds a verdict in an answer, which agents decorate in their ways.
var verdictLine = regexp.MustCompile(`(?im)^[ \t>*_#` + "`" + `-]*verdict[*_` + "`" + `]*[ \t]*[:=-]+[ \t]*[*_` + "`" + `]*(approved?|accept(?:ed)?|reject(?:ed)?|request[ _-]changes|changes[ _-]requested)\b[^\n]*$`)

// readVerdict reads the last verdict of an answer; ok is false when there is none. findings is the rest of it.
func readVerdict(answer string) (approved bool, findings string, ok bool) {
	all := verdictLine.FindAllStringSubmatchIndex(answer, -1)
	if len(all) == 0 {
		return false, answer, false
	}
	last := all[len(all)-1]
	word := strings.ToLower(answer[last[2]:last[3]])
	findings = strings.TrimSpace(strings.TrimSpace(answer[:last[0]]) + "\n" + answer[last[1]:])
	return strings.HasPrefix(word, "a"), findings, true
}

// verdict takes a reviewer's answer; one that says no verdict is asked for it.
func (t *talk) verdict(r *provider.Result) (*message, error) {
	at, w := t.at, t.w
	told, err := at.e.told(&at.a)
	if err != nil {
		return nil, err
	}
	answer := r.Summary
	if d := told.Declared; d != nil && d.Turn == w.Turn && verdictLine.MatchString(d.Summary) { // it said it by task_complete
		answer = d.Summary
	}
	approved, findings, ok := readVerdict(answer)
	if !ok {
		return t.nudge(r, "It ended its review without a verdict",
			"Your review has no verdict. Answer with what has to change, if anything, and end with one line: `VERDICT: approve` or `VERDICT: reject`.")
	}
	if !approved && findings == "" {
		return t.nudge(r, "It rejects the work and does not say why",
			"You reject the work, but do not say what has to change. Name it, and end with your verdict again.")
	}
	if at.a.Isolation != scheduler.IsolationNone {
		_, tree, err := at.changes()
		if err != nil {
			return nil, err
		}
		if tree != w.Tree {
			changes, err := at.e.o.Repository.Changes(at.ctx, w.Tree, tree)
			if err != nil {
				return nil, err
			}
			r.Kind = provider.KindFailed
			r.Error = "it changed files, which a review must not: " + some(pathsOf(changes))
			return nil, nil
		}
	}
	w.Round++
	w.Approves = approved
	w.Review = &persistence.Review{Step: w.Step, Approved: approved, Findings: clip(findings, mostFindings), Tree: w.Tree}
	w.Words = w.Review.Findings
	return nil, nil
}

func pathsOf(changes []workspace.FileChange) []string {
	paths := make([]string, len(changes))
	for i, c := range changes {
		paths[i] = c.Path
	}
	return paths
}

// judged follows a verdict: on to the next step, back to the one that worked, or no further.
func (at *attempt) judged() (scheduler.Phase, *ended) {
	w, a := at.a.Work, &at.a
	s := at.step()
	d := event.Detail{
		Status: string(scheduler.TaskRunning), Agent: at.role(), Step: w.Step + 1, Round: w.Round, Action: "approve", Message: clip(w.Review.Findings, toldTurn),
	}
	if !w.Review.Approved {
		d.Action = "reject"
	}
	said := at.e.event(event.TaskReviewed, a.Task, a.Number, d)
	if w.Review.Approved {
		return at.following(said)
	}
	back := at.workedBefore(w.Step)
	if !s.Final && w.Round < s.Rounds {
		return at.goTo(back, said)
	}
	if !s.Final && at.e.personDecides(a.Task) {
		end := at.ask(persistence.WishReview, fmt.Sprintf("%s rejects it after %d rounds: %s", at.role(), w.Round, oneLine(clip(w.Review.Findings, toldTurn))))
		end.events = append(end.events, said)
		return "", &end
	}
	a.Output = w.Review.Findings
	why := fmt.Sprintf("%s rejected the work", at.role())
	if w.Round > 1 {
		why = fmt.Sprintf("%s rejected the work %d times", at.role(), w.Round)
	}
	end := at.failed(why+": "+oneLine(clip(w.Review.Findings, toldTurn)), !s.Final)
	end.events = append([]event.Event{said}, end.events...)
	return "", &end
}

// personDecides says whether there is a person to ask, by what the plan says about questions.
func (e *Engine) personDecides(id scheduler.TaskID) bool {
	how := e.questionsOf(id)
	return how != questionsNever && how != questionsFail
}

// backToWork has rejected work go back with a person's words; the rounds begin anew.
func (e *Engine) backToWork(b *batch, t *tracked, reason string) {
	a := t.attempt
	w := a.Work.Clone()
	review := *w.Review
	review.Findings = fmt.Sprintf("A person has looked at it and says:\n%s\n\nThe reviewer's findings were:\n%s", e.redacted(strings.TrimSpace(reason)), review.Findings)
	w.Review, w.Ruling = &review, persistence.RulingBack
	a.Work, a.Consent.Given = w, true
	b.record(*a)
	b.t.Events = append(b.t.Events, e.event(event.TaskGranted, a.Task, a.Number, event.Detail{
		Status: string(scheduler.TaskRunning), Wants: string(a.Consent.Wants), Action: "reject", Message: e.redacted(reason),
	}))
	e.must(b, scheduler.Due{Task: a.Task})
}

// ruled follows a person's word on a review that came to no end.
func (at *attempt) ruled() (scheduler.Phase, *ended) {
	w := at.a.Work
	ruling := w.Ruling
	w.Ruling, w.Round = "", 0
	if ruling == persistence.RulingBack {
		return at.goTo(at.workedBefore(w.Step))
	}
	review := *w.Review
	review.Approved = true
	w.Review, w.Approves = &review, true
	at.result = at.summary()
	return at.following()
}

// workedBefore is the last step before a review that worked.
func (at *attempt) workedBefore(review int) int {
	for i := review - 1; i > 0; i-- {
		if !at.steps()[i].Review {
			return i
		}
	}
	return 0
}

// reviewPrompt is what a reviewer is told first.
func (t *talk) reviewPrompt() (string, error) {
	at := t.at
	var b strings.Builder
	if c := strings.TrimSpace(at.e.frozen.Load().context); c != "" {
		b.WriteString(c + "\n\n")
	}
	fmt.Fprintf(&b, "You review the work that another agent did on a task.\n\n## The task\n\n%s\n", strings.TrimSpace(at.task.Prompt))
	if p := strings.TrimSpace(at.step().Prompt); p != "" {
		fmt.Fprintf(&b, "\n## What to look for\n\n%s\n", p)
	}
	fmt.Fprintf(&b, "\n## What was said of the work\n\n%s\n", lines(orNothing(*at.summary()), "    "))
	work, err := t.underReview(at.a.Base)
	if err != nil {
		return "", err
	}
	b.WriteString("\n## The work\n\n" + work)
	if len(at.task.Verify) > 0 {
		fmt.Fprintf(&b, "\nThese checks passed on it: %s\n", strings.Join(at.task.Verify, "; "))
	}
	b.WriteString("\n## Your verdict\n\nDoes the work do what the task asks, all of it, without a fault?\n\n" + howToJudge)
	return b.String(), nil
}

// reviewAgain is what a reviewer is told whose findings were answered.
func (t *talk) reviewAgain() (string, error) {
	at := t.at
	before := t.w.Tree
	if before == "" {
		before = at.a.Base
	}
	work, err := t.underReview(before)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("The work that you reviewed was changed. Its author says:\n\n%s\n\n## What is different since you looked\n\n%s\nAre your points dealt with, and is nothing new wrong? A reason not to follow a point may be a good one.\n\n%s",
		lines(orNothing(*at.summary()), "    "), work, howToJudge), nil
}

// underReview shows the workspace's difference from an earlier tree or commit, and notes what the reviewer looks at.
func (t *talk) underReview(before string) (string, error) {
	at := t.at
	if at.a.Isolation == scheduler.IsolationNone {
		return "It is in the repository that you are in: `git status` and `git diff` show it.\n", nil
	}
	_, tree, err := at.changes()
	if err != nil {
		return "", err
	}
	t.w.Tree = tree
	changes, err := at.e.o.Repository.Changes(at.ctx, before, tree)
	if err != nil {
		return "", err
	}
	if len(changes) == 0 {
		return "No file is different.\n", nil
	}
	out := &capped{limit: toldDiff}
	if err := at.e.o.Repository.Diff(at.ctx, out, before, tree, workspace.DiffOptions{}); err != nil {
		return "", err
	}
	return fmt.Sprintf("Your folder has the files as they are now; `git diff %s %s` shows this difference:\n\n%s\n", before, tree, lines(out.text(), "    ")), nil
}
