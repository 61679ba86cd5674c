package process

import (
	"errors"
	"fmt"
	"syscall"
)

// Questions that callers ask with errors.Is.
var (
	// ErrSupervisorLost says that the supervisor was killed or crashed; how its commands ended is
	// known from the journal at best.
	ErrSupervisorLost = errors.New("supervisor lost")
	// ErrClosed says that the supervisor was closed by its owner.
	ErrClosed = errors.New("supervisor closed")
	// ErrHeld says that another process holds the lock.
	ErrHeld = errors.New("lock held by another process")
	// ErrUnsupported says that this operating system has no such level.
	ErrUnsupported = errors.New("not supported on this operating system")
)

// LaunchError says why a command did not start. errors.Is sees the error number, so that
// errors.Is(err, fs.ErrNotExist) and errors.Is(err, fs.ErrPermission) work.
type LaunchError struct {
	ID   string
	Op   string        // what was tried: "find program", "enter directory", "start"
	Path string        // the program or the directory
	Err  syscall.Errno // the kernel's answer
}

// Error names the command, the step, the path and the reason.
func (e *LaunchError) Error() string {
	return fmt.Sprintf("launch %s: %s %q: %s", e.ID, e.Op, e.Path, e.Err.Error())
}

// Unwrap gives the error number.
func (e *LaunchError) Unwrap() error { return e.Err }

// HeldError says who holds a lock. errors.Is(err, ErrHeld) is true for it.
type HeldError struct {
	Path string
	PID  int // 0 when the file does not say
}

// Error names the file and, where known, the process.
func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("hold %s: %s", e.Path, ErrHeld)
	}
	return fmt.Sprintf("hold %s: %s (pid %d)", e.Path, ErrHeld, e.PID)
}

// Unwrap gives ErrHeld.
func (e *HeldError) Unwrap() error { return ErrHeld }
