package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan/document"
	"orchestrator/internal/scheduler"
)

// approvals are the words of `approve`.
var approvals = []string{string(scheduler.ApproveStart), string(scheduler.ApproveMerge)}

// asked is what `approve` says.
type asked struct {
	at    *document.Node // nil = not given
	steps []scheduler.Approval
}

// limits is what `budget` says.
type limits struct {
	at *document.Node // nil = not given
	scheduler.Budget
}

const maxTokens = 1 << 50

// The keys of `budget`.
var budgetKeys = []key[limits]{
	{
		name: "cost", shape: shape{"type": "number", "exclusiveMinimum": 0}, examples: []any{5.0},
		about: "US dollars, as agents report them. What no agent prices is not counted: bound the tokens there.",
		set:   (*checker).setCost,
	},
	{
		name: "tokens", shape: number(1, maxTokens), examples: []any{2_000_000},
		about: "Tokens sent to models and received from them.",
		set: func(c *checker, b *limits, f document.Field) {
			n, _ := c.Number(f.Value, "`tokens`", 1, maxTokens)
			b.Tokens = int64(n)
		},
	},
	{
		name: "time", shape: duration, examples: []any{"2h"},
		about: "Of a task: the time in which its attempts work, without waits. Of the plan: the time in which somebody works on the run.",
		set:   func(c *checker, b *limits, f document.Field) { b.Time, _ = c.Duration(f.Value, "`time`") },
	},
}

// budgetSchema is the schema of a budget, which bounds something.
func budgetSchema() shape {
	level := describeLevel(budgetKeys)
	level["minProperties"] = 1
	return level
}

func (c *checker) setCost(b *limits, f document.Field) {
	n := document.Resolve(f.Value)
	value, err := strconv.ParseFloat(n.Value, 64)
	switch {
	case n.Tag != "!!int" && n.Tag != "!!float" || err != nil:
		c.Error(f.Value, "bad-type", fmt.Sprintf("`cost` wants a number, got %s", diagnostic.Quote(n.Value)), "write dollars without a sign, such as 5 or 1.50")
	case value <= 0 || math.IsInf(value, 0) || math.IsNaN(value):
		c.Error(f.Value, "bad-value", fmt.Sprintf("`cost` cannot be %s", diagnostic.Quote(n.Value)), "more than 0 dollars")
	default:
		b.Cost = value
	}
}

func budgetKey[T any](of func(*T) *settings, about string) key[T] {
	return key[T]{
		name: "budget", shape: object("budget"), examples: []any{map[string]any{"cost": 1.5, "time": "2h"}}, about: about,
		set: func(c *checker, t *T, f document.Field) {
			b := &of(t).budget
			b.at = f.Key
			if read(c, f.Value, "`budget`", budgetKeys, nil, b) && b.IsZero() && !c.Findings().HasErrors() {
				c.Error(f.Key, "missing-key", "`budget` bounds nothing", "give it `cost`, `tokens` or `time`")
			}
		},
	}
}

const (
	aboutRunBudget  = "What the whole run may spend, over all resumes. At the limit nothing further starts, agents at work are interrupted, and the run waits for a person (exit code 6)."
	aboutTaskBudget = "What a task may spend, over all its attempts. At the limit its agent is interrupted, and the task waits for a person with its work. A plain command has `time` alone."
)

func approveKey[T any](of func(*T) *settings) key[T] {
	return key[T]{
		name:  "approve",
		shape: either(choice(approvals...), shape{"type": "array", "items": choice(approvals...)}), examples: []any{"merge", []any{"start", "merge"}},
		about: "What a person has to say yes to (orc approve). start: that its first attempt begins. merge: that its work, checked and saved, is merged. Default: nothing.",
		set: func(c *checker, t *T, f document.Field) {
			a := &of(t).approve
			a.at, a.steps = f.Key, []scheduler.Approval{}
			for _, item := range c.List(f.Value, "`approve`") {
				step := scheduler.Approval(item.Text)
				if !slices.Contains(approvals, item.Text) {
					c.Error(item.Node, "bad-value", fmt.Sprintf("`approve` cannot be %s", diagnostic.Quote(item.Text)), "one of: start, merge, or a list of both")
				} else if !slices.Contains(a.steps, step) {
					a.steps = append(a.steps, step)
				}
			}
		},
	}
}

// checkPerson keeps what a task can wait for to what there is.
func (c *checker) checkPerson() {
	for i := range c.draft.tasks {
		t := &c.draft.tasks[i]
		isolation := first(t.isolation, c.draft.defaults.isolation, c.o.DefaultIsolation)
		if isolation == scheduler.IsolationNone && slices.Contains(t.approve.steps, scheduler.ApproveMerge) {
			c.Error(t.approve.at, "bad-value", fmt.Sprintf("task `%s` cannot have `approve: merge` with `isolation: none`: nothing of it is merged", t.id),
				"use `approve: start`, or another isolation")
		}
		if t.run.at != nil && (t.budget.Cost > 0 || t.budget.Tokens > 0) {
			c.Error(t.budget.at, "bad-value", fmt.Sprintf("task `%s` is a command, which has neither cost nor tokens", t.id), "bound its `time`")
		}
	}
}

// Budget is what the whole run may spend.
func (p *Plan) Budget() scheduler.Budget { return p.whole.budget.Budget }

// TaskBudget is what each task may spend that does not say it itself.
func (p *Plan) TaskBudget() scheduler.Budget { return p.defaults.budget.Budget }

// BudgetOf are the budgets of the tasks that say it themselves.
func (p *Plan) BudgetOf() map[scheduler.TaskID]scheduler.Budget {
	return own(p, func(t *task) (scheduler.Budget, bool) { return t.budget.Budget, t.budget.at != nil })
}

// Approve is what a person has to say yes to in tasks that do not say it themselves.
func (p *Plan) Approve() []scheduler.Approval { return p.defaults.approve.steps }

// ApproveOf is what a person has to say yes to in the tasks that say it themselves.
func (p *Plan) ApproveOf() map[scheduler.TaskID][]scheduler.Approval {
	return own(p, func(t *task) ([]scheduler.Approval, bool) { return t.approve.steps, t.approve.at != nil })
}

// own collects what single tasks say; nil = none does.
func own[T any](p *Plan, of func(*task) (T, bool)) map[scheduler.TaskID]T {
	var m map[scheduler.TaskID]T
	for i := range p.tasks {
		if said, ok := of(&p.tasks[i]); ok {
			if m == nil {
				m = map[scheduler.TaskID]T{}
			}
			m[scheduler.TaskID(p.tasks[i].id)] = said
		}
	}
	return m
}
