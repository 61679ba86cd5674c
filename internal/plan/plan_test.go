package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/scheduler"
)

// parse is a plan that must be good.
func parse(t *testing.T, src string) *Plan {
	t.Helper()
	p, list := Parse("test.yaml", []byte(src), Options{})
	if p == nil {
		t.Fatalf("not a good plan: %v", list)
	}
	return p
}

// codes are the codes of what is said about a plan.
func codes(list diagnostic.List) []string {
	var got []string
	for _, d := range list {
		got = append(got, d.Code)
	}
	return got
}

func TestTasksComeInFileOrderWithDefaultsApplied(t *testing.T) {
	p, list, err := Load("testdata/good/everything.yaml", Options{DefaultIsolation: scheduler.IsolationClone})
	if err != nil || p == nil {
		t.Fatal(err, list)
	}
	want := []*scheduler.Task{
		{
			ID: "a", Name: "The first", AgentRole: "c", Prompt: "Do it.", WritesFiles: []string{"a/**"}, Verify: []string{"make test"},
			FailureMode: scheduler.FailSoft, Isolation: scheduler.IsolationWorktree, Attempts: 3, Timeout: time.Hour, Status: scheduler.TaskEligible,
		},
		{
			ID: "b", Command: "x", DependsOn: []scheduler.TaskID{"a"}, FailureMode: scheduler.FailHard,
			Isolation: scheduler.IsolationWorktree, Attempts: 1, Timeout: time.Hour, Status: scheduler.TaskPending,
		},
		{
			ID: "c", AgentRole: "c", Prompt: "text", DependsOn: []scheduler.TaskID{"a", "b"}, WritesFiles: []string{"b", "c/{d,e}/*.go"},
			Verify: []string{"make test"}, FailureMode: scheduler.FailSkip, Isolation: scheduler.IsolationClone, Attempts: 1,
			Timeout: 90 * time.Second, Status: scheduler.TaskPending,
		},
	}
	if diff := cmp.Diff(want, p.Tasks()); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	if p.Name != "everything" || p.Description != "Two lines\nof it.\n" || p.Base != "v1.2.3" || p.Concurrency != 1024 ||
		p.Context != "Read this first." || !cmp.Equal(p.Agents["c"], Agent{Provider: "command", Command: "./agent.sh"}) ||
		p.Source.Path != "testdata/good/everything.yaml" || !strings.HasPrefix(string(p.Source.Text), "version: 1") {
		t.Errorf("plan %+v", p)
	}
	tasks := p.Tasks()
	tasks[0].Verify[0] = "changed"
	if p.Tasks()[0].Verify[0] != "make test" {
		t.Error("a caller can change the plan through its tasks")
	}
}

func TestAnchorsAndMergeKeysWork(t *testing.T) {
	p, list, err := Load("testdata/good/anchors.yaml", Options{DefaultIsolation: scheduler.IsolationClone})
	if err != nil || p == nil {
		t.Fatal(err, list)
	}
	got := p.Tasks()
	if got[1].Command != "make" || got[1].Timeout != 5*time.Minute || len(got[1].Verify) != 2 || got[1].DependsOn[0] != "a" {
		t.Errorf("b is %+v", got[1])
	}
	if got[2].Attempts != 3 || got[2].Timeout != 90*time.Second || got[2].Isolation != scheduler.IsolationNone {
		t.Errorf("c is %+v", got[2])
	}
}

func TestNameIsTheFileNameWithoutExtension(t *testing.T) {
	for path, want := range map[string]string{"plan.yaml": "plan", "dir/add-oauth.yml": "add-oauth", "-": "plan", "x": "x", "": "plan"} {
		p, list := Parse(path, []byte("version: 1\ntasks: {a: {run: x}}\n"), Options{})
		if p == nil || p.Name != want {
			t.Errorf("%q: %+v %v, want %q", path, p, list, want)
		}
	}
}

func TestAgentsOfTheConfigurationAreKnown(t *testing.T) {
	src := []byte("version: 1\ntasks: {a: {prompt: x, agent: coder, verify: y}}\n")
	if p, list := Parse("p", src, Options{Agents: []string{"coder"}}); p == nil || len(list) > 0 {
		t.Errorf("%v", list)
	}
	if _, list := Parse("p", src, Options{}); !slices.Equal(codes(list), []string{"unknown-agent"}) {
		t.Errorf("%v", list)
	}
}

