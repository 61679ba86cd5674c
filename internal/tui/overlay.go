package tui

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"orchestrator/internal/view"
)

// overlayPalette draws the palette over the lines.
func (m *model) overlayPalette(lines []string) {
	width := min(m.width-2, 110)
	most := max(min(len(lines)-4, 18), 3)
	body := m.paletteLines(width-2, most-1)
	m.lay(lines, m.box("commands", body, width, len(body)+2, true), width)
}

// overlay draws the dialog over the lines.
func (m *model) overlay(lines []string) {
	d := m.panes.dialog
	width := min(m.width-4, 72)
	inner := width - 2
	var body []string
	add := func(text string, style lipgloss.Style) {
		body = append(body, m.paragraph(text, inner, func(l string) span { return span{l, style} })...)
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
	case d.pick != nil:
		add("a number, esc not now", m.style.faint)
	default:
		add(fmt.Sprintf("a number, %d or t your own words, esc not now", len(d.options)+1), m.style.faint)
	}
	if note := m.waited(d); note != "" {
		add(note, m.style.faint)
	}
	most := max(len(lines)-3, 3)
	if len(body) > most { // its end has what is to be pressed
		body = body[len(body)-most:]
	}
	m.lay(lines, m.box(d.title, body, width, len(body)+2, true), width)
}

// waited says how long a question waits, and whether there are others.
func (m *model) waited(d *dialog) string {
	if len(d.asks) == 0 {
		return ""
	}
	var parts []string
	if t := m.Run.Task(d.deed.Task); t != nil && t.NeedsYou() {
		parts = append(parts, "waiting "+view.Duration(max(m.now.Sub(t.WaitsFrom), 0)), "other tasks go on")
	}
	if n := len(d.asks); n > 1 {
		parts = append(parts, fmt.Sprintf("%d of %d", d.ask+1, n), "tab next")
	}
	return strings.Join(parts, " "+m.glyphs.Dot+" ")
}

// lay puts a frame over the middle of the lines.
func (m *model) lay(lines, box []string, width int) {
	top := max((len(lines)-len(box))/2, 1)
	margin := (m.width - width) / 2
	for i, l := range box {
		if top+i < len(lines) {
			lines[top+i] = m.over(lines[top+i], l, margin, width)
		}
	}
}

// over puts a piece of a line over another. A wide character of which it would leave half is left out.
func (m *model) over(under, piece string, at, width int) string {
	left, right := ansi.Cut(under, 0, at), ansi.Cut(under, at+width, m.width)
	room := max(m.width-at-width, 0)
	if lipgloss.Width(left) > at {
		left = ansi.Cut(under, 0, at-1)
	}
	if lipgloss.Width(right) > room {
		right = ansi.Cut(under, at+width+1, m.width)
	}
	blank := func(part string, room int) string { return strings.Repeat(" ", max(room-lipgloss.Width(part), 0)) }
	return left + blank(left, at) + piece + blank(right, room) + right
}
