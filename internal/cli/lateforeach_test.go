package cli

import (
	"fmt"
	"strings"
	"testing"

	"orchestrator/internal/config"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/scheduler"
)

const latePlan = `version: 1
tasks:
  first: {run: "true"}
  m:
    needs: first
    for_each: {run: ls, when: ready}
    run: echo ${item}
    budget: {time: 5m}
    approve: merge
    writes: ["${item}"]
    strict_writes: true
  last: {needs: [first, m], run: "true"}
  m.taken: {run: "true"}
`

// lateExpansion is a run of the plan in which the task of the list has printed a text.
func lateExpansion(t *testing.T, text string, made []string) orchestrator.Expansion {
	t.Helper()
	items := map[string][]string{}
	if made != nil {
		items["m"] = made
	}
	p, found := plan.Parse("p.yaml", []byte(latePlan), plan.Options{Items: items})
	if found.HasErrors() {
		t.Fatal(found)
	}
	tasks := p.Tasks()
	for _, task := range tasks {
		task.Isolation = scheduler.IsolationWorktree
	}
	return orchestrator.Expansion{List: "m", Text: text, Tasks: tasks, Run: persistence.Run{
		PlanPath: "p.yaml", Plan: latePlan,
		Options: persistence.RunOptions{
			Lists: listsOf(p, nil), Items: p.Items(), ApproveOf: p.ApproveOf(), BudgetOf: p.BudgetOf(), StrictWrites: p.StrictWrites(),
		},
	}}
}

func TestALateListTakesThePlaceOfTheOneBefore(t *testing.T) {
	t.Parallel()
	expand := (&App{}).expand(&config.Config{})
	for name, c := range map[string]struct {
		text  string
		made  []string
		tasks string
	}{
		"the first":    {"a\n\n b \n", nil, "first [] m [first] m.a [m] m.b [m] last [first m.a m.b] m.taken []"},
		"another one":  {"b\nc\n", []string{"a", "b"}, "first [] m [first] m.b [m] m.c [m] last [first m.b m.c] m.taken []"},
		"an empty one": {"\n", []string{"a", "b"}, "first [] m [first] last [first m] m.taken []"},
	} {
		r, err := expand(lateExpansion(t, c.text, c.made))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, task := range r.Tasks {
			got = append(got, fmt.Sprint(task.ID, " ", task.DependsOn))
			if task.Isolation != scheduler.IsolationWorktree {
				t.Errorf("%s: %s has isolation %q", name, task.ID, task.Isolation)
			}
			if _, part := r.Options.Items[task.ID]; part && (len(r.Options.ApproveOf[task.ID]) != 1 || r.Options.BudgetOf[task.ID].IsZero()) {
				t.Errorf("%s: what %s says of itself is lost: %+v", name, task.ID, r.Options)
			}
		}
		if all := strings.Join(got, " "); all != c.tasks {
			t.Errorf("%s: %s", name, all)
		}
		o := r.Options
		if n := len(listItems(c.text)); !o.Lists["m"].Made || len(o.Lists["m"].Items) != n || len(o.Items) != n || len(o.StrictWrites) != n || len(o.ApproveOf) != n+1 {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestWhatALateListCannotBe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a\x1b[2J\n":                "item 1 of the list of task `m` has a control character",
		strings.Repeat("x\n", 1001): "the list of task `m` has 1001 items; at most 1000 are allowed",
		"a\n..\n":                   "with the item `..`: ",
		"b\ntaken\n":                "",
	} {
		_, err := (&App{}).expand(&config.Config{})(lateExpansion(t, text, nil))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
