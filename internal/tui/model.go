package tui

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

const (
	second   = time.Second
	maxBytes = 4 << 10 // of a last line that are looked at
)

// Messages of the program, besides batch.
type (
	tickMsg    struct{}
	drawnMsg   struct{}          // the region is on the screen
	printedMsg struct{}          // the lines above it are
	tailsMsg   map[string]string // last lines by task
	stopMsg    struct{ err error }
	leaveMsg   struct{ err error } // from outside
)

// model is the program's state.
type model struct {
	Options
	glyphs *view.Glyphs
	style  styles
	column columns

	width, height int
	now           time.Time
	frame         int // of the spinner
	renewed       time.Time
	about         string // the estimate in words
	tails         map[string]string
	tailing       bool // the last lines are being looked for

	begun    bool     // the headline was printed
	queue    []string // lines to print above the region
	alerts   view.Alerts
	ring     bool // the bell is to be rung
	drawn    bool
	printing bool

	panes *panes // nil = the region is on the screen

	stops    []bool // requests to the owner that were not made yet: forced or not
	stopping bool   // one is being made
	notice   string // what the person was told last
	away     bool   // suspended by the person
	closing  bool
	result   Result
	ctx      context.Context // of what is asked of the helm
	err      error
}

func newModel(o Options) *model {
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &model{
		Options: o, glyphs: view.GlyphsFor(o.Unicode), style: newStyles(o.Color), column: columnsOf(o.Run),
		width: 80, height: 24, now: o.Now(), tails: map[string]string{}, ctx: context.Background(),
	}
	m.alerts.Look(m.Run, m.now)
	return m
}

// Init starts the clock.
func (m *model) Init() tea.Cmd {
	if m.panes != nil {
		return tea.Batch(m.tick(), m.renew(), m.read())
	}
	return tea.Batch(m.tick(), m.renew())
}

// Update follows a message.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m, m.key(msg)
	case batch:
		m.now = m.Now()
		m.take(msg)
	case tickMsg:
		return m, m.ticked()
	case tailsMsg:
		m.tails, m.tailing = msg, false
	case tea.ResumeMsg:
		m.away, m.now = false, m.Now()
	case drawnMsg:
		m.drawn = true
	case printedMsg:
		m.printing = false
	case stopMsg:
		m.stopping = false
		if msg.err != nil {
			m.notice = "the run could not be asked to stop: " + view.SanitizeLine(msg.err.Error())
		}
		return m, m.ask()
	case leaveMsg:
		m.err = msg.err
		m.leave()
	default:
		cmd, _ := m.updatePanes(msg)
		return m, cmd
	}
	return m, m.advance()
}

// advance prints what waits, rings, and quits when there is nothing more to do.
func (m *model) advance() tea.Cmd {
	if m.ring && m.drawn && !m.closing {
		m.ring = false
		return tea.Batch(tea.Raw(bell), m.print())
	}
	return m.print()
}

// print prints what waits and quits when there is nothing more to do.
func (m *model) print() tea.Cmd {
	switch {
	case m.printing:
		return nil
	case m.closing: // what is left is printed after the program
		return tea.Quit
	case m.panes != nil: // the scrollback is behind them
		return nil
	case !m.drawn || len(m.queue) == 0:
		return nil
	}
	n := min(len(m.queue), max(m.height-m.most()-1, 1)) // what scrolls past the top of the screen at once is lost
	lines := strings.Join(m.queue[:n], "\n")
	m.queue, m.printing = m.queue[n:], true
	return tea.Sequence(tea.Println(lines), func() tea.Msg { return printedMsg{} })
}

