package plan

import (
	"orchestrator/internal/plan/document"
	"orchestrator/internal/scheduler"
)

// key is one key of the format. The checker reads values with it, and the schema describes them with it.
type key[T any] struct {
	name     string
	shape    shape
	about    string
	examples []any
	required bool
	set      func(*checker, *T, document.Field)
}

// The keys of the top level.
var planKeys = []key[draft]{
	{
		name: "version", shape: constant(Version), required: true, examples: []any{Version},
		about: "Version of the plan format. Always 1.",
		set:   (*checker).setVersion,
	},
	{
		name: "name", shape: line, examples: []any{"add-oauth"},
		about: "Name of the plan, shown wherever its runs are. Default: the file's name without extension.",
		set:   func(c *checker, d *draft, f document.Field) { d.Name, _ = c.Line(f.Value, "`name`") },
	},
	{
		name: "description", shape: text, examples: []any{"Sign in with GitHub, sessions in SQLite, docs and tests."},
		about: "What the plan is for, in a sentence or two.",
		set:   func(c *checker, d *draft, f document.Field) { d.Description, _ = c.Text(f.Value, "`description`") },
	},
	{
		name: "base", shape: line, examples: []any{"main"},
		about: "Git revision that a run starts from: a branch, a tag or a commit. Default: HEAD.",
		set:   (*checker).setBase,
	},
	{
		name: "concurrency", shape: number(1, maxConcurrency), examples: []any{4},
		about: "How many tasks may run at a time. Default: the configuration's concurrency.",
		set: func(c *checker, d *draft, f document.Field) {
			d.Concurrency, _ = c.Number(f.Value, "`concurrency`", 1, maxConcurrency)
		},
	},
	{
		name: "context", shape: text, examples: []any{"Go 1.26 service. Read CONTRIBUTING.md first."},
		about: "Text that is put in front of every prompt.",
		set:   func(c *checker, d *draft, f document.Field) { d.Context, _ = c.Text(f.Value, "`context`") },
	},
	{
		name: "strict_writes", shape: truth, examples: []any{true},
		about: "Whether attempts fail that change files outside of their task's `writes`. Default: false, such files are only told.",
		set:   func(c *checker, d *draft, f document.Field) { d.strict, _ = c.Bool(f.Value, "`strict_writes`") },
	},
	questionsKey(func(d *draft) *settings { return &d.whole }),
	budgetKey(func(d *draft) *settings { return &d.whole }, aboutRunBudget),
	{
		name: "defaults", shape: object("defaults"), examples: []any{map[string]any{"agent": "coder", "timeout": "30m"}},
		about: "Settings of tasks that do not have their own.",
		set:   (*checker).setDefaults,
	},
	{
		name: "workspace", shape: object("workspace"), examples: []any{map[string]any{"copy": []any{".env"}, "setup": "npm ci"}},
		about: "The same as `workspace` below `defaults`.",
		set:   (*checker).setWorkspace,
	},
	{
		name: "merge", shape: object("merge"), examples: []any{map[string]any{"verify": true}, map[string]any{"verify": "make test"}},
		about: "How the tasks' work is merged into the run's branch. Default: as the configuration's `merge` says.",
		set: func(c *checker, d *draft, f document.Field) {
			read(c, f.Value, "`merge`", mergeKeys, laterMergeKeys, &d.merge)
		},
	},
	{
		name: "agents", shape: mapOf("agent", 0), examples: []any{map[string]any{"coder": map[string]any{"provider": "command", "command": "./agent.sh"}}},
		about: "Agents of this plan, by role. They come before the configuration's agents of the same role.",
		set:   (*checker).setAgents,
	},
	{
		name: "workflows", shape: mapOf("workflow", 0),
		examples: []any{map[string]any{"reviewed": map[string]any{"steps": []any{map[string]any{"agent": "coder"}, map[string]any{"agent": "reviewer", "on_reject": "back", "max_rounds": 3}}}}},
		about:    "Workflows of this plan, by name. They come before the configuration's of the same name.",
		set:      (*checker).setWorkflows,
	},
	{
		name: "tasks", shape: mapOf("task", 1), required: true,
		examples: []any{map[string]any{"lint": map[string]any{"run": "make lint"}}},
		about:    "The tasks, by id. An id has a-z, 0-9, '.', '_' and '-', at most 64 of them; it names a branch and a folder.",
		set:      (*checker).setTasks,
	},
}

