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

// sessions are what the next attempt of an agent can go on with.
var sessions = []string{"continue", freshSession}

const freshSession = "fresh"

// What becomes of the questions that agents ask.
const (
	QuestionsAsk          = "ask"          // they wait for a person's answer
	QuestionsOrchestrator = "orchestrator" // the agent of that role is asked first
	QuestionsNever        = "never"        // the agent is told at once to decide by itself
	QuestionsFail         = "fail"         // the attempt fails
)

// Questions are the words of `questions`, the default first.
var Questions = []string{QuestionsAsk, QuestionsOrchestrator, QuestionsNever, QuestionsFail}

// Conflicts are what becomes of work that conflicts when its task has no attempt left, the default first: it waits for a
// person, the resolver resolves it, or that and its result waits for a person.
var Conflicts = []string{"stop", "agent", "ask"}

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

func questionsKey[T any](of func(*T) *settings) key[T] {
	return key[T]{
		name: "questions", shape: choice(Questions...), examples: []any{QuestionsFail},
		about: "What becomes of a question that the agent asks. ask: it waits for a person's answer. orchestrator: the role `orchestrator` is asked first; it answers, or passes the question on to a person. never: the agent is told to decide by itself. fail: the attempt fails. Default: the configuration's.",
		set: func(c *checker, t *T, f document.Field) {
			of(t).questions, _ = c.Choice(f.Value, "`questions`", Questions, nil)
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
