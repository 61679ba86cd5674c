package plan

import (
	"strings"

	"orchestrator/internal/plan/document"
	"orchestrator/internal/scheduler"
)

const (
	maxConcurrency = 1024
	maxAttempts    = 1000
)

// The words that a key of few words takes, the default first.
var (
	failureModes = []string{string(scheduler.FailHard), string(scheduler.FailSoft), string(scheduler.FailSkip)}
	isolations   = []string{string(scheduler.IsolationClone), string(scheduler.IsolationWorktree), string(scheduler.IsolationNone)}
	providers    = []string{"command"}
)

// laterProviders are words that the format will take and that do nothing yet.
var laterProviders = []string{"acp", "claude", "codex", "gemini", "goose", "opencode"}

func failureKey[T any](of func(*T) *settings) key[T] {
	return key[T]{
		name: "on_failure", shape: choice(failureModes...), examples: []any{"soft"},
		about: "What a failure means. hard: dependents are skipped and the run fails. soft: dependents run and are told, the run ends with failures. skip: it counts as success.",
		set: func(c *checker, t *T, f document.Field) {
			word, _ := c.Choice(f.Value, "`on_failure`", failureModes, func(word string) string {
				if strings.Contains(strings.ToLower(word), "retry") {
					return "; to try again use `retry: 2`"
				}
				return ""
			})
			of(t).failure = scheduler.FailureMode(word)
		},
	}
}

func isolationKey[T any](of func(*T) *settings) key[T] {
	return key[T]{
		name: "isolation", shape: choice(isolations...), examples: []any{"clone", "none"},
		about: "Where attempts work. clone: a private clone. worktree: a git worktree. none: the repository's own folder, nothing is saved or merged.",
		set: func(c *checker, t *T, f document.Field) {
			word, _ := c.Choice(f.Value, "`isolation`", isolations, nil)
			of(t).isolation = scheduler.Isolation(word)
		},
	}
}
