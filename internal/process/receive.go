package process

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

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

// answer tells how a start went: whoever waits for that, else whoever waits for the end.
func (s *Supervisor) answer(seq uint64, result func(*Child) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, waiting := s.children[seq], s.launches[seq]
	if c == nil {
		return
	}
	delete(s.launches, seq)
	err := result(c)
	if err != nil {
		delete(s.children, seq)
		delete(s.ids, c.id)
	}
	switch {
	case waiting != nil:
		waiting <- err
	case err != nil:
		c.exit = Exit{Code: -1, Started: c.started, Ended: time.Now()}
		c.err = err
		close(c.ended)
	}
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
