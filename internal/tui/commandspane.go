package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"orchestrator/internal/view"
)

// commandsPane is the log of the commands that the run has started.
type commandsPane struct {
	list    []Command
	err     string
	reading bool
	paused  bool // the person looks at something: the newest is not followed
	filter  string
	cursor
}

// openCommands shows the log of commands.
func (m *model) openCommands() tea.Cmd {
	m.enter(onCommands)
	m.panes.commands.paused = false
	return m.readCommands()
}

func (m *model) readCommands() tea.Cmd {
	c := &m.panes.commands
	if m.Helm == nil || c.reading {
		return nil
	}
	c.reading = true
	helm, ctx := m.Helm, m.ctx
	return func() tea.Msg {
		list, err := helm.Commands(ctx)
		return commandsMsg{list, err}
	}
}

func (m *model) gotCommands(msg commandsMsg) {
	c := &m.panes.commands
	c.reading, c.err = false, ""
	if msg.err != nil {
		c.err = view.SanitizeLine(msg.err.Error())
		return
	}
	c.list = msg.list
	for i := range c.list {
		e := &c.list[i]
		for _, s := range []*string{&e.At, &e.Task, &e.Line, &e.End, &e.Took} {
			*s = view.SanitizeLine(*s)
		}
	}
}

// shown are the commands that the filter leaves.
func (c *commandsPane) shown() []Command {
	if c.filter == "" {
		return c.list
	}
	var list []Command
	for _, e := range c.list {
		if sifted(e.Task+" "+e.End+" "+e.Line, c.filter) {
			list = append(list, e)
		}
	}
	return list
}

func (m *model) moveCommands(by int) tea.Cmd {
	c := &m.panes.commands
	n := len(c.shown())
	c.move(by, n)
	c.paused = c.at < n-1
	return nil
}

// copyCommand copies the chosen command.
func (m *model) copyCommand() tea.Cmd {
	c := &m.panes.commands
	list := c.shown()
	if len(list) == 0 {
		return m.toClipboard("")
	}
	return m.toClipboard(list[min(c.at, len(list)-1)].Line)
}

// commandsBox draws the log: a line for each command, and the whole of the chosen one below.
func (m *model) commandsBox(height int) []string {
	c, inner := &m.panes.commands, m.width-2
	list := c.shown()
	if !c.paused {
		c.at = max(len(list)-1, 0)
	}
	c.move(0, len(list))
	var detail []string
	if height > 12 && len(list) > 0 {
		e := list[c.at]
		detail = append(detail, m.full(inner, span{" " + strings.Repeat(m.glyphs.Rule, max(inner-2, 0)), m.style.faint}))
		detail = append(detail, m.paragraph(e.Line, inner, func(l string) span { return span{l, m.style.plain} })...)
		detail = detail[:min(len(detail), 5)]
	}
	room := max(height-2-len(detail), 1)
	from, to := c.window(c.at, len(list), room)
	var lines []string
	for i, e := range list[from:to] {
		lines = append(lines, m.commandRow(e, from+i == c.at, inner))
	}
	switch {
	case c.err != "":
		lines = []string{m.full(inner, span{" " + c.err, m.style.warn})}
	case len(list) == 0 && c.filter != "":
		lines = []string{m.full(inner, span{" no command is left by the filter " + c.filter, m.style.faint})}
	case len(list) == 0:
		lines = []string{m.full(inner, span{" nothing is recorded: the run has not begun, or an older orc ran it", m.style.faint})}
	}
	for len(lines) < room {
		lines = append(lines, m.full(inner))
	}
	title := fmt.Sprintf("commands (%d)", len(list))
	if c.filter != "" {
		title += "  /" + c.filter
	}
	if !c.paused {
		title += "  [follow]"
	}
	return m.box(title, append(lines, detail...), m.width, height, true)
}

func (m *model) commandRow(e Command, chosen bool, width int) string {
	mark, style, end := " ", m.style.plain, m.style.faint
	if chosen {
		mark, style = ">", m.style.bold
	}
	if e.Failed {
		end = m.style.words[view.Failed]
	}
	spans := []span{{mark, style}, {e.At + " ", m.style.faint}}
	if m.width >= narrow {
		spans = append(spans, span{m.pad(m.shorten(e.Task, m.column.id), m.column.id, false) + " ", style})
	}
	return m.full(width, append(spans, span{m.pad(e.End, 8, false) + " ", end}, span{m.pad(e.Took, 6, true) + "  ", m.style.faint}, span{e.Line, style})...)
}
