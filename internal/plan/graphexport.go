package plan

import (
	"fmt"
	"strings"

	"orchestrator/internal/scheduler"
)

var (
	mermaidText = strings.NewReplacer("#", "#35;", "&", "#amp;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "`", "#96;")
	dotText     = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
)

func (d *drawing) mermaid() {
	fmt.Fprintln(d, "graph TD")
	for i, t := range d.tasks {
		// Numbers, because some ids are words of Mermaid.
		fmt.Fprintf(d, "  t%d[\"%s\"]\n", i, label(t, mermaidText, "<br/>"))
	}
	for i := range d.nodes {
		for _, need := range d.nodes[i].Needs {
			arrow := "-->"
			if goesOn(d.tasks[need]) {
				arrow = "-.->"
			}
			fmt.Fprintf(d, "  t%d %s t%d\n", need, arrow, i)
		}
	}
}

func (d *drawing) dot() {
	fmt.Fprintln(d, "digraph plan {\n  rankdir=TB;\n  node [shape=box];")
	for _, t := range d.tasks {
		fmt.Fprintf(d, "  \"%s\" [label=\"%s\"];\n", t.ID, label(t, dotText, `\n`))
	}
	for i := range d.nodes {
		for _, need := range d.nodes[i].Needs {
			style := ""
			if goesOn(d.tasks[need]) {
				style = " [style=dashed]"
			}
			fmt.Fprintf(d, "  \"%s\" -> \"%s\"%s;\n", d.tasks[need].ID, d.tasks[i].ID, style)
		}
	}
	fmt.Fprintln(d, "}")
}

// goesOn says whether dependents run even when the task fails.
func goesOn(t *scheduler.Task) bool {
	return t.FailureMode == scheduler.FailSoft || t.FailureMode == scheduler.FailSkip
}

// label is a task's id, with its title below it where it has one.
func label(t *scheduler.Task, escape *strings.Replacer, lineEnd string) string {
	if t.Name == "" {
		return string(t.ID)
	}
	return string(t.ID) + lineEnd + escape.Replace(t.Name)
}
