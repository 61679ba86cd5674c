package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/environ"
	"orchestrator/internal/scheduler"
)

// Key describes one key of the settings. Keys, variables and flags are read by the same table.
type Key struct {
	Name    string
	Type    string // for people
	Default string // as it would be written
	About   string
	// parse checks a value and sets it; nil for keys that are more than one value. problem says what is wrong and
	// continues "`key` …".
	parse func(c *Config, text string) (problem, help string)
	runs  bool           // a command that is run: trusted before
	list  bool           // a list of words; as one text, with commas or blanks between them
	shape map[string]any // what it takes, as a JSON Schema
}

// Variable is the environment variable of the key; empty when there is none.
func (k Key) Variable() string {
	if k.parse == nil {
		return ""
	}
	return "ORC_" + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

const maxConcurrency = 1024

var table = []Key{
	{
		Name: "version", Type: "1", shape: map[string]any{"type": "integer", "const": 1}, About: "Version of the format of the file. Always 1; may be left out.",
	},
	{
		Name: "concurrency", Type: "number", Default: "4", shape: map[string]any{"type": "integer", "minimum": 1, "maximum": maxConcurrency},
		About: "How many tasks run at a time. A plan's own concurrency comes first.",
		parse: func(c *Config, text string) (string, string) {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > maxConcurrency {
				return "cannot be " + diagnostic.Quote(text), fmt.Sprintf("a whole number from 1 to %d", maxConcurrency)
			}
			c.Concurrency = n
			return "", ""
		},
	},
	{
		Name: "isolation", Type: "clone, worktree or none", Default: "clone", shape: oneOf("clone", "worktree", "none"),
		About: "Where tasks work whose plan does not say: in a private clone, in a git worktree, or in the repository's own folder.",
		parse: func(c *Config, text string) (problem, help string) {
			word, problem, help := choose(text, string(scheduler.IsolationClone), string(scheduler.IsolationWorktree), string(scheduler.IsolationNone))
			if problem == "" {
				c.Isolation = scheduler.Isolation(word)
			}
			return problem, help
		},
	},
	{
		Name: "providers", Type: "map", About: "Ways of starting an agent's program, by name: see below. Every driver is a provider of its own name.",
	},
	{
		Name: "agents", Type: "map", About: "Who does the work, by role: see below. A plan's own agents come first.",
	},
	{
		Name: "workflows", Type: "map", About: "How tasks are worked through whose plan says `workflow`, by name: see below. A plan's own workflows come first.",
	},
	{
		Name: "env", Type: "names of variables", list: true, shape: wordsShape,
		About: "Environment variables that every command and agent gets beside the usual ones; NAME* stands for all that begin so.",
		parse: func(c *Config, text string) (string, string) {
			names := words(text)
			for _, n := range names {
				if !environ.IsName(n) {
					return "cannot be " + diagnostic.Quote(text), diagnostic.Quote(n) + " is no name of a variable; names only, such as MY_TOKEN or ACME_*"
				}
			}
			c.Env = names
			return "", ""
		},
	},
	{
		Name: "durability", Type: "normal or full", Default: "normal", shape: oneOf("normal", "full"),
		About: "normal: what is recorded survives the end of any process. full: it also survives a power cut at that instant, and is slower.",
		parse: func(c *Config, text string) (problem, help string) {
			c.Durability, problem, help = keep(c.Durability, text, "normal", "full")
			return problem, help
		},
	},
	{
		Name: "supervision", Type: "auto, namespace, subreaper or group", Default: "auto", shape: oneOf("auto", "namespace", "subreaper", "group"),
		About: "How commands are kept from outliving the run: the best there is, or exactly this.",
		parse: func(c *Config, text string) (problem, help string) {
			c.Supervision, problem, help = keep(c.Supervision, text, "auto", "namespace", "subreaper", "group")
			return problem, help
		},
	},
	{
		Name: "sandbox", Type: "auto, required or off", Default: "auto", shape: oneOf("auto", "required", "off"),
		About: "Whether agents, and the gates of their tasks, are confined to their workspace. auto: where this machine can. required: nothing starts where it cannot, and plain commands are confined too. off: never.",
		parse: func(c *Config, text string) (problem, help string) {
			c.Sandbox, problem, help = keep(c.Sandbox, text, "auto", "required", "off")
			return problem, help
		},
	},
	{
		Name: "sandbox_writes", Type: "paths", list: true, shape: wordsShape,
		About: "Files and folders outside of the workspace that sandboxed commands may write too; absolute, or with ~/ in front.",
		parse: func(c *Config, text string) (string, string) {
			c.SandboxWrites = nil
			for _, path := range words(text) {
				if !filepath.IsAbs(path) && !strings.HasPrefix(path, "~/") {
					return "cannot be " + diagnostic.Quote(text), diagnostic.Quote(path) + " is not absolute: begin it with / or ~/"
				}
				c.SandboxWrites = append(c.SandboxWrites, path)
			}
			return "", ""
		},
	},
	{
		Name: "output_limit", Type: "size", Default: "256MiB", shape: map[string]any{"type": []any{"string", "integer"}},
		About: "How much one command may print before it is stopped.",
		parse: func(c *Config, text string) (string, string) {
			n, ok := parseSize(text)
			if !ok {
				return "cannot be " + diagnostic.Quote(text), "a size such as 500MB, 256MiB or 1048576"
			}
			c.OutputLimit = n
			return "", ""
		},
	},
	{
		Name: "questions", Type: "ask, orchestrator, never or fail", Default: "ask", shape: oneOf("ask", "orchestrator", "never", "fail"),
		About: "What becomes of questions that agents ask, where the plan does not say. ask: they wait for a person's answer. orchestrator: the role `orchestrator` is asked first; it answers, or passes the question on to a person. never: the agent is told to decide by itself. fail: the attempt fails. Where CI is set and nobody says: fail.",
		parse: func(c *Config, text string) (problem, help string) {
			c.Questions, problem, help = keep(c.Questions, text, "ask", "orchestrator", "never", "fail")
			return problem, help
		},
	},
	{
		Name: "merge.verify", Type: "true, false or a shell command", Default: "false", shape: map[string]any{"type": []any{"boolean", "string"}}, runs: true,
		About: "Whether what a merge into the run's branch makes is checked before it counts, where the plan does not say. true: where something was merged since a task began, its gates and those of the tasks merged since run again. A command: it must succeed on every result of a merge instead.",
		parse: func(c *Config, text string) (string, string) {
			if strings.TrimSpace(text) == "" {
				return "cannot be empty", "true, false, or a shell command such as `make test`"
			}
			c.MergeVerify, c.MergeCommand = text != "false", ""
			if text != "true" && text != "false" {
				c.MergeCommand = text
			}
			return "", ""
		},
	},
	{
		Name: "merge.on_conflict", Type: "stop, agent or ask", Default: "stop", shape: oneOf("stop", "agent", "ask"),
		About: "What becomes of work that conflicts with what is merged when its task has no attempt left, where the plan does not say. stop: it waits for a person. agent: the role `resolver` resolves it. ask: that too, but its result counts only after `orc merge --continue`.",
		parse: func(c *Config, text string) (problem, help string) {
			c.OnConflict, problem, help = keep(c.OnConflict, text, "stop", "agent", "ask")
			return problem, help
		},
	},
	{
		Name: "limits", Type: "wait or fail", Default: "wait", shape: oneOf("wait", "fail"),
		About: "What becomes of an attempt whose agent meets the usage limit of its account. wait: it goes on, in its session, when the limit ends; no attempt is spent, and nothing else of the account is started until then. fail: the attempt fails.",
		parse: func(c *Config, text string) (problem, help string) {
			c.Limits, problem, help = keep(c.Limits, text, "wait", "fail")
			return problem, help
		},
	},
	{
		Name: "grace", Type: "duration", Default: "10s", shape: textShape,
		About: "How long a process has between being asked to end (SIGTERM) and being killed (SIGKILL).",
		parse: func(c *Config, text string) (string, string) { return parseDuration(&c.Grace, text) },
	},
	{
		Name: "stall_timeout", Type: "duration", Default: "15m", shape: textShape,
		About: "How long nothing may be heard of an agent that has no tool at work before it is interrupted and asked to go on.",
		parse: func(c *Config, text string) (string, string) { return parseDuration(&c.StallTimeout, text) },
	},
	{
		Name: "tool_timeout", Type: "duration", Default: "2h", shape: textShape,
		About: "How long one tool of an agent (a build, a test run) may be at work before the agent is interrupted and told so.",
		parse: func(c *Config, text string) (string, string) { return parseDuration(&c.ToolTimeout, text) },
	},
	{
		Name: "retention", Type: "duration", Default: "720h", shape: textShape,
		About: "How long finished runs are kept before `orc clean` removes them.",
		parse: func(c *Config, text string) (string, string) { return parseDuration(&c.Retention, text) },
	},
	{
		Name: "notify.bell", Type: "true or false", Default: "true", shape: map[string]any{"type": "boolean"},
		About: "Whether the terminal's bell rings when something newly needs you, and at the end of a run of more than 30 seconds.",
		parse: func(c *Config, text string) (problem, help string) {
			word, problem, help := choose(text, "true", "false")
			if problem == "" {
				c.NotifyBell = word == "true"
			}
			return problem, help
		},
	},
	{
		Name: "notify.command", Type: "shell command", Default: "", shape: map[string]any{"type": "string"}, runs: true,
		About: "What is run at those moments, also when nobody watches. It gets `ORC_ALERT` (a text), `ORC_RUN`, and `ORC_TASK` where one waits.",
		parse: func(c *Config, text string) (string, string) {
			c.NotifyCommand = text
			return "", ""
		},
	},
}

// later are keys that the settings will have; they are refused, not ignored.
var later = []string{"ui", "worktrees", "budget", "trust"}

// aliases are what people write instead of a key.
var aliases = map[string]string{
	"jobs": "concurrency", "parallel": "concurrency", "parallelism": "concurrency", "max_parallel": "concurrency",
	"roles": "agents", "agent": "agents", "provider": "providers", "environment": "env", "pass_env": "env", "workspace": "isolation", "log_limit": "output_limit", "max_output": "output_limit",
	"grace_period": "grace", "kill_after": "grace", "keep": "retention", "sync": "durability", "synchronous": "durability",
}

// words are the parts of a list that is one text.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}

// Keys returns the keys in the order of the documentation.
func Keys() []Key { return append([]Key(nil), table...) }

// keyNames are the keys as they stand at the top of a file.
func keyNames() []string {
	var names []string
	for _, k := range table {
		if name, _, _ := strings.Cut(k.Name, "."); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// inSection are the keys of a map of settings, by their names in it.
func inSection(name string) map[string]Key {
	keys := map[string]Key{}
	for _, k := range table {
		if section, key, in := strings.Cut(k.Name, "."); in && section == name {
			keys[key] = k
		}
	}
	return keys
}

// keep returns the chosen word, or what was there when the text is none of the words.
func keep(before, text string, words ...string) (word, problem, help string) {
	if word, problem, help = choose(text, words...); problem != "" {
		word = before
	}
	return word, problem, help
}

func choose(text string, words ...string) (word, problem, help string) {
	for _, w := range words {
		if w == text {
			return w, "", ""
		}
	}
	help = "one of: " + words[0] + " (default)"
	for _, w := range words[1:] {
		help += ", " + w
	}
	if near := diagnostic.Nearest(text, words); near != "" {
		help = "did you mean `" + near + "`? " + help
	}
	return "", "cannot be " + diagnostic.Quote(text), help
}

func parseDuration(into *time.Duration, text string) (problem, help string) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return "cannot be " + diagnostic.Quote(text), "a duration such as 90s, 20m or 720h"
	}
	*into = d
	return "", ""
}
