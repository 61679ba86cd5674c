package plan

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orchestrator/internal/scheduler"
)

func drawn(t *testing.T, tasks []*scheduler.Task, f GraphFormat) string {
	t.Helper()
	var b bytes.Buffer
	if err := Graph(&b, tasks, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func oauth(t *testing.T) *Plan {
	t.Helper()
	p, list, err := Load("testdata/good/add-oauth.yaml", Options{})
	if err != nil || p == nil {
		t.Fatal(err, list)
	}
	return p
}

func TestGraphDrawsLanes(t *testing.T) {
	want := strings.TrimPrefix(`
○        schema         coder   Users and sessions tables
├─┬─┬─╮
○ │ │ │  session-store  coder
│ ○ │ │  oauth-client   senior
├─╯ │ │
○   │ │  handlers       coder
│   ○ │  login-ui       coder
├───╯ │
○     │  e2e            coder
      ○  docs           writer
      ○  publish-docs   run
`, "\n")
	if diff := cmp.Diff(want, drawn(t, oauth(t).Tasks(), Text)); diff != "" {
		t.Errorf("graph (-want +got):\n%s", diff)
	}
}

func TestGraphInPlainCharacters(t *testing.T) {
	got := drawn(t, oauth(t).Tasks(), ASCII)
	for _, r := range got {
		if r > '~' {
			t.Fatalf("%q in\n%s", r, got)
		}
	}
	if !strings.HasPrefix(got, "o        schema") || !strings.Contains(got, "\n|-+-+-.\n") || !strings.Contains(got, "\n|---' |\n") {
		t.Errorf("got:\n%s", got)
	}
}

func TestGraphDrawsAPartOfAPlan(t *testing.T) {
	tasks, err := oauth(t).Select(nil, []string{"publish-docs"})
	if err != nil {
		t.Fatal(err)
	}
	want := "○  schema        coder   Users and sessions tables\n○  docs          writer\n○  publish-docs  run\n"
	if diff := cmp.Diff(want, drawn(t, tasks, Text)); diff != "" {
		t.Errorf("graph (-want +got):\n%s", diff)
	}
}

func TestGraphForMermaidAndGraphviz(t *testing.T) {
	p := parse(t, "version: 1\ntasks: {end: {run: x, name: 'a \"b\" <c> #\\', on_failure: soft}, b: {run: x, needs: end}, c: {run: x, needs: b}}\n")
	want := "graph TD\n  t0[\"end<br/>a #quot;b#quot; #lt;c#gt; #35;\\\"]\n  t1[\"b\"]\n  t2[\"c\"]\n  t0 -.-> t1\n  t1 --> t2\n"
	if diff := cmp.Diff(want, drawn(t, p.Tasks(), Mermaid)); diff != "" {
		t.Errorf("mermaid (-want +got):\n%s", diff)
	}
	want = "digraph plan {\n  rankdir=TB;\n  node [shape=box];\n  \"end\" [label=\"end\\na \\\"b\\\" <c> #\\\\\"];\n  \"b\" [label=\"b\"];\n  \"c\" [label=\"c\"];\n" +
		"  \"end\" -> \"b\" [style=dashed];\n  \"b\" -> \"c\";\n}\n"
	if diff := cmp.Diff(want, drawn(t, p.Tasks(), DOT)); diff != "" {
		t.Errorf("dot (-want +got):\n%s", diff)
	}
	if err := Graph(&bytes.Buffer{}, nil, "png"); err == nil || !strings.Contains(err.Error(), "text, ascii, mermaid, dot") {
		t.Errorf("png: %v", err)
	}
}

func TestAGraphThatIsTooWideIsWrittenAsAList(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\ntasks:\n  root: {run: x}\n")
	for i := range textLanes + 1 {
		fmt.Fprintf(&b, "  t%d: {run: x, needs: root}\n", i)
	}
	b.WriteString("  end: {run: x, needs: [t0, t1]}\n")
	got := drawn(t, parse(t, b.String()).Tasks(), Text)
	if !strings.HasPrefix(got, "level 1\n  root\nlevel 2\n  t0 ← root\n") || !strings.HasSuffix(got, "level 3\n  end ← t0, t1\n") {
		t.Errorf("got:\n%s", got)
	}
}

// TestLanesTellTheGraph reads the edges back out of the picture.
func TestLanesTellTheGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 14).Draw(t, "nodes")
		nodes := make([]Node, n)
		for i := range nodes {
			nodes[i].ID = fmt.Sprint(i)
			for j := range i {
				if rapid.IntRange(0, 4).Draw(t, "edge") == 0 {
					nodes[i].Needs = append(nodes[i].Needs, j)
				}
			}
		}
		rows, ok := Lanes(nodes, 1000)
		if !ok {
			t.Fatal("too wide")
		}
		at := make(map[int]int) // row of each node
		for i, row := range rows {
			runes := []rune(row.Lanes)
			if row.Node < 0 {
				continue
			}
			if _, twice := at[row.Node]; twice {
				t.Fatalf("task %d is drawn twice", row.Node)
			}
			at[row.Node] = i
			if runes[2*row.Lane] != Marker || strings.Count(row.Lanes, string(Marker)) != 1 {
				t.Fatalf("row %q, lane %d", row.Lanes, row.Lane)
			}
			for _, need := range nodes[row.Node].Needs {
				if _, before := at[need]; !before {
					t.Fatalf("task %d is drawn before %d, which it needs", row.Node, need)
				}
			}
		}
		if len(at) != n {
			t.Fatalf("%d of %d tasks are drawn", len(at), n)
		}
		if got, want := traced(rows), edges(nodes); !cmp.Equal(got, want) {
			t.Fatalf("edges (-want +got):\n%s\n%s", cmp.Diff(want, got), picture(rows))
		}
	})
}

