package plan

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"orchestrator/internal/scheduler"
)

// GraphFormat names a way to draw a graph.
type GraphFormat string

// The formats.
const (
	Text    GraphFormat = "text"    // lanes
	ASCII   GraphFormat = "ascii"   // lanes in plain characters
	Mermaid GraphFormat = "mermaid" // for Markdown on GitHub and elsewhere
	DOT     GraphFormat = "dot"     // for Graphviz
)

// GraphFormats are the names of all formats, the default first.
func GraphFormats() []string {
	return []string{string(Text), string(ASCII), string(Mermaid), string(DOT)}
}

// textLanes is how many lanes are drawn side by side; a wider graph is written as a list.
const textLanes = 40

// Graph draws tasks, all of a plan's or a part of them. Needs outside the part are left out.
func Graph(w io.Writer, tasks []*scheduler.Task, f GraphFormat) error {
	d := drawing{Writer: bufio.NewWriter(w), tasks: tasks, nodes: Nodes(tasks)}
	switch f {
	case Text, "":
		d.lanes(false)
	case ASCII:
		d.lanes(true)
	case Mermaid:
		d.mermaid()
	case DOT:
		d.dot()
	default:
		return fmt.Errorf("unknown graph format %q (one of: %s)", f, strings.Join(GraphFormats(), ", "))
	}
	if err := d.Flush(); err != nil {
		return fmt.Errorf("write graph: %w", err)
	}
	return nil
}

// drawing is a graph on its way to a writer, which keeps the first error until it is flushed.
type drawing struct {
	*bufio.Writer
	tasks []*scheduler.Task
	nodes []Node
}

func (d *drawing) lanes(ascii bool) {
	rows, ok := Lanes(d.nodes, textLanes)
	if !ok {
		d.list(ascii)
		return
	}
	wide, longest, widest := 0, 0, 0
	for _, r := range rows {
		wide = max(wide, utf8.RuneCountInString(r.Lanes))
	}
	for _, t := range d.tasks {
		longest, widest = max(longest, len(t.ID)), max(widest, utf8.RuneCountInString(who(t)))
	}
	for _, r := range rows {
		line := r.Lanes
		if ascii {
			line = PlainLanes(line)
		}
		if r.Node >= 0 {
			t := d.tasks[r.Node]
			line += strings.Repeat(" ", wide-utf8.RuneCountInString(line))
			line = strings.TrimRight(fmt.Sprintf("%s  %-*s  %-*s  %s", line, longest, t.ID, widest, who(t), t.Name), " ")
		}
		fmt.Fprintln(d, line)
	}
}

// who says what does a task: its agent, or "run".
func who(t *scheduler.Task) string {
	if t.AgentRole == "" {
		return "run"
	}
	return t.AgentRole
}

// list writes a graph that is too wide for lanes: level by level, with the needs.
func (d *drawing) list(ascii bool) {
	arrow := "←"
	if ascii {
		arrow = "<-"
	}
	deps := make([][]int32, len(d.nodes))
	for i := range d.nodes {
		for _, need := range d.nodes[i].Needs {
			deps[i] = append(deps[i], int32(need))
		}
	}
	o := newOrder(deps)
	level := int32(-1)
	for _, i := range o.line {
		if o.level[i] != level {
			level = o.level[i]
			fmt.Fprintf(d, "level %d\n", level+1)
		}
		fmt.Fprintf(d, "  %s", d.tasks[i].ID)
		for j, need := range deps[i] {
			separator := ","
			if j == 0 {
				separator = " " + arrow
			}
			fmt.Fprintf(d, "%s %s", separator, d.tasks[need].ID)
		}
		fmt.Fprintln(d)
	}
}
