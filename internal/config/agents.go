package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan"
	"orchestrator/internal/plan/document"
)

// Roles are the agents that exist without any file.
var Roles = []string{"orchestrator", "coder", "reviewer", "tester", "resolver"}

// rolePermissions are what the built-in roles may do.
var rolePermissions = map[string]string{"orchestrator": "read-only", "coder": "edit", "reviewer": "read-only", "tester": "edit", "resolver": "edit"}

// sandboxOff is the word that takes a sandbox away.
const sandboxOff = "off"

// agentFields are the keys of an agent, in the order in which they are shown.
var agentFields = []string{"provider", "command", "model", "permissions", "sandbox", "instructions", "instructions_file", "args", "fallback"}

// agents merges roles by name, and each role's fields by name.
func (m *merge) agents(r *document.Reader, f document.Field, layer Layer, path string) {
	roles, ok := r.Fields(f.Value, "`agents`")
	if !ok {
		return
	}
	for _, role := range roles {
		part := plan.ReadAgent(r, role, m.folder(layer, path)) // says what is wrong
		if document.IsMap(role.Value) {
			m.agent(r, role, part, layer, path)
		}
	}
}

// folder is what relative paths of a file of settings are relative to: the repository, or the folder of the user's.
func (m *merge) folder(layer Layer, path string) string {
	if layer == User {
		return filepath.Dir(path)
	}
	return m.o.ProjectDir
}

func (m *merge) agent(r *document.Reader, role document.Field, part plan.Agent, layer Layer, path string) {
	key := "agents." + role.Name
	agent := m.config.Agents[role.Name]
	if part.Provider != "" && part.Provider != agent.Provider && agent.Provider != "" {
		// Another provider: what a lower layer said to the former one means nothing to it.
		agent.Command, agent.Model, agent.Args = "", "", nil
		for _, field := range []string{"command", "model", "args"} {
			delete(m.values, key+"."+field)
		}
	}
	fields, _ := r.Fields(role.Value, "agent "+diagnostic.Quote(role.Name))
	for _, field := range fields {
		at := key + "." + field.Name
		var text string
		switch field.Name {
		case "provider":
			text, agent.Provider = part.Provider, part.Provider
		case "command":
			text, agent.Command = part.Command, part.Command
			m.command(at, text)
		case "model":
			text, agent.Model = part.Model, part.Model
		case "permissions":
			text, agent.Permissions = part.Permissions, part.Permissions
			if text == "full" {
				m.command(at, text)
			}
		case "sandbox":
			text, agent.Sandbox = part.Sandbox, part.Sandbox
			if text == sandboxOff {
				m.command(at, text)
			}
		case "instructions", "instructions_file":
			text, agent.Instructions = document.Resolve(field.Value).Value, part.Instructions
			delete(m.values, key+"."+otherInstructions[field.Name])
		case "args":
			text, agent.Args = listed(part.Args), part.Args
			m.command(at, text)
			m.refuseSecrets(r, field.Value, part.Args...)
		case "fallback":
			text, agent.Fallback = part.Fallback, part.Fallback
		default:
			continue
		}
		m.give(at, text, r, field, layer, path)
	}
	m.config.Agents[role.Name] = agent
	m.places[key] = place{reader: r, node: role.Key}
}

var otherInstructions = map[string]string{"instructions": "instructions_file", "instructions_file": "instructions"}

// give records the value of a key of a file.
func (m *merge) give(key, text string, r *document.Reader, f document.Field, layer Layer, path string) {
	m.values[key] = append(m.values[key], Value{Text: text, Origin: Origin{Layer: layer, File: path, Line: f.Key.Line}})
	m.places[key] = place{reader: r, node: f.Value}
}

// command notes what has to be trusted before it is run.
func (m *merge) command(key, text string) {
	if strings.TrimSpace(text) != "" {
		m.commands = append(m.commands, key+": "+text)
	}
}

// listed is a list as it would be written.
func listed(words []string) string { return "[" + strings.Join(words, ", ") + "]" }

// checkAgents says which agents no layer completes.
func (m *merge) checkAgents() {
	for _, role := range m.config.AgentNames() {
		agent := m.config.Agents[role]
		key := "agents." + role
		m.checkFallback(key+".fallback", role)
		if agent.Provider == "" {
			m.checkNoProvider(role, agent)
			continue
		}
		p, known := m.config.Providers[agent.Provider]
		switch {
		case !known:
			m.at(key+".provider", "bad-value", fmt.Sprintf("`provider` cannot be %s", diagnostic.Quote(agent.Provider)),
				oneOfHelp(agent.Provider, m.config.ProviderNames()))
		case p.Driver == plan.CommandProvider && agent.Command == "" && p.Command == "" && len(m.values[key+".command"]) == 0:
			m.at(key, "missing-key", fmt.Sprintf("agent `%s` has no `command`", role), commandExample)
		case p.Driver != plan.CommandProvider && agent.Command != "":
			m.at(key+".command", "conflicting-keys", fmt.Sprintf("agent `%s` has both `provider: %s` and `command`", role, agent.Provider),
				"`command` is for `provider: command`; another program is named in `providers`")
		}
	}
}

// checkFallback says whether a role falls back on nobody, or on itself.
func (m *merge) checkFallback(key, role string) {
	to := m.config.Agents[role].Fallback
	if to == "" {
		return
	}
	if _, known := m.config.Agents[to]; !known {
		m.at(key, "unknown-agent", fmt.Sprintf("agent `%s` falls back on the agent %s, which is not defined", role, diagnostic.Quote(to)),
			oneOfHelp(to, m.config.AgentNames()))
	} else if circle := plan.FallbackCircle(m.config.Agents, role); circle != "" {
		m.at(key, "bad-fallback", "agents fall back on each other: "+circle, "remove one of these `fallback`")
	}
}

const commandExample = "write {provider: command, command: \"…\"}"

func oneOfHelp(word string, words []string) string {
	help := "one of: " + strings.Join(words, ", ")
	if near := diagnostic.Nearest(word, words); near != "" {
		help = "did you mean `" + near + "`? " + help
	}
	return help
}

// checkNoProvider allows the built-in roles to say nothing of who does them; then that is the first agent installed.
func (m *merge) checkNoProvider(role string, agent plan.Agent) {
	key := "agents." + role
	switch {
	case len(m.values[key+".provider"]) > 0: // it was given, and what is wrong with it is said
	case !slices.Contains(Roles, role) || len(m.values[key+".command"]) > 0:
		m.at(key, "missing-key", fmt.Sprintf("agent `%s` has no `provider`", role), commandExample)
	case agent.Model != "" || len(agent.Args) > 0:
		m.at(key, "missing-key", fmt.Sprintf("agent `%s` has a model or arguments and no `provider`", role),
			"name the provider that they are for: "+strings.Join(m.config.ProviderNames(), ", "))
	}
}
