package plan

import (
	"fmt"
	"slices"
	"strings"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan/document"
	"orchestrator/internal/scheduler"
)

// Options say what a plan is checked against. The zero value is ready.
type Options struct {
	Agents           []string            // roles that the configuration defines
	Providers        []string            // words that `provider` takes; nil = only "command"
	DefaultIsolation scheduler.Isolation // of tasks when neither they nor the plan's defaults say; "" stays ""
	Workflows        map[string]Workflow // that the configuration defines
	// Items are the lists that the commands of `for_each` made, by task; tasks with `for_each` become one for each item.
	// nil = the lists are not known: such a task stands for all of its list.
	// For one that is made while the run goes on, the same is true where Items does not have it.
	Items map[string][]string
	// Prompts are the texts of prompt files, by the tasks that name them. Where it is not nil no file is read, and what
	// it does not have is empty.
	Prompts map[string]string
	Dir     string // folder that prompt_file is relative to; "" = the folder of the plan file
}

// checker reads one plan. Its methods go on after whatever they find wrong.
type checker struct {
	*document.Reader
	o       Options
	draft   draft
	files   promptFiles
	prompts int // bytes of all prompts
	edges   int
	// misspelt: the task being read has an unknown key that probably says what to do.
	misspelt bool
	// layered: what is read is one layer of settings; others may complete it.
	layered bool
	// fallbacks are the roles that agents of the plan fall back on, with the agents that do.
	fallbacks []fallback
}

// draft is a plan while it is read.
type draft struct {
	Plan
	tasksAt  *document.Node
	versions int
}

// names returns the names of keys, in their order.
func names[T any](keys []key[T]) []string {
	list := make([]string, len(keys))
	for i, k := range keys {
		list[i] = k.name
	}
	return list
}

// read sets the fields of a map with the keys of a level. It says whether n is a map.
func read[T any](c *checker, n *document.Node, what string, keys []key[T], later []string, into *T) bool {
	fields, ok := c.Fields(n, what)
	if !ok {
		return false
	}
	for _, f := range fields {
		i := slices.IndexFunc(keys, func(k key[T]) bool { return k.name == f.Name })
		switch {
		case i >= 0:
			keys[i].set(c, into, f)
		case slices.Contains(later, f.Name):
			c.Error(f.Key, "unsupported-key", fmt.Sprintf("%s is not supported yet", diagnostic.Quote(f.Name)), "remove it")
		default:
			meant := c.Unknown(f, what, names(keys), aliases)
			c.misspelt = c.misspelt || meant == "run" || meant == "prompt" || meant == "prompt_file"
		}
	}
	return true
}

// aliases are the words of other tools and habits, for did-you-mean.
var aliases = map[string]string{
	"depends_on": "needs", "depends": "needs", "dependencies": "needs", "deps": "needs", "after": "needs", "requires": "needs",
	"need": "needs", "dependson": "needs", "blocked_by": "needs",
	"cmd": "run", "command": "run", "script": "run", "exec": "run", "shell": "run", "sh": "run", "bash": "run",
	"files": "writes", "outputs": "writes", "write": "writes", "paths": "writes", "writes_files": "writes", "generates": "writes",
	"retries": "retry", "attempts": "retry", "max_attempts": "retry", "max_retries": "retry",
	"check": "verify", "checks": "verify", "test": "verify", "tests": "verify", "gate": "verify", "gates": "verify", "validate": "verify",
	"time_limit": "timeout", "timeout_minutes": "timeout", "deadline": "timeout",
	"failure": "on_failure", "failure_mode": "on_failure", "on_error": "on_failure", "onfailure": "on_failure", "continue_on_error": "on_failure",
	"allow_failure": "on_failure", "role": "agent", "agent_role": "agent", "assignee": "agent",
	"instructions": "prompt", "message": "prompt", "text": "prompt", "ask": "prompt", "promptfile": "prompt_file", "file": "prompt_file",
	"title": "name", "label": "name", "steps": "tasks", "jobs": "tasks", "stages": "tasks", "parallel": "concurrency", "parallelism": "concurrency",
	"jobs_limit": "concurrency", "max_parallel": "concurrency", "branch": "base", "ref": "base", "sandbox": "isolation",
	"default": "defaults", "permission": "permissions", "mode": "permissions", "arguments": "args", "system_prompt": "instructions", "strict": "strict_writes", "roles": "agents", "foreach": "for_each", "matrix": "for_each", "with_items": "for_each", "fan_out": "for_each", "desc": "description", "system": "context",
}

// Keys that the format will have; they are refused, not ignored.
var (
	laterPlanKeys = []string{"vars", "providers", "notify", "include"}
	laterTaskKeys = []string{
		"vars", "permissions", "model", "when", "if", "env",
	}
	laterDefaultsKeys = []string{"permissions", "model", "env"}
	laterAgentKeys    = []string{"env", "budget", "session"}
	laterRetryKeys    = []string{"backoff", "delay"}
	laterMergeKeys    = []string{"into", "style"}
)

// check reads the whole document.
func (c *checker) check() {
	if c.Root == nil {
		if !c.Findings().HasErrors() {
			c.Whole("empty-plan", "the plan is empty", "begin with `version: 1` and `tasks:`; `orc init` writes an example")
		}
		return
	}
	if !read(c, c.Root, "the plan", planKeys, laterPlanKeys, &c.draft) {
		return
	}
	if c.draft.versions == 0 {
		c.Whole("missing-version", "`version` is missing", "write `version: 1` in the first line")
	}
	if c.draft.tasksAt == nil {
		c.Whole("no-tasks", "the plan has no tasks", "add `tasks:` with at least one task below it")
	}
	c.draft.configured = c.o.Workflows
	c.checkWorkflows()
	c.checkAgents()
	c.checkPerson()
	c.spread()
	c.resolve()
	c.findCycles()
}

func (c *checker) setVersion(d *draft, f document.Field) {
	d.versions++
	if n := f.Value; n.Tag != "!!int" || n.Value != "1" {
		c.Error(n, "bad-version", fmt.Sprintf("plan version %s is not known", diagnostic.Quote(n.Value)), "write `version: 1`")
	}
}

func (c *checker) setBase(d *draft, f document.Field) {
	base, ok := c.Line(f.Value, "`base`")
	if !ok {
		return
	}
	if strings.HasPrefix(base, "-") || strings.ContainsAny(base, " \t:?*[\\") {
		c.Error(f.Value, "bad-value", fmt.Sprintf("`base` cannot be %s", diagnostic.Quote(base)), "a branch, a tag or a commit")
		return
	}
	d.Base = base
}

func (c *checker) setDefaults(d *draft, f document.Field) {
	read(c, f.Value, "`defaults`", defaultsKeys, laterDefaultsKeys, &d.defaults)
}

// retry is what `retry` says.
type retry struct {
	attempts int    // in all; 0 = not given
	session  string // one of sessions; empty = not given
}

// retry reads `retry`, which has two forms.
func (c *checker) retry(n *document.Node) retry {
	if !document.IsMap(n) {
		if more, ok := c.Number(n, "`retry`", 0, maxAttempts-1); ok {
			return retry{attempts: more + 1}
		}
		return retry{}
	}
	var r retry
	fields, _ := c.Fields(n, "`retry`")
	if read(c, n, "`retry`", retryKeys, laterRetryKeys, &r) &&
		!slices.ContainsFunc(fields, func(f document.Field) bool { return f.Name == "attempts" }) {
		c.Error(n, "missing-key", "`retry` has no `attempts`", "write `retry: 2` or `retry: {attempts: 3}`")
	}
	return r
}
