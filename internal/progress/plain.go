package progress

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

const (
	minSubject = 15 // width of the column of ids
	maxSubject = 40
)

// Plain is the display for logs: one line per change, "MM:SS id word details", aligned, and a line for each
// running task that has been silent for the heartbeat.
type Plain struct {
	printer
	run       *view.Run
	tail      func(string) string
	heartbeat time.Duration
	quiet     bool
	width     int
	said      map[string]time.Time // when a task was last written about
}

var _ Display = (*Plain)(nil)

// NewPlain returns a display of all changes.
func NewPlain(o Options) *Plain {
	p := &Plain{
		printer: printer{out: o.Out}, run: o.Run, tail: o.Tail, heartbeat: cmp.Or(o.Heartbeat, time.Minute),
		width: minSubject, said: make(map[string]time.Time),
	}
	if p.run == nil {
		p.run = view.New(view.Seed{})
	}
	for _, t := range p.run.Tasks {
		p.width = max(p.width, min(len(t.ID), maxSubject))
	}
	return p
}

// NewQuiet returns a display of failures, of what waits for a person, and of the run's end.
func NewQuiet(o Options) *Plain {
	p := NewPlain(o)
	p.quiet = true
	return p
}

// Event writes the line of the event, if it has one.
func (p *Plain) Event(e event.Event) error {
	if !p.run.Fold(e) {
		return p.err
	}
	l, ok := p.line(e)
	if !ok || (p.quiet && !l.loud) {
		return p.err
	}
	if e.Task != "" {
		p.said[view.SanitizeLine(e.Task)] = e.Time
	}
	return p.write(e.Time, l)
}

// Tick writes the lines of tasks that have been silent for the heartbeat.
func (p *Plain) Tick(now time.Time) {
	if p.quiet || p.err != nil {
		return
	}
	for _, t := range p.run.Active() {
		if t.Word() != view.Running || now.Sub(later(p.said[t.ID], t.StartedAt)) < p.heartbeat {
			continue
		}
		p.said[t.ID] = now
		if p.write(now, p.working(t, now)) != nil {
			return
		}
	}
}

// Close returns the error that ended the display, if any.
func (p *Plain) Close() error { return p.err }

// write prints a line.
func (p *Plain) write(now time.Time, l line) error {
	text := view.Clock(p.run.Elapsed(now)) + " "
	if l.word == "" {
		text += l.subject + " " + l.details
	} else {
		text += fmt.Sprintf("%-*s %-8s %s", p.width, l.subject, l.word, l.details)
	}
	return p.print(strings.TrimRight(text, " ") + "\n")
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
