// Package tui is the view of a run on a terminal. Inline, lines about finished tasks go into the scrollback for good;
// below a rule a small live region shows what runs now, counts, an estimate and the keys. On the whole screen, panes
// show the graph of tasks and, of the chosen one, what it says, prints and changes; what a person does there goes
// through a Helm. The view is only a client: leaving it never ends the run.
//
// What happens is gathered and shown at most ten times a second, and only when something changed; what a key does is
// shown at once. Without motion, or while nothing runs, the clock in it is moved once a second and nothing else happens.
// What agents print is made safe before it is shown, and every line is cut to the terminal's width.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

// frame is the shortest time between two drawings of what happens.
const frame = 100 * time.Millisecond

// refreshes is how often a second the screen is compared with what it should be: a key must not wait for the next frame.
const refreshes = 60

// bell rings the terminal's.
const bell = "\a"

// grace is how long events are waited for before the live region is shown. A run that ends sooner never has one.
const grace = 250 * time.Millisecond

// Source gives the events of a run.
type Source interface {
	// Next blocks until there are events after those that it returned before, and returns them in order. After
	// the last one it returns io.EOF, with or without events. Any other error ends the view, as does the
	// context's, which Next returns when it is done.
	Next(ctx context.Context) ([]event.Event, error)
}

// Options of a view.
type Options struct {
	In  io.Reader // the terminal's keys; nil = there are none
	Out io.Writer // the terminal
	// Run is the view to fold events into; it belongs to Run until that returns. What was folded into it before
	// is taken as known to the person: no lines are printed about it, and a run that was paused or waited before
	// does not end the view.
	Run    *view.Run
	Source Source
	// Stop asks the run's owner to stop: to start nothing new, finish and save, or, with force, to end what runs
	// now and save. An error is shown. It is called on a goroutine of its own, never twice at a time. nil = Ctrl-C
	// leaves.
	Stop func(force bool) error
	// Tail returns the last line that the running attempt of a task wrote. It is called about once a second for
	// the tasks in sight, on a goroutine of its own; nil = not known.
	Tail func(task string) string
	// Helm answers the panes; nil = there are none. Lanes is the picture of the graph in their list; nil = a plain list.
	Helm  Helm
	Lanes []Lane
	// Open begins with the panes, which stay when the run comes to its end; a run that is over is shown, too.
	Open bool
	// Again says that the run was over and has a new owner, whose first event makes it go on: it is shown.
	Again   bool
	Color   bool
	Unicode bool
	Motion  bool
	Bell    bool             // ring when something newly needs the person, and at the end of a long run
	Now     func() time.Time // nil = time.Now
	Environ []string         // of the terminal; nil = the process's
}

// Result says how the view ended. The run is over, waits or is paused unless it was left.
type Result struct {
	Left  bool // the person left, and the run goes on
	Stops int  // how often the person asked to stop it
}

// Run shows the run until it is over, waits for a person or is paused, until the person leaves, the source ends
// or the context is done; the cause of the latter is returned. The live region is gone by then. Signals are the
// caller's: it cancels the context. An error in writing to the terminal ends the view and is returned.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.Run.State.Terminal() && !o.Open && !o.Again {
		return Result{}, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	batches := make(chan batch)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		follow(ctx, o.Source, batches)
	}()
	defer func() {
		cancel()
		<-followed
	}()

	m := newModel(o)
	m.ctx = ctx
	if o.Open {
		m.begun = true
		m.openPanes()
		m.panes.text.reading = false // nobody reads yet: Init does
		return m.live(ctx, batches)
	}
	if err := m.greet(ctx, batches); err != nil {
		m.leave()
		return m.result, err
	}
	if m.closing {
		return m.result, nil
	}
	return m.live(ctx, batches)
}

// greet prints the headline and what comes within the grace time, without a live region.
func (m *model) greet(ctx context.Context, batches <-chan batch) error {
	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	for over := false; !over && !m.closing; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-deadline.C:
			over = true
			m.say()
		case b := <-batches:
			m.take(b)
		}
		if err := m.printQueue(); err != nil {
			return err
		}
	}
	return m.err
}

// live runs the program that draws the region.
func (m *model) live(ctx context.Context, batches <-chan batch) (Result, error) {
	out := newScreen(m.Out)
	options := []tea.ProgramOption{
		tea.WithInput(m.In), tea.WithOutput(out.output()), tea.WithFPS(refreshes), tea.WithoutSignalHandler(),
	}
	if m.Environ != nil {
		options = append(options, tea.WithEnvironment(m.Environ))
	}
	program := tea.NewProgram(m, options...)
	ended, pumped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(pumped)
		pump(ctx, program.Send, batches, out, ended)
	}()
	_, err := program.Run()
	close(ended)
	<-pumped
	switch {
	case out.failed() != nil:
		return m.result, fmt.Errorf("write to the terminal: %w", out.failed())
	case err != nil:
		return m.result, fmt.Errorf("show the run: %w", err)
	}
	if err := m.printQueue(); err != nil {
		return m.result, err
	}
	return m.result, m.err
}

// printQueue prints the lines that wait, without the help of a program.
func (m *model) printQueue() error {
	text := ""
	if len(m.queue) > 0 {
		text = strings.Join(m.queue, "\n") + "\n"
	}
	if m.ring {
		text += bell
	}
	if text == "" {
		return nil
	}
	_, err := io.WriteString(m.Out, text)
	m.queue, m.ring = nil, false
	if err != nil {
		return fmt.Errorf("write to the terminal: %w", err)
	}
	return nil
}

// batch is what came from the source at once.
type batch struct {
	events []event.Event
	err    error // io.EOF = the source has ended
}

// follow hands on what the source gives, until its first error.
func follow(ctx context.Context, source Source, to chan<- batch) {
	for {
		events, err := source.Next(ctx)
		select {
		case <-ctx.Done():
			return
		case to <- batch{events, err}:
		}
		if err != nil {
			return
		}
	}
}

// pump sends the program what happens outside: events, gathered for a frame so that a flood of them costs no
// more than one drawing; the first drawing; a failing terminal; the end of the context.
func pump(ctx context.Context, send func(tea.Msg), batches <-chan batch, out *screen, ended <-chan struct{}) {
	var gathered batch
	var due <-chan time.Time
	drawn, broken, done := out.drawn, out.broken, ctx.Done()
	for {
		select {
		case <-ended:
			return
		case <-done:
			done = nil
			send(leaveMsg{context.Cause(ctx)})
		case <-broken:
			broken = nil
			send(leaveMsg{})
		case <-drawn:
			drawn = nil
			send(drawnMsg{})
		case b := <-batches:
			gathered.events = append(gathered.events, b.events...)
			gathered.err = b.err
			if due == nil {
				due = time.After(frame)
			}
		case <-due:
			send(gathered)
			gathered, due = batch{}, nil
		}
	}
}

// isEnd says that a source has nothing more to give.
func isEnd(err error) bool { return errors.Is(err, io.EOF) }
