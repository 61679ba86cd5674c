package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Supervisor is the owner's side of a supervisor process. Its methods may be called concurrently.
type Supervisor struct {
	level Level
	cmd   *exec.Cmd
	conn  *net.UnixConn
	done  chan struct{}

	sending sync.Mutex // one frame at a time

	mu       sync.Mutex
	seq      uint64
	children map[uint64]*Child
	launches map[uint64]chan error // who waits for a launch's answer
	ids      map[string]struct{}
	closed   bool
	err      error // why nothing can be sent any more
}

// Level says how firmly the supervisor holds what it starts.
func (s *Supervisor) Level() Level { return s.level }

// PID gives the supervisor's process number.
func (s *Supervisor) PID() int { return s.cmd.Process.Pid }

// Done is closed when the supervisor is gone, whether by Close or by a crash; by then every Child
// has ended.
func (s *Supervisor) Done() <-chan struct{} { return s.done }

// Launch starts a command and waits until its program runs; a program that cannot be run gives a
// *LaunchError. The end of ctx ends the launch, not the command.
func (s *Supervisor) Launch(ctx context.Context, spec Spec) (*Child, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("launch %s: %w", spec.ID, context.Cause(ctx))
	}
	l := launch{id: spec.ID, dir: spec.Dir, argv: spec.Argv, env: spec.Env}
	if !filepath.IsAbs(l.dir) {
		abs, err := filepath.Abs(l.dir)
		if err != nil {
			return nil, fmt.Errorf("launch %s: %w", spec.ID, err)
		}
		l.dir = abs
	}
	var fds []int
	for i, f := range []*os.File{spec.Stdin, spec.Stdout, spec.Stderr} {
		if f == nil {
			continue
		}
		fd := f.Fd() // also makes a pipe blocking again, as a command expects it
		if fd == ^uintptr(0) {
			return nil, fmt.Errorf("launch %s: %w", spec.ID, os.ErrClosed)
		}
		fds = append(fds, int(fd))
		l.files |= 1 << i
	}
	c := &Child{s: s, id: spec.ID, started: time.Now(), ended: make(chan struct{})}
	if spec.Unawaited {
		l.files |= launchUnawaited
	}
	answer, err := s.register(c, !spec.Unawaited)
	if err != nil {
		return nil, fmt.Errorf("launch %s: %w", spec.ID, err)
	}
	l.seq = c.seq
	var rights []byte
	if len(fds) > 0 {
		rights = syscall.UnixRights(fds...)
	}
	err = s.send(l.frame(), rights)
	runtime.KeepAlive(spec.Stdin)
	runtime.KeepAlive(spec.Stdout)
	runtime.KeepAlive(spec.Stderr)
	if err != nil {
		s.forget(c)
		return nil, fmt.Errorf("launch %s: %w", spec.ID, err)
	}
	if spec.Unawaited {
		return c, nil
	}
	select {
	case err = <-answer:
	case <-ctx.Done():
		// The order is on its way and cannot be recalled; the supervisor reads the kill after it.
		err = fmt.Errorf("launch %s: %w", spec.ID, errors.Join(context.Cause(ctx), c.Kill()))
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// register makes a child known. The channel tells how its start went, if somebody is to wait for that.
func (s *Supervisor) register(c *Child, awaited bool) (<-chan error, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if s.closed {
		return nil, ErrClosed
	}
	if _, taken := s.ids[c.id]; taken {
		return nil, errors.New("a command of this ID is running")
	}
	s.seq++
	c.seq = s.seq
	answer := make(chan error, 1)
	s.children[c.seq] = c
	if awaited {
		s.launches[c.seq] = answer
	}
	s.ids[c.id] = struct{}{}
	return answer, nil
}

func (s *Supervisor) forget(c *Child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.children, c.seq)
	delete(s.launches, c.seq)
	delete(s.ids, c.id)
}

// Close ends what is left and waits until the supervisor is gone. When ctx ends first, the
// supervisor is killed, which still ends what the level can end without it.
func (s *Supervisor) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if err := s.send(newFrame(frameClose, 0).bytes(), nil); err != nil {
		s.kill() // it cannot hear us; if it is gone already, this finds nothing
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	s.kill()
	<-s.done
	return fmt.Errorf("close supervisor: %w", context.Cause(ctx))
}

// kill ends the supervisor process itself. The process is our child and unreaped until done, so its
// number cannot belong to anybody else; os.Process guards the moment after.
func (s *Supervisor) kill() {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		// Only a supervisor that changed its user cannot be killed by its owner, and ours never does;
		// closing the lifeline makes it end itself.
		_ = s.conn.Close()
	}
}

func (s *Supervisor) send(frame, rights []byte) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return err
	}
	n := 0
	if rights != nil {
		if n, _, err = s.conn.WriteMsgUnix(frame, rights, nil); err != nil {
			return s.sendError(err)
		}
	}
	if n < len(frame) {
		if _, err := s.conn.Write(frame[n:]); err != nil {
			return s.sendError(err)
		}
	}
	return nil
}

func (s *Supervisor) sendError(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		return ErrSupervisorLost
	}
	return fmt.Errorf("tell supervisor: %w", err)
}
