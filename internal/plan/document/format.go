package document

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v4"

	"orchestrator/internal/diagnostic"
)

// formatRounds is how often a text is laid out until nothing changes any more.
const formatRounds = 4

// Format lays a YAML file out: two spaces for each level, lists indented below their key, one space after `:` and
// `-`, no blanks at line ends, at most one empty line in a row. Comments, block texts, quotes, the order of keys and
// what stands inside a line stay. The result means the same, and formatting it again changes nothing. A file whose
// layout cannot be changed without doubt comes back as it is. The error says that src is not YAML.
func Format(src []byte) ([]byte, error) {
	r := Read("", src)
	if list := r.Findings(); len(list) > 0 {
		return nil, fmt.Errorf("format: line %d, column %d: %s", list[0].Line, list[0].Column, list[0].Message)
	}
	if r.Root == nil {
		return src, nil
	}
	at := src
	for range formatRounds {
		next := layOut(at)
		if bytes.Equal(next, at) {
			return at, nil
		}
		if !sameMeaning(r.Root, next) || bytes.Count(next, []byte("#")) != bytes.Count(src, []byte("#")) {
			return src, nil
		}
		at = next
	}
	return src, nil
}

// sameMeaning says whether text is a document equal to root.
func sameMeaning(root *Node, text []byte) bool {
	r := Read("", text)
	return len(r.Findings()) == 0 && r.Root != nil && equal(root, r.Root)
}

func equal(a, b *Node) bool {
	if a.Kind != b.Kind || a.Tag != b.Tag || a.Value != b.Value || a.Anchor != b.Anchor || a.Style != b.Style ||
		len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !equal(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// layOut makes one pass over a text that is known to be YAML.
func layOut(src []byte) []byte {
	r := Read("", src)
	if r.Root == nil {
		return src
	}
	l := layout{source: r.Source, lines: make(map[int]*lineLayout)}
	l.node(r.Root, 0, 0)
	return l.write()
}

// lineLayout is how a line that begins with a key or a dash is to be written.
type lineLayout struct {
	old, new int   // indentation
	gaps     []gap // in the order of the line
	value    *Node // what begins last on the line and may go on below it
	below    int   // indentation of what goes on below it
}

// gap replaces the characters from one column to before another, both counted from 0.
type gap struct {
	from, to int
	text     string
}

// layout maps lines to their new form.
type layout struct {
	source *diagnostic.Source
	lines  map[int]*lineLayout
}

// node plans a value in block style whose entries get the given indentation. depth bounds the recursion.
func (l *layout) node(n *Node, indent, depth int) {
	const deepest = 1000
	if n.Style&yaml.FlowStyle != 0 || depth > deepest {
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			line := l.line(key.Line, indent)
			line.value, line.below = value, indent+indentStep
			if value.Line == key.Line && value.Column > key.Column && !isBare(value) {
				l.colon(line, key, value)
			}
			l.node(value, indent+indentStep, depth+1)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			line := l.line(item.Line, indent)
			line.value, line.below = item, indent+indentStep
			l.dash(line, item)
			l.node(item, indent+indentStep, depth+1)
		}
	}
}

const indentStep = 2

// isBare says whether a value is nothing at all, so that it has no place of its own.
func isBare(n *Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Value == "" }

// line returns the plan of a line; the first entry that begins on it decides its indentation.
func (l *layout) line(number, indent int) *lineLayout {
	line := l.lines[number]
	if line == nil {
		line = &lineLayout{old: indentation(l.source.Line(number)), new: indent}
		l.lines[number] = line
	}
	return line
}

// colon puts one space between a key's colon and its value.
func (l *layout) colon(line *lineLayout, key, value *Node) {
	text := []rune(string(l.source.Line(key.Line)))
	to := value.Column - 1
	from := to
	for from > 0 && from <= len(text) && (text[from-1] == ' ' || text[from-1] == '\t') {
		from--
	}
	if from > 0 && from <= len(text) && text[from-1] == ':' {
		line.gaps = append(line.gaps, gap{from: from, to: to, text: " "})
	}
}

// dash puts one space between a dash and its item.
func (l *layout) dash(line *lineLayout, item *Node) {
	text := []rune(string(l.source.Line(item.Line)))
	to := item.Column - 1
	from := to
	for from > 0 && from <= len(text) && (text[from-1] == ' ' || text[from-1] == '\t') {
		from--
	}
	if from > 0 && from <= len(text) && text[from-1] == '-' {
		line.gaps = append(line.gaps, gap{from: from, to: to, text: " "})
	}
}

func indentation(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " ")) }
