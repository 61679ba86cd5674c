package cli

import (
	"context"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

const (
	lookEvery = 50 * time.Millisecond // how often a watching client asks whether anything was committed
	eventPage = 1000
)

// tail reads a run's events as they are committed, by whichever process.
type tail struct {
	store   persistence.Store
	run     scheduler.RunID
	after   int64
	version int64
	looked  bool
}

// Next returns the events since the last call, at least one; it waits for them until ctx ends.
func (t *tail) Next(ctx context.Context) ([]event.Event, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		events, err := t.look(ctx)
		if err != nil || len(events) > 0 {
			return events, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// look returns what is there now, perhaps nothing.
func (t *tail) look(ctx context.Context) ([]event.Event, error) {
	v, err := t.store.DataVersion(ctx)
	if err != nil {
		return nil, err
	}
	if t.looked && v == t.version {
		return nil, nil
	}
	events, err := t.store.Events(ctx, t.run, t.after, eventPage)
	if err != nil {
		return nil, err
	}
	if n := len(events); n > 0 {
		t.after = events[n-1].Seq
	}
	if len(events) < eventPage { // a full page means that there may be more under this version
		t.version, t.looked = v, true
	}
	return events, nil
}
