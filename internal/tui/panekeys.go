package tui

import (
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"orchestrator/internal/view"
)

// paneKey follows a key while the panes are open.
func (m *model) paneKey(k tea.KeyPressMsg) tea.Cmd {
	p, key := m.panes, k.String()
	m.notice = ""
	switch {
	case p.dialog != nil:
		return m.dialogKey(k)
	case p.help != nil:
		return m.helpKey(k)
	case p.palette != nil:
		return m.paletteKey(k)
	case p.focus == onSettings && p.settings.typing != "":
		return m.settingKey(k)
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

// back goes one step back: the filter goes first, then the width of the page, then the pane.
func (m *model) back() tea.Cmd {
	p := m.panes
	switch {
	case *m.needle() != "":
		*m.needle() = ""
	case p.focus == onPage && p.zoomed:
		p.zoomed = false
	case p.focus >= onSettings:
		return m.look(p.before)
	default:
		p.focus = onList
	}
	return nil
}

// needle is the filter of the list that the person is in.
func (m *model) needle() *string {
	switch p := m.panes; p.focus {
	case onSettings:
		return &p.settings.filter
	case onCommands:
		return &p.commands.filter
	case onList:
		return &p.filter
	}
	return new(string)
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
	return m.toClipboard(m.panes.text.raw)
}

// toClipboard copies a text, without what would be dangerous where it is pasted.
func (m *model) toClipboard(text string) tea.Cmd {
	text = view.Sanitize(text)
	if text == "" {
		m.notice = "there is nothing to copy"
		return nil
	}
	m.notice = "copied, if your terminal takes it (OSC 52)"
	return tea.SetClipboard(text)
}

// open opens the workspace of the selected task.
func (m *model) open() tea.Cmd {
	id, helm, ctx := m.panes.selected, m.Helm, m.ctx
	if id == "" || helm == nil {
		return nil
	}
	return m.lend(func() error { return helm.Open(ctx, id) })
}

// pauseRun asks whether nothing new is to be started, or something again.
func (m *model) pauseRun() tea.Cmd {
	if m.Helm == nil {
		return nil
	}
	deeds := []Deed{{Kind: Pause}, {Kind: GoOn}}
	m.panes.dialog = &dialog{
		title: "pause", body: "What runs goes on in any case.", options: []string{"Start nothing new", "Start tasks again, and go on if nobody works on the run"},
		pick: func(i int) tea.Cmd { return m.do(deeds[i]) },
	}
	return nil
}

// filterKey types the filter.
func (m *model) filterKey(k tea.KeyPressMsg) tea.Cmd {
	p, filter := m.panes, m.needle()
	switch k.String() {
	case "enter":
		p.typing = false
	case "esc":
		p.typing, *filter = false, ""
	default:
		*filter = typed(*filter, k)
	}
	if p.focus != onList {
		return nil
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
	return line + strings.ReplaceAll(view.Sanitize(k.Text), "\n", " ")
}

// paste puts text into the line that is being typed.
func (m *model) paste(text string) {
	text = strings.Join(strings.Fields(view.Sanitize(text)), " ")
	switch p := m.panes; {
	case p.dialog != nil:
		if p.dialog.writing() {
			p.dialog.text += text
		}
	case p.help != nil:
		p.help.text += text
	case p.palette != nil:
		p.palette.line += text
	case p.focus == onSettings && p.settings.typing != "":
		p.settings.line += text
	case p.typing:
		*m.needle() += text
	}
}
