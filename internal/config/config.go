// Package config reads settings from their layers, low to high: built in, the user's file, the project's committed
// file, the project's local file, ORC_* environment variables, flags. Maps are merged by key, everything else is
// replaced whole. Every value knows where it comes from, and so does every value that it hides. Files are checked as
// strictly as plans, with positions. The package looks only at what LoadOptions name, never at the process's own
// environment.
package config

import (
	"maps"
	"slices"
	"time"

	"orchestrator/internal/plan"
	"orchestrator/internal/scheduler"
)

// Config is the merged settings.
type Config struct {
	Concurrency int                      // tasks at a time
	Isolation   scheduler.Isolation      // of tasks whose plan does not say
	Agents      map[string]plan.Agent    // by role; one without a provider takes the first agent that is installed
	Providers   map[string]Provider      // by name
	Workflows   map[string]plan.Workflow // by name
	Env         []string                 // names of variables that every command gets beside the usual ones
	Durability  string                   // "normal" or "full"
	Supervision string                   // "auto", "namespace", "subreaper" or "group"
	Questions   string                   // of agents whose plan does not say: ask, orchestrator, never or fail
	Limits      string                   // "wait" or "fail": what a usage limit means to an attempt
	OutputLimit int64                    // bytes that one command may print
	Sandbox     string                   // "auto", "required" or "off": of agents that do not say
	// SandboxWrites are absolute paths that every sandboxed command may write, beside its workspace and what is usual.
	SandboxWrites []string
	// MergeVerify: what a merge makes is checked before it counts, where the plan does not say. MergeCommand is the gate
	// then; empty = those of the tasks.
	MergeVerify  bool
	OnConflict   string // "stop", "agent" or "ask": of work that conflicts when no attempt is left
	MergeCommand string
	Grace        time.Duration // between asking a process to end and killing it
	Retention    time.Duration // how long finished runs are kept

	StallTimeout time.Duration // how long nothing may be heard of an agent without a tool at work
	ToolTimeout  time.Duration // how long one of its tools may be

	NotifyBell    bool   // whether a terminal rings when something newly needs the person
	NotifyCommand string // what is run then; empty = nothing

	// Trust lists the project's files that define commands: whoever cloned the repository did not write those.
	Trust []CommandFile

	settings []Setting
}

// CommandFile is a file of the project that defines commands, or what they get to see.
type CommandFile struct {
	Path     string
	SHA256   string   // of the file's text, hex
	Commands []string // as "key: value", in the order of the file
}

// AgentNames returns the roles that are defined, sorted.
func (c *Config) AgentNames() []string { return slices.Sorted(maps.Keys(c.Agents)) }

// ProviderNames returns the words that an agent's provider may be, sorted.
func (c *Config) ProviderNames() []string { return slices.Sorted(maps.Keys(c.Providers)) }

// Settings returns every setting with its origin, in the order of the keys; agents have one setting for each field,
// such as agents.coder.command.
func (c *Config) Settings() []Setting { return slices.Clone(c.settings) }

// Setting returns one setting by its key.
func (c *Config) Setting(key string) (Setting, bool) {
	i := slices.IndexFunc(c.settings, func(s Setting) bool { return s.Key == key })
	if i < 0 {
		return Setting{}, false
	}
	return c.settings[i], true
}
