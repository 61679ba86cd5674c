package cli

import (
	"maps"
	"slices"

	"orchestrator/internal/config"
	"orchestrator/internal/environ"
	"orchestrator/internal/plan"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/acp"
	"orchestrator/internal/provider/claude"
	"orchestrator/internal/provider/codex"
	"orchestrator/internal/provider/command"
	"orchestrator/internal/provider/fake"
	"orchestrator/internal/provider/gemini"
	"orchestrator/internal/provider/goose"
	"orchestrator/internal/provider/opencode"
)

// AgentDriver is a driver for a kind of agent, with what is known of the program that it drives.
type AgentDriver struct {
	Agent   provider.Agent
	Program string   // the program's usual name; empty = a provider of the configuration names one
	Install string   // how a person installs it
	Env     []string // names of the variables that the program documents; NAME* for all that begin so
	Loose   bool     // it cannot be kept to reading
}

// agentDrivers lists the drivers of this program. Roles that name no provider take the first whose program is
// installed.
func agentDrivers() []AgentDriver {
	return []AgentDriver{
		{
			Agent: claude.Claude{}, Program: "claude", Install: "npm install -g @anthropic-ai/claude-code",
			Env: []string{"ANTHROPIC_*", "CLAUDE_*", "DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING", "DISABLE_AUTOUPDATER", "MCP_TIMEOUT", "MCP_TOOL_TIMEOUT", "MAX_THINKING_TOKENS", "IS_SANDBOX"},
		},
		{
			Agent: codex.Codex{}, Program: "codex", Install: "npm install -g @openai/codex",
			Env: []string{"CODEX_*", "OPENAI_API_KEY", "OPENAI_BASE_URL"},
		},
		{
			Agent: goose.Goose{}, Program: "goose", Install: "npm install -g @aaif/goose-binary-linux-x64, or see goose-docs.ai", Loose: true,
			Env: []string{"GOOSE_*", "OPENAI_API_KEY", "OPENAI_HOST", "OPENAI_BASE_PATH", "ANTHROPIC_API_KEY", "ANTHROPIC_HOST", "GOOGLE_API_KEY", "OPENROUTER_API_KEY", "OLLAMA_HOST"},
		},
		{
			Agent: opencode.OpenCode{}, Program: "opencode", Install: "npm install -g opencode-ai",
			Env: []string{"OPENCODE_*", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY"},
		},
		{
			Agent: gemini.Gemini{}, Program: "gemini", Install: "npm install -g @google/gemini-cli",
			Env: []string{"GEMINI_*", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION", "GOOGLE_GENAI_USE_VERTEXAI"},
		},
		{Agent: acp.ACP{}},   // any program that speaks the Agent Client Protocol
		{Agent: fake.Fake{}}, // plays a script: for tests of plans, without a model
	}
}

// driver finds a driver by its name.
func (a *App) driver(name string) (AgentDriver, bool) {
	i := slices.IndexFunc(a.Drivers, func(d AgentDriver) bool { return d.Agent.Name() == name })
	if i < 0 {
		return AgentDriver{}, false
	}
	return a.Drivers[i], true
}

// providers are what an engine drives tasks with.
func (a *App) providers() map[string]provider.Provider {
	all := map[string]provider.Provider{plan.CommandProvider: command.Command{}}
	for _, d := range a.Drivers {
		all[d.Agent.Name()] = d.Agent
	}
	return all
}

// configDrivers are the drivers as the settings know them.
func (a *App) configDrivers() []config.Driver {
	var list []config.Driver
	for _, d := range a.Drivers {
		list = append(list, config.Driver{Name: d.Agent.Name(), Generic: d.Program == ""})
	}
	return list
}

// agentEnviron is the environment that a provider's program gets.
func (a *App) agentEnviron(cfg *config.Config, p config.Provider) []string {
	d, _ := a.driver(p.Driver)
	env := environ.Allowed(a.Environ, slices.Concat(cfg.Env, d.Env, p.Env)...)
	for _, name := range slices.Sorted(maps.Keys(p.Set)) {
		env = append(env, name+"="+p.Set[name])
	}
	return env
}
