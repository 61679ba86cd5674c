package orchestrator_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// claim is one on a run in an empty store.
func claim(t *testing.T) orchestrator.Claim {
	t.Helper()
	ctx := context.Background()
	store, err := persistence.NewMemoryStore(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	err = store.CreateRun(ctx, persistence.Run{ID: "r", Name: "r", State: scheduler.RunRunning, CreatedAt: time.Now()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return orchestrator.Claim{Store: store, Run: "r", Owner: "first", PID: 1, Heartbeat: 10 * time.Millisecond, Time: time.Minute}
}

func take(t *testing.T, c orchestrator.Claim) *orchestrator.Lease {
	t.Helper()
	l, err := orchestrator.TakeLease(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLeaseIsRefusedToASecondWhileItLasts(t *testing.T) {
	c := claim(t)
	first := take(t, c)
	other := c
	other.Owner = "second"
	if _, err := orchestrator.TakeLease(context.Background(), other); !errors.Is(err, persistence.ErrConflict) {
		t.Fatalf("a second owner got %v", err)
	}
	if err := first.Check(context.Background()); err != nil {
		t.Errorf("the first: %v", err)
	}
	if err := first.Release(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := first.Check(context.Background()); !errors.Is(err, persistence.ErrLeaseLost) {
		t.Errorf("released, and still good: %v", err)
	}
	second := take(t, other)
	if second.Generation() != first.Generation()+1 {
		t.Errorf("generation %d after %d", second.Generation(), first.Generation())
	}
	if err := second.Release(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestLeaseThatWasTakenIsLost(t *testing.T) {
	c := claim(t)
	first := take(t, c)
	c.Owner, c.Force, c.Heartbeat = "second", true, time.Hour
	second := take(t, c)
	if err := first.Check(context.Background()); !errors.Is(err, persistence.ErrLeaseLost) {
		t.Errorf("the first may still write: %v", err)
	}
	<-first.Lost()
	if err := first.Err(); !errors.Is(err, persistence.ErrLeaseLost) {
		t.Errorf("lost because of %v", err)
	}
	if err := first.Release(context.Background()); err != nil {
		t.Errorf("releasing what is lost: %v", err)
	}
	if err := second.Check(context.Background()); err != nil {
		t.Errorf("the second: %v", err)
	}
	if err := second.Release(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// failing refuses renewals a number of times.
type failing struct {
	persistence.Leases
	left    int
	renewed chan struct{}
}

func (f *failing) RenewLease(ctx context.Context, run scheduler.RunID, generation int64, now, expires time.Time) error {
	if f.left > 0 {
		f.left--
		return errors.New("the disk is busy")
	}
	defer func() {
		select {
		case f.renewed <- struct{}{}:
		default:
		}
	}()
	return f.Leases.RenewLease(ctx, run, generation, now, expires)
}

func TestRenewalIsTriedAgainWhileTheLeaseLasts(t *testing.T) {
	c := claim(t)
	store := &failing{Leases: c.Store, left: 3, renewed: make(chan struct{}, 1)}
	c.Store = store
	l := take(t, c)
	<-store.renewed
	if err := l.Err(); err != nil {
		t.Errorf("lost because of a passing failure: %v", err)
	}
	if err := l.Release(context.Background()); err != nil {
		t.Fatal(err)
	}

	store.left, c.Time = 1<<30, time.Millisecond // shorter than a heartbeat: run out at the first failure
	l = take(t, c)
	<-l.Lost()
	if err := l.Release(context.Background()); err != nil {
		t.Fatal(err)
	}
}
