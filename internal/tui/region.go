package tui

import (
	"cmp"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// low is the height under which the rule and the keys are left out.
const low = 10

// View draws the live region; nothing while the view closes or is suspended, so that no stale line stays on the
// screen.
func (m *model) View() tea.View {
	if m.closing || m.away {
		return tea.NewView("")
	}
	if m.panes != nil {
		return m.paneView()
	}
	v := tea.NewView(strings.Join(m.region(), "\n"))
	v.ProgressBar = m.bar()
	return v
}

// bar is how far the run is, for terminals that show that beside the window's title or in a task bar.
func (m *model) bar() *tea.ProgressBar {
	counts := m.Run.Counts()
	over := counts[view.Done] + counts[view.Failed] + counts[view.Skipped] + counts[view.Cancelled]
	state := tea.ProgressBarDefault
	switch {
	case len(m.Run.Waits()) > 0:
		state = tea.ProgressBarWarning
	case counts[view.Failed] > 0:
		state = tea.ProgressBarError
	}
	return tea.NewProgressBar(state, 100*over/max(m.Run.Total(), 1))
}

// rows is how many tasks are in sight.
func (m *model) rows() int {
	if m.height < low {
		return max(m.height/2-2, 1)
	}
	return m.height/2 - 3
}

// most is how many lines the region may take: rows, "and more", rule, counts, message, keys.
func (m *model) most() int { return min(m.rows()+5, max(m.height-2, 1)) }

// inSight returns the tasks that have a row. Those that need the person come last, next to the keys, and are the
// last to be left out.
func (m *model) inSight() []*view.Task {
	waits := m.Run.Waits()
	waits = waits[:min(len(waits), m.rows())]
	shown := make([]*view.Task, 0, m.rows())
	for _, t := range m.Run.Active() {
		if len(shown)+len(waits) == m.rows() {
			break
		}
		if !t.NeedsYou() {
			shown = append(shown, t)
		}
	}
	return append(shown, waits...)
}

func (m *model) region() []string {
	width := m.width - 1
	var lines []string
	if m.height >= low {
		lines = append(lines, m.compose(width, span{strings.Repeat(m.glyphs.Rule, width), m.style.faint}))
	}
	shown := m.inSight()
	for _, t := range shown {
		lines = append(lines, m.row(t))
	}
	if more := len(m.Run.Active()) - len(shown); more > 0 {
		lines = append(lines, m.compose(width, span{fmt.Sprintf("  and %d more", more), m.style.faint}))
	}
	lines = append(lines, m.counts())
	if m.notice != "" {
		lines = append(lines, m.compose(width, span{"  " + m.notice, m.style.warn}))
	}
	if m.height >= low && m.In != nil {
		lines = append(lines, m.compose(width, span{"  " + m.keys(), m.style.faint}))
	}
	return lines[max(len(lines)-m.most(), 0):]
}

// row is the line of a task that runs or waits for the person.
func (m *model) row(t *view.Task) string {
	width := m.width - 1
	if t.NeedsYou() {
		spans := m.subject(m.glyphs.Of(view.NeedsYou), t, "")
		spans = spans[:len(spans)-1]
		text := "waiting " + view.Duration(max(m.now.Sub(t.WaitsFrom), 0))
		if len(t.Paths) > 0 {
			text += "   conflict in " + view.List(t.Paths, 2)
		} else if t.Reason != "" {
			text += "   " + t.Reason
		}
		return m.compose(width, append(spans, span{text, m.style.words[view.NeedsYou]})...)
	}
	glyph := m.glyphs.Still
	if m.Motion {
		glyph = m.glyphs.Spinner[m.frame%len(m.glyphs.Spinner)]
	}
	spans := m.subject(glyph, t, view.Duration(t.Elapsed(m.now)))
	add := func(text string, style lipgloss.Style) {
		if text != "" {
			spans = append(spans, span{"  ", m.style.plain}, span{text, style})
		}
	}
	if t.Attempt > 1 && t.Attempt <= t.Attempts {
		add(fmt.Sprintf("attempt %d of %d", t.Attempt, t.Attempts), m.style.faint)
	}
	if !t.Until.IsZero() {
		add("waits until "+t.Until.Local().Format("15:04")+": "+t.Reason, m.style.faint)
	} else if t.Waits() {
		add("waits "+t.Reason, m.style.faint)
	} else if t.Phase != scheduler.PhaseWorking {
		add(string(t.Phase), m.style.faint)
	}
	add(t.Step, m.style.faint)
	add(cmp.Or(t.Doing, m.tails[t.ID]), m.style.plain)
	return m.compose(width, spans...)
}

// counts is the line of numbers: elapsed, counts, estimate.
func (m *model) counts() string {
	spans := []span{
		{"  " + view.Duration(m.Run.Elapsed(m.now)) + "  ", m.style.plain},
		{m.Run.Counts().Join(" " + m.glyphs.Dot + " "), m.style.plain},
	}
	if m.about != "" {
		spans = append(spans, span{"   " + m.about, m.style.faint})
	}
	return m.compose(m.width-1, spans...)
}

// keys names what can be pressed.
func (m *model) keys() string {
	stop := "ctrl-c stop and save"
	switch {
	case m.Stop == nil:
		return m.panesKey() + "q leave it running"
	case m.result.Stops == 1:
		stop = "ctrl-c end it now"
	case m.result.Stops == 2:
		stop = "ctrl-c leave"
	}
	return m.panesKey() + "q leave it running " + m.glyphs.Dot + " " + stop
}

// panesKey names the key that opens the panes, where there are any.
func (m *model) panesKey() string {
	if m.Helm == nil {
		return ""
	}
	return "u panes " + m.glyphs.Dot + " "
}
