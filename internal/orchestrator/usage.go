package orchestrator

import (
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
)

// used records a turn's usage and the session's counters.
func (t *talk) used(r provider.Result, complete bool) {
	w := t.w
	if u := fromProvider(r.Usage); !u.IsZero() || complete {
		w.Use(persistence.TurnUsage{Turn: w.Turn, Role: t.worker(), Model: r.Usage.Model, Complete: complete && !u.IsZero(), Usage: u})
	}
	if c := fromProvider(r.Counters); !c.IsZero() {
		w.Counters = c
	}
}

// worker is whose turn it is; empty = the task's own agent's.
func (t *talk) worker() string {
	if f := t.w.Fallback; f != nil {
		return f.Role
	}
	return t.w.Role
}

func fromProvider(u provider.Usage) persistence.Usage {
	return persistence.Usage{
		Input: u.Input, Cached: u.Cached, CacheWrite: u.CacheWrite, Output: u.Output, Reasoning: u.Reasoning, Cost: u.Cost, Priced: u.Priced,
	}
}

func toProvider(u persistence.Usage) provider.Usage {
	return provider.Usage{
		Input: u.Input, Cached: u.Cached, CacheWrite: u.CacheWrite, Output: u.Output, Reasoning: u.Reasoning, Cost: u.Cost, Priced: u.Priced,
	}
}
