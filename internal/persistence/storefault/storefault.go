// Package storefault wraps a Store so that a test can let chosen calls fail, be delayed or be the last of a process:
// a full disk at the third commit, a crash between a commit and its acknowledgement. Everything else reaches the
// store below.
package storefault

import (
	"context"
	"errors"
	"sync"

	"orchestrator/internal/persistence"
)

// ErrInjected is what a call with a Fault without an error of its own fails with.
var ErrInjected = errors.New("injected fault")

// ErrDead is what every call returns after a crash: the process that made it is thought of as gone.
var ErrDead = errors.New("the process of this store has died")

// Point says where in a call a fault strikes.
type Point int

// The points of a call. Before leaves nothing stored; After leaves everything of it stored, without the caller
// being told so.
const (
	Before Point = iota
	After
)

// Fault is one thing that goes wrong. The zero value lets every write fail before it is stored.
type Fault struct {
	Method string // name of the Store's method; empty = any that writes
	Call   int    // the n-th such call since the fault was armed, from 1; 0 = every one
	Point  Point
	Err    error // what the caller gets; nil = ErrInjected
	Crash  bool  // the process is dead from that point on: all further calls return ErrDead and reach nothing
	// Delay is called at the point, with the context of the call, before anything else. Its error, if any, is the
	// fault; with none, and Err nil and Crash false, the call goes on as if nothing had happened.
	Delay func(ctx context.Context) error

	seen int
}

// harmless says that the fault only delays.
func (f *Fault) harmless() bool { return f.Delay != nil && f.Err == nil && !f.Crash }

// Store is a persistence.Store with faults.
type Store struct {
	below persistence.Store

	mu     sync.Mutex
	faults []*Fault
	writes int
	dead   bool
}

var _ persistence.Store = (*Store)(nil)

// New wraps a store. It has no faults at first.
func New(below persistence.Store) *Store { return &Store{below: below} }

// Arm adds a fault, which counts calls from now on.
func (s *Store) Arm(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Disarm removes all faults: the cause has gone. What died stays dead.
func (s *Store) Disarm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Writes is the number of writing calls so far, so that a test can repeat a run with a crash at each of them.
func (s *Store) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// strike counts the call for the faults of a point and returns the first that is due, if any.
func (s *Store) strike(method string, writes bool, at Point) (*Fault, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return nil, ErrDead
	}
	if writes && at == Before {
		s.writes++
	}
	var due *Fault
	for _, f := range s.faults {
		if f.Point != at || f.Method != method && (f.Method != "" || !writes) {
			continue
		}
		f.seen++
		if due == nil && (f.Call == 0 || f.Call == f.seen) {
			due = f
		}
	}
	if due != nil && due.Crash {
		s.dead = true
	}
	return due, nil
}

// suffer does what the faults of a point demand of a call.
func (s *Store) suffer(ctx context.Context, method string, writes bool, at Point) error {
	f, err := s.strike(method, writes, at)
	if err != nil || f == nil {
		return err
	}
	if f.Delay != nil {
		if err := f.Delay(ctx); err != nil {
			return err
		}
	}
	switch {
	case f.harmless():
		return nil
	case f.Err != nil:
		return f.Err
	case f.Crash:
		return ErrDead
	}
	return ErrInjected
}

// call runs one call of the store below between its two points. A fault after a call that failed by itself does
// not strike: nothing was stored that could be kept from the caller.
func call[T any](ctx context.Context, s *Store, method string, writes bool, below func() (T, error)) (result T, err error) {
	var none T
	if err := s.suffer(ctx, method, writes, Before); err != nil {
		return none, err
	}
	if result, err = below(); err != nil {
		return result, err
	}
	if err := s.suffer(ctx, method, writes, After); err != nil {
		return none, err
	}
	return result, nil
}

// read wraps a call that only reads.
func read[T any](ctx context.Context, s *Store, method string, below func() (T, error)) (T, error) {
	return call(ctx, s, method, false, below)
}

// write wraps a call that writes and returns something.
func write[T any](ctx context.Context, s *Store, method string, below func() (T, error)) (T, error) {
	return call(ctx, s, method, true, below)
}

// do wraps a call that writes and returns nothing.
func do(ctx context.Context, s *Store, method string, below func() error) error {
	_, err := write(ctx, s, method, func() (struct{}, error) { return struct{}{}, below() })
	return err
}