func TestFilesThatAreNoPlans(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "missing.yaml"), filepath.Join(dir, "a/b/c.yaml")} {
		p, list, err := Load(path, Options{})
		if p != nil || err != nil || len(list) != 1 || list[0].Code != "no-file" || list[0].File != path {
			t.Errorf("%s: %v %v %v", path, p, list, err)
		}
	}
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, 65<<20); err != nil {
		t.Fatal(err)
	}
	if _, list, err := Load(big, Options{}); err != nil || !slices.Equal(codes(list), []string{"too-large"}) {
		t.Errorf("%v %v", list, err)
	}
}

func TestAliasBombsEndQuickly(t *testing.T) {
	var merges, lists strings.Builder
	merges.WriteString("version: 1\nx0: &x0 {run: x}\n")
	lists.WriteString("version: 1\ny0: &y0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&merges, "x%d: &x%d {<<: [*x%d, *x%d, *x%d, *x%d]}\n", i, i, i-1, i-1, i-1, i-1)
		fmt.Fprintf(&lists, "y%d: &y%d [*y%d,*y%d,*y%d,*y%d]\n", i, i, i-1, i-1, i-1, i-1)
	}
	merges.WriteString("tasks: {a: *x29}\n")
	lists.WriteString("tasks: {a: {run: x, needs: *y29, verify: *y29, writes: *y29}}\n")
	if p, list := Parse("bomb.yaml", []byte(lists.String()), Options{}); p != nil || !list.HasErrors() {
		t.Errorf("the bomb is a plan: %v", list)
	}
	if _, list := Parse("bomb.yaml", []byte(merges.String()), Options{}); !slices.Contains(codes(list), "too-many-aliases") {
		t.Errorf("got %v", list)
	}
}

func TestSelect(t *testing.T) {
	p := parse(t, "version: 1\ntasks: {a: {run: x}, b: {run: x, needs: a}, c: {run: x, needs: [a, b]}, d: {run: x, needs: c}, e: {run: x}}\n")
	for _, c := range []struct {
		only, until []string
		want        string
	}{
		{nil, nil, "a b<a c<a,b d<c e"},
		{[]string{"c", "a"}, nil, "a c<a"},
		{nil, []string{"c"}, "a b<a c<a,b"},
		{[]string{"e", " d"}, []string{"b"}, "a b<a d e"},
	} {
		tasks, err := p.Select(c.only, c.until)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, task := range tasks {
			var needs []string
			for _, n := range task.DependsOn {
				needs = append(needs, string(n))
			}
			text := string(task.ID)
			if needs != nil {
				text += "<" + strings.Join(needs, ",")
			}
			if (task.Status == scheduler.TaskPending) != (needs != nil) {
				t.Errorf("%s is %s", text, task.Status)
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("only %v until %v: got %v, want %s", c.only, c.until, got, c.want)
		}
	}
}

func TestSelectNamesUnknownTasks(t *testing.T) {
	p := parse(t, "version: 1\ntasks: {schema: {run: x}, docs: {run: x}}\n")
	_, err := p.Select([]string{"shcema", "docs"}, []string{"dosc"})
	want := &UnknownTasksError{IDs: []string{"shcema", "dosc"}, Hint: "did you mean `schema`?; for `dosc`: `docs`?"}
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if err.Error() != "no tasks `shcema`, `dosc` in this plan" {
		t.Errorf("got %q", err)
	}
}

func TestFigures(t *testing.T) {
	p := parse(t, "version: 1\ntasks: {a: {run: x}, b: {run: x, needs: a}, c: {run: x, needs: a}, d: {run: x, needs: [c, b]}, e: {run: x}, f: {run: x, needs: a}}\n")
	want := Figures{Tasks: 6, Needs: 5, Levels: 3, Widest: 3, WidestLevel: 2, CriticalPath: []string{"a", "c", "d"}}
	if diff := cmp.Diff(want, p.Figures()); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func TestIDsAreThoseOfTheScheduler(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.StringMatching(`[a-zA-Z0-9._-]{0,8}(\.lock|\.|\.\.)?`), rapid.StringMatching(`[a-z]{60,70}`), rapid.String()).Draw(t, "id")
		message, _ := checkID("task", id)
		if bad := scheduler.CheckID(id) != nil; bad != (message != "") {
			t.Fatalf("%q: the scheduler says %v, the plan says %q", id, scheduler.CheckID(id), message)
		}
	})
}

func TestSlugsAreIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if s := slug(rapid.String().Draw(t, "words")); s != "" && scheduler.CheckID(s) != nil {
			t.Fatalf("%q: %v", s, scheduler.CheckID(s))
		}
	})
}

