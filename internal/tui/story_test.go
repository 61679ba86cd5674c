package tui

import (
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(minutes, seconds int) time.Time {
	return start.Add(time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second)
}

func seed() view.Seed {
	return view.Seed{
		ID: "7f3c", Name: "add-oauth", Branch: "orc/7f3c", Base: "1c9e2ab4d5", BaseRef: "main", Concurrency: 4,
		Tasks: []view.SeedTask{
			{ID: "schema", Agent: "codex"},
			{ID: "oauth-client", Agent: "claude", Needs: []string{"schema"}, Attempts: 3},
			{ID: "docs", Agent: "gemini", Needs: []string{"schema"}, Attempts: 2},
			{ID: "publish-docs", Needs: []string{"docs"}},
			{ID: "handlers", Agent: "claude", Needs: []string{"oauth-client"}},
			{ID: "e2e", Agent: "codex", Needs: []string{"handlers"}},
		},
	}
}

func begun() event.Event {
	return event.Event{Time: at(0, 0), Kind: event.RunStarted, Detail: event.Detail{Total: 6, Concurrency: 4}}
}

func started(task string, attempt int) event.Event {
	return event.Event{Time: at(2, 18), Kind: event.TaskStarted, Task: task, Attempt: attempt, Detail: event.Detail{Phase: "working"}}
}

func completed(task string) event.Event {
	return event.Event{Time: at(4, 30), Kind: event.TaskCompleted, Task: task, Attempt: 1, Detail: event.Detail{
		Commit: "c1", Files: 4, Additions: 184, Deletions: 2, Gates: 1, DurationMS: 132000,
	}}
}

func failed(task string) event.Event {
	exit := 2
	return event.Event{Time: at(5, 0), Kind: event.TaskFailed, Task: task, Attempt: 1, Detail: event.Detail{
		Error: "verify failed: make docs-lint", ExitCode: &exit, DurationMS: 60000,
	}}
}

func skipped(task, need string) event.Event {
	return event.Event{Time: at(5, 0), Kind: event.TaskSkipped, Task: task, Detail: event.Detail{Reason: "needs " + need}}
}

func finished(state string) event.Event {
	return event.Event{Time: at(6, 0), Kind: event.RunFinished, Detail: event.Detail{State: state, DurationMS: 360000}}
}
