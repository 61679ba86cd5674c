package tui

import (
	"strings"

	"orchestrator/internal/view"
)

// cursor is the place in a list.
type cursor struct {
	at  int // the chosen element
	top int // the first line in sight
}

// move chooses the element that is so many further down, of n.
func (c *cursor) move(by, n int) { c.at = max(min(c.at+by, n-1), 0) }

// window is what is in sight of n lines when there is room for some and one of them has to be among those.
func (c *cursor) window(line, n, room int) (from, to int) {
	c.top = min(max(c.top, line-room+1), line)
	c.top = max(min(c.top, n-room), 0)
	return c.top, min(c.top+room, n)
}

// wrapped brings a text that is safe to print to a width. Lines are cut at blanks, if words says so and there are some.
func wrapped(text []string, width int, words bool) []string {
	lines := []string{}
	for _, l := range text {
		l = steady(strings.ReplaceAll(l, "\t", "    "))
		for {
			part, whole := fit(head(l, mostBytes(width)), width)
			if whole && len(part) == len(l) || part == "" {
				break
			}
			if at := strings.LastIndexByte(part, ' '); words && at > len(part)/2 {
				part = part[:at+1]
			}
			lines, l = append(lines, part), l[len(part):]
		}
		lines = append(lines, l)
	}
	return lines
}

// sifted says whether a line is left by a filter: all of its words are in it.
func sifted(line, filter string) bool {
	line = strings.ToLower(line)
	for word := range strings.FieldsSeq(strings.ToLower(filter)) {
		if !strings.Contains(line, word) {
			return false
		}
	}
	return true
}

// paragraph is a text of others as lines of a pane.
func (m *model) paragraph(text string, width int, style func(string) span) []string {
	var lines []string
	for _, l := range wrapped(strings.Split(strings.TrimRight(view.Sanitize(text), "\n"), "\n"), max(width-2, 1), true) {
		lines = append(lines, m.full(width, style(" "+l)))
	}
	return lines
}
