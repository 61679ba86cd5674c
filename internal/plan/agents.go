package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan/document"
)

// The keys of an agent.
var agentKeys = []key[Agent]{
	{
		name: "provider", shape: shape{"type": "string", "pattern": idPattern}, required: true, examples: []any{"claude", "command"},
		about: "How the agent is driven: command for a shell command, or a provider such as claude, codex, goose, opencode, gemini, or one of the configuration's.",
		set:   (*checker).setProvider,
	},
	{
		name: "command", shape: filled, examples: []any{"./agent.sh", "llm --model fast"},
		about: "With provider command: the shell command that does the work; the prompt comes on standard input and in the file $ORC_PROMPT_FILE.",
		set:   func(c *checker, a *Agent, f document.Field) { a.Command, _ = c.Filled(f.Value, "`command`") },
	},
	{
		name: "model", shape: line, examples: []any{"opus"},
		about: "Model, as the agent names it. Default: the agent's own choice.",
		set:   func(c *checker, a *Agent, f document.Field) { a.Model, _ = c.Line(f.Value, "`model`") },
	},
	{
		name: "permissions", shape: choice(Permissions...), examples: []any{"read-only"},
		about: "What the agent may do without being asked. read-only: look. edit: also write in its workspace and run what the agent confines. full: whatever it wants. Default: edit.",
		set:   (*checker).setPermissions,
	},
	{
		name: "sandbox", shape: choice(Sandboxes...), examples: []any{"required"},
		about: "Whether the agent, and the gates of its tasks, are confined to their workspace. auto: where this machine can. required: they do not start where it cannot. off: never. Default: the configuration's `sandbox`.",
		set:   (*checker).setSandbox,
	},
	{
		name: "instructions", shape: filled, examples: []any{"Never edit generated files."},
		about: "Text that is added to the agent's system prompt.",
		set:   func(c *checker, a *Agent, f document.Field) { a.Instructions, _ = c.Filled(f.Value, "`instructions`") },
	},
	{
		name: "instructions_file", shape: line, examples: []any{"prompts/reviewer.md"},
		about: "File with the instructions: relative to a plan, to the repository in its settings, to your own settings in those. It is read when the run starts.",
		set:   (*checker).setInstructionsFile,
	},
	{
		name: "args", shape: list, examples: []any{[]any{"--effort", "high"}},
		about: "Arguments that are added to the agent's command line, behind those of the provider.",
		set:   (*checker).setArgs,
	},
	{
		name: "fallback", shape: line, examples: []any{"backup"},
		about: "Role, of another account, that does the agent's work while its account is at its limit or fails again and again. Default: the work waits.",
		set:   func(c *checker, a *Agent, f document.Field) { a.Fallback, _ = c.Line(f.Value, "`fallback`") },
	},
}

// agentSchema is the schema of an agent: a shell command has a command, and nothing else has one.
func agentSchema() shape {
	level := describeLevel(agentKeys)
	isCommand := shape{"const": CommandProvider}
	level["anyOf"] = []any{
		shape{"properties": shape{"provider": isCommand}, "required": []any{"command"}},
		shape{"properties": shape{"provider": shape{"not": isCommand}}, "not": shape{"required": []any{"command"}}},
	}
	level["not"] = shape{"required": []any{"instructions", "instructions_file"}}
	return level
}

