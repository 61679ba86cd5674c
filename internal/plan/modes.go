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
)

// Permissions are what an agent may do without being asked, from little to everything.
var Permissions = []string{"read-only", "edit", "full"}

// Sandboxes are what an agent may want of a sandbox.
var Sandboxes = []string{"auto", "required", "off"}

// CommandProvider is the provider of agents that are shell commands.
const CommandProvider = "command"

func strictKey[T any](of func(*T) *settings) key[T] {
	return key[T]{
		name: "strict_writes", shape: truth, examples: []any{true},
		about: "Whether an attempt fails when it changes files outside of `writes`. Default: false, such files are only told.",
		set: func(c *checker, t *T, f document.Field) {
			if strict, ok := c.Bool(f.Value, "`strict_writes`"); ok {
				of(t).strict = &strict
			}
		},
	}
}

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
