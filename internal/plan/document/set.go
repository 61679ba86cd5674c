package document

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// ErrLayout means that a value cannot be changed without touching what stands around it.
var ErrLayout = errors.New("this part of the file has to be edited by hand")

// Set returns a YAML file with another value at a path of keys, which are added where they are missing. value is YAML
// on one line. Comments, order and layout of everything else stay. It is ErrLayout where the present value goes over
// several lines, or comes by an alias.
func Set(src []byte, path []string, value string) ([]byte, error) {
	if strings.ContainsAny(value, "\r\n") || len(path) == 0 {
		return nil, fmt.Errorf("set %s: the value has several lines: %w", strings.Join(path, "."), ErrLayout)
	}
	r := Read("", src)
	if list := r.Findings(); len(list) > 0 {
		return nil, fmt.Errorf("line %d, column %d: %s", list[0].Line, list[0].Column, list[0].Message)
	}
	e := editor{r: r, lines: strings.SplitAfter(string(src), "\n")}
	if err := e.set(path, value); err != nil {
		return nil, err
	}
	out := []byte(strings.Join(e.lines, ""))
	if !changedOnly(r.Root, out, path, value) {
		return nil, ErrLayout
	}
	return out, nil
}

// editor changes lines of a file.
type editor struct {
	r     *Reader
	lines []string // with their ends
}

// set finds the deepest part of the path that is there, and changes or completes it.
func (e *editor) set(path []string, value string) error {
	n := e.r.Root
	if n == nil {
		e.insert(len(e.lines), 0, path, value)
		return nil
	}
	for i, name := range path {
		if n.Kind != yaml.MappingNode {
			return ErrLayout
		}
		key, child := find(n, name)
		switch {
		case key == nil:
			return e.add(n, path[i:], value)
		case child.Kind == yaml.AliasNode:
			return ErrLayout
		case i == len(path)-1:
			return e.replace(key, child, value)
		case isBare(child) && n.Style&yaml.FlowStyle == 0:
			e.insert(key.Line, key.Column-1+indentStep, path[i+1:], value)
			return nil
		}
		n = child
	}
	return ErrLayout
}