// The keys below `defaults`.
var defaultsKeys = []key[settings]{
	agentKey(same), timeoutKey(same), retryKey(same), verifyKey(same), isolationKey(same), failureKey(same), strictKey(same), questionsKey(same), approveKey(same), budgetKey(same, aboutTaskBudget), workflowKey(same), workspaceKey(same),
}

// The keys of a task.
var taskKeys = []key[task]{
	{
		name: "name", shape: line, examples: []any{"Users and sessions tables"},
		about: "A title for people. Default: the id.",
		set:   func(c *checker, t *task, f document.Field) { t.name, _ = c.Line(f.Value, "`name`") },
	},
	{
		name: "needs", shape: list, examples: []any{"schema", []any{"schema", "docs"}},
		about: "Tasks that must be settled before this one starts; their results are put in front of the prompt.",
		set:   func(c *checker, t *task, f document.Field) { t.needs = c.List(f.Value, "`needs`") },
	},
	{
		name: "for_each", shape: eachShape, examples: []any{[]any{"store", "api"}, map[string]any{"run": "go list ./..."}},
		about: "Makes one task for each item of a list, or of the lines that a command prints. ${item} stands for the item in name, prompt, run, writes and verify; needs of the id mean all of them.",
		set:   (*checker).setEach,
	},
	agentKey(ofTask),
	{
		name: "prompt", shape: filled, examples: []any{"Add migrations for users and sessions."},
		about: "What the agent is asked to do. A task has exactly one of prompt, prompt_file and run.",
		set: func(c *checker, t *task, f document.Field) {
			t.prompt.at = f.Key
			t.prompt.text, _ = c.Filled(f.Value, "`prompt`")
		},
	},
	{
		name: "prompt_file", shape: line, examples: []any{"prompts/oauth-client.md"},
		about: "File with the prompt, relative to the plan file and inside its repository. It is read when the run starts.",
		set:   (*checker).setPromptFile,
	},
	{
		name: "run", shape: filled, examples: []any{"make docs-site"},
		about: "A shell command instead of an agent.",
		set: func(c *checker, t *task, f document.Field) {
			t.run.at = f.Key
			t.run.text, _ = c.Filled(f.Value, "`run`")
		},
	},
	{
		name: "writes", shape: list, examples: []any{"docs/**", []any{"migrations/**", "internal/store/**"}},
		about: "Globs of the files that the task may change, relative to the repository (*, **, ?, [..], {a,b}). Tasks whose globs overlap do not run at the same time.",
		set:   (*checker).setWrites,
	},
	verifyKey(ofTask), retryKey(ofTask), timeoutKey(ofTask), failureKey(ofTask), isolationKey(ofTask), strictKey(ofTask), questionsKey(ofTask), approveKey(ofTask), budgetKey(ofTask, aboutTaskBudget), workflowKey(ofTask), workspaceKey(ofTask),
}

// The keys of `merge`.
var mergeKeys = []key[merging]{
	{
		name: "verify", shape: either(truth, list), examples: []any{true, "make test"},
		about: "Whether what a merge makes is checked before it counts. true: where something was merged since a task began, its gates and those of the tasks merged since run again. Shell commands: these must succeed on every result of a merge instead. Default: the configuration's, which is false.",
		set:   (*checker).setMergeVerify,
	},
	{
		name: "on_conflict", shape: choice(Conflicts...), examples: []any{"agent"},
		about: "What becomes of work that conflicts with what is merged when its task has no attempt left. stop: it waits for a person. agent: the agent `resolver` resolves it, and the gates of both sides run. ask: that too, but its result counts only after `orc merge --continue`. Default: the configuration's, which is stop.",
		set: func(c *checker, m *merging, f document.Field) {
			m.conflict, _ = c.Choice(f.Value, "`on_conflict`", Conflicts, nil)
		},
	},
}

