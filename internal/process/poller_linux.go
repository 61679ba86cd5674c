package process

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// poller waits for the owner's frames and for the end of commands at once. Each command rings by its
// pidfd, which makes a signal handler and its thread switches needless.
type poller struct {
	epoll  int
	socket int
	events [64]syscall.EpollEvent
	bell   *os.File // rung by SIGCHLD on kernels without pidfds
}

func newPoller(socket int) (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	p := &poller{epoll: fd, socket: socket}
	return p, p.add(socket)
}

func (p *poller) add(fd int) error {
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	if err := syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("watch descriptor: %w", err)
	}
	return nil
}

// watch makes wait return when the process ends.
func (p *poller) watch(_, pidfd int) error {
	if pidfd >= 0 && p.add(pidfd) == nil {
		return nil
	}
	if p.bell != nil {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make bell: %w", err)
	}
	p.bell = r
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			if _, err := w.Write([]byte{0}); err != nil {
				return
			}
		}
	}()
	ended <- syscall.SIGCHLD // it may have ended before we listened
	return p.add(int(r.Fd()))
}

// wait returns when something happened or the time is over (never, when negative). ready says that
// the owner sent something or is gone.
func (p *poller) wait(d time.Duration) (ready bool, err error) {
	ms := -1
	if d >= 0 {
		ms = int((d + time.Millisecond - 1) / time.Millisecond)
	}
	n, err := syscall.EpollWait(p.epoll, p.events[:], ms)
	if errors.Is(err, syscall.EINTR) {
		return false, nil // most likely SIGCHLD
	}
	if err != nil {
		return false, fmt.Errorf("wait for events: %w", err)
	}
	for _, ev := range p.events[:n] {
		switch {
		case int(ev.Fd) == p.socket:
			ready = true
		case p.bell != nil && int(ev.Fd) == int(p.bell.Fd()):
			var b [64]byte
			if _, err := p.bell.Read(b[:]); err != nil {
				return ready, fmt.Errorf("read bell: %w", err)
			}
		}
	}
	return ready, nil
}
