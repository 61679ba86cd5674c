// Package tasklist reads task lists that were not written as plans: Markdown check-lists with [P] marks, and exports of
// GitHub issues. What it makes of them is a proposal that a person looks at: every task keeps the line that it came
// from, and whatever was left out or guessed is a note.
package tasklist

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Task is one item of a list.
type Task struct {
	ID     string
	Name   string
	Prompt string
	Needs  []string // ids of tasks of the list that are not done
	Writes []string // paths that the text names
	Line   int      // 1-based; for an issue, its number
}

// Note says what was left out or guessed, and where.
type Note struct {
	Line int // 0 = the list as a whole
	Text string
}

// Reading is what was understood of a list.
type Reading struct {
	Tasks []Task
	Done  int // items that are checked off, or closed
	Notes []Note
}

// ErrNothing is returned for a text in which no open task was found.
var ErrNothing = errors.New("no open task found")

// Read tells by the first character whether the text is an export of issues or a Markdown list.
func Read(src []byte) (Reading, error) {
	if start := bytes.TrimSpace(src); len(start) > 0 && (start[0] == '{' || start[0] == '[' && !bytes.HasPrefix(start, []byte("[ ]"))) {
		return Issues(src)
	}
	return Markdown(src)
}

func (r *Reading) note(line int, format string, args ...any) {
	r.Notes = append(r.Notes, Note{Line: line, Text: fmt.Sprintf(format, args...)})
}

// draft is a task whose needs are still what the text calls them.
type draft struct {
	Task
	key   string   // what other items may call it, folded
	wants []string // keys
	done  bool
}

// settle puts ids in place of keys, leaves out what is done, and says which keys nobody has.
func (r *Reading) settle(drafts []draft) error {
	byKey := map[string]*draft{}
	for i := range drafts {
		d := &drafts[i]
		if first, taken := byKey[d.key]; taken && d.key != "" {
			r.note(d.Line, "%s is there twice, also in line %d: others need the first", d.key, first.Line)
			continue
		}
		byKey[d.key] = d
	}
	for i := range drafts {
		d := &drafts[i]
		if d.done {
			r.Done++
			continue
		}
		for _, want := range d.wants {
			need, found := byKey[want]
			switch {
			case !found:
				r.note(d.Line, "%s needs %s, which is not in this list", d.ID, want)
			case need == d:
				r.note(d.Line, "%s says that it needs itself", d.ID)
			case !need.done && !slices.Contains(d.Needs, need.ID):
				d.Needs = append(d.Needs, need.ID)
			}
		}
		r.Tasks = append(r.Tasks, d.Task)
	}
	if len(r.Tasks) == 0 {
		return ErrNothing
	}
	return nil
}

// Plan writes the tasks as a plan file.
func (r *Reading) Plan(name string) ([]byte, error) {
	tasks := &yaml.Node{Kind: yaml.MappingNode}
	for _, t := range r.Tasks {
		fields := &yaml.Node{Kind: yaml.MappingNode}
		if t.Name != "" && t.Name != t.Prompt {
			add(fields, "name", text(t.Name))
		}
		if len(t.Needs) > 0 {
			add(fields, "needs", list(t.Needs))
		}
		add(fields, "prompt", text(t.Prompt))
		if len(t.Writes) > 0 {
			add(fields, "writes", list(t.Writes))
		}
		add(tasks, t.ID, fields)
	}
	root := &yaml.Node{Kind: yaml.MappingNode}
	add(root, "version", &yaml.Node{Kind: yaml.ScalarNode, Value: "1"})
	add(root, "name", text(name))
	add(root, "defaults", mapping("agent", text("coder")))
	add(root, "tasks", tasks)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	return out.Bytes(), nil
}

func add(m *yaml.Node, key string, value *yaml.Node) { m.Content = append(m.Content, text(key), value) }

func mapping(key string, value *yaml.Node) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	add(m, key, value)
	return m
}

func text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if strings.Contains(s, "\n") {
		n.Style = yaml.LiteralStyle
	}
	return n
}

func list(items []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, s := range items {
		n.Content = append(n.Content, text(s))
	}
	return n
}
