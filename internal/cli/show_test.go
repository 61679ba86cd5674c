package cli

import (
	"regexp"
	"strings"
	"testing"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

func TestShowTellsATaskWhole(t *testing.T) {
	f := newFixture(t)
	f.seed(failing())
	golden(t, "show", f.must(ExitOK, "show", "oauth"))
	golden(t, "show-done", f.must(ExitOK, "show", "schema"))
	golden(t, "show-skipped", f.must(ExitOK, "show", "e2e"))
	for expr, want := range map[string]string{
		".attempts | length":          "2",
		".attempts[1].note":           "use S256",
		".task.prompt":                "Write the client.\nUse PKCE.",
		".task.timeout_ms":            "2700000",
		".conversation[1].role":       "assistant",
		".task.verify[0]":             "go test ./internal/oauth/...",
		".attempts[1].saved_ref":      "refs/orc/7f3c/task/oauth-client/2",
		".attempts[0].merged":         "",
		".task.result":                "null",
		`.attempts | map(.exit_code)`: "[1,1]",
	} {
		if got := f.must(ExitOK, "show", "oauth-client", "--jq", expr); got != want+"\n" {
			t.Errorf("%s is %q, want %q", expr, got, want)
		}
	}
}

func TestShowCutsLongTextsUnlessVerbose(t *testing.T) {
	f := newFixture(t)
	var turns []persistence.TaskTurn
	for i := range 20 {
		turns = append(turns, persistence.TaskTurn{Task: "a", ConversationTurn: persistence.ConversationTurn{Role: "assistant", Content: "turn " + itoa(i), Timestamp: noon}})
	}
	f.seed(seeded{
		leased: true,
		tasks:  []*scheduler.Task{{ID: "a", Prompt: strings.Repeat("line\n", 100), Status: scheduler.TaskRunning}}, turns: turns,
	})
	short := f.must(ExitOK, "show", "a")
	for _, want := range []string{"… 88 lines more (-v shows all)", "… 14 turns before (-v shows all)", "turn 19"} {
		if !strings.Contains(short, want) {
			t.Errorf("%q is not in\n%s", want, short)
		}
	}
	if long := f.must(ExitOK, "show", "a", "-v"); strings.Count(long, "  line\n") != 100 || !strings.Contains(long, "turn 0\n") {
		t.Errorf("-v hides something:\n%s", long)
	}
}

// Conversations of one page, of some, and of exactly so many.
func TestShowTellsALongConversationWhole(t *testing.T) {
	for _, n := range []int{1, pageTurns, pageTurns + 1, 3 * pageTurns} {
		f := newFixture(t)
		var turns []persistence.TaskTurn
		for i := range n {
			turns = append(turns, persistence.TaskTurn{Task: "a", ConversationTurn: persistence.ConversationTurn{Role: "assistant", Content: "turn " + itoa(i), Timestamp: noon}})
		}
		f.seed(seeded{leased: true, tasks: []*scheduler.Task{{ID: "a", Prompt: "go", Status: scheduler.TaskRunning}}, turns: turns})
		long := f.must(ExitOK, "show", "a", "-v")
		at := 0
		for i := range n {
			k := strings.Index(long[at:], "    turn "+itoa(i)+"\n")
			if k < 0 {
				t.Fatalf("turn %d of %d is not where it belongs in\n%s", i, n, long)
			}
			at += k
		}
		if strings.Count(long, "Conversation\n") != 1 || strings.Index(long, "Prompt") > strings.Index(long, "Conversation") {
			t.Errorf("of %d turns:\n%s", n, long)
		}
		want := itoa(n) + "\nturn 0\nturn " + itoa(n-1) + "\n"
		if got := f.must(ExitOK, "show", "a", "--jq", ".conversation | length, .[0].content, .[-1].content"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestHistoryListsRunsOfThisRepositoryNewestFirst(t *testing.T) {
	f := newFixture(t)
	three(f)
	g := going()
	g.run.ID = "c0de"
	f.seed(g)
	golden(t, "history", f.must(ExitOK, "history"))
	all := strings.ReplaceAll(f.must(ExitOK, "history", "--all", "--limit", "2", "-C", "/"), f.repo, "/repo")
	// The column is as wide as the path was.
	golden(t, "history-all", regexp.MustCompile(" {3,}").ReplaceAllString(all, "  "))
	for args, want := range map[string]string{
		"--jq .runs[].id":                 "c0de\n7fa0\n7f3c\n",
		"--jq .runs[].id --limit 1":       "c0de\n",
		"--jq .runs[].id --all --limit 0": "c0de\n1b22\n7fa0\n7f3c\n",
		"--jq .runs[0].tasks.running":     "2\n",
		"--json=id,state --limit 1":       `{"schema":1,"runs":[{"id":"c0de","state":"running"}]}` + "\n",
	} {
		if got := f.must(ExitOK, append([]string{"history"}, strings.Fields(args)...)...); got != want {
			t.Errorf("orc history %s: got %q, want %q", args, got, want)
		}
	}
	f.must(ExitUsage, "history", "--limit", "-1")
}
