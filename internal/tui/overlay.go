package tui

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"orchestrator/internal/view"
)

// helpLines are the keys that are valid where the person is.
func (m *model) helpLines() []string {
	inner := m.width - 2
	var lines []string
	for i := range bindings {
		b := &bindings[i]
		if b.in == nil || b.in(m.panes) {
			lines = append(lines, m.full(inner, span{" " + m.pad(strings.ReplaceAll(b.keys, " ", "  "), 24, false), m.style.bold}, span{b.does, m.style.plain}))
		}
	}
	lines = append(lines, m.full(inner), m.full(inner, span{" ctrl+c stops the run and saves; what is shown here goes on without you", m.style.faint}))
	return lines
}

// overlay draws the dialog over the lines.
func (m *model) overlay(lines []string) {
	d := m.panes.dialog
	width := min(m.width-4, 72)
	inner := width - 2
	var body []string
	add := func(text string, style lipgloss.Style) {
		for l := range strings.SplitSeq(strings.TrimRight(view.Sanitize(text), "\n"), "\n") {
			for cells(l) > inner-2 {
				part, _ := fit(l, inner-2)
				if part == "" {
					break
				}
				body, l = append(body, m.full(inner, span{" " + part, style})), l[len(part):]
			}
			body = append(body, m.full(inner, span{" " + l, style}))
		}
	}
	add(d.body, m.style.plain)
	for i, o := range d.options {
		add(fmt.Sprintf(" %d  %s", i+1, view.SanitizeLine(o)), m.style.bold)
	}
	body = append(body, m.full(inner))
	switch {
	case d.free:
		add("> "+d.text+"_", m.style.bold)
		add("enter sends it, esc does nothing", m.style.faint)
	case d.yes && d.no != "":
		add("y yes, n no and why, esc not now", m.style.faint)
	case d.yes:
		add("y yes, n no", m.style.faint)
	default:
		add(fmt.Sprintf("a number, %d or t your own words, esc not now", len(d.options)+1), m.style.faint)
	}
	most := max(len(lines)-3, 3)
	if len(body) > most { // its end has what is to be pressed
		body = body[len(body)-most:]
	}
	box := m.box(d.title, body, width, len(body)+2, true)
	top := max((len(lines)-len(box))/2, 1)
	margin := (m.width - width) / 2
	for i, l := range box {
		if top+i < len(lines) {
			lines[top+i] = m.over(lines[top+i], l, margin, width)
		}
	}
}

// over puts a piece of a line over another.
func (m *model) over(under, piece string, at, width int) string {
	return ansi.Cut(under, 0, at) + piece + ansi.Cut(under, at+width, m.width)
}
