package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/plan"
	"orchestrator/internal/scheduler"
)

// graphDocument is `orc plan graph --json`.
type graphDocument struct {
	Schema int         `json:"schema"`
	Nodes  []graphNode `json:"nodes"`
	Edges  []graphEdge `json:"edges"`
}

// graphNode is a task.
type graphNode struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Agent string `json:"agent"` // empty = a command
}

// graphEdge leads from a task to one that needs it.
type graphEdge struct {
	From      string                `json:"from"`
	To        string                `json:"to"`
	OnFailure scheduler.FailureMode `json:"on_failure"` // of the former; after soft and skip the latter runs anyway
}

func newPlanGraph(a *App) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:               "graph [PLAN]",
		Short:             "Draw what needs what",
		Example:           "  orc plan graph\n  orc plan graph --format mermaid >> README.md\n  orc plan graph --jq '.edges[] | \"\\(.from) \\(.to)\"'",
		Args:              between(0, 1),
		ValidArgsFunction: completePlans,
	}
	out := newOutput(cmd, graphDocument{}, "nodes")
	cmd.Flags().StringVar(&format, "format", "", "how: "+strings.Join(plan.GraphFormats(), ", "))
	mustComplete(cmd, "format", plan.GraphFormats()...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		f := plan.GraphFormat(format)
		if f == "" && a.ascii() {
			f = plan.ASCII
		}
		// An unknown format is found before the plan is read.
		if err := plan.Graph(io.Discard, nil, f); err != nil {
			return usageError("one of: "+strings.Join(plan.GraphFormats(), ", "), "--format: %w", err)
		}
		p, err := a.goodPlan(a.planPath(args))
		if err != nil {
			return err
		}
		if wanted {
			return out.write(a, newGraphDocument(p.Tasks()))
		}
		return plan.Graph(a.Stdout, p.Tasks(), f)
	}
	return cmd
}

func newGraphDocument(tasks []*scheduler.Task) graphDocument {
	doc := graphDocument{Schema: schema, Nodes: []graphNode{}, Edges: []graphEdge{}}
	modes := make(map[scheduler.TaskID]scheduler.FailureMode, len(tasks))
	for _, t := range tasks {
		modes[t.ID] = t.FailureMode
	}
	for _, t := range tasks {
		doc.Nodes = append(doc.Nodes, graphNode{ID: string(t.ID), Name: t.Name, Agent: t.AgentRole})
		for _, need := range t.DependsOn {
			doc.Edges = append(doc.Edges, graphEdge{From: string(need), To: string(t.ID), OnFailure: modes[need]})
		}
	}
	return doc
}
