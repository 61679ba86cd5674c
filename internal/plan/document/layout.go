package document

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v4"
)

// write puts the lines together.
func (l *layout) write() []byte {
	var out bytes.Buffer
	blank := true // no empty line at the beginning
	put := func(line string) {
		if line == "" {
			if !blank {
				out.WriteByte('\n')
			}
			blank = true
			return
		}
		blank = false
		out.WriteString(line)
		out.WriteByte('\n')
	}
	verbatim := func(line string) {
		blank = false
		out.WriteString(line)
		out.WriteByte('\n')
	}
	count := l.source.Lines()
	if len(l.source.Line(count)) == 0 {
		count-- // what is after the last line end
	}
	for number := 1; number <= count; {
		text := string(l.source.Line(number))
		line := l.lines[number]
		if line == nil {
			put(l.loose(number, text))
			number++
			continue
		}
		put(rewrite(text, line))
		number = l.continuation(number, line, put, verbatim)
	}
	text := bytes.TrimRight(out.Bytes(), "\n")
	if line := l.lastBlock(); line != nil && strings.Contains(blockHeader(l, line.value), "+") {
		return out.Bytes() // the empty lines at the end belong to the text
	}
	return append(bytes.Clone(text), '\n')
}

// rewrite is a line with its new indentation and gaps.
func rewrite(text string, line *lineLayout) string {
	runes := []rune(text)
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", line.new))
	at := line.old
	for _, g := range line.gaps {
		if g.from < at || g.to > len(runes) {
			continue
		}
		b.WriteString(string(runes[at:g.from]))
		b.WriteString(g.text)
		at = g.to
	}
	b.WriteString(string(runes[min(at, len(runes)):]))
	return strings.TrimRight(b.String(), " \t")
}

// loose is a line outside of every value: empty, or a comment, which goes where its neighbours are.
func (l *layout) loose(number int, text string) string {
	trimmed := strings.Trim(text, " \t")
	if !strings.HasPrefix(trimmed, "#") {
		return strings.TrimRight(text, " \t")
	}
	old := indentation([]byte(text))
	for n := number + 1; n <= l.source.Lines(); n++ {
		if next := l.lines[n]; next != nil {
			if next.old >= old {
				return strings.Repeat(" ", next.new) + trimmed
			}
			break
		}
	}
	// It belongs to what stands before it: the nearest entry that is not deeper than the comment.
	for n := number - 1; n >= 1; n-- {
		if before := l.lines[n]; before != nil && before.old <= old {
			return strings.Repeat(" ", before.new) + trimmed
		}
	}
	return trimmed
}

// continuation writes what a value has below its first line and returns the next line.
func (l *layout) continuation(number int, line *lineLayout, put, verbatim func(string)) int {
	next := number + 1
	v := line.value
	if v.Line != number {
		return next
	}
	switch {
	case v.Kind == yaml.ScalarNode && v.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return l.block(next, line, verbatim)
	case v.Kind == yaml.ScalarNode && v.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0,
		v.Style&yaml.FlowStyle != 0:
		return l.enclosed(next, line, put, verbatim)
	case v.Kind == yaml.ScalarNode && !isBare(v):
		for ; next <= l.source.Lines() && l.lines[next] == nil; next++ {
			trimmed := strings.Trim(string(l.source.Line(next)), " \t")
			switch {
			case strings.HasPrefix(trimmed, "#"):
				return next
			case trimmed == "":
				verbatimWithin(l, next, put, verbatim)
			default:
				put(strings.Repeat(" ", line.below) + trimmed)
			}
		}
	}
	return next
}

// enclosed writes the lines of a quoted text, or of a list or map in brackets, one step deeper for each open bracket.
func (l *layout) enclosed(next int, line *lineLayout, put, verbatim func(string)) int {
	end := l.end(line.value)
	var b brackets
	b.read(l.source.Rest(line.value.Line, line.value.Column))
	for ; next <= end; next++ {
		text := l.source.Line(next)
		trimmed := strings.Trim(string(text), " \t")
		indent := line.below + indentStep*max(b.depth-1, 0)
		if strings.HasPrefix(trimmed, "]") || strings.HasPrefix(trimmed, "}") {
			indent -= indentStep
		}
		if trimmed == "" {
			verbatim("")
		} else {
			put(strings.Repeat(" ", max(indent, 0)) + trimmed)
		}
		b.read(text)
	}
	return next
}

// verbatimWithin keeps an empty line that is followed by more of the same value: it is a line break there.
func verbatimWithin(l *layout, number int, put, verbatim func(string)) {
	for n := number + 1; n <= l.source.Lines() && l.lines[n] == nil; n++ {
		switch trimmed := strings.Trim(string(l.source.Line(n)), " \t"); {
		case trimmed == "":
		case strings.HasPrefix(trimmed, "#"):
			put("")
			return
		default:
			verbatim("")
			return
		}
	}
	put("")
}

// block writes the lines of a block text, moved to their new indentation.
func (l *layout) block(next int, line *lineLayout, verbatim func(string)) int {
	header := blockHeader(l, line.value)
	if strings.ContainsAny(header, "123456789") {
		// The text says itself how far it is indented.
		for ; next <= l.source.Lines() && l.lines[next] == nil; next++ {
			verbatim(string(l.source.Line(next)))
		}
		return next
	}
	last := next - 1 // last line with text
	deep := -1
	for n := next; n <= l.source.Lines() && l.lines[n] == nil; n++ {
		text := string(l.source.Line(n))
		if strings.Trim(text, " ") == "" {
			continue
		}
		if deep < 0 {
			deep = indentation([]byte(text))
		}
		if indentation([]byte(text)) < deep || deep == 0 {
			break
		}
		last = n
	}
	for ; next <= last; next++ {
		text := string(l.source.Line(next))
		if len(text) <= deep {
			verbatim("")
			continue
		}
		verbatim(strings.Repeat(" ", line.below) + text[deep:])
	}
	if strings.Contains(header, "+") {
		for ; next <= l.source.Lines() && l.lines[next] == nil && strings.Trim(string(l.source.Line(next)), " ") == ""; next++ {
			if next < l.source.Lines() || len(l.source.Line(next)) > 0 {
				verbatim("")
			}
		}
	}
	return next
}

// blockHeader is the | or > of a block text with its indicators.
func blockHeader(l *layout, v *Node) string {
	rest := string(l.source.Rest(v.Line, v.Column))
	if i := strings.IndexAny(rest, "|>"); i >= 0 {
		rest = rest[i:]
	}
	if i := strings.IndexAny(rest, " \t#"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// lastBlock is the last line of the file that begins an entry, when a block text belongs to it.
func (l *layout) lastBlock() *lineLayout {
	for n := l.source.Lines(); n >= 1; n-- {
		if line := l.lines[n]; line != nil {
			if line.value.Line == n && line.value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
				return line
			}
			return nil
		}
	}
	return nil
}

// end is the line on which a quoted text, list or map in brackets ends.
func (l *layout) end(v *Node) int {
	var b brackets
	for n := v.Line; n <= l.source.Lines(); n++ {
		text := l.source.Line(n)
		if n == v.Line {
			text = l.source.Rest(n, v.Column)
		}
		if b.read(text) >= 0 {
			return n
		}
	}
	return v.Line
}
