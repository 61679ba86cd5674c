package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/scheduler"
)

const eachPlan = `version: 1
defaults: {verify: "true"}
tasks:
  first: {run: "true"}
  migrate:
    needs: first
    for_each: %s
    name: Move ${item}
    run: mv ${item} new/${item} && echo "$ORC_ITEM ${other}"
    writes: ["${item}/**"]
    verify: ["test -e new/${item}", "true"]
  last: {needs: [migrate, first], run: "echo ${item}"}
`

func spreadPlan(t *testing.T, list string, items map[string][]string) *Plan {
	t.Helper()
	p, found := Parse("p.yaml", fmt.Appendf(nil, eachPlan, list), Options{Items: items})
	if found.HasErrors() {
		t.Fatal(found)
	}
	return p
}

func taskIDs(tasks []*scheduler.Task) string {
	ids := make([]string, len(tasks))
	for i, t := range tasks {
		ids[i] = string(t.ID)
	}
	return strings.Join(ids, " ")
}

func TestEachItemOfAListIsATask(t *testing.T) {
	p := spreadPlan(t, `["pkg a", it's]`, map[string][]string{})
	tasks := p.Tasks()
	if ids := taskIDs(tasks); ids != "first migrate.pkg-a migrate.it-s last" {
		t.Fatal(ids)
	}
	want := &scheduler.Task{
		ID: "migrate.it-s", Name: "Move it's", Command: `mv 'it'\''s' new/'it'\''s' && echo "$ORC_ITEM ${other}"`,
		DependsOn: []scheduler.TaskID{"first"}, WritesFiles: []string{"it's/**"}, Verify: []string{`test -e new/'it'\''s'`, "true"},
		FailureMode: scheduler.FailHard, Attempts: 1, Status: scheduler.TaskPending,
	}
	if diff := cmp.Diff(want, tasks[2]); diff != "" {
		t.Error(diff)
	}
	if last := tasks[3]; fmt.Sprint(last.DependsOn) != "[migrate.pkg-a migrate.it-s first]" || last.Command != "echo ${item}" {
		t.Errorf("%+v", last)
	}
	if diff := cmp.Diff(map[scheduler.TaskID]string{"migrate.pkg-a": "pkg a", "migrate.it-s": "it's"}, p.Items()); diff != "" {
		t.Error(diff)
	}
	only, err := p.Select([]string{"migrate"}, nil)
	if ids := taskIDs(only); err != nil || ids != "migrate.pkg-a migrate.it-s" {
		t.Error(err, ids)
	}
}

func TestAListThatIsNotMadeIsOneTask(t *testing.T) {
	for list, name := range map[string]string{"[a, b, c]": "Move ${item} × 3", "{run: ls}": "Move ${item} × ?", "[]": "Move ${item} × 0"} {
		p := spreadPlan(t, list, nil)
		if tasks := p.Tasks(); len(tasks) != 3 || tasks[1].Name != name || fmt.Sprint(tasks[1].WritesFiles) != "[*/**]" {
			t.Errorf("%s: %+v", list, tasks[1])
		}
		if each := p.Each(); len(each) != 1 || each[0].Task != "migrate" || (each[0].Run == "") == (list == "{run: ls}") {
			t.Errorf("%s: %+v", list, each)
		}
	}
}

const readyList = `{run: "ls pkg", when: ready}`

