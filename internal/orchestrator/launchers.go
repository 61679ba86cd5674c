package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"orchestrator/internal/process"
)

// launchers holds the present supervisor, starts the first one when it is needed, and another when one was lost.
type launchers struct {
	start func(ctx context.Context) (Supervisor, error)
	fence func(ctx context.Context) error // an error means that another process owns the run

	mu      sync.Mutex
	current Supervisor
	closed  bool
}

// Launch starts a child under the present supervisor.
func (l *launchers) Launch(ctx context.Context, s process.Spec) (*process.Child, error) {
	if err := l.fence(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	sup, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	c, err := sup.Launch(ctx, s)
	if errors.Is(err, process.ErrSupervisorLost) {
		l.forget(sup)
	}
	return c, err
}

func (l *launchers) get(ctx context.Context) (Supervisor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errFatal
	}
	if l.current != nil && gone(l.current) {
		l.current = nil
	}
	if l.current == nil {
		sup, err := l.start(context.WithoutCancel(ctx))
		if err != nil {
			return nil, fmt.Errorf("start the supervisor: %w", err)
		}
		l.current = sup
	}
	return l.current, nil
}

// forget drops a supervisor that was lost, so that the next launch starts another.
func (l *launchers) forget(s Supervisor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == s {
		l.current = nil
	}
}

// gone says whether a supervisor has already ended.
func gone(s Supervisor) bool {
	d, ok := s.(interface{ Done() <-chan struct{} })
	if !ok {
		return false
	}
	select {
	case <-d.Done():
		return true
	default:
		return false
	}
}

// close ends the present supervisor and everything that it started. No launch succeeds afterwards.
func (l *launchers) close(ctx context.Context) error {
	l.mu.Lock()
	sup := l.current
	l.current, l.closed = nil, true
	l.mu.Unlock()
	if sup == nil {
		return nil
	}
	if err := sup.Close(ctx); err != nil {
		return fmt.Errorf("end the supervisor: %w", err)
	}
	return nil
}