// key follows a key.
func (m *model) key(k tea.KeyPressMsg) tea.Cmd {
	key := k.String()
	if m.panes != nil && key != "ctrl+c" && key != "ctrl+z" {
		return m.paneKey(k)
	}
	switch key {
	case "q", "Q":
		m.leave()
	case "u", "U":
		if m.Helm != nil && !m.closing {
			return m.openPanes()
		}
	case "ctrl+z":
		m.away = true
		return tea.Suspend
	case "ctrl+c":
		m.result.Stops++
		switch {
		case m.Stop == nil || m.result.Stops > 2:
			m.leave()
		case m.result.Stops == 1:
			m.notice = "stopping once what runs is finished and saved; ctrl-c again ends it now"
			m.stops = append(m.stops, false)
		default:
			m.notice = "ending what runs; its work is saved; ctrl-c again leaves"
			m.stops = append(m.stops, true)
		}
		return tea.Batch(m.ask(), m.advance())
	default:
		return nil
	}
	return m.advance()
}

// leave ends the view while the run goes on, or behind the panes may be over.
func (m *model) leave() {
	if !m.closing {
		m.closing, m.result.Left = true, m.panes == nil || !m.panes.over
	}
}

// ask makes the next request to the owner.
func (m *model) ask() tea.Cmd {
	if m.stopping || len(m.stops) == 0 {
		return nil
	}
	force := m.stops[0]
	m.stops, m.stopping = m.stops[1:], true
	return func() tea.Msg { return stopMsg{m.Stop(force)} }
}

// take folds what came from the source, and ends the view if that ended the run or its source.
func (m *model) take(b batch) {
	ended := false
	fresh := b.events[:0:0]
	for _, e := range b.events {
		if m.Run.Fold(e) {
			fresh = append(fresh, e)
			ended = ended || e.Kind == event.RunFinished || e.Kind == event.RunPaused || e.Kind == event.RunWaiting
		}
	}
	if len(m.alerts.Look(m.Run, m.now)) > 0 && m.Bell {
		m.ring = true
	}
	m.column.widen(m.Run, fresh)
	m.say()
	m.queue = append(m.queue, m.finished(fresh)...)
	if m.panes != nil && (b.err == nil || isEnd(b.err)) { // a person who reads is left alone
		over := b.err != nil || m.Run.State != scheduler.RunRunning && m.Run.State != ""
		if over && !m.panes.over {
			m.notice = "" // that the run is over is the news now
		}
		m.panes.over = over
		return
	}
	switch {
	case b.err != nil:
		m.closing = true
		m.result.Left = m.result.Left || m.Run.State == scheduler.RunRunning
		if !isEnd(b.err) {
			m.err = b.err
		}
	case ended && m.Run.State != scheduler.RunRunning:
		m.closing = true
	}
}

// say prints the headline, once.
func (m *model) say() {
	if !m.begun {
		m.begun = true
		m.queue = append(m.queue, m.headline())
	}
}

// tick waits for the next moment at which the region changes by itself.
func (m *model) tick() tea.Cmd {
	return tea.Tick(m.pause(), func(time.Time) tea.Msg { return tickMsg{} })
}

// pause is the time until then: a frame while a spinner turns, else a second.
func (m *model) pause() time.Duration {
	if m.Motion && m.Run.Counts()[view.Running] > 0 {
		return frame
	}
	return second
}

func (m *model) ticked() tea.Cmd {
	if m.closing {
		return nil
	}
	m.now = m.Now()
	m.frame++
	return tea.Batch(m.tick(), m.renew())
}

// renew looks after what is not looked at more than once a second: the estimate and the last lines.
func (m *model) renew() tea.Cmd {
	if m.now.Sub(m.renewed) < second && !m.renewed.IsZero() {
		return nil
	}
	m.renewed = m.now
	refresh := m.refresh()
	m.about = ""
	if left, ok := m.Run.Left(m.now); ok {
		m.about = view.About(left)
	}
	if m.Tail == nil || m.tailing || m.panes != nil {
		return refresh
	}
	m.tailing = true
	ids := view.IDs(m.inSight())
	return func() tea.Msg {
		tails := make(tailsMsg, len(ids))
		for _, id := range ids {
			line := m.Tail(id)
			tails[id] = view.SanitizeLine(line[:min(len(line), maxBytes)])
		}
		return tails
	}
}
