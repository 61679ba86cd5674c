package config

import (
	"fmt"
	"maps"
	"slices"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan"
	"orchestrator/internal/plan/document"
	"orchestrator/internal/scheduler"
)

// builtInWorkflows are there without any file.
var builtInWorkflows = map[string]plan.Workflow{
	"reviewed": {Steps: []scheduler.Step{{}, {Agent: "reviewer", Review: true, Rounds: 3}}},
}

// workflows takes over the workflows of a file. One that a lower layer has too is replaced whole.
func (m *merge) workflows(r *document.Reader, f document.Field, layer Layer, path string) {
	named, ok := r.Fields(f.Value, "`workflows`")
	if !ok {
		return
	}
	for _, n := range named {
		w := plan.ReadWorkflow(r, n) // says what is wrong
		m.config.Workflows[n.Name] = w
		key := "workflows." + n.Name
		m.give(key, w.String(), r, n, layer, path)
		m.places[key] = place{reader: r, node: n.Key}
	}
}

// checkWorkflows says which roles of workflows no layer defines.
func (m *merge) checkWorkflows() {
	for _, name := range slices.Sorted(maps.Keys(m.config.Workflows)) {
		w := m.config.Workflows[name]
		for _, role := range w.Roles() {
			if _, known := m.config.Agents[role.Text]; known {
				continue
			}
			m.places["workflows."+name].reader.Error(role.Node, "unknown-agent",
				fmt.Sprintf("workflow `%s` names the agent %s, which is not defined", name, diagnostic.Quote(role.Text)),
				oneOfHelp(role.Text, m.config.AgentNames()))
		}
	}
}
