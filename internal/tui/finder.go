package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// finder is the help: the keys that are valid where the person is. What is typed filters them, enter does one.
type finder struct {
	text string
	cursor
}

// valid are the bindings that count where the person is.
func (m *model) valid() []*binding {
	var list []*binding
	for i := range bindings {
		if b := &bindings[i]; b.in == nil || b.in(m.panes) {
			list = append(list, b)
		}
	}
	return list
}

// found are those that the filter of the help leaves.
func (m *model) found() []*binding {
	var list []*binding
	for _, b := range m.valid() {
		if sifted(b.keys+" "+b.does, m.panes.help.text) {
			list = append(list, b)
		}
	}
	return list
}

// helpKey follows a key while the help is open.
func (m *model) helpKey(k tea.KeyPressMsg) tea.Cmd {
	f, list := m.panes.help, m.found()
	switch k.String() {
	case "esc":
		m.panes.help = nil
	case "enter":
		if len(list) == 0 {
			m.notice = "no key does that"
			return nil
		}
		m.panes.help = nil
		return list[min(f.at, len(list)-1)].do(m)
	case "up":
		f.move(-1, len(list))
	case "down", "tab":
		f.move(1, len(list))
	default:
		if text := typed(f.text, k); text != f.text {
			f.text, f.cursor = text, cursor{}
		}
	}
	return nil
}

// helpBox draws the help.
func (m *model) helpBox(height int) []string {
	f, list, inner := m.panes.help, m.found(), m.width-2
	f.move(0, len(list))
	lines := []string{m.full(inner, span{" > " + f.text + "_", m.style.bold}, span{"   what is typed filters, enter does it, esc closes", m.style.faint})}
	room := max(height-4, 1)
	from, to := f.window(f.at, len(list), room)
	keys := min(26, inner/2)
	for i, b := range list[from:to] {
		mark, style := "  ", m.style.plain
		if from+i == f.at {
			mark, style = "> ", m.style.bold
		}
		lines = append(lines, m.full(inner, span{mark, style}, span{m.pad(strings.ReplaceAll(b.keys, " ", "  "), keys, false) + " ", m.style.bold}, span{b.does, style}))
	}
	if len(list) == 0 {
		lines = append(lines, m.full(inner, span{" no key does that; : has the commands", m.style.faint}))
	}
	for len(lines) < height-3 {
		lines = append(lines, m.full(inner))
	}
	lines = append(lines, m.full(inner, span{" ctrl+c stops the run and saves; ctrl+z suspends this view, not the run", m.style.faint}))
	return m.box(fmt.Sprintf("keys (%d)", len(list)), lines, m.width, height, true)
}