// The keys of the long form of `retry`.
var retryKeys = []key[retry]{
	{
		name: "attempts", shape: number(1, maxAttempts), required: true, examples: []any{3},
		about: "Attempts in all, the first included.",
		set: func(c *checker, r *retry, f document.Field) {
			r.attempts, _ = c.Number(f.Value, "`attempts`", 1, maxAttempts)
		},
	},
	{
		name: "session", shape: choice(sessions...), examples: []any{"fresh"},
		about: "What an agent's next attempt goes on with. continue: its session and its workspace, told what was wrong. fresh: nothing, a new session in a new workspace.",
		set: func(c *checker, r *retry, f document.Field) {
			r.session, _ = c.Choice(f.Value, "`session`", sessions, nil)
		},
	},
}

// The keys of `workspace`.
var workspaceKeys = []key[scheduler.Setup]{
	{
		name: "copy", shape: list, examples: []any{".env", []any{".env", "testdata/large"}},
		about: "Files and folders that git ignores, copied from your checkout into the fresh workspace. Paths relative to the repository's top.",
		set: func(c *checker, s *scheduler.Setup, f document.Field) {
			s.Copy = c.paths(f, "`copy`")
		},
	},
	{
		name: "symlink", shape: list, examples: []any{"node_modules", []any{"node_modules", ".venv"}},
		about: "The same, linked to instead of copied: whatever a task does in there happens in your checkout.",
		set: func(c *checker, s *scheduler.Setup, f document.Field) {
			s.Symlink = c.paths(f, "`symlink`")
		},
	},
	{
		name: "setup", shape: filled, examples: []any{"npm ci"},
		about: "Shell command that is run in the fresh workspace before the task's work. What it makes and git does not ignore becomes part of the work.",
		set:   func(c *checker, s *scheduler.Setup, f document.Field) { s.Command, _ = c.Filled(f.Value, "`setup`") },
	},
}

func same(s *settings) *settings { return s }
func ofTask(t *task) *settings   { return &t.settings }

func agentKey[T any](of func(*T) *settings) key[T] {
	return key[T]{
		name: "agent", shape: line, examples: []any{"coder"},
		about: "Agent (role) that does the work, from `agents` here or in the configuration.",
		set: func(c *checker, t *T, f document.Field) {
			if role, ok := c.Line(f.Value, "`agent`"); ok {
				of(t).agent = document.Item{Text: role, Node: f.Value}
			}
		},
	}
}

func verifyKey[T any](of func(*T) *settings) key[T] {
	return key[T]{
		name: "verify", shape: list, examples: []any{"go test ./...", []any{"go vet ./...", "go test ./..."}},
		about: "Shell commands that must succeed in the task's workspace before its work counts, in order. Their output goes to the next attempt.",
		set: func(c *checker, t *T, f document.Field) {
			s := of(t)
			s.verifies, s.verify = true, nil
			for _, item := range c.List(f.Value, "`verify`") {
				s.verify = append(s.verify, item.Text)
			}
		},
	}
}

func retryKey[T any](of func(*T) *settings) key[T] {
	return key[T]{
		name: "retry", shape: either(number(0, maxAttempts-1), object("retry")), examples: []any{1, map[string]any{"attempts": 3, "session": "fresh"}},
		about: "How many more times to try after a failure, or {attempts: N} for the number of tries in all. Default: 0.",
		set:   func(c *checker, t *T, f document.Field) { of(t).retry = c.retry(f.Value) },
	}
}

func timeoutKey[T any](of func(*T) *settings) key[T] {
	return key[T]{
		name: "timeout", shape: duration, examples: []any{"30m", "1h30m"},
		about: "Longest time of one attempt, such as 90s, 20m or 1h30m. Default: none.",
		set: func(c *checker, t *T, f document.Field) {
			of(t).timeout, _ = c.Duration(f.Value, "`timeout`")
		},
	}
}
