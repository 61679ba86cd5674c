package process

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"orchestrator/internal/fault"
)

var errOwnerGone = errors.New("owner gone")

// reapInterval bounds how long an adopted orphan that ended while nothing else happened stays a
// zombie. Commands themselves ring at once.
const reapInterval = time.Second

// warden is the supervisor from inside: one thread, one loop, so that the exit of a command can never
// race with its registration.
type warden struct {
	level   Level
	mark    string
	lock    *Lock
	journal *os.File
	null    *os.File
	poller  *poller
	adopted *adopted // nil where the kernel keeps no list of children

	in     inbox
	rights []rights // descriptors whose frames have not been read yet, in the order of the frames

	commands   map[uint64]*command // all that are not reported yet
	leaders    map[int]*command    // by process number, while the leader runs
	families   map[int]*command    // by session, until reported
	remembered map[int]memory      // orphans, by process number
	surveyed   time.Time           // when ancestry was last looked at, at LevelGroup
	closing    bool
	self       int // own process number
}

// rights are the descriptors that came with one frame.
type rights struct {
	fds []int
	cut bool // the kernel could not give us all of them
}

// command is one command from launch to report.
type command struct {
	seq     uint64
	id      string
	pid     int
	pidfd   int
	exit    Exit
	signal  syscall.Signal
	over    bool          // the leader was reaped
	asked   bool          // Stop or Kill was called
	ending  bool          // it still ran when the supervisor began to end
	killAt  time.Time     // when Stop's grace ends
	killing bool          // the tree gets SIGKILL, round after round
	pause   time.Duration // between rounds
	next    time.Time     // of the next round
	hit     map[key]struct{}
}

func (w *warden) run() error {
	for {
		ready, err := w.poller.wait(w.timeout())
		if err != nil {
			return errors.Join(err, w.end())
		}
		w.reap()
		if ready {
			switch err := w.receive(); {
			case errors.Is(err, errOwnerGone):
				return w.end()
			case err != nil:
				return errors.Join(err, w.end())
			}
		}
		if w.closing {
			return w.end()
		}
		if err := w.tend(); err != nil {
			return errors.Join(err, w.end())
		}
	}
}

// timeout says how long nothing needs to be done without an event.
func (w *warden) timeout() time.Duration {
	if len(w.commands) == 0 && len(w.remembered) == 0 {
		return -1
	}
	wait := reapInterval
	for _, c := range w.commands {
		if due, ok := c.due(); ok {
			wait = min(wait, max(0, time.Until(due)))
		}
	}
	return wait
}

// due says when the command needs attention next.
func (c *command) due() (time.Time, bool) {
	switch {
	case c.over && !c.killing && !c.killAt.IsZero() && c.killAt.Before(c.next):
		return c.killAt, true
	case c.killing || c.over:
		return c.next, true
	case !c.killAt.IsZero():
		return c.killAt, true
	}
	return time.Time{}, false
}

// reap takes in every child that ended, whether started or adopted, and says whether none is left.
func (w *warden) reap() (childless bool) {
	for {
		var status syscall.WaitStatus
		var usage syscall.Rusage
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, &usage)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return errors.Is(err, syscall.ECHILD)
		}
		c := w.leaders[pid]
		if c == nil {
			delete(w.remembered, pid)
			w.hasten()
			continue
		}
		delete(w.leaders, pid)
		c.finish(status, usage)
		c.next = c.exit.Ended
	}
}

// hasten makes the next round of those that wait for strays to be gone come now.
func (w *warden) hasten() {
	for _, c := range w.commands {
		if c.over {
			c.next = time.Time{}
		}
	}
}

func (c *command) finish(status syscall.WaitStatus, usage syscall.Rusage) {
	c.over = true
	c.exit.Ended = time.Now()
	c.exit.User = time.Duration(usage.Utime.Nano())
	c.exit.System = time.Duration(usage.Stime.Nano())
	c.exit.MaxRSS = usage.Maxrss * maxRSSUnit
	if status.Signaled() {
		c.signal = status.Signal()
		c.exit.Signal = signalName(c.signal)
		c.exit.Code = 128 + int(c.signal)
	} else {
		c.exit.Code = status.ExitStatus()
	}
	if c.pidfd >= 0 {
		_ = syscall.Close(c.pidfd) // a descriptor without data has nothing to lose
		c.pidfd = -1
	}
}

