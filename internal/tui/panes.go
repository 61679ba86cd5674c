package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"orchestrator/internal/view"
)

// wide is the width from which two panes stand side by side.
const wide = 100

// foldBelow is the height below which tasks that are done are folded into one line where there are too many.
const foldBelow = 20

// focus says which pane the keys are for.
type focus int

const (
	onList focus = iota
	onPage
	onGrid
	onSettings
	onCommands
	onOutput
)

// panes is the state of the full-screen view.
type panes struct {
	focus    focus
	before   focus  // where esc goes from settings, commands and output
	selected string // task
	top      int    // first line of the list in sight
	page     Page
	zoomed   bool // the page has the whole width
	text     pageText
	scroll   int  // first line of the page in sight
	follow   bool // the page's end stays in sight
	filter   string
	typing   bool // the filter is being typed
	help     *finder
	palette  *palette
	dialog   *dialog
	settings settingsPane
	commands commandsPane
	output   outputPane
	tails    map[string][]string // of the grid
	over     bool                // the run has come to its end, or its source
}

// pageText is the text of a page, as it was read last.
type pageText struct {
	task    string
	page    Page
	raw     string
	err     string
	lines   []string
	width   int // that lines are wrapped for
	read    time.Time
	reading bool
}

// Messages of the panes.
type (
	pageMsg struct {
		task string
		page Page
		text string
		err  error
	}
	asksMsg struct {
		task string
		asks []Ask
		err  error
	}
	deedMsg struct {
		said string
		err  error
	}
	gridMsg      map[string][]string
	performedMsg struct {
		line, said string
		failed     bool
	}
	terminalMsg struct{ err error } // what had the terminal for itself is over
	commandsMsg struct {
		list []Command
		err  error
	}
	settingsMsg struct {
		settings Settings
		err      error
	}
	agentsMsg struct {
		list []Agent
		err  error
	}
	savedMsg struct {
		place   string
		refused map[string]string
		err     error
	}
)

// openPanes puts the panes on the screen.
func (m *model) openPanes() tea.Cmd {
	m.panes = &panes{page: Talk, follow: true, tails: map[string][]string{}}
	m.panes.selected = m.firstOfInterest()
	return m.read()
}

// closePanes goes back to the region; what the scrollback has missed is printed once the screen is the usual one again.
func (m *model) closePanes() tea.Cmd {
	over := m.panes.over
	m.panes = nil
	if over {
		m.closing = true
		return m.advance()
	}
	m.printing = true
	return tea.Tick(2*frame, func(time.Time) tea.Msg { return printedMsg{} })
}

// firstOfInterest is the task that a person would look at first.
func (m *model) firstOfInterest() string {
	if waits := m.Run.Waits(); len(waits) > 0 {
		return waits[0].ID
	}
	if active := m.Run.Active(); len(active) > 0 {
		return active[0].ID
	}
	if f := m.Run.Failures(); len(f) > 0 {
		return f[0].ID
	}
	if len(m.Run.Tasks) > 0 {
		return m.Run.Tasks[0].ID
	}
	return ""
}

// listed are the lines of the list: the picture of the graph, or what the filter leaves.
func (m *model) listed() []Lane {
	if m.panes.filter == "" && len(m.Lanes) > 0 && !m.folds() {
		return m.Lanes
	}
	var list []Lane
	if n := m.Run.Counts()[view.Done]; m.folds() {
		list = append(list, Lane{Picture: fmt.Sprintf("%s %d done", m.glyphs.Of(view.Done), n)})
	}
	for _, t := range m.Run.Tasks {
		if matches(t, m.panes.filter) && !(m.folds() && t.Word() == view.Done && t.ID != m.panes.selected) {
			list = append(list, Lane{Picture: string(Marker), Task: t.ID})
		}
	}
	return list
}

// folds says that there is no room for tasks that are done: they are only counted.
func (m *model) folds() bool {
	return m.height < foldBelow && m.panes.filter == "" && m.Run.Counts()[view.Done] > 1 && max(len(m.Lanes), len(m.Run.Tasks)) > m.bodyHeight()-2
}

// matches says whether a filter leaves a task: each of its words is a state, an @agent, or part of an id or a name.
func matches(t *view.Task, filter string) bool {
	for word := range strings.FieldsSeq(strings.ToLower(filter)) {
		agent, isAgent := strings.CutPrefix(word, "@")
		switch {
		case isAgent:
			if !strings.Contains(strings.ToLower(t.Agent), agent) {
				return false
			}
		case !strings.HasPrefix(t.Word().String(), word) && !strings.Contains(strings.ToLower(t.ID+" "+t.Name), word):
			return false
		}
	}
	return true
}

