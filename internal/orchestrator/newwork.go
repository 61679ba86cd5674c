package orchestrator

import (
	"maps"

	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// newWork is the work of an agent's attempt that has not begun; nil for a command.
func (e *Engine) newWork(t *scheduler.Task) *persistence.Work {
	p, _, err := e.providerOf(t)
	if err != nil { // said when the attempt begins
		return nil
	}
	if _, ok := p.(provider.Agent); !ok || t.Prompt == "" {
		return nil
	}
	return &persistence.Work{Provider: p.Name(), Account: accountOf(e.options().Agents[t.AgentRole])}
}

// accountOf names the account whose limits an agent shares.
func accountOf(a persistence.Agent) string {
	if a.Account != "" {
		return a.Account
	}
	return a.Provider
}

// servers are the MCP servers that an attempt's agent is offered, bound to the attempt by their environment.
func (e *Engine) servers(a *persistence.Attempt) []provider.Server {
	if e.o.Tools == nil {
		return nil
	}
	s := *e.o.Tools
	s.Env = e.bound(a)
	maps.Copy(s.Env, e.o.Tools.Env)
	return []provider.Server{s}
}