func edges(nodes []Node) map[[2]int]bool {
	set := make(map[[2]int]bool)
	for i := range nodes {
		for _, need := range nodes[i].Needs {
			set[[2]int{need, i}] = true
		}
	}
	return set
}

func picture(rows []Row) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%s\n", r.Lanes)
	}
	return b.String()
}

// traced follows the lanes down. Each lane carries the tasks that it comes from.
func traced(rows []Row) map[[2]int]bool {
	found := make(map[[2]int]bool)
	carried := make(map[int]map[int]bool)
	for _, row := range rows {
		runes := []rune(row.Lanes)
		next := make(map[int]map[int]bool)
		for i := 0; i < len(runes); i += 2 {
			if strings.ContainsRune("│┼├", runes[i]) {
				next[i/2] = carried[i/2]
			}
		}
		if row.Node >= 0 {
			for from := range carried[row.Lane] {
				found[[2]int{from, row.Node}] = true
			}
			next[row.Lane] = map[int]bool{row.Node: true}
		} else {
			for i := 2 * (row.Lane + 1); i < len(runes); i += 2 {
				switch runes[i] {
				case '╮', '┬': // a fork
					next[i/2] = carried[row.Lane]
				case '╯', '┴': // a join
					both := make(map[int]bool)
					for from := range next[row.Lane] {
						both[from] = true
					}
					for from := range carried[i/2] {
						both[from] = true
					}
					next[row.Lane] = both
				}
			}
		}
		carried = next
	}
	return found
}

func TestLanesAreAsWideAsTheyMayBe(t *testing.T) {
	nodes := []Node{{ID: "a"}, {ID: "b", Needs: []int{0}}, {ID: "c", Needs: []int{0}}}
	if _, ok := Lanes(nodes, 1); ok {
		t.Error("two lanes fit into one")
	}
	rows, ok := Lanes(nodes, 2)
	if !ok || utf8.RuneCountInString(rows[1].Lanes) != 3 {
		t.Errorf("got %v %v", rows, ok)
	}
}
