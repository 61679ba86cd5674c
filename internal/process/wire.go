package process

import (
	"encoding/binary"
	"errors"
	"syscall"
	"time"
)

// The owner and the supervisor speak in frames: four bytes of length, one byte of kind, a body.
// Bodies are strings and numbers with their own length, because a launch carries the whole
// environment and is the one thing that must be cheap.
const (
	frameConfig  = iota + 1 // owner → supervisor, first frame: JSON of config
	frameReady              // supervisor → owner: it holds its lock and can launch
	frameRefused            // supervisor → owner: why it cannot work at that level
	frameLaunch
	frameStarted
	frameFailed
	frameExit
	frameStop
	frameKill
	frameClose
)

const (
	headerSize = 5
	maxFrame   = 64 << 20
)

var errFrame = errors.New("malformed frame")

// config is what the supervisor must know before it can work.
type config struct {
	Level   Level
	Journal string
	Lock    string
	Mark    string
	PID     int // the supervisor's own number in its owner's view
}

// writer builds one frame.
type writer struct{ b []byte }

func newFrame(kind byte, size int) *writer {
	w := &writer{b: make([]byte, headerSize, headerSize+size)}
	w.b[4] = kind
	return w
}

func (w *writer) uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) int(v int64)   { w.b = binary.AppendVarint(w.b, v) }

func (w *writer) str(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) list(l []string) {
	w.uint(uint64(len(l)))
	for _, s := range l {
		w.str(s)
	}
}

// bytes closes the frame.
func (w *writer) bytes() []byte {
	binary.LittleEndian.PutUint32(w.b, uint32(len(w.b)-headerSize))
	return w.b
}

// reader takes a body apart; after the first fault everything it gives is zero and ok is false.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) str() string {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) list() []string {
	n := r.uint()
	if n > uint64(len(r.b)) { // every string takes at least its length byte
		r.bad, r.b = true, nil
		return nil
	}
	l := make([]string, n)
	for i := range l {
		l[i] = r.str()
	}
	return l
}

func (r *reader) err() error {
	if r.bad || len(r.b) > 0 {
		return errFrame
	}
	return nil
}

// launchUnawaited beside the files of a launch says that its start is not told.
const launchUnawaited = 1 << 3

// launch is the body of frameLaunch. Files says which of the three standard files travel with the
// frame; the others are /dev/null.
type launch struct {
	seq   uint64
	files byte
	id    string
	dir   string
	argv  []string
	env   []string
}

func (l *launch) frame() []byte {
	size := 64 + len(l.id) + len(l.dir)
	for _, s := range l.argv {
		size += len(s) + 4
	}
	for _, s := range l.env {
		size += len(s) + 4
	}
	w := newFrame(frameLaunch, size)
	w.uint(l.seq)
	w.uint(uint64(l.files))
	w.str(l.id)
	w.str(l.dir)
	w.list(l.argv)
	w.list(l.env)
	return w.bytes()
}

func parseLaunch(body []byte) (launch, error) {
	r := &reader{b: body}
	l := launch{seq: r.uint(), files: byte(r.uint()), id: r.str(), dir: r.str(), argv: r.list(), env: r.list()}
	return l, r.err()
}

func exitFrame(seq uint64, e Exit, signal syscall.Signal) []byte {
	w := newFrame(frameExit, 96)
	w.uint(seq)
	w.int(int64(e.Code))
	w.uint(uint64(signal))
	w.int(e.Started.UnixNano())
	w.int(e.Ended.UnixNano())
	w.int(int64(e.User))
	w.int(int64(e.System))
	w.int(e.MaxRSS)
	w.uint(uint64(e.Strays))
	flags := uint64(0)
	if e.Lost {
		flags |= exitLost
	}
	if e.Stopped {
		flags |= exitStopped
	}
	w.uint(flags)
	return w.bytes()
}

func parseExit(body []byte) (uint64, Exit, error) {
	r := &reader{b: body}
	seq := r.uint()
	e := Exit{
		Code:    int(r.int()),
		Signal:  signalName(syscall.Signal(r.uint())),
		Started: time.Unix(0, r.int()),
		Ended:   time.Unix(0, r.int()),
		User:    time.Duration(r.int()),
		System:  time.Duration(r.int()),
		MaxRSS:  r.int(),
		Strays:  int(r.uint()),
	}
	flags := r.uint()
	e.Lost, e.Stopped = flags&exitLost != 0, flags&exitStopped != 0
	return seq, e, r.err()
}

// What an exit frame's flags say.
const (
	exitLost = 1 << iota
	exitStopped
)

// inbox puts frames together out of what a stream socket delivers.
type inbox struct {
	buf   []byte
	start int
}

// room gives space for the next read.
func (in *inbox) room() []byte {
	const chunk = 64 << 10
	if in.start == len(in.buf) {
		in.buf, in.start = in.buf[:0], 0
	}
	if cap(in.buf)-len(in.buf) < chunk {
		rest := in.buf[in.start:]
		grown := make([]byte, len(rest), 2*len(rest)+2*chunk)
		copy(grown, rest)
		in.buf, in.start = grown, 0
	}
	return in.buf[len(in.buf):cap(in.buf)]
}

// took says how much of room was filled.
func (in *inbox) took(n int) { in.buf = in.buf[:len(in.buf)+n] }

// next gives the next whole frame. The body is valid until room is called.
func (in *inbox) next() (kind byte, body []byte, ok bool, err error) {
	b := in.buf[in.start:]
	if len(b) < headerSize {
		return 0, nil, false, nil
	}
	n := binary.LittleEndian.Uint32(b)
	if n > maxFrame {
		return 0, nil, false, errFrame
	}
	end := headerSize + int(n)
	if len(b) < end {
		return 0, nil, false, nil
	}
	in.start += end
	return b[4], b[headerSize:end], true, nil
}
