package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Spec says what to start.
type Spec struct {
	ID   string   // the caller's name for the command; unique among those that run
	Argv []string // Argv[0] without a slash is looked for in PATH of Env
	Dir  string   // default: the owner's working directory
	// Env is the whole environment; nothing of the owner's is added, only ORC_TASK_MARK.
	Env []string
	// Stdin, Stdout and Stderr are /dev/null when nil. They are the caller's to close once Launch
	// has returned.
	Stdin, Stdout, Stderr *os.File
	// Unawaited says that Launch need not wait until the program runs: Wait gives the *LaunchError of one that
	// cannot be run, and PID is not known.
	Unawaited bool
}

func (s *Spec) validate() error {
	switch {
	case s.ID == "" || strings.ContainsAny(s.ID, "\x00\n"):
		return fmt.Errorf("launch: invalid ID %q", s.ID)
	case len(s.Argv) == 0 || s.Argv[0] == "":
		return fmt.Errorf("launch %s: no program", s.ID)
	}
	for _, l := range [][]string{s.Argv, s.Env, {s.Dir}} {
		for _, v := range l {
			if strings.IndexByte(v, 0) >= 0 {
				return fmt.Errorf("launch %s: NUL byte in argument, environment or directory", s.ID)
			}
		}
	}
	return nil
}

// Exit says how a command ended.
type Exit struct {
	Code           int           // as a shell has it: 128 plus the signal's number when a signal ended it
	Signal         string        // such as "SIGKILL"; empty when the leader exited by itself
	Started, Ended time.Time     // when the leader started and ended
	User, System   time.Duration // of the leader and of what it waited for
	MaxRSS         int64         // bytes; of the largest process among those
	// Lost is true when it was neither the command nor Stop or Kill that ended it, but the end of its
	// owner or supervisor. Without a supervisor to say so, Code and Signal mean nothing.
	Lost bool
	// Stopped is true when Stop or Kill was called before it ended: it may have ended because of that.
	Stopped bool
	Strays  int // processes that the leader left behind and that had to be ended
}

// Child is a command that was started.
type Child struct {
	s       *Supervisor
	seq     uint64
	id      string
	local   int // the leader's number as the supervisor sees it
	started time.Time
	pid     atomic.Int64

	ended chan struct{}
	exit  Exit  // before ended is closed: the reader's; after: everybody's
	err   error // likewise
}

// Ended is a command that has run to its end already, for those who stand in for a supervisor.
func Ended(id string, exit Exit) *Child {
	c := &Child{id: id, ended: make(chan struct{}), exit: exit}
	close(c.ended)
	return c
}

// ID gives the caller's name for the command.
func (c *Child) ID() string { return c.id }

// PID gives the leader's process number as the owner sees it, or 0 when that cannot be told (any
// more). It is for people to read: to end a command use Stop or Kill, which cannot hit a stranger.
func (c *Child) PID() int {
	if c.s.level != LevelNamespace {
		return c.local
	}
	if pid := c.pid.Load(); pid != 0 {
		return int(pid)
	}
	select {
	case <-c.ended:
		return 0
	default:
	}
	pid := outerPID(c.s.PID(), c.local)
	c.pid.Store(int64(pid))
	return pid
}

// Wait waits until the command and all that it left behind have ended. The error is
// ErrSupervisorLost when nobody can say how, the context's, or a *LaunchError when nobody waited for the start.
func (c *Child) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-c.ended:
		return c.exit, c.err
	default:
	}
	select {
	case <-c.ended:
		return c.exit, c.err
	case <-ctx.Done():
		return Exit{}, fmt.Errorf("wait for %s: %w", c.id, context.Cause(ctx))
	}
}

// Stop sends SIGTERM to the whole tree, and SIGKILL to what is left of it after grace, and waits for
// the end. When ctx ends first, the stopping goes on without the caller.
func (c *Child) Stop(ctx context.Context, grace time.Duration) (Exit, error) {
	w := newFrame(frameStop, 24)
	w.uint(c.seq)
	w.int(int64(max(grace, 0)))
	if err := c.tell(w); err != nil {
		return Exit{}, err
	}
	return c.Wait(ctx)
}

// Kill sends SIGKILL to the whole tree. It does not wait. Killing what has ended is no error.
func (c *Child) Kill() error {
	w := newFrame(frameKill, 16)
	w.uint(c.seq)
	return c.tell(w)
}

// tell sends a frame about the command; it is no error when the command has no use for it any more.
func (c *Child) tell(w *writer) error {
	err := c.s.send(w.bytes(), nil)
	if err == nil {
		return nil
	}
	select {
	case <-c.ended:
		return nil
	default:
	}
	if errors.Is(err, ErrSupervisorLost) || errors.Is(err, ErrClosed) {
		return nil // Wait says it
	}
	return fmt.Errorf("end %s: %w", c.id, err)
}
