package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan/document"
	"orchestrator/internal/scheduler"
)

// Options say what a plan is checked against. The zero value is ready.
type Options struct {
	Agents           []string            // roles that the configuration defines
	DefaultIsolation scheduler.Isolation // of tasks when neither they nor the plan's defaults say; "" stays ""
	Dir              string              // folder that prompt_file is relative to; "" = the folder of the plan file
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
	"default": "defaults", "roles": "agents", "desc": "description", "system": "context",
}

// Keys that the format will have; they are refused, not ignored.
var (
	laterPlanKeys = []string{"budget", "questions", "approve", "strict_writes", "vars", "workflows", "providers", "merge", "notify", "include"}
	laterTaskKeys = []string{
		"budget", "questions", "approve", "workflow", "for_each", "strict_writes", "vars", "permissions", "model", "when", "if", "env",
	}
	laterDefaultsKeys = []string{"budget", "questions", "approve", "workflow", "strict_writes", "permissions", "model", "env"}
	laterAgentKeys    = []string{"model", "permissions", "instructions", "instructions_file", "args", "env", "budget", "session"}
	laterRetryKeys    = []string{"session", "backoff", "delay"}
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
	c.checkAgents()
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

func (c *checker) setAgents(d *draft, f document.Field) {
	fields, ok := c.Fields(f.Value, "`agents`")
	if !ok {
		return
	}
	d.Agents = make(map[string]Agent, len(fields))
	for _, a := range fields {
		d.Agents[a.Name] = c.agent(a)
	}
}

// ReadAgent reads the definition of an agent, which settings write as plans do. Settings come in layers, so that what
// is missing here may be in another one: the caller looks.
func ReadAgent(r *document.Reader, f document.Field) Agent {
	agent, _ := (&checker{Reader: r}).agentPart(f)
	return agent
}

func (c *checker) agent(f document.Field) Agent {
	agent, ok := c.agentPart(f)
	if ok {
		what := "agent " + diagnostic.Quote(f.Name)
		has, _ := c.Fields(f.Value, what)
		c.required(f.Key, what, has, agentKeys)
	}
	return agent
}

func (c *checker) agentPart(f document.Field) (agent Agent, ok bool) {
	if message, help := checkID("agent", f.Name); message != "" {
		c.Error(f.Key, "bad-id", message, help)
	}
	ok = read(c, f.Value, "agent "+diagnostic.Quote(f.Name), agentKeys, laterAgentKeys, &agent)
	return agent, ok
}

// required says which required keys a map lacks.
func (c *checker) required(at *document.Node, what string, has []document.Field, keys []key[Agent]) {
	for _, k := range keys {
		if k.required && !slices.ContainsFunc(has, func(f document.Field) bool { return f.Name == k.name }) {
			c.Error(at, "missing-key", fmt.Sprintf("%s has no `%s`", what, k.name), "write {provider: command, command: \"…\"}")
		}
	}
}

func (c *checker) setProvider(a *Agent, f document.Field) {
	word, ok := c.Text(f.Value, "`provider`")
	switch {
	case !ok:
	case slices.Contains(providers, word):
		a.Provider = word
	case slices.Contains(laterProviders, word):
		c.Error(f.Value, "unsupported-value", fmt.Sprintf("provider `%s` is not supported yet", word),
			"use `provider: command` with the agent's command line; the prompt comes on standard input")
	default:
		c.Error(f.Value, "bad-value", fmt.Sprintf("`provider` cannot be %s", diagnostic.Quote(word)),
			"one of: "+strings.Join(providers, ", "))
	}
}

// attempts reads `retry`, which has two forms.
func (c *checker) attempts(n *document.Node) int {
	if !document.IsMap(n) {
		if more, ok := c.Number(n, "`retry`", 0, maxAttempts-1); ok {
			return more + 1
		}
		return 0
	}
	var attempts int
	fields, _ := c.Fields(n, "`retry`")
	if read(c, n, "`retry`", retryKeys, laterRetryKeys, &attempts) &&
		!slices.ContainsFunc(fields, func(f document.Field) bool { return f.Name == "attempts" }) {
		c.Error(n, "missing-key", "`retry` has no `attempts`", "write `retry: 2` or `retry: {attempts: 3}`")
	}
	return attempts
}

// checkAgents says which agents nobody defines, and which prompts nobody would get.
func (c *checker) checkAgents() {
	known := slices.Sorted(maps.Keys(c.draft.Agents))
	for _, role := range c.o.Agents {
		if _, again := c.draft.Agents[role]; !again {
			known = append(known, role)
		}
	}
	here := "no agents are defined; add `agents:` to the plan or to the configuration"
	if len(known) > 0 {
		here = "agents here: " + few(known)
	}
	isKnown := make(map[string]bool, len(known))
	for _, role := range known {
		isKnown[role] = true
	}
	unknown := func(role document.Item, who string) {
		if role.Node == nil || isKnown[role.Text] {
			return
		}
		help := here
		if near := diagnostic.Nearest(role.Text, known); near != "" {
			help = "did you mean `" + near + "`?"
		}
		c.Error(role.Node, "unknown-agent", fmt.Sprintf("%s the agent %s, which is not defined", who, diagnostic.Quote(role.Text)), help)
	}
	unknown(c.draft.defaults.agent, "`defaults` names")
	for i := range c.draft.tasks {
		t := &c.draft.tasks[i]
		unknown(t.agent, fmt.Sprintf("task `%s` names", t.id))
		switch {
		case t.run.at != nil && t.agent.Node != nil:
			c.Warn(t.agent.Node, "unused-key", fmt.Sprintf("task `%s` runs a command: its `agent` does nothing", t.id), "remove `agent`")
		case t.run.at == nil && t.agent.Node == nil && c.draft.defaults.agent.Node == nil && (t.prompt.at != nil || t.file.at != nil):
			c.Error(t.key, "no-agent", fmt.Sprintf("task `%s` has a prompt and no agent", t.id), "add `agent:` to it or to `defaults`; "+here)
		}
	}
}

// few joins at most twenty words.
func few(words []string) string {
	const most = 20
	if len(words) <= most {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s, … (%d in all)", strings.Join(words[:most], ", "), len(words))
}
