package orchestrator

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// How much of a plan an agent is told that is asked before the person, in bytes.
const (
	toldPlan = 128 << 10 // of all its tasks; what is left of them is named alone
	toldTask = 2 << 10   // of one task's prompt, and of what it said in the end
)

// decision is what an agent does with a question.
type decision struct {
	pass bool   // the person is to be asked
	text string // the answer, or why it does not answer
	said string // all that it said; empty = it was not asked
}

const interruptedReferral = "You were interrupted before you had decided about the question that you were asked. Go on where you left off. "

// howToDecide ends every message to an agent that is asked before the person.
const howToDecide = `Answer if what the plan, the task and the repository say is enough to decide as the person would. Pass the
question on if only the person can know the answer or may decide: money, accounts, secrets, what cannot be undone, what
nobody has said. Do not change any file.

End with one line of its own that says what you do, and below it the answer as the agent is to read it (one of its options by
its number, or your own words), or why you cannot decide, as the person is to read it. Either

    DECISION: answer
    (the answer)

or

    DECISION: pass
    (I cannot decide this, because …)
`

// decisionLine finds a decision, which agents decorate in their ways.
var decisionLine = regexp.MustCompile(`(?im)^[ \t>*_#` + "`" + `-]*decision[*_` + "`" + `]*[ \t]*[:=-]+[ \t]*[*_` + "`" + `]*(answer|pass)\b([^\n]*)$`)

// readDecision reads the last decision of an answer; false = there is none, or nothing is said with it.
func readDecision(said string, options []string) (decision, bool) {
	all := decisionLine.FindAllStringSubmatchIndex(said, -1)
	if len(all) == 0 {
		return decision{}, false
	}
	last := all[len(all)-1]
	text := strings.TrimSpace(strings.Trim(said[last[4]:last[5]], " \t:*_`.-") + "\n" + strings.Trim(said[last[1]:], "\n`"))
	if text == "" {
		return decision{}, false
	}
	d := decision{pass: strings.EqualFold(said[last[2]:last[3]], "pass"), text: clip(text, mostFindings), said: said}
	if n, err := strconv.Atoi(strings.TrimRight(text, ".)")); !d.pass && err == nil && n >= 1 && n <= len(options) {
		d.text = options[n-1]
	}
	return d, true
}

// referralPrompt is what an agent is told that is asked before the person: the question, the task whose agent asks it, and
// the whole plan.
func (e *Engine) referralPrompt(t *tracked, q *persistence.Question) string {
	var b strings.Builder
	if c := strings.TrimSpace(e.run.Context); c != "" {
		b.WriteString(c + "\n\n")
	}
	fmt.Fprintf(&b, `An agent that works on task %s of the plan below asks a question and waits. You are asked before the person who runs the
plan: decide it, or pass it on.

Your folder is the person's repository. The tasks work in copies of their own; what is merged of them so far is the branch %s.

## The question

%s
`, t.task.ID, e.run.Branch, strings.TrimSpace(q.Text))
	for i, o := range q.Options {
		fmt.Fprintf(&b, "%s%d. %s\n", map[bool]string{true: "\n"}[i == 0], i+1, oneLine(o))
	}
	fmt.Fprintf(&b, "\n## The task that asks: %s\n\n%s\n", t.task.ID, strings.TrimSpace(t.task.Prompt))
	step := e.stepsOf(t.task.ID, t.attempt)
	if s := step[min(t.attempt.Work.Step, len(step)-1)]; s.Agent != "" {
		fmt.Fprintf(&b, "\nIt is at the step of %s. %s\n", s.Agent, strings.TrimSpace(s.Prompt))
	}
	fmt.Fprintf(&b, "\n## The plan: %s\n", oneLine(e.run.Name))
	if d := strings.TrimSpace(e.run.Description); d != "" {
		b.WriteString("\n" + d + "\n")
	}
	e.tellPlan(&b)
	e.tellAnswers(&b)
	b.WriteString("\n## Your decision\n\n" + howToDecide)
	return b.String()
}

// tellPlan lists the tasks of the plan: what they are asked, where they stand, and what they said in the end.
func (e *Engine) tellPlan(b *strings.Builder) {
	begin := b.Len()
	for _, id := range e.order {
		t := e.tasks[id].task
		fmt.Fprintf(b, "\n- %s: %s", id, t.Status)
		if b.Len()-begin > toldPlan {
			continue
		}
		if len(t.DependsOn) > 0 {
			b.WriteString(", needs " + joined(t.DependsOn))
		}
		what := t.Prompt
		if what == "" {
			what = t.Command
		}
		fmt.Fprintf(b, "\n\n%s\n", lines(clip(strings.TrimSpace(what), toldTask), "    "))
		if said := outcomeOf(t); said != "" {
			fmt.Fprintf(b, "\n  It came to:\n\n%s\n", lines(clip(said, toldTask), "    "))
		}
	}
	b.WriteString("\n")
}

// outcomeOf is what a task that is over said in the end, or why it failed.
func outcomeOf(t *scheduler.Task) string {
	if t.Result != nil && t.Status == scheduler.TaskCompleted {
		return strings.TrimSpace(*t.Result)
	}
	return strings.TrimSpace(t.Error)
}

func joined(ids []scheduler.TaskID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	return strings.Join(names, ", ")
}

// tellAnswers lists what was asked and answered before in the run's latest attempts, so that decisions fit together.
func (e *Engine) tellAnswers(b *strings.Builder) {
	type told struct {
		task scheduler.TaskID
		q    persistence.Question
	}
	var all []told
	for _, id := range e.order {
		if a := e.tasks[id].attempt; a != nil && a.Work != nil {
			for _, q := range a.Work.Questions {
				if q.By != "" {
					all = append(all, told{id, q})
				}
			}
		}
	}
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(all, func(x, y told) int { return x.q.AnsweredAt.Compare(y.q.AnsweredAt) })
	b.WriteString("\n## What was asked and answered before\n")
	for _, x := range all[max(len(all)-20, 0):] {
		fmt.Fprintf(b, "\n- %s asked:\n\n%s\n\n  %s answered:\n\n%s\n", x.task, lines(clip(x.q.Text, toldTurn), "    "), x.q.By, lines(clip(x.q.Answer, toldTurn), "    "))
	}
}
