package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

const (
	smallest = 20   // columns, and
	lowest   = 6    // lines, below which nothing useful fits
	kept     = 5000 // lines of a page that are shown: its last
)

// paneView draws the panes.
func (m *model) paneView() tea.View {
	v := tea.NewView("")
	if m.width >= smallest && m.height >= lowest {
		v = tea.NewView(strings.Join(m.paneLines(), "\n"))
	} else {
		v.SetContent("too small")
	}
	v.AltScreen = true
	v.ProgressBar = m.bar()
	v.WindowTitle = "orc " + m.Run.ID + " " + m.Run.Name
	return v
}

func (m *model) paneLines() []string {
	p := m.panes
	lines := []string{m.header()}
	h := m.bodyHeight()
	switch {
	case p.help != nil:
		lines = append(lines, m.helpBox(h)...)
	case p.focus == onSettings:
		lines = append(lines, m.settingsBox(h)...)
	case p.focus == onCommands:
		lines = append(lines, m.commandsBox(h)...)
	case p.focus == onOutput:
		lines = append(lines, m.outputBox(h)...)
	case p.focus == onGrid:
		lines = append(lines, m.gridBoxes(h)...)
	case (m.width < wide || p.zoomed) && p.focus == onPage:
		lines = append(lines, m.pageBox(m.width, h)...)
	case m.width < wide:
		lines = append(lines, m.listBox(m.width, h)...)
	default:
		list, page := m.listBox(m.width-m.pageWidth(), h), m.pageBox(m.pageWidth(), h)
		for i := range list {
			lines = append(lines, list[i]+page[i])
		}
	}
	if p.palette != nil && p.help == nil {
		m.overlayPalette(lines)
	}
	if p.dialog != nil {
		m.overlay(lines)
	}
	return append(lines, m.footer())
}

// bodyHeight is what header and footer leave.
func (m *model) bodyHeight() int { return m.height - 2 }

// pageWidth is how wide the pane of the page is.
func (m *model) pageWidth() int {
	if m.width < wide || m.panes.zoomed && m.panes.focus == onPage {
		return m.width
	}
	return m.width - m.width*45/100
}

// pageHeight is how many lines of a page are in sight.
func (m *model) pageHeight() int { return max(m.bodyHeight()-3, 1) }

// header is the run in one line.
func (m *model) header() string {
	spans := []span{
		{m.Run.Name + "  run " + m.Run.ID + "  ", m.style.bold}, {view.Duration(m.Run.Elapsed(m.now)) + "  ", m.style.plain},
	}
	for _, w := range []view.Word{view.Done, view.Running, view.NeedsYou, view.Failed, view.Skipped, view.Cancelled} {
		if n := m.Run.Counts()[w]; n > 0 {
			spans = append(spans, span{fmt.Sprintf("%d %s", n, w), m.style.words[w]}, span{"  ", m.style.plain})
		}
	}
	if n := m.Run.Counts().ToGo(); n > 0 {
		spans = append(spans, span{fmt.Sprintf("%d to go  ", n), m.style.plain})
	}
	if m.about != "" && !m.panes.over {
		spans = append(spans, span{m.about, m.style.faint})
	}
	return m.full(m.width, spans...)
}

// footer is what was told last, or the keys.
func (m *model) footer() string {
	p := m.panes
	switch {
	case p.typing:
		return m.full(m.width, span{" /" + *m.needle() + "_", m.style.bold}, span{map[bool]string{true: "   failed, @coder, part of a name", false: ""}[p.focus == onList] + "   enter, esc", m.style.faint})
	case m.notice != "":
		return m.full(m.width, span{" " + m.notice, m.style.warn})
	case p.focus == onSettings && p.settings.typing != "":
		return m.full(m.width, span{" enter keeps the value, w writes it then   esc leaves it", m.style.faint})
	case p.focus == onSettings:
		return m.full(m.width, span{" enter change  w write  u undo  + another key  / filter  esc back  ? keys", m.style.faint})
	case p.focus == onCommands:
		return m.full(m.width, span{" j/k move  / filter  y copy  esc back  ? keys", m.style.faint})
	case p.focus == onOutput:
		return m.full(m.width, span{" j/k scroll  y copy  esc back  ? keys", m.style.faint})
	case p.over:
		return m.full(m.width, span{" the run " + m.endText() + "; q closes   ? keys", m.style.warn})
	case p.focus == onGrid:
		return m.full(m.width, span{" esc list  a answer  s stream  ? keys  q leave it running", m.style.faint})
	case m.width < wide:
		return m.full(m.width, span{" " + map[focus]string{onList: "enter open", onPage: "esc list"}[p.focus] + "  a answer  : commands  ? keys  q leave it running", m.style.faint})
	case p.focus == onPage:
		return m.full(m.width, span{" j/k scroll  h/l page  f follow  a answer  r retry  x cancel  y copy  esc list  : commands  ? keys  q leave it running", m.style.faint})
	}
	return m.full(m.width, span{" j/k move  enter open  n next that needs you  a answer  r retry  x cancel  / filter  : commands  ? keys  q leave it running", m.style.faint})
}