// graph is a random plan, with cycles or without.
func graph(t *rapid.T, cycles bool) (src string, needs map[scheduler.TaskID][]scheduler.TaskID, ids []scheduler.TaskID) {
	n := rapid.IntRange(1, 12).Draw(t, "tasks")
	needs = make(map[scheduler.TaskID][]scheduler.TaskID)
	var b strings.Builder
	b.WriteString("version: 1\ntasks:\n")
	for i := range n {
		id := scheduler.TaskID(fmt.Sprintf("t%d", i))
		ids = append(ids, id)
		fmt.Fprintf(&b, "  %s:\n    run: x\n    needs: [", id)
		for j := range n {
			if (j < i || cycles && j != i) && rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
				needs[id] = append(needs[id], scheduler.TaskID(fmt.Sprintf("t%d", j)))
				fmt.Fprintf(&b, "t%d, ", j)
			}
		}
		b.WriteString("]\n")
	}
	return b.String(), needs, ids
}

func TestCyclesAreFoundExactlyWhenThereAreAny(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src, needs, ids := graph(t, true)
		_, list := Parse("p", []byte(src), Options{})
		found := false
		for _, d := range list {
			if d.Code != "cycle" {
				continue
			}
			found = true
			path := strings.Split(strings.TrimPrefix(d.Message, "tasks wait for each other: "), " → ")
			if path[0] != path[len(path)-1] || slices.Min(path) != path[0] {
				t.Fatalf("%q does not begin with its smallest id", d.Message)
			}
			for i := range len(path) - 1 {
				if !slices.Contains(needs[scheduler.TaskID(path[i])], scheduler.TaskID(path[i+1])) {
					t.Fatalf("%q: %s does not need %s", d.Message, path[i], path[i+1])
				}
			}
		}
		if want := scheduler.FindCycle(ids, needs) != nil; found != want {
			t.Fatalf("cycles reported: %v, there are: %v", found, want)
		}
	})
}

func TestAncestryAgreesWithASearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src, needs, ids := graph(t, false)
		p, list := Parse("p", []byte(src), Options{})
		if p == nil {
			t.Fatal(list)
		}
		a := newAncestry(newOrder(p.edges()), 1000)
		var reach func(from, to scheduler.TaskID) bool
		reach = func(from, to scheduler.TaskID) bool {
			return slices.ContainsFunc(needs[from], func(n scheduler.TaskID) bool { return n == to || reach(n, to) })
		}
		for i := range ids {
			for j := range ids {
				got, known := a.waits(int32(i), int32(j))
				if want := reach(ids[i], ids[j]); !known || got != want {
					t.Fatalf("%s waits for %s: got %v (known %v), want %v", ids[i], ids[j], got, known, want)
				}
			}
		}
	})
}

func TestOverlapsAreThoseOfTheScheduler(t *testing.T) {
	glob := rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "A", "*", "**", "a*", "*.go", "x.go", "?", "[ab]", "{a,b}", "c{d,e*}"}), 1, 4).Draw(t, "parts")
		return strings.Join(parts, "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		globs := rapid.SliceOfN(glob, 2, 6).Draw(t, "globs")
		var b strings.Builder
		b.WriteString("version: 1\ntasks:\n")
		want := 0
		for i, g := range globs {
			if message, _ := checkGlob(g); message != "" {
				t.Fatalf("%q: %s", g, message)
			}
			fmt.Fprintf(&b, "  t%d: {run: x, writes: %q}\n", i, g)
			for _, before := range globs[:i] {
				if scheduler.Overlap([]string{g}, []string{before}) {
					want++
				}
			}
		}
		_, list := Parse("p", []byte(b.String()), Options{})
		got := 0
		for _, d := range list {
			if d.Code == "overlap" {
				got++
			}
		}
		if got != want {
			t.Fatalf("%q: %d overlaps, the scheduler sees %d\n%v", globs, got, want, list)
		}
	})
}

func TestManyWarningsAreCounted(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\ntasks:\n")
	for i := range 50 {
		fmt.Fprintf(&b, "  t%d: {run: x, writes: [a]}\n", i)
	}
	_, list := Parse("p", []byte(b.String()), Options{})
	if len(list) != warningsPerCode {
		t.Fatalf("%d warnings", len(list))
	}
	if last := list[len(list)-1].Help; !strings.HasSuffix(last, fmt.Sprintf("(and %d more of these)", 50*49/2-warningsPerCode)) {
		t.Errorf("the last help is %q", last)
	}
}