func find(n *Node, name string) (key, value *Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name && n.Content[i].Kind == yaml.ScalarNode {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// replace puts a value where another stands, on its line.
func (e *editor) replace(key, old *Node, value string) error {
	line := e.lines[key.Line-1]
	if isBare(old) {
		at := e.offset(key) + e.size(key)
		colon := strings.IndexByte(line[at:], ':')
		if colon < 0 {
			return ErrLayout
		}
		at += colon + 1
		e.lines[key.Line-1] = line[:at] + " " + value + line[at:]
		return nil
	}
	if old.Line != key.Line || old.Anchor != "" || old.Style&yaml.TaggedStyle != 0 {
		return ErrLayout
	}
	at := e.offset(old)
	size := e.size(old)
	if size <= 0 {
		return ErrLayout
	}
	e.lines[key.Line-1] = line[:at] + value + line[at+size:]
	return nil
}

// offset is where a node begins on its line, in bytes.
func (e *editor) offset(n *Node) int {
	return len(string([]rune(e.lines[n.Line-1])[:n.Column-1]))
}

// size is how many bytes of its line a node has; 0 when it does not end there.
func (e *editor) size(n *Node) int {
	rest := strings.TrimRight(e.lines[n.Line-1][e.offset(n):], "\r\n")
	switch {
	case n.Style&(yaml.FlowStyle|yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		var b brackets
		return max(0, b.read([]byte(rest)))
	case n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && strings.HasPrefix(rest, n.Value):
		return len(n.Value)
	}
	return 0
}

// add gives a map keys that it does not have.
func (e *editor) add(n *Node, path []string, value string) error {
	if n.Style&yaml.FlowStyle == 0 {
		e.insert(e.lastLine(n), n.Column-1, path, value)
		return nil
	}
	size := e.size(n)
	if size == 0 {
		return ErrLayout
	}
	line := e.lines[n.Line-1]
	end := e.offset(n) + size - 1 // the closing brace
	before := strings.TrimRight(line[:end], " \t")
	text := ""
	if len(n.Content) > 0 {
		text = ", "
		before = strings.TrimSuffix(before, ",")
	}
	e.lines[n.Line-1] = before + text + flow(path, value) + line[end:]
	return nil
}

// flow is a chain of keys in braces.
func flow(path []string, value string) string {
	text := keyWord(path[0]) + ": "
	if len(path) == 1 {
		return text + value
	}
	return text + "{" + flow(path[1:], value) + "}"
}

// insert puts a chain of keys below a line.
func (e *editor) insert(line, indent int, path []string, value string) {
	var text strings.Builder
	for i, name := range path {
		text.WriteString(strings.Repeat(" ", indent+i*indentStep) + keyWord(name) + ":")
		if i == len(path)-1 {
			text.WriteString(" " + value)
		}
		text.WriteByte('\n')
	}
	if line > 0 && e.lines[line-1] != "" && !strings.HasSuffix(e.lines[line-1], "\n") {
		e.lines[line-1] += "\n"
	}
	e.lines = append(e.lines[:line:line], append([]string{text.String()}, e.lines[line:]...)...)
}

// lastLine is the last line of a block map.
func (e *editor) lastLine(n *Node) int {
	indent := n.Column - 1
	key, value := n.Content[len(n.Content)-2], n.Content[len(n.Content)-1]
	last := key.Line
	for number := last + 1; number <= len(e.lines); number++ {
		text := strings.TrimRight(e.lines[number-1], "\r\n")
		trimmed := strings.TrimLeft(text, " ")
		deep := len(text) - len(trimmed)
		switch {
		case trimmed == "":
			continue
		case deep > indent:
		case deep == indent && value.Kind == yaml.SequenceNode && strings.HasPrefix(trimmed, "-"):
		default:
			return last
		}
		last = number
	}
	return last
}

// keyWord is a key as it is written.
func keyWord(name string) string {
	plain := strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == ""
	var n yaml.Node
	if plain && yaml.Load([]byte(name), &n) == nil && len(n.Content) == 1 && n.Content[0].Tag == "!!str" {
		return name
	}
	return strconv.Quote(name)
}

// changedOnly says whether a text is the old document with the value at the path, and nothing else.
func changedOnly(old *Node, text []byte, path []string, value string) bool {
	r := Read("", text)
	if len(r.Findings()) > 0 || r.Root == nil {
		return false
	}
	var wanted any
	if yaml.Load([]byte(value), &wanted) != nil {
		return false
	}
	before, after := map[string]any{}, map[string]any{}
	if old != nil && old.Decode(&before) != nil || r.Root.Decode(&after) != nil {
		return false
	}
	got := remove(after, path)
	remove(before, path)
	return reflect.DeepEqual(got, wanted) && reflect.DeepEqual(before, after)
}

// remove takes a value out of nested maps, with the maps that are empty without it, and returns it.
func remove(m map[string]any, path []string) any {
	value := m[path[0]]
	if len(path) > 1 {
		inner, _ := value.(map[string]any)
		value = nil
		if inner != nil {
			value = remove(inner, path[1:])
		}
		if len(inner) == 0 {
			delete(m, path[0])
		}
		return value
	}
	delete(m, path[0])
	return value
}

// Scalar writes a text as a YAML value on one line, plainly where it means just that text, as numbers and truth values
// mean themselves.
func Scalar(text string) string {
	var n yaml.Node
	plain := text != "" && !strings.ContainsAny(text, "\r\n,[]{}#") && !strings.Contains(text, ": ")
	if plain && yaml.Load([]byte(text), &n) == nil && len(n.Content) == 1 {
		v := n.Content[0]
		if v.Kind == yaml.ScalarNode && v.Value == text && v.Style == 0 && v.Anchor == "" && v.Tag != "!!null" {
			return text
		}
	}
	var b bytes.Buffer
	for _, r := range text { // as JSON does, which YAML reads
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}
