package tui

import (
	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

const (
	minID    = 12
	maxID    = 40
	maxAgent = 12
	elapsed  = 6 // "10m18s"
	narrow   = 60
)

// columns are the widths of what stands at the start of a line about a task.
type columns struct{ id, agent int }

func columnsOf(run *view.Run) columns {
	var c columns
	for _, t := range run.Tasks {
		c.fit(t)
	}
	return c
}

func (c *columns) fit(t *view.Task) {
	c.id = max(c.id, min(cells(t.ID), maxID))
	c.agent = max(c.agent, min(cells(t.Agent), maxAgent))
}

// widen makes room for tasks and agents that events brought.
func (c *columns) widen(run *view.Run, events []event.Event) {
	for _, e := range events {
		if t := run.Task(view.SanitizeLine(e.Task)); t != nil {
			c.fit(t)
		}
	}
}

// subject is the start of a line about a task: glyph, id, agent and a time.
func (m *model) subject(glyph string, t *view.Task, clock string) []span {
	word := t.Word()
	id, agent := min(m.column.id, max(m.width/3, minID)), m.column.agent
	if m.width < narrow {
		agent = 0
	}
	spans := []span{
		{glyph + " ", m.style.words[word]},
		{m.pad(m.shorten(t.ID, id), id, false) + "  ", m.style.plain},
	}
	if agent > 0 {
		spans = append(spans, span{m.pad(t.Agent, agent, false) + "  ", m.style.faint})
	}
	return append(spans, span{m.pad(clock, elapsed, true), m.style.plain})
}
