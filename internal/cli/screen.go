package cli

import (
	"context"
	"fmt"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/progress"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// screen shows a run without a terminal's help, from its events.
type screen struct {
	w       *watch
	source  *tail
	view    *view.Run
	display progress.Display
}

func (w *watch) screen(ctx context.Context) (*screen, error) {
	own, err := w.view(ctx)
	if err != nil {
		return nil, err
	}
	shown, err := w.view(ctx)
	if err != nil {
		return nil, err
	}
	s := &screen{w: w, source: w.source(), view: own}
	switch w.mode {
	case modeJSON:
		s.display = progress.NewJSON(w.app.Stdout, s.source.after)
	case modeQuiet:
		s.display = progress.NewQuiet(progress.Options{Out: w.app.Stderr, Run: shown})
	default:
		o := progress.Options{Out: w.app.Stderr, Run: shown, Tail: w.lastLine}
		if w.app.onGitHub() {
			s.display = progress.NewGitHub(o, w.logGroup)
		} else {
			s.display = progress.NewPlain(o)
		}
	}
	return s, nil
}

// say prints a message of ours beside the display.
func (s *screen) say(text string) {
	_, _ = fmt.Fprintln(s.w.app.Stderr, text) // there is nobody to tell that nobody hears
}

// show hands events to the display.
func (s *screen) show(events []event.Event) error {
	for _, e := range events {
		s.view.Fold(e)
		if s.display != nil {
			if err := s.display.Event(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow shows events until ctx ends, and then what is left.
func (s *screen) follow(ctx context.Context) error {
	every := lookEvery
	if s.w.mode == modeQuiet { // hardly anything is said, and none of it is urgent
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return s.drain(context.WithoutCancel(ctx))
		case <-tick.C:
		}
		events, err := s.source.look(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		if err := s.show(events); err != nil {
			return err
		}
		if s.display != nil {
			s.display.Tick(s.w.app.Now())
		}
	}
}

// untilSettled shows events until the run is over, waits or is paused.
func (s *screen) untilSettled(ctx context.Context) error {
	for {
		events, err := s.source.Next(ctx)
		if err != nil {
			return err
		}
		if err := s.show(events); err != nil {
			return err
		}
		if s.view.State != "" && s.view.State != scheduler.RunRunning {
			return nil
		}
	}
}

// drain shows what was committed and not yet shown.
func (s *screen) drain(ctx context.Context) error {
	for {
		events, err := s.source.look(ctx)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return nil
		}
		if err := s.show(events); err != nil {
			return err
		}
	}
}

// finish prints the closing words.
func (s *screen) finish(ctx context.Context) error {
	if s.display != nil {
		if err := s.display.Close(); err != nil {
			return err
		}
	}
	if err := s.w.app.stepSummary(s.view); err != nil {
		s.say("warning: " + err.Error()) // the run is over and well, whatever becomes of its page
	}
	if s.w.mode == modeJSON {
		return nil
	}
	attempts, err := s.w.store.ListAttempts(ctx, s.w.run.ID, "")
	if err != nil {
		return err
	}
	kept := map[string]string{}
	for _, at := range attempts {
		if at.Workspace != "" && !at.Cleaned {
			kept[string(at.Task)] = at.Workspace
		}
	}
	if s.w.mode == modeQuiet && s.view.State == scheduler.RunCompleted {
		return nil
	}
	return progress.Summary(s.w.app.Stderr, s.view, progress.Closing{
		Workspaces: kept, Home: s.w.app.Getenv("HOME"), Now: s.w.app.Now(), Color: s.w.app.colorOn(s.w.app.Stderr), Unicode: s.w.app.unicode(),
	})
}
