package orchestrator

import (
	"maps"
	"slices"

	"orchestrator/internal/environ"
	"orchestrator/internal/scheduler"
)

// allowed is what the present phase's commands get of the owner's environment. What an agent's role passes and sets
// is for the agent alone: gates run what it wrote.
func (at *attempt) allowed() []string {
	o := at.e.run.Options
	agent, is := o.Agents[at.task.AgentRole]
	if !is || at.task.Command != "" || at.a.Phase != scheduler.PhaseWorking {
		return environ.Allowed(at.e.o.Environ, o.Pass...)
	}
	env := environ.Allowed(at.e.o.Environ, slices.Concat(o.Pass, agent.Pass)...)
	for _, name := range slices.Sorted(maps.Keys(agent.Set)) {
		env = append(env, name+"="+agent.Set[name])
	}
	return env
}
