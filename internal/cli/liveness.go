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

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// ownerLock is the file in a run's folder that its owner holds locked as long as it lives.
const ownerLock = "owner.lock"

// starting is how long a new run may be without an owner before it counts as interrupted.
const starting = 5 * time.Second

// ownerAlive says whether a process owns the run now. On the owner's machine its lock is the proof, whatever the
// lease says: the kernel drops a lock with its process. From elsewhere only the lease can tell.
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
	return locked(filepath.Join(dir, ownerLock))
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

// locked says whether another process holds a file locked.
func locked(path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the owner's lock: %w", err)
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the owner's lock: %w", err)
	}
	return false, nil
}
