package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"orchestrator/internal/fault"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// How long an owner may be silent. A lease outlives several heartbeats, so that one that comes late costs nothing.
const (
	DefaultHeartbeat = 3 * time.Second
	heartbeats       = 5 // that a lease lasts
)

// LeaseTime is how long a lease lasts that is renewed at every heartbeat.
func LeaseTime(heartbeat time.Duration) time.Duration { return heartbeats * heartbeat }

// Claim says who wants to own which run.
type Claim struct {
	Store     persistence.Leases
	Run       scheduler.RunID
	Owner     string // random name of this process
	PID       int
	Host      string
	Force     bool          // the caller has proof that no other owner lives
	Heartbeat time.Duration // 0 = DefaultHeartbeat
	Time      time.Duration // how long the lease lasts without a heartbeat; 0 = LeaseTime(Heartbeat)
	Now       func() time.Time
}

// Lease is the ownership of a run, renewed in the background until it is released or lost. Everything that an owner
// writes outside of the store is preceded by Check: a process that was frozen may have been replaced meanwhile.
type Lease struct {
	claim      Claim
	generation int64
	stop       context.CancelFunc
	stopped    chan struct{}
	lost       chan struct{}

	mu     sync.Mutex
	err    error     // why it is lost
	proved time.Time // when the store last said that it is ours
}

// TakeLease makes the claim true and keeps it so. It is persistence.ErrConflict when another owner's lease has not
// run out and c.Force is not set. A lease needs Release.
func TakeLease(ctx context.Context, c Claim) (*Lease, error) {
	if c.Heartbeat == 0 {
		c.Heartbeat = DefaultHeartbeat
	}
	if c.Time == 0 {
		c.Time = LeaseTime(c.Heartbeat)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	now := c.Now()
	generation, err := c.Store.AcquireLease(ctx, persistence.Lease{
		Run: c.Run, Owner: c.Owner, PID: c.PID, Host: c.Host, ExpiresAt: now.Add(c.Time),
	}, now, c.Force)
	if err != nil {
		return nil, fmt.Errorf("own run %s: %w", c.Run, err)
	}
	fault.Point("engine.leased")
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &Lease{claim: c, generation: generation, stop: stop, stopped: make(chan struct{}), lost: make(chan struct{}), proved: now}
	go l.beat(beating, now.Add(c.Time))
	return l, nil
}

// Generation numbers the run's owners: every write carries it.
func (l *Lease) Generation() int64 { return l.generation }

// Lost is closed when another process owns the run, or when the lease ran out because it could not be renewed.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Err says why the lease is lost; nil = it is not known to be.
func (l *Lease) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Check asks the store whether this process still owns the run. The error is persistence.ErrLeaseLost when it does
// not; nothing may be written then.
func (l *Lease) Check(ctx context.Context) error {
	if err := l.Err(); err != nil {
		return err
	}
	asked := l.claim.Now()
	now, err := l.claim.Store.GetLease(ctx, l.claim.Run)
	if err != nil {
		return fmt.Errorf("check the lease: %w", err)
	}
	if now.Generation != l.generation || now.ExpiresAt.IsZero() {
		return &persistence.Error{
			Op: "check the lease", Kind: persistence.ErrLeaseLost,
			Err: fmt.Errorf("process %d on %s owns run %s now", now.PID, now.Host, l.claim.Run), Hint: "orc status " + string(l.claim.Run),
		}
	}
	l.prove(asked)
	return nil
}

// Held is Check for what happens often: it asks the store only when the last proof is older than a heartbeat. Nobody
// takes a lease over that was good so recently, because it lasts longer than that.
func (l *Lease) Held(ctx context.Context) error {
	l.mu.Lock()
	proved := l.proved
	l.mu.Unlock()
	// By both clocks: one stands still while the machine sleeps, the other can be set back.
	now := l.claim.Now()
	byWall := now.Round(0).Sub(proved.Round(0))
	if now.Sub(proved) < l.claim.Heartbeat && byWall >= 0 && byWall < l.claim.Heartbeat {
		return l.Err()
	}
	return l.Check(ctx)
}

// prove notes that the lease was ours at that time.
func (l *Lease) prove(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proved = at
}

// Release stops renewing and ends the lease, so that the next owner need not wait.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	<-l.stopped
	err := l.claim.Store.ReleaseLease(context.WithoutCancel(ctx), l.claim.Run, l.generation)
	if err != nil && !errors.Is(err, persistence.ErrLeaseLost) {
		return fmt.Errorf("give up the lease: %w", err)
	}
	fault.Point("engine.released")
	return nil
}

// beat renews the lease. A renewal that fails is tried again as long as the lease lasts, apart from one that says that
// another process has taken it.
func (l *Lease) beat(ctx context.Context, expires time.Time) {
	defer close(l.stopped)
	tick := time.NewTicker(l.claim.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := l.claim.Now()
		next := now.Add(l.claim.Time)
		err := l.claim.Store.RenewLease(ctx, l.claim.Run, l.generation, now, next)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			expires = next
			l.prove(now)
		case errors.Is(err, persistence.ErrLeaseLost) || !l.claim.Now().Before(expires):
			l.mu.Lock()
			l.err = fmt.Errorf("renew the lease: %w", err)
			l.mu.Unlock()
			close(l.lost)
			return
		}
	}
}
