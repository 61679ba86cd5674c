package cli

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
)

// owned stores a run whose owner holds the lock since noon, and a lease until a time. release lets go of the lock, as
// the kernel does for a process that dies.
func (f *fixture) owned(until time.Time) (run persistence.Run, release func()) {
	f.t.Helper()
	run = f.seed(seeded{})
	dir, err := f.app.RunDir(string(run.ID))
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		f.t.Fatal(err)
	}
	path := filepath.Join(dir, ownerLock)
	lock, err := process.Hold(path)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.Chtimes(path, noon, noon); err != nil {
		f.t.Fatal(err)
	}
	held := true
	release = func() {
		if held {
			held = false
			if err := lock.Release(); err != nil {
				f.t.Error(err)
			}
		}
	}
	f.t.Cleanup(release)
	f.store(func(ctx context.Context, st persistence.Store) error {
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		_, err = st.AcquireLease(ctx, persistence.Lease{Run: run.ID, Owner: "live", PID: os.Getpid(), Host: host, ExpiresAt: until}, noon, true)
		return err
	})
	return run, release
}

func TestOwnerThatWokeUpWithTheMachineIsNotPassedOver(t *testing.T) {
	f := newFixture(t)
	f.app.Heartbeat = time.Minute
	run, _ := f.owned(noon.Add(time.Minute))
	f.app.Now = func() time.Time { return noon.Add(time.Hour) } // the machine slept, or its clock was set forward
	f.store(func(ctx context.Context, st persistence.Store) error {
		alive, err := f.app.ownerAlive(ctx, st, run)
		if alive || err != nil {
			t.Errorf("before its next heartbeat: alive %v, %v", alive, err)
		}
		lease, err := st.GetLease(ctx, run.ID)
		if err != nil {
			return err
		}
		later := f.app.Now()
		if err := st.RenewLease(ctx, run.ID, lease.Generation, later, later.Add(5*time.Minute)); err != nil {
			t.Errorf("a heartbeat after the lease ran out, with nobody else there: %v", err)
		}
		frozen, err := f.app.ownerFrozen(ctx, st, run)
		if frozen {
			t.Error("it was passed over although it answered in time")
		}
		return err
	})
}

func TestOwnerThatStaysSilentIsPassedOver(t *testing.T) {
	f := newFixture(t)
	f.app.Heartbeat = time.Millisecond
	run, _ := f.owned(noon.Add(time.Millisecond))
	f.app.Now = func() time.Time { return noon.Add(time.Second) }
	f.store(func(ctx context.Context, st persistence.Store) error {
		frozen, err := f.app.ownerFrozen(ctx, st, run)
		if !frozen {
			t.Error("it counts as one that answers")
		}
		return err
	})
}

func TestDeadOwnerIsDeadWhateverItsLeaseSays(t *testing.T) {
	f := newFixture(t)
	run, die := f.owned(noon.Add(time.Minute))
	die()
	f.app.Now = func() time.Time { return noon.Add(-time.Hour) } // the clock was set back: the lease seems good for long
	f.store(func(ctx context.Context, st persistence.Store) error {
		alive, err := f.app.ownerAlive(ctx, st, run)
		if alive {
			t.Error("it counts as alive although nobody holds its lock")
		}
		return err
	})
}
