package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// holdPatience is how long Hold retries: a fork in progress in a killed process keeps the descriptor,
// and with it the lock, until its exec, milliseconds later.
const holdPatience = 500 * time.Millisecond

// Lock is a file held by flock; the kernel lets go of it with the last holder.
type Lock struct{ f *os.File }

// Hold takes the lock file at path, creating it where needed, and writes this process into it. When
// another process holds it, the error is a *HeldError (ErrHeld).
func Hold(path string) (*Lock, error) { return holdAs(path, os.Getpid()) }

// holdAs is Hold under the process number that other readers of the file know this process by.
func holdAs(path string, pid int) (*Lock, error) {
	deadline := time.Now().Add(holdPatience)
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open lock: %w", err)
		}
		err = flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil && !sameFile(f, path) {
			err = syscall.EWOULDBLOCK // somebody replaced the file between open and flock
		}
		if err == nil {
			if err = writeIdentity(f, pid); err == nil {
				return &Lock{f: f}, nil
			}
			return nil, errors.Join(fmt.Errorf("write lock: %w", err), f.Close())
		}
		holder := readIdentity(f)
		if cerr := f.Close(); cerr != nil {
			return nil, fmt.Errorf("close lock: %w", cerr)
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("flock %s: %w", path, err)
		}
		if time.Now().After(deadline) {
			return nil, &HeldError{Path: path, PID: holder.PID}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Seize takes the lock file at path although another process holds it: a new file takes its place, and the old holder
// is left with a lock that nobody looks at any more. The caller knows by other means that the holder may be passed
// over, as one whose lease has run out, and that no other process does the same at the same time.
func Seize(path string) (*Lock, error) {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("seize lock: %w", err)
	}
	l, err := Hold(tmp)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(tmp, path); err != nil {
		return nil, errors.Join(fmt.Errorf("seize lock: %w", err), l.Release())
	}
	return l, nil
}

// Release lets go. The file stays, because removing it would let two processes hold two files of
// one name.
func (l *Lock) Release() error {
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("release lock: %w", err)
	}
	return nil
}

// WaitLock waits until nobody holds the lock file and the process that wrote itself into it is gone,
// with all that the kernel ends together with it. A file that does not exist is held by nobody.
func WaitLock(ctx context.Context, path string) error {
	pause := time.Millisecond
	for {
		free, err := lockFree(path)
		if err != nil || free {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", path, context.Cause(ctx))
		case <-time.After(pause):
		}
		pause = min(2*pause, 50*time.Millisecond)
	}
}

func lockFree(path string) (free bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("open lock: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	switch err := flock(f, syscall.LOCK_SH|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("flock %s: %w", path, err)
	}
	// A dying process closes its files before the kernel has ended the namespace under it; only when
	// the process itself is gone is the lock's word the whole truth.
	return !readIdentity(f).alive(), nil
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func sameFile(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Stat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// identity names a process beyond the reuse of its number: the start time is unique for a number
// within one boot.
type identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
	Boot  string `json:"boot"`
}

// alive is true while that very process can still act; a zombie cannot.
func (id identity) alive() bool {
	if id.PID <= 0 || id.Boot != bootID() {
		return false
	}
	p, ok := inspect(id.PID)
	return ok && p.start == id.Start && p.running()
}

func writeIdentity(f *os.File, pid int) error {
	id := identity{PID: pid, Boot: bootID()}
	if p, ok := inspect(os.Getpid()); ok {
		id.Start = p.start
	}
	b, err := json.Marshal(id)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(b, '\n'), 0)
	return err
}

// readIdentity gives what the file says; nothing when it is empty or half written.
func readIdentity(f *os.File) identity {
	b := make([]byte, 512)
	n, _ := f.ReadAt(b, 0)
	var id identity
	if json.Unmarshal(b[:n], &id) != nil {
		return identity{}
	}
	return id
}
