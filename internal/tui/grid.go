package tui

import (
	"strings"

	"orchestrator/internal/view"
)

// gridLines is how many lines of each agent the grid keeps.
const gridLines = 60

// inGrid are the tasks of the grid: those at work, at most nine.
func (m *model) inGrid() []*view.Task {
	active := m.Run.Active()
	return active[:min(len(active), 9)]
}

// gridBoxes draws the agents at work side by side.
func (m *model) gridBoxes(height int) []string {
	tasks := m.inGrid()
	if len(tasks) == 0 {
		return m.box("3 agents at work", []string{m.full(m.width-2, span{" nobody is at work", m.style.faint})}, m.width, height, true)
	}
	across := 1
	for across*across < len(tasks) && m.width/(across+1) >= 2*smallest {
		across++
	}
	down := (len(tasks) + across - 1) / across
	for down > 1 && height/down < 4 { // what does not fit is left out
		down--
	}
	var lines []string
	for y := range down {
		h := height / down
		if y == down-1 {
			h = height - h*(down-1)
		}
		rows := make([]string, h)
		for x := range across {
			w := m.width / across
			if x == across-1 {
				w = m.width - w*(across-1)
			}
			for i, l := range m.gridBox(tasks, y*across+x, w, h) {
				rows[i] += l
			}
		}
		lines = append(lines, rows...)
	}
	return lines
}

func (m *model) gridBox(tasks []*view.Task, i, width, height int) []string {
	if i >= len(tasks) {
		return m.box("", nil, width, height, false)
	}
	t := tasks[i]
	tail := m.panes.tails[t.ID]
	tail = tail[max(len(tail)-(height-2), 0):]
	var lines []string
	for _, l := range tail {
		lines = append(lines, m.full(width-2, span{" " + strings.ReplaceAll(l, "\t", "    "), m.style.plain}))
	}
	return m.box(m.sign(t)+" "+t.ID+" "+m.glyphs.Dot+" "+m.state(t), lines, width, height, t.ID == m.panes.selected)
}
