package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// ownerLock is the file in a run's folder that its owner holds locked as long as it lives.
const ownerLock = "owner.lock"

// starting is how long a new run may be without an owner before it counts as interrupted.
const starting = 5 * time.Second

// ownerAlive says whether a process owns the run now and answers. On the owner's machine a lock that nobody holds is
// proof that it is dead, whatever the lease says: the kernel drops a lock with its process. One that holds the lock
// and has not renewed its lease in time is frozen, and counts as gone. From elsewhere only the lease can tell.
func (a *App) ownerAlive(ctx context.Context, st persistence.Store, run persistence.Run) (bool, error) {
	lease, err := st.GetLease(ctx, run.ID)
	if errors.Is(err, persistence.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	host, err := os.Hostname()
	if err != nil {
		return false, fmt.Errorf("read the name of this machine: %w", err)
	}
	if lease.Host != "" && lease.Host != host {
		return lease.ExpiresAt.After(a.Now()), nil
	}
	dir, err := a.RunDir(string(run.ID))
	if err != nil {
		return false, err
	}
	taken, held, err := locked(filepath.Join(dir, ownerLock))
	if err != nil || !held {
		return false, err
	}
	return a.Now().Before(a.silentUntil(lease, taken)), nil
}

// ownerHolds says whether a process of this machine holds the run's lock, whether it answers or not.
func (a *App) ownerHolds(run persistence.Run) (bool, error) {
	dir, err := a.RunDir(string(run.ID))
	if err != nil {
		return false, err
	}
	_, held, err := locked(filepath.Join(dir, ownerLock))
	return held, err
}

// silentUntil is how long an owner that took its lock at a time may stay silent. Without a lease it is just beginning
// or just ending.
func (a *App) silentUntil(lease persistence.Lease, taken time.Time) time.Time {
	until := taken.Add(orchestrator.LeaseTime(a.heartbeat()))
	if lease.ExpiresAt.After(until) {
		return lease.ExpiresAt
	}
	return until
}

func (a *App) heartbeat() time.Duration {
	if a.Heartbeat > 0 {
		return a.Heartbeat
	}
	return orchestrator.DefaultHeartbeat
}

// ownerFrozen says whether the owner that holds the run's lock has stopped answering. After a machine has slept every
// lease has run out, so it gets the time of two heartbeats to renew it.
func (a *App) ownerFrozen(ctx context.Context, st persistence.Store, run persistence.Run) (bool, error) {
	limit := time.NewTimer(2 * a.heartbeat())
	defer limit.Stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		alive, err := a.ownerAlive(ctx, st, run)
		if err != nil || alive {
			return false, err
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-limit.C:
			return true, nil
		case <-tick.C:
		}
	}
}

// interrupted says whether a run should be going on and nobody owns it.
func (a *App) interrupted(ctx context.Context, st persistence.Store, run persistence.Run) (bool, error) {
	if run.State != scheduler.RunRunning {
		return false, nil
	}
	alive, err := a.ownerAlive(ctx, st, run)
	if err != nil || alive {
		return false, err
	}
	// One that never had an owner may be about to get its first.
	_, err = st.GetLease(ctx, run.ID)
	if errors.Is(err, persistence.ErrNotFound) {
		return a.Now().Sub(run.CreatedAt) >= starting, nil
	}
	return err == nil, err
}

// locked says whether another process holds a file locked, and since when.
func locked(path string) (since time.Time, held bool, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("look at the owner's lock: %w", err)
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
		return time.Time{}, false, fmt.Errorf("look at the owner's lock: %w", err)
	}
	held = err != nil
	st, err := f.Stat() // its holder wrote itself into it
	if err != nil {
		return time.Time{}, false, fmt.Errorf("look at the owner's lock: %w", err)
	}
	return st.ModTime(), held, nil
}
