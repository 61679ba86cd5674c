package process

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

const eagerWaits = 10

// poller waits for the owner's frames and for the end of commands at once.
type poller struct {
	queue  int
	eager  int // how many waits are to be short, because an end is announced before it can be reaped
	events [64]syscall.Kevent_t
}

func newPoller(socket int) (*poller, error) {
	fd, err := syscall.Kqueue()
	if err != nil {
		return nil, fmt.Errorf("create kqueue: %w", err)
	}
	syscall.CloseOnExec(fd)
	p := &poller{queue: fd}
	return p, p.add(socket, syscall.EVFILT_READ, 0, 0)
}

func (p *poller) add(ident, filter, flags int, fflags uint32) error {
	var ev syscall.Kevent_t
	syscall.SetKevent(&ev, ident, filter, syscall.EV_ADD|flags)
	ev.Fflags = fflags
	for {
		_, err := syscall.Kevent(p.queue, []syscall.Kevent_t{ev}, nil, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		return nil
	}
}

// watch makes wait return when the process ends.
func (p *poller) watch(pid, _ int) error {
	err := p.add(pid, syscall.EVFILT_PROC, syscall.EV_ONESHOT, syscall.NOTE_EXIT)
	if errors.Is(err, syscall.ESRCH) {
		p.eager = eagerWaits
		return nil
	}
	return err
}

// wait returns when something happened or the time is over (never, when negative). ready says that
// the owner sent something or is gone.
func (p *poller) wait(d time.Duration) (ready bool, err error) {
	if p.eager > 0 {
		p.eager--
		if d < 0 || d > time.Millisecond {
			d = time.Millisecond
		}
	}
	var timeout *syscall.Timespec
	if d >= 0 {
		ts := syscall.NsecToTimespec(int64(d))
		timeout = &ts
	}
	n, err := syscall.Kevent(p.queue, nil, p.events[:], timeout)
	if errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("wait for events: %w", err)
	}
	for i := range p.events[:n] {
		switch p.events[i].Filter {
		case syscall.EVFILT_READ:
			ready = true
		case syscall.EVFILT_PROC:
			p.eager = eagerWaits
		}
	}
	return ready, nil
}