// AgentSchema is the JSON Schema of an agent in the configuration, where another layer may have what one lacks.
func AgentSchema() map[string]any {
	level := describeLevel(agentKeys)
	delete(level, "required")
	level["not"] = shape{"required": []any{"instructions", "instructions_file"}}
	return level
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

// AgentKeys says what each key of an agent means.
func AgentKeys() map[string]string {
	about := make(map[string]string, len(agentKeys))
	for _, k := range agentKeys {
		about[k.name] = k.about
	}
	return about
}

// ReadAgent reads the definition of an agent, which settings write as plans do. Settings come in layers, so that what
// is missing here may be in another one, and a provider may be defined there: the caller looks. dir is the folder
// that instructions_file is relative to.
func ReadAgent(r *document.Reader, f document.Field, dir string) Agent {
	c := &checker{Reader: r, layered: true}
	c.files.dir = dir
	defer c.files.close()
	agent, _ := c.agentPart(f)
	return agent
}

func (c *checker) agent(f document.Field) Agent {
	agent, ok := c.agentPart(f)
	if !ok {
		return agent
	}
	what := "agent " + diagnostic.Quote(f.Name)
	has, _ := c.Fields(f.Value, what)
	given := func(name string) *document.Node {
		if i := slices.IndexFunc(has, func(f document.Field) bool { return f.Name == name }); i >= 0 {
			return has[i].Key
		}
		return nil
	}
	const example = "write {provider: command, command: \"…\"}"
	switch {
	case given("provider") == nil:
		c.Error(f.Key, "missing-key", what+" has no `provider`", example)
	case agent.Provider == CommandProvider && given("command") == nil:
		c.Error(f.Key, "missing-key", what+" has no `command`", example)
	case agent.Provider == CommandProvider:
		for _, name := range []string{"model", "permissions", "instructions", "instructions_file", "args"} {
			if at := given(name); at != nil {
				c.Warn(at, "unused-key", fmt.Sprintf("%s is a shell command: `%s` does nothing", what, name), "say it in `command`")
			}
		}
	case agent.Provider != "" && given("command") != nil:
		c.Error(given("command"), "conflicting-keys", fmt.Sprintf("%s has both `provider: %s` and `command`", what, agent.Provider),
			"`command` is for `provider: command`; another program is named in the `providers` of the configuration")
	}
	return agent
}

func (c *checker) agentPart(f document.Field) (agent Agent, ok bool) {
	if message, help := checkID("agent", f.Name); message != "" {
		c.Error(f.Key, "bad-id", message, help)
	}
	what := "agent " + diagnostic.Quote(f.Name)
	ok = read(c, f.Value, what, agentKeys, laterAgentKeys, &agent)
	if ok {
		has, _ := c.Fields(f.Value, what)
		var file, text *document.Node
		for _, h := range has {
			switch h.Name {
			case "fallback":
				c.fallbacks = append(c.fallbacks, fallback{f.Name, document.Item{Text: agent.Fallback, Node: h.Value}})
			case "instructions":
				text = h.Key
			case "instructions_file":
				file = h.Key
			}
		}
		if file != nil && text != nil {
			c.Error(file, "conflicting-keys", what+" has both `instructions` and `instructions_file`", "keep one of them")
		}
	}
	return agent, ok
}

func (c *checker) setProvider(a *Agent, f document.Field) {
	word, ok := c.Text(f.Value, "`provider`")
	if !ok {
		return
	}
	if c.layered || slices.Contains(c.providers(), word) {
		a.Provider = word
		return
	}
	help := "one of: " + strings.Join(c.providers(), ", ")
	if near := diagnostic.Nearest(word, c.providers()); near != "" {
		help = "did you mean `" + near + "`? " + help
	}
	c.Error(f.Value, "bad-value", fmt.Sprintf("`provider` cannot be %s", diagnostic.Quote(word)), help)
}

// providers are the words that `provider` takes.
func (c *checker) providers() []string {
	if c.o.Providers == nil {
		return []string{CommandProvider}
	}
	return c.o.Providers
}

func (c *checker) setPermissions(a *Agent, f document.Field) {
	if word, ok := c.word(f, Permissions, "one of: read-only, edit (default), full"); ok {
		a.Permissions = word
	}
}

// word reads a value that is one of a few words.
func (c *checker) word(f document.Field, words []string, help string) (string, bool) {
	what := "`" + f.Name + "`"
	word, ok := c.Text(f.Value, what)
	if !ok || slices.Contains(words, word) {
		return word, ok
	}
	if near := diagnostic.Nearest(word, words); near != "" {
		help = "did you mean `" + near + "`? " + help
	}
	c.Error(f.Value, "bad-value", what+" cannot be "+diagnostic.Quote(word), help)
	return "", false
}

func (c *checker) setInstructionsFile(a *Agent, f document.Field) {
	name, ok := c.Line(f.Value, "`instructions_file`")
	if !ok {
		return
	}
	if c.files.frozen {
		return
	}
	file := c.files.open(name)
	if file.message != "" {
		c.Error(f.Value, "bad-instructions-file", fmt.Sprintf("instructions file %s %s", diagnostic.Quote(name), file.message), file.help)
		return
	}
	a.Instructions = file.text
}

func (c *checker) setArgs(a *Agent, f document.Field) {
	for _, item := range c.List(f.Value, "`args`") {
		a.Args = append(a.Args, item.Text)
	}
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
	for _, f := range c.fallbacks {
		unknown(f.to, fmt.Sprintf("agent `%s` names", f.of))
	}
	c.checkFallbacks()
	for _, name := range slices.Sorted(maps.Keys(c.draft.workflows)) {
		w := c.draft.workflows[name]
		for _, role := range w.roles {
			unknown(role, fmt.Sprintf("workflow `%s` names", name))
		}
	}
	for i := range c.draft.tasks {
		t := &c.draft.tasks[i]
		unknown(t.agent, fmt.Sprintf("task `%s` names", t.id))
		switch {
		case t.run.at != nil && t.agent.Node != nil:
			c.Warn(t.agent.Node, "unused-key", fmt.Sprintf("task `%s` runs a command: its `agent` does nothing", t.id), "remove `agent`")
		case t.run.at == nil && t.agent.Node == nil && c.draft.defaults.agent.Node == nil && !c.draft.saysWho(t) && (t.prompt.at != nil || t.file.at != nil):
			c.Error(t.key, "no-agent", fmt.Sprintf("task `%s` has a prompt and no agent", t.id), "add `agent:` to it or to `defaults`; "+here)
		}
	}
}

// saysWho says whether a task's workflow names the agent of its work.
func (d *draft) saysWho(t *task) bool {
	_, w := d.workflowOf(t)
	return w != nil && w.Agent != ""
}

// few joins at most twenty words.
func few(words []string) string {
	const most = 20
	if len(words) <= most {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s, … (%d in all)", strings.Join(words[:most], ", "), len(words))
}

func (c *checker) setSandbox(a *Agent, f document.Field) {
	if word, ok := c.word(f, Sandboxes, "one of: "+strings.Join(Sandboxes, ", ")); ok {
		a.Sandbox = word
	}
}
