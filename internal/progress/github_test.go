package progress

import (
	"bytes"
	"strings"
	"testing"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

func TestGitHubFoldsLogsAndMarksPlaces(t *testing.T) {
	var out bytes.Buffer
	logs := map[string]string{
		"schema": "building\n::error::not ours\n\x1b[31mred\x1b[0m\n",
		"docs":   "checking\n",
	}
	g := NewGitHub(Options{Out: &out, Run: view.New(seed())}, func(task string) string { return logs[task] })
	g.token = "stop"
	code := 2
	events := numbered(
		event.Event{Time: at(0, 0), Kind: event.RunStarted},
		event.Event{Time: at(0, 0), Kind: event.TaskStarted, Task: "schema", Attempt: 1},
		event.Event{Time: at(1, 0), Kind: event.TaskCompleted, Task: "schema", Attempt: 1, Detail: event.Detail{Status: "completed"}},
		event.Event{Time: at(1, 0), Kind: event.TaskStarted, Task: "docs", Attempt: 1},
		event.Event{Time: at(1, 0), Kind: event.TaskStarted, Task: "oauth-client", Attempt: 1},
		event.Event{Time: at(2, 0), Kind: event.TaskFailed, Task: "docs", Attempt: 1, Detail: event.Detail{
			Status: "failed", Error: "verify failed: make docs-lint", ExitCode: &code, Allowed: true,
			Output: "docs/a,b.md:1:2: no\ndocs/auth.md:14:3: dead link: 100%\n./docs/auth.md:20: twice\n./docs/auth.md:20: twice\n../x.md:1: outside\nok 12:30\n",
		}},
		event.Event{Time: at(3, 0), Kind: event.TaskFailed, Task: "oauth-client", Attempt: 1, Detail: event.Detail{
			Status: "failed", Error: "exit 1", ExitCode: &code,
		}},
		event.Event{Time: at(3, 0), Kind: event.TaskSkipped, Task: "handlers", Detail: event.Detail{Status: "skipped", Error: "needs oauth-client"}},
	)
	for _, e := range append(events, events[2]) { // one comes twice
		if err := g.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "github.txt", out.String())
}

func TestMarkdownPageOfARun(t *testing.T) {
	run := view.New(seed())
	code := 1
	for _, e := range numbered(
		event.Event{Time: at(0, 0), Kind: event.RunStarted},
		event.Event{Time: at(0, 0), Kind: event.TaskStarted, Task: "schema", Attempt: 1},
		event.Event{Time: at(1, 0), Kind: event.TaskCompleted, Task: "schema", Attempt: 1, Detail: event.Detail{Status: "completed", Files: 2, Additions: 10, Deletions: 3}},
		event.Event{Time: at(1, 0), Kind: event.TaskStarted, Task: "oauth-client", Attempt: 1},
		event.Event{Time: at(3, 0), Kind: event.TaskFailed, Task: "oauth-client", Attempt: 1, Detail: event.Detail{
			Status: "failed", Error: "a | b <script>", ExitCode: &code, Output: "first\n```\nlast",
		}},
		event.Event{Time: at(3, 0), Kind: event.TaskSkipped, Task: "handlers", Detail: event.Detail{Status: "skipped", Reason: "needs oauth-client"}},
		event.Event{Time: at(3, 0), Kind: event.RunFinished, Detail: event.Detail{State: "failed"}},
	) {
		run.Fold(e)
	}
	var out bytes.Buffer
	if err := Markdown(&out, run, at(3, 0)); err != nil {
		t.Fatal(err)
	}
	golden(t, "page.md", out.String())
	if strings.Contains(out.String(), "<script>") {
		t.Error("text of a task became a tag")
	}
}
