package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/scheduler"
)

func TestBudgetsAndApprovalsOfAPlan(t *testing.T) {
	p := parse(t, `version: 1
budget: {cost: 5.00, tokens: 2000000, time: 2h}
defaults: {budget: {tokens: 1000}, approve: start}
tasks:
  a: {run: x}
  b: {prompt: y, agent: c, budget: {cost: 1, time: 90s}, approve: [start, merge, start]}
  c: {run: x, approve: [], budget: {time: 1m}}
agents: {c: {provider: command, command: x}}
`)
	start, merge := scheduler.ApproveStart, scheduler.ApproveMerge
	for name, diff := range map[string]string{
		"run's budget":   cmp.Diff(scheduler.Budget{Cost: 5, Tokens: 2_000_000, Time: 2 * time.Hour}, p.Budget()),
		"tasks' budget":  cmp.Diff(scheduler.Budget{Tokens: 1000}, p.TaskBudget()),
		"own budgets":    cmp.Diff(map[scheduler.TaskID]scheduler.Budget{"b": {Cost: 1, Time: 90 * time.Second}, "c": {Time: time.Minute}}, p.BudgetOf()),
		"approve of all": cmp.Diff([]scheduler.Approval{start}, p.Approve()),
		"own approve":    cmp.Diff(map[scheduler.TaskID][]scheduler.Approval{"b": {start, merge}, "c": {}}, p.ApproveOf()),
	} {
		if diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBadBudgetsAndApprovalsAreSaid(t *testing.T) {
	for text, want := range map[string]string{
		"budget: {cost: 0}\ntasks: {a: {run: x}}":                             "`cost` cannot be `0`",
		"budget: {cost: .inf}\ntasks: {a: {run: x}}":                          "`cost`",
		"budget: {cost: $5}\ntasks: {a: {run: x}}":                            "`cost` wants a number, got `$5`",
		"budget: {}\ntasks: {a: {run: x}}":                                    "bounds nothing",
		"budget: {money: 1}\ntasks: {a: {run: x}}":                            "unknown key `money`",
		"budget: {tokens: -1}\ntasks: {a: {run: x}}":                          "`tokens` cannot be",
		"budget: {time: 5}\ntasks: {a: {run: x}}":                             "is not a duration",
		"tasks: {a: {run: x, budget: {cost: 1}}}":                             "neither cost nor tokens",
		"tasks: {a: {run: x, approve: end}}":                                  "`approve` cannot be `end`",
		"tasks: {a: {run: x, isolation: none, approve: merge}}":               "nothing of it is merged",
		"defaults: {isolation: none}\ntasks: {a: {run: x, approve: [merge]}}": "nothing of it is merged",
	} {
		p, list := Parse("test.yaml", []byte("version: 1\n"+text+"\n"), Options{})
		if p != nil || len(list) != 1 || !strings.Contains(list[0].String(), want) {
			t.Errorf("%q: %v", text, list)
		}
	}
}
