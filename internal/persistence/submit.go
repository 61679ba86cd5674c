package persistence

import (
	"context"
	"database/sql"
	"sync/atomic"
)

// The life of a request. A caller that gives up turns queued into dropped; the writer turns queued into started,
// and from then on the caller waits for the truth.
const (
	queued int32 = iota
	started
	dropped
)

// request is something to do in a transaction, or, with use set, on the bare connection between transactions.
type request struct {
	state atomic.Int32
	write func(tx *transaction) error
	use   func(conn *sql.Conn) error
	one   bool       // write runs a single statement that writes, or says errSeveral where it runs outside of a transaction
	err   error      // its outcome
	done  chan error // where the outcome is waited for; nil = by nobody else
}

// claim takes the request for doing, unless its caller has given up.
func (r *request) claim() bool { return r.state.CompareAndSwap(queued, started) }

// answer ends the request.
func (r *request) answer(err error) {
	r.err = err
	if r.done != nil {
		r.done <- err
	}
}

// submit queues a request and waits for its outcome. A context that ends first gives its cause, and then nothing
// of the request was or will be stored.
func (w *writer) submit(ctx context.Context, r *request) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case <-w.closing:
		return &Error{Op: "write", Kind: ErrClosed}
	default:
	}
	if ctx.Done() == nil && w.alone(r) {
		return r.err
	}
	r.done = make(chan error, 1)
	w.callers.Add(1)
	defer w.callers.Add(-1)
	select {
	case w.queue <- r:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.ended:
		return &Error{Op: "write", Kind: ErrClosed}
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		if r.state.CompareAndSwap(queued, dropped) {
			return context.Cause(ctx)
		}
	case <-w.ended:
		// Queued as the writer ended: either it was still taken, or nobody will.
		if r.state.CompareAndSwap(queued, dropped) {
			return &Error{Op: "write", Kind: ErrClosed}
		}
	}
	return <-r.done
}

// alone does the request on the caller's own goroutine, when nobody else writes or waits to: handing it over and
// back wakes two threads, which costs a third of a small transaction. It is for callers that cannot be cancelled,
// since one that can must not be caught in the wait for another process's lock; and not after a batch of several,
// whose callers are about to come again and are better served together.
func (w *writer) alone(r *request) bool {
	if w.callers.Load() > 0 || w.last.Load() > 1 || !w.mu.TryLock() {
		return false
	}
	defer w.mu.Unlock()
	select {
	case <-w.closing:
		return false
	default:
	}
	if !w.serveOne(r) {
		w.serve([]*request{r})
	}
	return true
}