func TestAListOfTheRunIsMadeByATaskOfItsOwn(t *testing.T) {
	for name, c := range map[string]struct {
		items       map[string][]string
		tasks, last string
	}{
		"not known": {map[string][]string{}, "first migrate last", "[migrate first]"},
		"empty":     {map[string][]string{"migrate": nil}, "first migrate last", "[migrate first]"},
		"made":      {map[string][]string{"migrate": {"a", "b c"}}, "first migrate migrate.a migrate.b-c last", "[migrate.a migrate.b-c first]"},
	} {
		p := spreadPlan(t, readyList, c.items)
		tasks := p.Tasks()
		if ids, last := taskIDs(tasks), fmt.Sprint(tasks[len(tasks)-1].DependsOn); ids != c.tasks || last != c.last {
			t.Errorf("%s: %s, the last needs %s", name, ids, last)
			continue
		}
		want := &scheduler.Task{
			ID: "migrate", Name: "list of migrate", Command: "ls pkg", DependsOn: []scheduler.TaskID{"first"}, Timeout: ListTime,
			FailureMode: scheduler.FailHard, Attempts: 1, Status: scheduler.TaskPending,
		}
		if diff := cmp.Diff(want, tasks[1]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if all := p.Templates(); len(all) != 1 || all[0].Command == "ls pkg" || all[0].ID != "migrate" || len(all[0].Verify) != 2 {
			t.Errorf("%s: %+v", name, all)
		}
		if approve, own := p.ApproveOf()["migrate"]; !own || len(approve) > 0 {
			t.Errorf("%s: %v", name, approve)
		}
	}
	p := spreadPlan(t, readyList, map[string][]string{"migrate": {"a"}})
	if part := p.Tasks()[2]; fmt.Sprint(part.DependsOn) != "[migrate]" || part.Name != "Move a" {
		t.Errorf("%+v", part)
	}
	if only, err := p.Select([]string{"migrate"}, nil); err != nil || taskIDs(only) != "migrate migrate.a" {
		t.Error(err, taskIDs(only))
	}
	folded := spreadPlan(t, readyList, nil)
	if tasks := folded.Tasks(); len(folded.Templates()) != 0 || tasks[1].Name != "Move ${item} × ?" {
		t.Errorf("%+v", tasks[1])
	}
}

func TestALateListReadsNoFile(t *testing.T) {
	text := "version: 1\nagents: {coder: {provider: command, command: cat, instructions_file: gone.md}}\ntasks:\n" +
		"  m: {for_each: {run: ls, when: ready}, prompt_file: gone.md, agent: coder}\n  other: {prompt_file: gone.md, agent: coder}\n"
	p, found := Parse("p.yaml", []byte(text), Options{
		Items: map[string][]string{"m": {"x"}}, Prompts: map[string]string{"m": "Do ${item}."},
	})
	if found.HasErrors() {
		t.Fatal(found)
	}
	if part := p.Tasks()[1]; part.Prompt != "Do x." || p.Each()[0].Prompt != "Do ${item}." || !p.Each()[0].Ready {
		t.Errorf("%+v %+v", part, p.Each())
	}
}

func TestAnEmptyListIsATaskWithNothingToDo(t *testing.T) {
	tasks := spreadPlan(t, "{run: ls}", map[string][]string{"migrate": nil}).Tasks()
	nothing := tasks[1]
	if taskIDs(tasks) != "first migrate last" || nothing.Command != ":" || len(nothing.Verify)+len(nothing.WritesFiles) > 0 ||
		nothing.Isolation != scheduler.IsolationNone || fmt.Sprint(nothing.DependsOn) != "[first]" || nothing.Name != "Move  (nothing to do)" {
		t.Errorf("%s: %+v", taskIDs(tasks), nothing)
	}
}

func TestIDsOfAListAreGoodAndDifferent(t *testing.T) {
	items := []string{
		"a", "A", "a", "./a", "x/y.go", "..", "…", "b.lock", "b..c", "-", strings.Repeat("long/", 40), strings.Repeat("long/", 40), "über", ".hidden", "a.", "taken",
	}
	p, found := Parse("p.yaml", []byte("version: 1\ntasks:\n  m.taken: {run: x}\n  m: {for_each: {run: ls}, run: x}\n"), Options{Items: map[string][]string{"m": items}})
	if found.HasErrors() {
		t.Fatal(found)
	}
	seen := map[scheduler.TaskID]bool{}
	for _, task := range p.Tasks() {
		if message, _ := checkID("task", string(task.ID)); message != "" || seen[task.ID] {
			t.Errorf("%s: %s", task.ID, message)
		}
		seen[task.ID] = true
	}
	for _, id := range []scheduler.TaskID{"m.a", "m.a-2", "m.a-3", "m.a-4", "m.x-y.go", "m.item", "m.item-2", "m.b-lock", "m.b.-c", "m.taken", "m.taken-2", "m.ber", "m.hidden"} {
		if !seen[id] {
			t.Errorf("there is no %s in %s", id, taskIDs(p.Tasks()))
		}
	}
}

func TestWhatAListCannotBe(t *testing.T) {
	many := make([]string, MaxItems+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for name, c := range map[string]struct {
		task  string
		items []string
		code  string
	}{
		"a word":                {`for_each: a, run: x`, nil, "bad-type"},
		"no command":            {`for_each: {}, run: x`, nil, "missing-key"},
		"another key":           {`for_each: {run: ls, in: x}, run: x`, nil, "unknown-key"},
		"an item of two lines":  {`for_each: ["a\nb"], run: x`, nil, "bad-value"},
		"a map as item":         {`for_each: [{a: b}], run: x`, nil, "bad-type"},
		"too many":              {`for_each: [` + strings.Join(many, ", ") + `], run: x`, nil, "too-large"},
		"a glob out of it":      {`for_each: [..], writes: ["${item}/x"], run: x`, nil, "bad-glob"},
		"another time":          {`for_each: {run: ls, when: late}, run: x`, nil, "bad-value"},
		"too many of the run":   {`for_each: {run: ls, when: ready}, run: x`, many, "too-large"},
		"too many lines":        {`for_each: {run: ls}, run: x`, many, "too-large"},
		"a line with an escape": {`for_each: {run: ls}, run: x`, []string{"a\x1b"}, "control-character"},
		"nothing to do":         {`for_each: [a]`, nil, "no-work"},
	} {
		o := Options{}
		if c.items != nil {
			o.Items = map[string][]string{"m": c.items}
		}
		_, found := Parse("p.yaml", []byte("version: 1\ntasks:\n  m: {"+c.task+"}\n"), o)
		if !slices.ContainsFunc(found.Errors(), func(d diagnostic.Diagnostic) bool { return d.Code == c.code }) {
			t.Errorf("%s: %v", name, found)
		}
	}
	for list, early := range map[string]bool{"{run: ls}": true, "{run: ls, when: start}": true, "{run: ls, when: ready}": false} {
		_, found := Parse("p.yaml", []byte("version: 1\ntasks:\n  a: {run: x}\n  m: {needs: a, for_each: "+list+", run: x}\n"), Options{})
		if found.HasErrors() || slices.ContainsFunc(found, func(d diagnostic.Diagnostic) bool { return d.Code == "early-list" }) != early {
			t.Errorf("%s: %v", list, found)
		}
	}
}