// receive reads once and does what whole frames say.
func (w *warden) receive() error {
	n, err := w.read()
	if err != nil {
		return err
	}
	if n == 0 {
		return errOwnerGone
	}
	w.in.took(n)
	for {
		kind, body, ok, err := w.in.next()
		if err != nil || !ok {
			return err
		}
		if err := w.handle(kind, body); err != nil {
			return err
		}
	}
}

func (w *warden) read() (int, error) {
	var control [128]byte
	room := w.in.room()
	n, oobn, flags, _, err := syscall.Recvmsg(lifeline, room, control[:], recvFlags)
	for errors.Is(err, syscall.EINTR) {
		n, oobn, flags, _, err = syscall.Recvmsg(lifeline, room, control[:], recvFlags)
	}
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return 0, errOwnerGone
	case err != nil:
		return 0, fmt.Errorf("read from owner: %w", err)
	}
	if oobn == 0 && flags&syscall.MSG_CTRUNC == 0 {
		return n, nil
	}
	messages, err := syscall.ParseSocketControlMessage(control[:oobn])
	if err != nil {
		return 0, fmt.Errorf("read descriptors: %w", err)
	}
	set := rights{cut: flags&syscall.MSG_CTRUNC != 0}
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			return 0, fmt.Errorf("read descriptors: %w", err)
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
		}
		set.fds = append(set.fds, fds...)
	}
	w.rights = append(w.rights, set)
	return n, nil
}

func (w *warden) handle(kind byte, body []byte) error {
	switch kind {
	case frameLaunch:
		l, err := parseLaunch(body)
		if err != nil {
			return err
		}
		return w.launch(l)
	case frameStop:
		r := &reader{b: body}
		seq, grace := r.uint(), time.Duration(r.int())
		if r.err() != nil {
			return r.err()
		}
		return w.stop(seq, grace)
	case frameKill:
		r := &reader{b: body}
		seq := r.uint()
		if r.err() != nil {
			return r.err()
		}
		if c := w.commands[seq]; c != nil {
			c.asked, c.killing, c.next = true, true, time.Time{}
		}
		return nil
	case frameClose:
		w.closing = true
		return nil
	}
	return errFrame
}

// tell writes a frame to the owner. It may block while the owner is stopped; there is nobody to work
// for then, and the owner's end ends the blocking.
func (w *warden) tell(frame []byte) error {
	for len(frame) > 0 {
		n, err := syscall.Write(lifeline, frame)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("tell owner: %w", err)
		}
		frame = frame[n:]
	}
	return nil
}

// report tells the owner of a command's end, then writes it down. The owner makes what it hears durable by its own
// means and need not wait for the file, which is for the next owner: that one reads it when this process is gone.
// Whether the owner can be told or not, the end is in the file.
func (w *warden) report(c *command) error {
	delete(w.commands, c.seq)
	delete(w.families, c.pid)
	for pid, m := range w.remembered {
		if m.owner == c {
			delete(w.remembered, pid)
		}
	}
	c.exit.Stopped = c.asked
	fault.Point("supervisor.exit")
	told := w.tell(exitFrame(c.seq, c.exit, c.signal))
	if w.journal != nil {
		if err := appendRecord(w.journal, c.id, c.exit); err != nil {
			fmt.Fprintln(os.Stderr, "supervise:", err)
		}
	}
	fault.Point("supervisor.journal")
	return told
}

// markFor is the value by which what a command started is recognised.
func (w *warden) markFor(id string) string { return w.mark + "." + id }

// environ is env with the command's own mark and no other.
func (w *warden) environ(env []string, id string) []string {
	out := make([]string, 0, len(env)+1)
	for _, e := range env {
		if !strings.HasPrefix(e, MarkVariable+"=") {
			out = append(out, e)
		}
	}
	if w.mark != "" {
		out = append(out, MarkVariable+"="+w.markFor(id))
	}
	return out
}
