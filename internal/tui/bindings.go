package tui

import tea "charm.land/bubbletea/v2"

// binding is a key of the panes. The table is what help shows, what the palette offers and what keys do.
type binding struct {
	keys    string // separated by blanks
	does    string
	in      func(p *panes) bool // where it is valid; nil = everywhere
	do      func(m *model) tea.Cmd
	command string // its name in the palette; empty = it is only a key
}

func inList(p *panes) bool     { return p.focus == onList }
func inPage(p *panes) bool     { return p.focus == onPage }
func inSettings(p *panes) bool { return p.focus == onSettings }
func inCommands(p *panes) bool { return p.focus == onCommands }
func inOutput(p *panes) bool   { return p.focus == onOutput }
func notGrid(p *panes) bool    { return p.focus < onGrid }
func onTasks(p *panes) bool    { return p.focus <= onGrid }
func sifting(p *panes) bool    { return p.focus == onList || inSettings(p) || inCommands(p) }
func awayOrFiltered(p *panes) bool {
	return p.focus != onList || p.filter != ""
}

// bindings are tried in order: the first that is valid where the person is counts.
var bindings []binding

// moves are the keys that go through a list.
func moves(what string, in func(*panes) bool, move func(m *model, by int) tea.Cmd) []binding {
	const all = 1 << 30
	return []binding{
		{"j down", "next " + what, in, func(m *model) tea.Cmd { return move(m, 1) }, ""},
		{"k up", "previous " + what, in, func(m *model) tea.Cmd { return move(m, -1) }, ""},
		{"g home", "first " + what, in, func(m *model) tea.Cmd { return move(m, -all) }, ""},
		{"G end", "last " + what, in, func(m *model) tea.Cmd { return move(m, all) }, ""},
		{"ctrl+d pgdown space", "half a screen down", in, func(m *model) tea.Cmd { return move(m, m.height/2) }, ""},
		{"ctrl+u pgup", "half a screen up", in, func(m *model) tea.Cmd { return move(m, -m.height/2) }, ""},
	}
}

func init() { // a variable that refers to itself by way of help cannot be initialised where it is declared
	bindings = append(bindings, moves("task", inList, (*model).move)...)
	bindings = append(bindings, moves("line", inPage, (*model).scrollBy)...)
	bindings = append(bindings, moves("setting", inSettings, (*model).moveSettings)...)
	bindings = append(bindings, moves("command", inCommands, (*model).moveCommands)...)
	bindings = append(bindings, moves("line", inOutput, (*model).scrollOutput)...)
	bindings = append(bindings, []binding{
		{"enter", "look at the task", inList, func(m *model) tea.Cmd { return m.look(onPage) }, ""},
		{"enter", "give the page the whole width, or not", inPage, func(m *model) tea.Cmd { m.panes.zoomed = !m.panes.zoomed; return nil }, ""},
		{"enter", "change the value", inSettings, (*model).editSetting, ""},
		{"w", "write what was changed: to your settings, or the project's", inSettings, (*model).writeSettings, "write the settings"},
		{"u", "take the change of this value back", inSettings, (*model).undoSetting, ""},
		{"+", "another key, such as agents.coder.model", inSettings, (*model).addSetting, "add a setting"},
		{"y", "copy the value", inSettings, (*model).copySetting, ""},
		{"y", "copy the command", inCommands, (*model).copyCommand, ""},
		{"y", "copy it", inOutput, func(m *model) tea.Cmd { return m.toClipboard(m.panes.output.text) }, ""},
		{"h left", "previous page: conversation, log, diff, checks, info", notGrid, func(m *model) tea.Cmd { return m.show(m.panes.page - 1) }, ""},
		{"l right", "next page", notGrid, func(m *model) tea.Cmd { return m.show(m.panes.page + 1) }, ""},
		{"esc backspace", "back", awayOrFiltered, (*model).back, ""},
		{"tab", "the other pane", notGrid, func(m *model) tea.Cmd { return m.look(onPage - m.panes.focus) }, ""},
		{"1", "the list of tasks", nil, func(m *model) tea.Cmd { return m.look(onList) }, ""},
		{"2", "the task", nil, func(m *model) tea.Cmd { return m.look(onPage) }, ""},
		{"3", "all agents at work, side by side", nil, func(m *model) tea.Cmd { return m.look(onGrid) }, "grid"},
		{"n", "next task that needs you or has failed", onTasks, func(m *model) tea.Cmd { return m.next(1) }, ""},
		{"N", "previous one", onTasks, func(m *model) tea.Cmd { return m.next(-1) }, ""},
		{"a", "answer or approve what waits", onTasks, (*model).askFor, "answer what waits"},
		{"d", "its diff", notGrid, func(m *model) tea.Cmd { return m.show(Diff) }, ""},
		{"f", "follow the end of the page, or not", inPage, func(m *model) tea.Cmd { m.panes.follow = !m.panes.follow; return nil }, ""},
		{"r", "try it again", onTasks, func(m *model) tea.Cmd { return m.confirm(Retry, "Try %s again?") }, ""},
		{"R", "try it again, with a note", onTasks, (*model).note, ""},
		{"x", "cancel it; its work is kept", onTasks, func(m *model) tea.Cmd { return m.confirm(Cancel, "Cancel %s? Its work is kept.") }, ""},
		{"o", "open its workspace in your editor", onTasks, (*model).open, "open the workspace"},
		{"m", "merge what is done into your branch", onTasks, func(m *model) tea.Cmd { return m.openPalette("merge") }, ""},
		{"p", "pause: start nothing new; or go on", onTasks, (*model).pauseRun, "pause"},
		{"y", "copy the page", notGrid, (*model).copy, ""},
		{"/", "filter: failed, @coder, or words", sifting, func(m *model) tea.Cmd { m.panes.typing = true; return nil }, ""},
		{":", "commands", nil, func(m *model) tea.Cmd { return m.openPalette("") }, ""},
		{",", "settings", nil, (*model).openSettings, "settings"},
		{"L", "commands that the run has started: git, agents", nil, (*model).openCommands, "log of commands"},
		{"?", "these keys", nil, func(m *model) tea.Cmd { m.panes.help = &finder{}; return nil }, "keys"},
		{"s", "back to the stream of lines", nil, (*model).closePanes, "stream"},
		{"q Q", "leave it running", nil, func(m *model) tea.Cmd { m.leave(); return m.advance() }, "quit"},
	}...)
}