func (m *model) endText() string {
	switch m.Run.State {
	case scheduler.RunCompleted:
		return "is done"
	case scheduler.RunFailed:
		return "has failed"
	case scheduler.RunCanceled:
		return "was cancelled"
	case scheduler.RunWaiting:
		return "waits for you"
	}
	return "is not worked on"
}

// full is a line of exactly width cells.
func (m *model) full(width int, spans ...span) string {
	s := m.compose(width, spans...)
	return s + strings.Repeat(" ", max(width-lipgloss.Width(s), 0))
}

// box draws lines in a frame. on says that the keys are for it.
func (m *model) box(title string, lines []string, width, height int, on bool) []string {
	c := m.corners()
	style := m.style.faint
	if on {
		style = m.style.plain
	}
	title, _ = fit(m.drawable(head(title, mostBytes(width))), max(width-6, 0))
	top := m.compose(width-1, span{c.topLeft + c.flat + " " + title + " ", style})
	out := []string{top + m.compose(width, span{strings.Repeat(c.flat, max(width-lipgloss.Width(top)-1, 0)) + c.topRight, style})}
	for i := range height - 2 {
		text := strings.Repeat(" ", width-2)
		if i < len(lines) {
			text = lines[i]
		}
		out = append(out, m.compose(1, span{c.side, style})+text+m.compose(1, span{c.side, style}))
	}
	return append(out, m.full(width, span{c.bottomLeft + strings.Repeat(c.flat, max(width-2, 0)) + c.bottomRight, style}))
}

// corners are the signs of a frame.
type corners struct{ topLeft, topRight, bottomLeft, bottomRight, flat, side string }

func (m *model) corners() corners {
	if m.Unicode {
		return corners{"╭", "╮", "╰", "╯", "─", "│"}
	}
	return corners{"+", "+", "+", "+", "-", "|"}
}

// listBox is the list of tasks.
func (m *model) listBox(width, height int) []string {
	p, inner := m.panes, width-2
	list := m.listed()
	room := height - 2
	at := 0
	for i, l := range list {
		if l.Task == p.selected {
			at = i
		}
	}
	p.top = min(max(p.top, at-room+1), at)
	p.top = max(min(p.top, len(list)-room), 0)
	var lines []string
	picture := 0
	for _, l := range list {
		if l.Task != "" {
			picture = max(picture, cells(l.Picture))
		}
	}
	for _, l := range list[p.top:min(p.top+room, len(list))] {
		if l.Task != "" {
			l.Picture = m.pad(l.Picture, picture, false)
		}
		lines = append(lines, m.taskLine(l, inner))
	}
	if len(list) == 0 {
		lines = append(lines, m.full(inner, span{" no task is left by the filter " + p.filter, m.style.faint}))
	}
	title := fmt.Sprintf("1 Tasks (%d)", len(m.Run.Tasks))
	if p.filter != "" {
		title += "  /" + p.filter
	}
	return m.box(title, lines, width, height, p.focus == onList)
}

// taskLine is a line of the list.
func (m *model) taskLine(l Lane, width int) string {
	t := m.Run.Task(l.Task)
	picture := l.Picture
	if !m.Unicode {
		picture = asciiLane.Replace(picture)
	}
	if t == nil {
		return m.full(width, span{" " + picture, m.style.faint})
	}
	mark, style := " ", m.style.plain
	if t.ID == m.panes.selected {
		mark, style = ">", m.style.bold
	}
	word := t.Word()
	before, after, _ := strings.Cut(picture, string(Marker))
	if !m.Unicode {
		before, after, _ = strings.Cut(picture, "o")
	}
	spans := []span{
		{mark, style},
		{before, m.style.faint},
		{m.sign(t), m.style.words[word]},
		{after + " ", m.style.faint},
		{m.pad(m.shorten(t.ID, m.column.id), min(m.column.id, width/2), false) + " ", style},
	}
	if m.column.agent > 0 && width >= narrow/2 {
		spans = append(spans, span{m.pad(t.Agent, m.column.agent, false) + " ", m.style.faint})
	}
	return m.full(width, append(spans, span{m.state(t), m.style.words[word]})...)
}

