package workspace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockPoll is how often a lock that another process holds is tried.
const lockPoll = 10 * time.Millisecond

// LockWorktrees keeps other processes of ours away from the repository's list of worktrees until the returned func
// is called. The lock is a file in the data folder, never one in the user's repository.
func (r *Repository) LockWorktrees(ctx context.Context) (unlock func(), err error) {
	const op = "lock the list of worktrees"
	sum := sha256.Sum256([]byte(r.common))
	path := filepath.Join(r.data, "locks", "worktrees-"+hex.EncodeToString(sum[:8])+".lock")
	if err := r.guard(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing releases it
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, &Error{Op: op, Err: errors.Join(err, f.Close())}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, &Error{Op: op, Err: errors.Join(context.Cause(ctx), f.Close())}
		}
	}
}

// AddWorktree makes an empty, locked worktree on no branch. The caller holds the lock.
func (r *Repository) AddWorktree(ctx context.Context, dir, commit, reason string) error {
	if err := errors.Join(r.guard(dir), checkID(commit)); err != nil {
		return err
	}
	_, err := r.run(ctx, r.plumbing("worktree", "add", "--quiet", "--lock", "--reason", reason, "--no-checkout", "--detach", "--", dir, commit))
	return err
}
