// Package progress shows a run without drawing on the screen: plain lines for people and CI, NDJSON for programs,
// a quiet form, and the block that closes a run. Displays write whole lines, each with one call of Write, and
// what agents and commands printed is made safe first.
//
// A display whose writer fails says so: the error comes from the next Event, and again from every later one and
// from Close. Nothing is written after that.
package progress

import (
	"fmt"
	"io"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

// Display shows events as they come. Methods are not safe for concurrent use.
type Display interface {
	// Event shows the next event. One that was shown before, by its Seq, is left out.
	Event(e event.Event) error
	// Tick says that time has passed; call it every second or so. An error that it meets is returned by the next
	// Event or Close.
	Tick(now time.Time)
	// Close ends the display. It does not close the writer.
	Close() error
}

// Options of the displays for people.
type Options struct {
	Out io.Writer
	// Run is the view that the display folds events into; it belongs to the display from then on. Events that
	// were folded into it before are not shown.
	Run *view.Run
	// Tail returns the last line that the running attempt of a task wrote; nil = not known.
	Tail func(task string) string
	// Heartbeat is how long a running task may be silent before a line says that it still works; 0 = a minute.
	Heartbeat time.Duration
}

// printer writes until the first error and keeps that one.
type printer struct {
	out io.Writer
	err error
}

// print writes one or more whole lines.
func (p *printer) print(lines string) error {
	if p.err != nil {
		return p.err
	}
	if _, err := io.WriteString(p.out, lines); err != nil {
		p.err = fmt.Errorf("write progress: %w", err)
	}
	return p.err
}
