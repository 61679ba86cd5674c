package tasklist_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/plan"
	"orchestrator/internal/plan/tasklist"
)

const list = `# Tasks: photo albums

Prose about [P] marks, and a list without boxes:
- not a task

## Phase 1: Setup
- [x] T001 Create the layout
- [ ] T002 [P] Configure the linter in ` + "`.golangci.yml`" + `
- [ ] T003 [P] Write the makefile

` + "```" + `
- [ ] T999 an example
` + "```" + `

## Phase 2: Models
- [ ] T004 [P] [US1] Album model in src/models/album.go
  with a title and a date
  - [ ] title
- [ ] T005 [P] [US1] Photo model in src/models/photo.go
- [ ] T006 Service over both (depends on T004-T005, T077)
* [ ] **T007** Docs, after T002
`

func TestMarkdownKeepsTheOrderAndWhatRunsSideBySide(t *testing.T) {
	r, err := tasklist.Read([]byte(list))
	if err != nil {
		t.Fatal(err)
	}
	type short struct {
		ID     string
		Needs  string
		Writes string
		Line   int
	}
	var got []short
	for _, k := range r.Tasks {
		got = append(got, short{k.ID, strings.Join(k.Needs, " "), strings.Join(k.Writes, " "), k.Line})
	}
	want := []short{
		{"t002", "", ".golangci.yml", 8},
		{"t003", "", "", 9},
		{"t004", "t002 t003", "src/models/album.go", 16},
		{"t005", "t002 t003", "src/models/photo.go", 19},
		{"t006", "t004 t005", "", 20},
		{"t007", "t002", "", 21},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	if r.Done != 1 {
		t.Errorf("%d done, want 1", r.Done)
	}
	if p := r.Tasks[2].Prompt; p != "Album model in src/models/album.go\nwith a title and a date\n- [ ] title" {
		t.Errorf("prompt %q", p)
	}
	var notes []string
	for _, n := range r.Notes {
		notes = append(notes, n.Text)
	}
	all := strings.Join(notes, "\n")
	for _, want := range []string{"1 list item(s) without a check box", "t006 needs T077, which is not in this list"} {
		if !strings.Contains(all, want) {
			t.Errorf("no note says %q:\n%s", want, all)
		}
	}
}

func TestUnmarkedListRunsInOrderAndSaysSo(t *testing.T) {
	r, err := tasklist.Markdown([]byte("1. [ ] Fix bug: login fails\n2. [ ] Fix bug: login fails\n3. [ ] - [x] odd\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Tasks) != 3 || r.Tasks[1].ID != "fix-bug-login-fails-2" || !cmp.Equal(r.Tasks[2].Needs, []string{"fix-bug-login-fails-2"}) {
		t.Errorf("tasks %+v", r.Tasks)
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0].Text, "[P]") {
		t.Errorf("notes %+v", r.Notes)
	}
}

func TestIssuesNeedWhatBlocksThem(t *testing.T) {
	r, err := tasklist.Read([]byte(`[
		{"number": 4, "title": "Sign in", "body": "Blocked by #2 and #3.\r\n- [ ] #5\r\nSee src/login/", "state": "OPEN"},
		{"number": 2, "title": "Store", "body": "", "state": "CLOSED"},
		{"number": 3, "title": "Routes", "body": null, "state": "open"},
		{"number": 5, "title": "Button", "body": "needs #9", "state": "open"},
		{"number": 6, "title": "Fix", "body": "", "state": "open", "pull_request": {"url": "x"}}]`))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Tasks) != 3 || !cmp.Equal(r.Tasks[0].Needs, []string{"issue-3", "issue-5"}) || !cmp.Equal(r.Tasks[0].Writes, []string{"src/login/**"}) {
		t.Errorf("tasks %+v", r.Tasks)
	}
	if r.Done != 1 || len(r.Notes) != 2 {
		t.Errorf("%d done, notes %+v", r.Done, r.Notes)
	}
}

func TestNothingToDoIsAnError(t *testing.T) {
	for _, src := range []string{"", "# Title\n", "- [x] done\n", "[]", `[{"number":1,"title":"a","state":"closed"}]`} {
		if _, err := tasklist.Read([]byte(src)); !errors.Is(err, tasklist.ErrNothing) {
			t.Errorf("%q: %v, want ErrNothing", src, err)
		}
	}
	for _, src := range []string{`{"title": "no number"}`, `[1]`, `[{"number":`} {
		if _, err := tasklist.Read([]byte(src)); err == nil || errors.Is(err, tasklist.ErrNothing) {
			t.Errorf("%q: %v, want an error of its own", src, err)
		}
	}
}

// FuzzPlan holds that whatever is read becomes a plan in which at most a circle of needs is wrong.
func FuzzPlan(f *testing.F) {
	f.Add([]byte(list))
	f.Add([]byte("- [ ] T1 a (needs T2)\n- [ ] T2 b (needs T1)\n"))
	f.Add([]byte("- [ ] [P] : # | > & *x `../etc/passwd` `a/b.go` \xff\n"))
	f.Add([]byte(`[{"number":1,"title":"- x: y","body":"\u0000 |\n  a\n\ttab"}]`))
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := tasklist.Read(src)
		if err != nil {
			return
		}
		text, err := r.Plan("imported")
		if err != nil {
			t.Fatal(err)
		}
		p, list := plan.Parse("plan.yaml", text, plan.Options{Agents: []string{"coder"}})
		for _, d := range list.Errors() {
			if d.Code != "cycle" {
				t.Fatalf("%s\nin\n%s", d.Message, text)
			}
		}
		if !list.HasErrors() && len(p.Tasks()) != len(r.Tasks) {
			t.Fatalf("%d tasks, want %d", len(p.Tasks()), len(r.Tasks))
		}
	})
}
