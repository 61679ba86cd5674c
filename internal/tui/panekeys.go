package tui

import (
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// binding is a key of the panes. The table is what help shows and what keys do.
type binding struct {
	keys string // separated by blanks
	does string
	in   func(p *panes) bool // where it is valid; nil = everywhere
	do   func(m *model) tea.Cmd
}

func inList(p *panes) bool  { return p.focus == onList }
func inPage(p *panes) bool  { return p.focus == onPage }
func notGrid(p *panes) bool { return p.focus != onGrid }

// bindings are tried in order: the first that is valid where the person is counts.
var bindings []binding

func init() { // a variable that refers to itself by way of help cannot be initialised where it is declared
	bindings = []binding{
		{"j down", "next task", inList, func(m *model) tea.Cmd { return m.move(1) }},
		{"k up", "previous task", inList, func(m *model) tea.Cmd { return m.move(-1) }},
		{"g home", "first task", inList, func(m *model) tea.Cmd { return m.move(-len(m.Run.Tasks)) }},
		{"G end", "last task", inList, func(m *model) tea.Cmd { return m.move(len(m.Run.Tasks)) }},
		{"ctrl+d pgdown", "half a screen down", inList, func(m *model) tea.Cmd { return m.move(m.height / 2) }},
		{"ctrl+u pgup", "half a screen up", inList, func(m *model) tea.Cmd { return m.move(-m.height / 2) }},
		{"j down", "scroll down", inPage, func(m *model) tea.Cmd { return m.scrollBy(1) }},
		{"k up", "scroll up", inPage, func(m *model) tea.Cmd { return m.scrollBy(-1) }},
		{"g home", "to the beginning", inPage, func(m *model) tea.Cmd { return m.scrollBy(-1 << 30) }},
		{"G end", "to the end", inPage, func(m *model) tea.Cmd { return m.scrollBy(1 << 30) }},
		{"ctrl+d pgdown space", "half a screen down", inPage, func(m *model) tea.Cmd { return m.scrollBy(m.height / 2) }},
		{"ctrl+u pgup", "half a screen up", inPage, func(m *model) tea.Cmd { return m.scrollBy(-m.height / 2) }},
		{"h left", "previous page: conversation, log, diff, info", notGrid, func(m *model) tea.Cmd { return m.show(m.panes.page - 1) }},
		{"l right", "next page", notGrid, func(m *model) tea.Cmd { return m.show(m.panes.page + 1) }},
		{"enter", "look at the task", inList, func(m *model) tea.Cmd { return m.look(onPage) }},
		{"esc backspace", "back to the list", func(p *panes) bool { return p.focus != onList || p.filter != "" }, (*model).back},
		{"tab", "the other pane", notGrid, func(m *model) tea.Cmd { return m.look(onPage - m.panes.focus) }},
		{"1", "the list of tasks", nil, func(m *model) tea.Cmd { return m.look(onList) }},
		{"2", "the task", nil, func(m *model) tea.Cmd { return m.look(onPage) }},
		{"3", "all agents at work, side by side", nil, func(m *model) tea.Cmd { return m.look(onGrid) }},
		{"n", "next task that needs you or has failed", nil, func(m *model) tea.Cmd { return m.next(1) }},
		{"N", "previous one", nil, func(m *model) tea.Cmd { return m.next(-1) }},
		{"a", "answer or approve what waits", nil, (*model).askFor},
		{"d", "its diff", notGrid, func(m *model) tea.Cmd { return m.show(Diff) }},
		{"f", "follow the end of the page, or not", inPage, func(m *model) tea.Cmd { m.panes.follow = !m.panes.follow; return nil }},
		{"r", "try it again", nil, func(m *model) tea.Cmd { return m.confirm(Retry, "Try %s again?") }},
		{"R", "try it again, with a note", nil, (*model).note},
		{"x", "cancel it; its work is kept", nil, func(m *model) tea.Cmd { return m.confirm(Cancel, "Cancel %s? Its work is kept.") }},
		{"y", "copy the page", notGrid, (*model).copy},
		{"/", "filter: failed, @coder, part of a name", inList, func(m *model) tea.Cmd { m.panes.typing = true; return nil }},
		{"?", "these keys", nil, func(m *model) tea.Cmd { m.panes.help = true; return nil }},
		{"s", "back to the stream of lines", nil, (*model).closePanes},
		{"q Q", "leave it running", nil, func(m *model) tea.Cmd { m.leave(); return m.advance() }},
	}
}

// paneKey follows a key while the panes are open.
func (m *model) paneKey(k tea.KeyPressMsg) tea.Cmd {
	p, key := m.panes, k.String()
	m.notice = ""
	switch {
	case p.dialog != nil:
		return m.dialogKey(k)
	case p.help:
		p.help = false
		return nil
	case p.typing:
		return m.filterKey(k)
	}
	for i := range bindings {
		b := &bindings[i]
		if (b.in == nil || b.in(p)) && has(b.keys, key) {
			return b.do(m)
		}
	}
	return nil
}

// has says whether a key is one of several, which are separated by blanks.
func has(keys, key string) bool {
	for k := range strings.FieldsSeq(keys) {
		if k == key {
			return true
		}
	}
	return false
}

func (m *model) look(f focus) tea.Cmd {
	m.panes.focus = f
	if f == onGrid {
		return m.readGrid()
	}
	return m.read()
}

func (m *model) back() tea.Cmd {
	if m.panes.focus == onList {
		m.panes.filter = ""
	}
	m.panes.focus = onList
	return nil
}

// scrollBy scrolls the page. Its end is followed again once it is reached.
func (m *model) scrollBy(by int) tea.Cmd {
	p := m.panes
	most := max(len(p.text.lines)-m.pageHeight(), 0)
	if p.follow {
		p.scroll = most
	}
	p.scroll = min(max(p.scroll+by, 0), most)
	p.follow = p.scroll == most && by > 0
	return nil
}

// copy puts the page into the clipboard of the person's terminal.
func (m *model) copy() tea.Cmd {
	if m.panes.text.raw == "" {
		m.notice = "there is nothing to copy"
		return nil
	}
	m.notice = "copied"
	return tea.SetClipboard(m.panes.text.raw)
}

// filterKey types the filter.
func (m *model) filterKey(k tea.KeyPressMsg) tea.Cmd {
	p := m.panes
	switch k.String() {
	case "enter":
		p.typing = false
	case "esc":
		p.typing, p.filter = false, ""
	default:
		p.filter = typed(p.filter, k)
	}
	p.top = 0
	return m.move(0)
}

// typed is a line after a key.
func typed(line string, k tea.KeyPressMsg) string {
	switch k.String() {
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(line)
		return line[:len(line)-n]
	case "ctrl+u":
		return ""
	case "ctrl+w":
		line = strings.TrimRight(line, " ")
		return line[:strings.LastIndexByte(line, ' ')+1]
	}
	return line + k.Text
}

// paste puts text into the line that is being typed.
func (m *model) paste(text string) {
	text = strings.Join(strings.Fields(text), " ")
	switch p := m.panes; {
	case p.dialog != nil && p.dialog.writing():
		p.dialog.text += text
	case p.typing:
		p.filter += text
	}
}
