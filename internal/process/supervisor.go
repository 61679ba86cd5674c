package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Options says how to start a supervisor. The zero value works in a program whose main calls Main
// when its first argument is DefaultArg.
type Options struct {
	Executable string   // default: os.Executable
	Args       []string // hidden arguments that make Executable call Main; default: DefaultArg
	Level      Level
	Journal    string   // file that exits are appended to; none when empty
	Lock       string   // file that the supervisor holds flocked for its whole life; none when empty
	Mark       string   // every command gets ORC_TASK_MARK=Mark.ID in its environment; none when empty
	Stderr     *os.File // where the supervisor's own complaints go; default: /dev/null
}

// DefaultArg is the hidden argument for which a program's main calls Main.
const DefaultArg = "__supervise"

// MarkVariable is the environment variable by which what a command started is recognised.
const MarkVariable = "ORC_TASK_MARK"

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

// Start starts a supervisor and waits until it can launch. With LevelAuto it tries the levels,
// firmest first, and takes the first that really starts. A supervisor needs Close.
func Start(ctx context.Context, o Options) (*Supervisor, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	levels := []Level{o.Level}
	if o.Level == LevelAuto {
		levels = []Level{LevelNamespace, LevelSubreaper, LevelGroup}
	}
	var errs []error
	for _, level := range levels {
		s, err := start(ctx, o, level)
		if err == nil {
			return s, nil
		}
		errs = append(errs, fmt.Errorf("start supervisor (%s): %w", level, err))
		if ctx.Err() != nil || errors.Is(err, ErrHeld) {
			break // no other level will do better
		}
	}
	return nil, errors.Join(errs...)
}

func (o *Options) complete() error {
	if o.Executable == "" {
		exe, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find own program: %w", err)
		}
		o.Executable = exe
	}
	if o.Args == nil {
		o.Args = []string{DefaultArg}
	}
	for _, path := range []*string{&o.Journal, &o.Lock} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = abs
	}
	return nil
}

func start(ctx context.Context, o Options, level Level) (*Supervisor, error) {
	attr, err := supervisorAttr(level)
	if err != nil {
		return nil, err
	}
	conn, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(o.Executable, o.Args...)
	cmd.Dir = "/"         // so that it keeps no file system busy
	cmd.Env = []string{}  // what it starts could read it
	cmd.Stderr = o.Stderr // nil stays /dev/null
	cmd.SysProcAttr = attr
	cmd.ExtraFiles = []*os.File{theirs}
	if o.Mark != "" {
		cmd.Env = []string{MarkVariable + "=" + o.Mark}
	}
	err = startUnmasked(cmd)
	err = errors.Join(err, theirs.Close())
	if err != nil {
		if cmd.Process != nil {
			err = errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
		return nil, errors.Join(err, conn.Close())
	}
	s := &Supervisor{
		level:    level,
		cmd:      cmd,
		conn:     conn,
		done:     make(chan struct{}),
		children: make(map[uint64]*Child),
		launches: make(map[uint64]chan error),
		ids:      make(map[string]struct{}),
	}
	ready := make(chan error, 1)
	go s.receive(ready)
	err = s.configure(o)
	if err == nil || errors.Is(err, ErrSupervisorLost) { // when lost, its refusal says more
		select {
		case err = <-ready:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err != nil {
		s.kill()
		<-s.done
		return nil, err
	}
	return s, nil
}

func (s *Supervisor) configure(o Options) error {
	b, err := json.Marshal(config{Level: s.level, Journal: o.Journal, Lock: o.Lock, Mark: o.Mark, PID: s.PID()})
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	w := newFrame(frameConfig, len(b))
	w.b = append(w.b, b...)
	return s.send(w.bytes(), nil)
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
	answer, err := s.register(c)
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

func (s *Supervisor) register(c *Child) (<-chan error, error) {
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
	s.launches[c.seq] = answer
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

// receive is the owner's one reader; it ends with the supervisor.
func (s *Supervisor) receive(ready chan<- error) {
	var in inbox
	var fault error
	for fault == nil {
		n, err := s.conn.Read(in.room())
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
				fault = err
			}
			break
		}
		in.took(n)
		for fault == nil {
			kind, body, ok, err := in.next()
			if err != nil {
				fault = err
			}
			if !ok {
				break
			}
			fault = s.handle(kind, body, ready)
		}
	}
	if fault != nil {
		s.kill()
	}
	s.finish(fault, ready)
}

func (s *Supervisor) handle(kind byte, body []byte, ready chan<- error) error {
	switch kind {
	case frameReady:
		ready <- nil
	case frameRefused:
		ready <- refusal(body)
	case frameStarted:
		r := &reader{b: body}
		seq, pid := r.uint(), r.int()
		s.answer(seq, func(c *Child) error { c.local = int(pid); return nil })
		return r.err()
	case frameFailed:
		r := &reader{b: body}
		seq, errno, op, path := r.uint(), r.uint(), r.str(), r.str()
		s.answer(seq, func(c *Child) error {
			return &LaunchError{ID: c.id, Op: op, Path: path, Err: syscall.Errno(errno)}
		})
		return r.err()
	case frameExit:
		seq, e, err := parseExit(body)
		if err != nil {
			return err
		}
		s.mu.Lock()
		c := s.children[seq]
		if c != nil {
			delete(s.children, seq)
			delete(s.ids, c.id)
		}
		s.mu.Unlock()
		if c != nil {
			c.exit = e
			close(c.ended)
		}
	default:
		return errFrame
	}
	return nil
}

func (s *Supervisor) answer(seq uint64, result func(*Child) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, waiting := s.children[seq], s.launches[seq]
	if c == nil || waiting == nil {
		return
	}
	delete(s.launches, seq)
	err := result(c)
	if err != nil {
		delete(s.children, seq)
		delete(s.ids, c.id)
	}
	waiting <- err
}

// finish reaps the supervisor and tells everybody who still waits.
func (s *Supervisor) finish(fault error, ready chan<- error) {
	werr := s.cmd.Wait()
	s.mu.Lock()
	cause := ErrSupervisorLost
	switch {
	case s.closed && werr == nil:
		cause = ErrClosed
	case fault != nil:
		cause = fmt.Errorf("%w: %w", ErrSupervisorLost, fault)
	case werr != nil:
		cause = fmt.Errorf("%w: %w", ErrSupervisorLost, werr)
	}
	s.err = cause
	launches, children := s.launches, s.children
	s.launches, s.children, s.ids = nil, nil, nil
	s.mu.Unlock()
	select {
	case ready <- cause:
	default:
	}
	for _, waiting := range launches {
		waiting <- cause
	}
	now := time.Now()
	for _, c := range children {
		c.exit = Exit{Code: -1, Started: c.started, Ended: now, Lost: true}
		c.err = fmt.Errorf("wait for %s: %w", c.id, cause)
		close(c.ended)
	}
	_ = s.conn.Close() // nothing can be lost: the other end is gone
	close(s.done)
}
