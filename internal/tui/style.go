package tui

import (
	"strings"
	"unicode/utf8"

	"charm.land/lipgloss/v2"

	"orchestrator/internal/view"
)

// styles are the colours of the terminal's own palette, so that they fit its theme.
type styles struct {
	on    bool
	words map[view.Word]lipgloss.Style
	faint lipgloss.Style
	warn  lipgloss.Style
	bold  lipgloss.Style
	plain lipgloss.Style
}

func newStyles(on bool) styles {
	fore := lipgloss.NewStyle().Foreground
	return styles{
		on: on,
		words: map[view.Word]lipgloss.Style{
			view.Done: fore(lipgloss.Green), view.Failed: fore(lipgloss.Red), view.NeedsYou: fore(lipgloss.Yellow),
			view.Running: fore(lipgloss.Cyan), view.Skipped: fore(lipgloss.BrightBlack), view.Cancelled: fore(lipgloss.BrightBlack),
		},
		faint: lipgloss.NewStyle().Faint(true),
		warn:  fore(lipgloss.Yellow),
		bold:  lipgloss.NewStyle().Bold(true),
		plain: lipgloss.NewStyle(),
	}
}

// span is a piece of a line.
type span struct {
	text  string
	style lipgloss.Style
}

// compose makes a line of at most width cells. What is too long ends in an ellipsis.
func (m *model) compose(width int, spans ...span) string {
	var line strings.Builder
	ellipsis := m.glyphs.Ellipsis
	if width <= cells(ellipsis) {
		ellipsis = ""
	}
	left, total := width, 0
	for i := range spans {
		spans[i].text = m.drawable(head(spans[i].text, mostBytes(width)))
		total += cells(spans[i].text)
	}
	if total > width {
		left -= cells(ellipsis)
	}
	for _, s := range spans {
		text, whole := s.text, true
		if total > width {
			text, whole = fit(s.text, left)
		}
		left -= cells(text)
		if !whole {
			text = strings.TrimRight(text, " ") + ellipsis
		}
		if m.style.on && strings.TrimSpace(text) != "" {
			text = s.style.Render(text)
		}
		line.WriteString(text)
		if !whole {
			break
		}
	}
	return line.String()
}

// drawable is a text as this terminal can show it, and as wide as it will be there.
func (m *model) drawable(s string) string {
	if m.Unicode {
		return steady(s)
	}
	return toASCII(s)
}

// cells is how many columns a text takes at most. Terminals disagree about sequences that are drawn as one
// character; counting each of its parts is what the widest of them does.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += cell(r)
	}
	return n
}

func cell(r rune) int {
	switch {
	case r < 0x7f:
		return 1
	case r == '\ufe0f': // makes the character before it wide
		return 1
	}
	return lipgloss.Width(string(r))
}

// fit returns the start of a text that takes at most so many cells, and whether that is all of it.
func fit(s string, most int) (string, bool) {
	n, whole := 0, true
	for i, r := range s {
		if n += cell(r); n > most {
			s, whole = s[:i], false
			break
		}
	}
	// Characters that join others may take more cells together than one by one.
	for s != "" && lipgloss.Width(s) > most {
		_, size := utf8.DecodeLastRuneInString(s)
		s, whole = s[:len(s)-size], false
	}
	return s, whole
}

// pad fills a text up to a width with spaces, on its left or right; one that is too long is cut.
func (m *model) pad(s string, width int, right bool) string {
	s = m.drawable(head(s, mostBytes(width)))
	n := cells(s)
	if n > width {
		s, _ = fit(s, max(width-cells(m.glyphs.Ellipsis), 0))
		s += m.glyphs.Ellipsis
		n = cells(s)
	}
	fill := strings.Repeat(" ", max(width-n, 0))
	if right {
		return fill + s
	}
	return s + fill
}

// shorten cuts a text in its middle, for ids often differ at their end only.
func (m *model) shorten(s string, most int) string {
	s = m.drawable(s)
	room := most - cells(m.glyphs.Ellipsis)
	if cells(s) <= most || room < 2 {
		return s
	}
	front, _ := fit(s, (room+1)/2)
	back, n := len(s), 0
	for back > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:back])
		if n += cell(r); n > room/2 {
			break
		}
		back -= size
	}
	return front + m.glyphs.Ellipsis + s[back:]
}

// mostBytes is how much of a text can be in sight in so many cells, with all that may be put onto its characters.
func mostBytes(width int) int { return 32*max(width, 0) + 256 }

// head is at most so many bytes of a text.
func head(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// toASCII puts a question mark in place of what such a terminal cannot show.
func toASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0x7e {
			return '?'
		}
		return r
	}, s)
}