var asciiLane = strings.NewReplacer(string(Marker), "o", "│", "|", "├", "|", "─", "-", "╮", ".", "╯", "'", "┬", "+", "┴", "+", "┼", "+")

// sign is the glyph of a task's state; that of a running one turns.
func (m *model) sign(t *view.Task) string {
	if t.Word() != view.Running {
		return m.glyphs.Of(t.Word())
	}
	if m.Motion {
		return m.glyphs.Spinner[m.frame%len(m.glyphs.Spinner)]
	}
	return m.glyphs.Still
}

// state says how a task stands: the word of its state, and what there is to say about it.
func (m *model) state(t *view.Task) string {
	word := t.Word().String()
	about := func(text string) string {
		if text == "" {
			return word
		}
		return word + ": " + text
	}
	switch t.Word() {
	case view.NeedsYou:
		if len(t.Paths) > 0 {
			return about("conflict in " + view.List(t.Paths, 2))
		}
		return about(t.Reason)
	case view.Running:
		if !t.Until.IsZero() {
			return "waits until " + t.Until.Local().Format("15:04") + ": " + t.Reason
		}
		parts := []string{word, view.Duration(t.Elapsed(m.now))}
		if t.Phase != scheduler.PhaseWorking && t.Phase != "" {
			parts = append(parts, string(t.Phase))
		}
		for _, s := range []string{t.Step, t.Doing} {
			if s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, "  ")
	case view.Failed:
		return about(t.Why())
	case view.Skipped, view.Cancelled:
		return about(t.Reason)
	case view.Done:
		if t.Files > 0 {
			return fmt.Sprintf("%s  +%d %s%d", word, t.Additions, m.glyphs.Minus, t.Deletions)
		}
	}
	return word
}

// pageBox is the page about the selected task.
func (m *model) pageBox(width, height int) []string {
	p, inner := m.panes, width-2
	title := "2 " + p.selected
	if t := m.Run.Task(p.selected); t != nil {
		title += " " + m.glyphs.Dot + " " + t.Word().String()
		if t.Agent != "" {
			title += " " + m.glyphs.Dot + " " + t.Agent
		}
		if t.Ran() {
			title += fmt.Sprintf(" %s attempt %d of %d %s %s", m.glyphs.Dot, t.Attempt, max(t.Attempts, t.Attempt), m.glyphs.Dot, view.Duration(t.Elapsed(m.now)))
		}
	}
	var tabs []span
	for i, name := range pageNames {
		style := m.style.faint
		if Page(i) == p.page {
			style = m.style.bold
		}
		tabs = append(tabs, span{" " + name + " ", style})
	}
	if p.follow {
		tabs = append(tabs, span{" [follow]", m.style.faint})
	}
	lines := []string{m.full(inner, tabs...)}
	switch {
	case p.text.task != p.selected || p.text.page != p.page:
		lines = append(lines, m.full(inner, span{" " + m.glyphs.Ellipsis, m.style.faint}))
	case p.text.err != "":
		lines = append(lines, m.full(inner, span{" " + p.text.err, m.style.warn}))
	default:
		m.wrap()
		room := height - 3
		if most := max(len(p.text.lines)-room, 0); p.follow || p.scroll > most {
			p.scroll = most
		}
		for _, l := range p.text.lines[p.scroll:min(p.scroll+room, len(p.text.lines))] {
			lines = append(lines, m.full(inner, span{" " + l, m.lineStyle(l)}))
		}
	}
	return m.box(title, lines, width, height, p.focus == onPage)
}

// lineStyle colours the lines of a difference.
func (m *model) lineStyle(l string) lipgloss.Style {
	if m.panes.page != Diff {
		return m.style.plain
	}
	switch {
	case strings.HasPrefix(l, "+"):
		return m.style.words[view.Done]
	case strings.HasPrefix(l, "-"):
		return m.style.words[view.Failed]
	case strings.HasPrefix(l, "@@"), strings.HasPrefix(l, "diff "):
		return m.style.words[view.Running]
	}
	return m.style.plain
}

// wrap brings the page's text to the pane's width, once.
func (m *model) wrap() {
	x, width := &m.panes.text, max(m.pageWidth()-3, 1)
	if x.width == width && x.lines != nil {
		return
	}
	x.width, x.lines = width, wrapped(view.LastLines(view.Sanitize(x.raw), kept), width, m.panes.page != Diff)
}
