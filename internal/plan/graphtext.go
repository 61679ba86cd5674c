package plan

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"orchestrator/internal/scheduler"
)

// GraphFormat names a way to draw a plan.
type GraphFormat string

// The formats.
const (
	GraphText    GraphFormat = "text"    // lanes
	GraphASCII   GraphFormat = "ascii"   // lanes in plain characters
	GraphMermaid GraphFormat = "mermaid" // for Markdown on GitHub and elsewhere
	GraphDOT     GraphFormat = "dot"     // for Graphviz
)

// GraphFormats are the names of all formats, the default first.
func GraphFormats() []string {
	return []string{string(GraphText), string(GraphASCII), string(GraphMermaid), string(GraphDOT)}
}

// textLanes is how many lanes are drawn side by side; a wider plan is written as a list.
const textLanes = 40

// Graph draws the plan.
func Graph(w io.Writer, p *Plan, f GraphFormat) error {
	b := bufio.NewWriter(w)
	switch f {
	case GraphText, "":
		p.drawLanes(b, false)
	case GraphASCII:
		p.drawLanes(b, true)
	case GraphMermaid:
		p.drawMermaid(b)
	case GraphDOT:
		p.drawDOT(b)
	default:
		return fmt.Errorf("unknown graph format %q (one of: %s)", f, strings.Join(GraphFormats(), ", "))
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write graph: %w", err)
	}
	return nil
}

func (p *Plan) drawLanes(w *bufio.Writer, ascii bool) {
	rows, ok := Lanes(p.Nodes(), textLanes)
	if !ok {
		p.drawList(w, ascii)
		return
	}
	wide, longest := 0, 0
	for _, r := range rows {
		wide = max(wide, utf8.RuneCountInString(r.Lanes))
	}
	for i := range p.tasks {
		longest = max(longest, len(p.tasks[i].id))
	}
	for _, r := range rows {
		picture := r.Lanes
		if ascii {
			picture = ASCII(picture)
		}
		if r.Node >= 0 {
			t := &p.tasks[r.Node]
			picture += strings.Repeat(" ", wide-utf8.RuneCountInString(picture))
			picture += fmt.Sprintf("  %-*s  %s", longest, t.id, p.who(t))
			if t.name != "" {
				picture += "  " + t.name
			}
			picture = strings.TrimRight(picture, " ")
		}
		w.WriteString(picture)
		w.WriteByte('\n')
	}
}

// drawList writes a plan that is too wide for lanes: level by level, with the needs.
func (p *Plan) drawList(w *bufio.Writer, ascii bool) {
	arrow := "←"
	if ascii {
		arrow = "<-"
	}
	o := newOrder(p.tasks)
	level := int32(-1)
	for _, i := range o.line {
		if o.level[i] != level {
			level = o.level[i]
			fmt.Fprintf(w, "level %d\n", level+1)
		}
		fmt.Fprintf(w, "  %s", p.tasks[i].id)
		for j, d := range p.tasks[i].deps {
			separator := ","
			if j == 0 {
				separator = " " + arrow
			}
			fmt.Fprintf(w, "%s %s", separator, p.tasks[d].id)
		}
		w.WriteByte('\n')
	}
}

// who says what does the task: its agent, or "run".
func (p *Plan) who(t *task) string {
	if t.run.at != nil {
		return "run"
	}
	return first(t.agent.Text, p.defaults.agent.Text)
}

// soft says whether dependents run even when the task fails.
func (p *Plan) soft(t *task) bool {
	mode := first(t.failure, p.defaults.failure, scheduler.FailHard)
	return mode != scheduler.FailHard
}

func (p *Plan) drawMermaid(w *bufio.Writer) {
	w.WriteString("graph TD\n")
	for i := range p.tasks {
		// Numbers, because some ids are words of Mermaid.
		fmt.Fprintf(w, "  t%d[\"%s\"]\n", i, p.label(&p.tasks[i], mermaidText, "<br/>"))
	}
	for i := range p.tasks {
		for _, d := range p.tasks[i].deps {
			arrow := "-->"
			if p.soft(&p.tasks[d]) {
				arrow = "-.->"
			}
			fmt.Fprintf(w, "  t%d %s t%d\n", d, arrow, i)
		}
	}
}

func (p *Plan) drawDOT(w *bufio.Writer) {
	w.WriteString("digraph plan {\n  rankdir=TB;\n  node [shape=box];\n")
	for i := range p.tasks {
		fmt.Fprintf(w, "  \"%s\" [label=\"%s\"];\n", p.tasks[i].id, p.label(&p.tasks[i], dotText, `\n`))
	}
	for i := range p.tasks {
		for _, d := range p.tasks[i].deps {
			style := ""
			if p.soft(&p.tasks[d]) {
				style = " [style=dashed]"
			}
			fmt.Fprintf(w, "  \"%s\" -> \"%s\"%s;\n", p.tasks[d].id, p.tasks[i].id, style)
		}
	}
	w.WriteString("}\n")
}

var (
	mermaidText = strings.NewReplacer("&", "#amp;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "#", "#35;", "`", "#96;")
	dotText     = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
)

// label is a task's id, with its title below it where it has one.
func (p *Plan) label(t *task, escape *strings.Replacer, lineEnd string) string {
	if t.name == "" {
		return t.id
	}
	return t.id + lineEnd + escape.Replace(t.name)
}
