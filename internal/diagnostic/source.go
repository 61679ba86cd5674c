package diagnostic

import (
	"bytes"
	"unicode/utf8"
)

// Source is a file's text with an index of its lines. Lines end where YAML ends them: at LF, CRLF, CR, and the
// Unicode separators NEL, LS and PS.
type Source struct {
	Name  string
	Text  []byte
	lines []int // offset of each line's first byte
}

// NewSource indexes text, which must not change any more.
func NewSource(name string, text []byte) *Source {
	s := &Source{Name: name, Text: text, lines: []int{0}}
	for at := 0; at < len(text); {
		n := lineEnd(text[at:])
		if n == 0 {
			at++
			continue
		}
		at += n
		s.lines = append(s.lines, at)
	}
	return s
}

// lineEnd is the length of the line end that text begins with; 0 when it does not.
func lineEnd(text []byte) int {
	switch text[0] {
	case '\n':
		return 1
	case '\r':
		if len(text) > 1 && text[1] == '\n' {
			return 2
		}
		return 1
	case 0xc2:
		if len(text) > 1 && text[1] == 0x85 {
			return 2
		}
	case 0xe2:
		if len(text) > 2 && text[1] == 0x80 && text[2]|1 == 0xa9 {
			return 3
		}
	}
	return 0
}

// Lines is the number of lines, counting an empty one after the last line end.
func (s *Source) Lines() int { return len(s.lines) }

// Line returns line n without its end; empty when there is no such line.
func (s *Source) Line(n int) []byte {
	if n < 1 || n > len(s.lines) {
		return nil
	}
	end := len(s.Text)
	if n < len(s.lines) {
		end = s.lines[n]
	}
	line := s.Text[s.lines[n-1]:end]
	if n < len(s.lines) {
		_, last := utf8.DecodeLastRune(line)
		line = bytes.TrimSuffix(line[:len(line)-last], []byte("\r"))
	}
	if n == 1 {
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	return line
}

// Rest returns line n from character column on; empty when it ends before.
func (s *Source) Rest(n, column int) []byte {
	line := s.Line(n)
	for ; column > 1 && len(line) > 0; column-- {
		_, size := utf8.DecodeRune(line)
		line = line[size:]
	}
	return line
}

// Offset turns a line and a column inside the text into a byte offset; ok is false for a place outside.
func (s *Source) Offset(line, column int) (offset int, ok bool) {
	rest := s.Rest(line, column)
	if len(rest) == 0 {
		return 0, false
	}
	text := s.Line(line)
	start := s.lines[line-1]
	if line == 1 && bytes.HasPrefix(s.Text, []byte("\ufeff")) {
		start += len("\ufeff")
	}
	return start + len(text) - len(rest), true
}

// Position turns a byte offset into a line and a column.
func (s *Source) Position(offset int) (line, column int) {
	low, high := 0, len(s.lines)
	for high-low > 1 {
		if middle := (low + high) / 2; s.lines[middle] <= offset {
			low = middle
		} else {
			high = middle
		}
	}
	text := s.Text[s.lines[low]:min(offset, len(s.Text))]
	if low == 0 {
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
	}
	return low + 1, utf8.RuneCount(text) + 1
}

// At returns a finding at a place of the source, moved inside the text where it lies outside.
func (s *Source) At(line, column, width int) Diagnostic {
	line = min(max(line, 1), s.Lines())
	text := s.Line(line)
	length := utf8.RuneCount(text)
	column = min(max(column, 1), length+1)
	width = min(max(width, 1), max(length-column+1, 1))
	return Diagnostic{File: s.Name, Line: line, Column: column, Width: width, Excerpt: string(text)}
}
