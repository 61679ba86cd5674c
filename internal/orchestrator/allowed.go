package orchestrator

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"orchestrator/internal/environ"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// allowed is what the present phase's commands get of the owner's environment. What an agent's role passes and sets
// is for the agent alone: gates run what it wrote.
func (at *attempt) allowed() []string {
	o := at.e.options()
	agent, is := o.Agents[at.role()]
	if !is || at.task.Command != "" || at.a.Phase != scheduler.PhaseWorking {
		return environ.Allowed(at.e.o.Environ, o.Pass...)
	}
	env := environ.Allowed(at.e.o.Environ, slices.Concat(o.Pass, agent.Pass)...)
	for _, name := range slices.Sorted(maps.Keys(agent.Set)) {
		env = append(env, name+"="+agent.Set[name])
	}
	return env
}

// outside returns the changed files that a task does not write by what its plan says.
func (e *Engine) outside(task scheduler.TaskID, changed []workspace.FileChange) []string {
	writes := e.definition(task).WritesFiles
	if len(writes) == 0 {
		return nil
	}
	paths := make([]string, len(changed))
	for i, c := range changed {
		paths[i] = c.Path
	}
	return scheduler.Outside(writes, paths)
}

// some names the first few of many files.
func some(paths []string) string {
	const most = 5
	text := strings.Join(paths[:min(len(paths), most)], ", ")
	if more := len(paths) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
