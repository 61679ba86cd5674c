package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"orchestrator/internal/diagnostic"
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
}

// Variable is the environment variable of the key; empty when there is none.
func (k Key) Variable() string {
	if k.parse == nil {
		return ""
	}
	return "ORC_" + strings.ToUpper(k.Name)
}

const maxConcurrency = 1024

var table = []Key{
	{
		Name: "version", Type: "1", About: "Version of the format of the file. Always 1; may be left out.",
	},
	{
		Name: "concurrency", Type: "number", Default: "4",
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
		Name: "isolation", Type: "clone, worktree or none", Default: "clone",
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
		Name: "agents", Type: "map", About: "Agents by role: {<role>: {provider: command, command: \"<shell command>\"}}. A plan's own agents come first.",
	},
	{
		Name: "durability", Type: "normal or full", Default: "normal",
		About: "normal: what is recorded survives the end of any process. full: it also survives a power cut at that instant, and is slower.",
		parse: func(c *Config, text string) (problem, help string) {
			c.Durability, problem, help = keep(c.Durability, text, "normal", "full")
			return problem, help
		},
	},
	{
		Name: "supervision", Type: "auto, namespace, subreaper or group", Default: "auto",
		About: "How commands are kept from outliving the run: the best there is, or exactly this.",
		parse: func(c *Config, text string) (problem, help string) {
			c.Supervision, problem, help = keep(c.Supervision, text, "auto", "namespace", "subreaper", "group")
			return problem, help
		},
	},
	{
		Name: "output_limit", Type: "size", Default: "256MiB",
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
		Name: "grace", Type: "duration", Default: "10s",
		About: "How long a process has between being asked to end (SIGTERM) and being killed (SIGKILL).",
		parse: func(c *Config, text string) (string, string) { return parseDuration(&c.Grace, text) },
	},
	{
		Name: "retention", Type: "duration", Default: "720h",
		About: "How long finished runs are kept before `orc clean` removes them.",
		parse: func(c *Config, text string) (string, string) { return parseDuration(&c.Retention, text) },
	},
}

// later are keys that the settings will have; they are refused, not ignored.
var later = []string{"providers", "workflows", "merge", "notify", "ui", "worktrees", "budget", "sandbox", "questions", "trust"}

// aliases are what people write instead of a key.
var aliases = map[string]string{
	"jobs": "concurrency", "parallel": "concurrency", "parallelism": "concurrency", "max_parallel": "concurrency",
	"roles": "agents", "agent": "agents", "workspace": "isolation", "log_limit": "output_limit", "max_output": "output_limit",
	"grace_period": "grace", "kill_after": "grace", "keep": "retention", "sync": "durability", "synchronous": "durability",
}

// Keys returns the keys in the order of the documentation.
func Keys() []Key { return append([]Key(nil), table...) }

func keyNames() []string {
	names := make([]string, len(table))
	for i, k := range table {
		names[i] = k.Name
	}
	return names
}

// Table is the keys as a table in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| Key | Value | Default | Variable | What it does |\n|---|---|---|---|---|\n")
	code := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + s + "`"
	}
	for _, k := range table {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Name, k.Type, code(k.Default), code(k.Variable()), k.About)
	}
	return b.String()
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
