package progress

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

func folded(events []event.Event) *view.Run {
	run := view.New(seed())
	for _, e := range events {
		run.Fold(e)
	}
	return run
}

func oauthFailed() []event.Event {
	return numbered(
		ev(0, 0, event.RunStarted, "", 0, event.Detail{Total: 6, Concurrency: 4}),
		ev(2, 0, event.TaskCompleted, "schema", 1, event.Detail{Commit: "a1", Files: 4}),
		ev(3, 0, event.TaskFailed, "docs", 1, event.Detail{Error: "verify failed: make docs-lint", ExitCode: new(2), Allowed: true}),
		ev(4, 0, event.TaskCompleted, "publish-docs", 1, event.Detail{}),
		ev(18, 0, event.TaskStarted, "oauth-client", 3, event.Detail{Agent: "claude", Attempts: 3}),
		ev(18, 20, event.TaskFailed, "oauth-client", 3, event.Detail{
			Error: "verify failed: go test ./internal/oauth/...", ExitCode: new(1), Files: 5,
			Output: "--- FAIL: TestExchange/pkce (0.02s)\n    client_test.go:88: got \"invalid_grant\", want token\n",
		}),
		ev(18, 20, event.TaskSkipped, "handlers", 0, event.Detail{Reason: "needs oauth-client"}),
		ev(18, 20, event.TaskSkipped, "e2e", 0, event.Detail{Reason: "needs oauth-client"}),
		ev(18, 20, event.RunFinished, "", 0, event.Detail{State: "failed", DurationMS: 1100000}),
	)
}

func succeeded() []event.Event {
	events := []event.Event{ev(0, 0, event.RunStarted, "", 0, event.Detail{Total: 6})}
	for i, t := range seed().Tasks {
		events = append(events, ev(i, 0, event.TaskCompleted, t.ID, 1, event.Detail{Commit: fmt.Sprint("c", i), Files: 1}))
	}
	return numbered(append(events, ev(31, 5, event.RunFinished, "", 0, event.Detail{State: "completed"}))...)
}

func TestSummaryEndsWithTheCommandsThatLeadOn(t *testing.T) {
	begun := ev(0, 0, event.RunStarted, "", 0, event.Detail{Total: 6})
	done := ev(2, 0, event.TaskCompleted, "schema", 1, event.Detail{Commit: "a1"})
	for name, c := range map[string]struct {
		events  []event.Event
		closing Closing
	}{
		"success":          {succeeded(), Closing{Unicode: true}},
		"nothing-to-merge": {numbered(begun, ev(1, 0, event.RunFinished, "", 0, event.Detail{State: "completed"})), Closing{}},
		"failure": {oauthFailed(), Closing{
			Unicode: true, Home: "/home/ada",
			Workspaces: map[string]string{"oauth-client": "/home/ada/.local/share/orc/ws/7f3c/oauth-client"},
		}},
		"failure-ascii":   {oauthFailed(), Closing{}},
		"allowed-failure": {story(true), Closing{Unicode: true}},
		"broken":          {numbered(begun, ev(1, 0, event.RunFinished, "", 0, event.Detail{State: "failed", Error: "save task: disk full"})), Closing{}},
		"paused":          {numbered(begun, done, ev(3, 10, event.RunPaused, "", 0, event.Detail{Reason: "stopped by ctrl-c"})), Closing{Unicode: true}},
		"waiting": {numbered(begun, done,
			ev(2, 0, event.TaskStarted, "oauth-client", 1, event.Detail{Agent: "claude"}),
			ev(4, 0, event.TaskConflict, "oauth-client", 1, event.Detail{Status: "running", Paths: []string{"internal/http/router.go"}, Ref: "refs/orc/7f3c/task/oauth-client/1", Files: 3}),
			ev(4, 0, event.RunWaiting, "", 0, event.Detail{}),
		), Closing{Unicode: true}},
		"cancelled":  {numbered(begun, done, ev(3, 0, event.RunFinished, "", 0, event.Detail{State: "canceled"})), Closing{Unicode: true}},
		"background": {numbered(begun, done), Closing{Unicode: true, Now: at(5, 0)}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Summary(&out, folded(c.events), c.closing); err != nil {
				t.Fatal(err)
			}
			golden(t, "summary-"+name+".golden", out.String())
		})
	}
}

func TestARunFromACommitIsMergedIntoANamedBranch(t *testing.T) {
	s := seed()
	s.BaseRef = s.Base
	run := view.New(s)
	for _, e := range succeeded() {
		run.Fold(e)
	}
	var out bytes.Buffer
	if err := Summary(&out, run, Closing{}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), "  orc merge --into BRANCH    bring it into a branch\n") {
		t.Errorf("got:\n%s", &out)
	}
}

func TestOnlyTheGlyphIsColoured(t *testing.T) {
	var colored, bare bytes.Buffer
	for w, color := range map[*bytes.Buffer]bool{&colored: true, &bare: false} {
		if err := Summary(w, folded(oauthFailed()), Closing{Unicode: true, Color: color, Now: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasPrefix(colored.String(), "\x1b[31m✗\x1b[0m add-oauth failed") {
		t.Errorf("%q", colored.String())
	}
	if got := view.Sanitize(colored.String()); got != bare.String() {
		t.Errorf("without colour:\n%s", bare.String())
	}
}

func TestASummaryOfManyFailuresIsShort(t *testing.T) {
	run := view.New(view.Seed{ID: "7f3c"})
	for i := range 1000 {
		id := fmt.Sprintf("t%d", i)
		run.Fold(event.Event{Kind: event.TaskFailed, Task: id, Attempt: 1, Detail: event.Detail{Error: "exit 1", Output: strings.Repeat("line\n", 10000)}})
		run.Fold(event.Event{Kind: event.TaskSkipped, Task: "s" + id, Detail: event.Detail{Reason: "needs t0"}})
	}
	run.Fold(event.Event{Kind: event.RunFinished, Detail: event.Detail{State: "failed"}})
	var out bytes.Buffer
	if err := Summary(&out, run, Closing{}); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines > 60 {
		t.Errorf("%d lines:\n%s", lines, out.String())
	}
}
