package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

// outputPane is what a command has printed.
type outputPane struct {
	title  string
	text   string // safe to print
	lines  []string
	width  int // that lines are wrapped for
	scroll int
}

// showOutput shows what a command has printed until esc.
func (m *model) showOutput(title, text string) {
	m.enter(onOutput)
	m.panes.output = outputPane{title: title, text: text}
}

// enter goes to a pane from which esc comes back.
func (m *model) enter(f focus) {
	p := m.panes
	if p.focus < onSettings {
		p.before = p.focus
	}
	p.focus = f
}

func (m *model) scrollOutput(by int) tea.Cmd {
	m.panes.output.scrollBy(by, m.bodyHeight()-2)
	return nil
}

func (o *outputPane) scrollBy(by, room int) { o.scroll = max(min(o.scroll+by, len(o.lines)-room), 0) }

func (m *model) outputBox(height int) []string {
	o, inner := &m.panes.output, m.width-2
	if o.lines == nil || o.width != inner {
		o.lines, o.width = wrapped(strings.Split(o.text, "\n"), max(inner-2, 1), false), inner
	}
	o.scrollBy(0, height-2)
	var lines []string
	for _, l := range o.lines[o.scroll:min(o.scroll+height-2, len(o.lines))] {
		lines = append(lines, m.full(inner, span{" " + l, m.style.plain}))
	}
	return m.box(o.title, lines, m.width, height, true)
}
