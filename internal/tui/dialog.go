package tui

import (
	"fmt"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"orchestrator/internal/view"
)

// dialog is a question to the person that lies over the panes.
type dialog struct {
	deed    Deed
	title   string
	body    string
	options []string // chosen by their numbers
	yes     bool     // y or n; nothing is typed, unless
	free    bool     // words are typed
	no      DeedKind // what n does, with the words that are typed then; empty = nothing
	text    string
	pick    func(option int) tea.Cmd  // what choosing an option does; nil = it is the answer
	then    func(text string) tea.Cmd // what is done with words; nil = they are the answer

	asks []Ask // all that the task asks; tab goes to the next
	ask  int
}

// writing says that keys are letters.
func (d *dialog) writing() bool { return d.free }

// confirm asks whether something is to be done to the selected task.
func (m *model) confirm(kind DeedKind, format string) tea.Cmd {
	if id := m.panes.selected; id != "" && m.Helm != nil {
		m.panes.dialog = &dialog{deed: Deed{Kind: kind, Task: id}, title: string(kind), body: fmt.Sprintf(format, id), yes: true}
	}
	return nil
}

// note asks for the words that the next attempt is told.
func (m *model) note() tea.Cmd {
	if id := m.panes.selected; id != "" && m.Helm != nil {
		m.panes.dialog = &dialog{deed: Deed{Kind: Retry, Task: id}, title: "retry " + id, body: "What should the next attempt know?", free: true}
	}
	return nil
}

// askFor opens what the selected task wants to know, or else the first task that wants to.
func (m *model) askFor() tea.Cmd {
	t := m.Run.Task(m.panes.selected)
	if t == nil || !t.NeedsYou() {
		waits := m.Run.Waits()
		if len(waits) == 0 {
			m.notice = "no task waits for you"
			return nil
		}
		t = waits[0]
	}
	if m.Helm == nil {
		return nil
	}
	read := m.choose(t.ID)
	task, helm, ctx := t.ID, m.Helm, m.ctx
	return tea.Batch(read, func() tea.Msg {
		asks, err := helm.Asks(ctx, task)
		return asksMsg{task, asks, err}
	})
}

// asked opens the dialog of what a task wants to know.
func (m *model) asked(msg asksMsg) {
	switch {
	case msg.err != nil:
		m.notice = view.SanitizeLine(msg.err.Error())
		return
	case len(msg.asks) == 0 && m.inConflict(msg.task):
		m.openConflict(msg.task)
		return
	case len(msg.asks) == 0:
		m.notice = "it waits for something that is not decided here: see Info (l)"
		return
	}
	m.openAsk(msg.task, msg.asks, 0)
}

func (m *model) inConflict(task string) bool {
	t := m.Run.Task(task)
	return t != nil && t.NeedsYou() && len(t.Paths) > 0
}

// openConflict asks what is to become of work that conflicts with what was merged before it.
func (m *model) openConflict(task string) {
	m.panes.dialog = &dialog{
		title: task + " is in conflict",
		body: "Others were merged first that changed " + view.List(m.Run.Task(task).Paths, 3) +
			", too. Its work is saved, and nothing of it is merged.",
		options: []string{"do it again on what is merged now", "the same, and tell it something", "give it up"},
		pick: func(option int) tea.Cmd {
			switch option {
			case 0:
				return m.do(Deed{Kind: Retry, Task: task})
			case 1:
				return m.note()
			}
			return m.do(Deed{Kind: Cancel, Task: task})
		},
	}
}

// openAsk opens one of the things that a task wants to know.
func (m *model) openAsk(task string, asks []Ask, n int) {
	a := asks[n]
	d := &dialog{
		deed: Deed{Kind: Answer, Task: task, Ask: a.ID}, title: task + " asks", body: a.Text, options: a.Options, asks: asks, ask: n,
	}
	d.free = len(a.Options) == 0
	if a.Yes {
		d.deed.Kind, d.yes, d.free, d.no = Approve, true, false, Reject
		d.title = task + " wants your yes"
	}
	m.panes.dialog = d
}

// dialogKey follows a key while a dialog is open.
func (m *model) dialogKey(k tea.KeyPressMsg) tea.Cmd {
	d, key := m.panes.dialog, k.String()
	if key == "esc" {
		m.panes.dialog = nil
		return nil
	}
	if key == "tab" && len(d.asks) > 1 {
		m.openAsk(d.deed.Task, d.asks, (d.ask+1)%len(d.asks))
		return nil
	}
	if d.free {
		if key != "enter" {
			d.text = typed(d.text, k)
			return nil
		}
		if strings.TrimSpace(d.text) == "" {
			m.notice = "write something, or esc"
			return nil
		}
		if d.then != nil {
			m.panes.dialog = nil
			return d.then(d.text)
		}
		d.deed.Text = d.text
		return m.do(d.deed)
	}
	if d.yes {
		switch key {
		case "y", "enter":
			return m.do(d.deed)
		case "n":
			if d.no == "" {
				m.panes.dialog = nil
			} else {
				d.deed.Kind, d.yes, d.free, d.body = d.no, false, true, "Why not? It is told to who goes on with it."
			}
		}
		return nil
	}
	if n, err := strconv.Atoi(key); err == nil && n >= 1 && n <= len(d.options) {
		if d.pick != nil {
			m.panes.dialog = nil
			return d.pick(n - 1)
		}
		d.deed.Text = d.options[n-1]
		return m.do(d.deed)
	}
	if d.pick == nil && (key == "t" || key == strconv.Itoa(len(d.options)+1)) {
		d.free = true
	}
	return nil
}

// do has something done.
func (m *model) do(d Deed) tea.Cmd {
	m.panes.dialog = nil
	m.notice = m.glyphs.Ellipsis
	helm, ctx := m.Helm, m.ctx
	return func() tea.Msg {
		said, err := helm.Do(ctx, d)
		return deedMsg{said, err}
	}
}