// move selects the task that is so many tasks further down.
func (m *model) move(by int) tea.Cmd {
	var ids []string
	for _, l := range m.listed() {
		if l.Task != "" {
			ids = append(ids, l.Task)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	at := slices.Index(ids, m.panes.selected)
	if at < 0 {
		at, by = 0, 0
	}
	return m.choose(ids[min(max(at+by, 0), len(ids)-1)])
}

// choose selects a task.
func (m *model) choose(id string) tea.Cmd {
	if id != m.panes.selected {
		m.panes.selected, m.panes.scroll, m.panes.follow = id, 0, true
	}
	return m.read()
}

// next selects the next task that needs the person or has failed, in the direction.
func (m *model) next(by int) tea.Cmd {
	n := len(m.Run.Tasks)
	at := slices.IndexFunc(m.Run.Tasks, func(t *view.Task) bool { return t.ID == m.panes.selected })
	for i := 1; i <= n; i++ {
		t := m.Run.Tasks[((at+by*i)%n+n)%n]
		if w := t.Word(); w == view.NeedsYou || w == view.Failed {
			return m.choose(t.ID)
		}
	}
	m.notice = "no task needs you, and none has failed"
	return nil
}

// show chooses a page.
func (m *model) show(p Page) tea.Cmd {
	m.panes.page, m.panes.scroll, m.panes.follow = (p+pages)%pages, 0, p == Talk || p == Log
	return m.read()
}

// read reads the page that is looked at, unless it is being read. It is called when the choice changes and every second.
func (m *model) read() tea.Cmd {
	p := m.panes
	if m.Helm == nil || p.selected == "" || p.text.reading {
		return nil
	}
	task, page, helm, ctx := p.selected, p.page, m.Helm, m.ctx
	p.text.reading, p.text.read = true, m.now
	return func() tea.Msg {
		text, err := helm.Page(ctx, task, page)
		return pageMsg{task, page, text, err}
	}
}

// refresh is called every second: what changes by itself is read again.
func (m *model) refresh() tea.Cmd {
	p := m.panes
	if p == nil {
		return nil
	}
	switch p.focus {
	case onGrid:
		return m.readGrid()
	case onCommands:
		return m.readCommands()
	case onSettings, onOutput:
		return nil
	}
	t := m.Run.Task(p.selected)
	if t == nil || !isLive(t) && p.text.task == p.selected && p.text.page == p.page && p.text.read.After(t.EndedAt.Add(2*second)) {
		return nil
	}
	return m.read()
}

func isLive(t *view.Task) bool { w := t.Word(); return w == view.Running || w == view.NeedsYou }

// took takes a page over that was read.
func (m *model) took(msg pageMsg) tea.Cmd {
	p := m.panes
	p.text.reading = false
	if msg.task != p.selected || msg.page != p.page {
		return m.read() // the person has gone on meanwhile
	}
	p.text = pageText{task: msg.task, page: msg.page, raw: msg.text, read: m.now}
	if msg.err != nil {
		p.text.err = view.SanitizeLine(msg.err.Error())
	}
	m.wrap()
	return nil
}

// readGrid reads the ends of the logs of the agents in sight.
func (m *model) readGrid() tea.Cmd {
	if m.Helm == nil || m.panes.text.reading {
		return nil
	}
	m.panes.text.reading = true
	helm, ids, ctx := m.Helm, view.IDs(m.inGrid()), m.ctx
	return func() tea.Msg {
		tails := make(gridMsg, len(ids))
		for _, id := range ids {
			text, err := helm.Page(ctx, id, Talk)
			if err != nil {
				text = err.Error()
			}
			tails[id] = view.LastLines(view.Sanitize(text), gridLines)
		}
		return tails
	}
}

// updatePanes follows a message of the panes; false = it is none.
func (m *model) updatePanes(msg tea.Msg) (tea.Cmd, bool) {
	switch msg := msg.(type) {
	case deedMsg:
		m.notice = view.SanitizeLine(msg.said)
		if msg.err != nil {
			m.notice = view.SanitizeLine(msg.err.Error())
		}
		if m.panes != nil {
			return m.read(), true
		}
		return nil, true
	case pageMsg:
		if m.panes != nil {
			return m.took(msg), true
		}
		return nil, true
	case asksMsg:
		if m.panes != nil {
			m.asked(msg)
		}
		return nil, true
	case gridMsg:
		if m.panes != nil {
			m.panes.tails, m.panes.text.reading = msg, false
		}
		return nil, true
	case performedMsg:
		if m.panes != nil {
			return m.performed(msg), true
		}
		return nil, true
	case terminalMsg:
		if msg.err != nil {
			m.notice = view.SanitizeLine(msg.err.Error())
		}
		return nil, true
	case commandsMsg:
		if m.panes != nil {
			m.gotCommands(msg)
		}
		return nil, true
	case settingsMsg, agentsMsg, savedMsg:
		if m.panes != nil {
			return m.updateSettings(msg), true
		}
		return nil, true
	case tea.PasteMsg:
		if m.panes != nil {
			m.paste(msg.Content)
		}
		return nil, true
	}
	return nil, false
}
