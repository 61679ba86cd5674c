package tui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

// scripted is a source that gives its batches, then blocks or ends.
type scripted struct {
	batches [][]event.Event
	end     error // nil = block
}

func (s *scripted) Next(ctx context.Context) ([]event.Event, error) {
	if len(s.batches) == 0 {
		if s.end != nil {
			return nil, s.end
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	next := s.batches[0]
	s.batches = s.batches[1:]
	return next, nil
}

// buffer is a terminal for programs that do not look at it; it tells of each write.
type buffer struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote func(all string) error
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p)
	if b.wrote != nil {
		if err := b.wrote(b.text.String()); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func TestARunThatEndsAtOnceHasNoRegion(t *testing.T) {
	defer goleak.VerifyNone(t)
	out := &buffer{}
	events := numbered(begun(), completed("schema"), finished("completed"))
	result, err := Run(context.Background(), Options{Out: out, Unicode: true, Run: view.New(seed()), Source: &scripted{batches: [][]event.Event{events[:2], events[2:]}}})
	want := `add-oauth · run 7f3c · 6 tasks · branch orc/7f3c from main@1c9e2ab
✓ schema        codex    2m12s  +184 −2   4 files   verify ok
`
	if out.text.String() != want || err != nil || result != (Result{}) {
		t.Errorf("%q, %+v, %v", out.text.String(), result, err)
	}
}

func TestARunThatIsOverIsNotShown(t *testing.T) {
	run := view.New(seed())
	run.Fold(finished("failed"))
	out := &buffer{}
	if result, err := Run(context.Background(), Options{Out: out, Run: run}); err != nil || result != (Result{}) || out.text.Len() > 0 {
		t.Errorf("%q, %+v, %v", out.text.String(), result, err)
	}
}

func TestTheEndOfTheContextEndsTheView(t *testing.T) {
	cause := errors.New("terminated")
	for name, until := range map[string]string{"before the region": "add-oauth", "with the region": "\x1b[?25l"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			out := &buffer{wrote: func(all string) error {
				if strings.Contains(all, until) {
					cancel(cause)
				}
				return nil
			}}
			result, err := Run(ctx, Options{Out: out, Run: view.New(seed()), Source: &scripted{batches: [][]event.Event{numbered(begun())}}})
			if !errors.Is(err, cause) || !result.Left {
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
}

func TestATerminalThatFailsIsReported(t *testing.T) {
	gone := errors.New("terminal gone")
	for name, until := range map[string]string{"before the region": "add-oauth", "with the region": "\x1b[?25l"} {
		t.Run(name, func(t *testing.T) {
			out := &buffer{wrote: func(all string) error {
				if strings.Contains(all, until) {
					return gone
				}
				return nil
			}}
			_, err := Run(context.Background(), Options{Out: out, Run: view.New(seed()), Source: &scripted{batches: [][]event.Event{numbered(begun())}}})
			if !errors.Is(err, gone) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTheSourcesErrorIsReturned(t *testing.T) {
	broken := errors.New("database damaged")
	for want, end := range map[error]error{broken: broken, nil: io.EOF} {
		result, err := Run(context.Background(), Options{Out: &buffer{}, Run: view.New(seed()), Source: &scripted{batches: [][]event.Event{numbered(begun())}, end: end}})
		if !errors.Is(err, want) || !result.Left {
			t.Errorf("%+v, %v", result, err)
		}
	}
}
