// Package commandlog keeps a record of the commands that the owner of a run has started: git, agents, gates. It is there
// to be read by a person. Losing it is no harm, and so nothing ever waits for it: it is written behind the back of those
// who tell it, a line per command as JSON, by one write for many lines, and never flushed to the disk. What comes faster
// than it can be written is counted instead.
package commandlog

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	backlog   = 1024                   // entries that wait to be written; more are dropped
	flushWait = 200 * time.Millisecond // how long a line may wait for others to be written with
	mostBytes = 4 << 20                // of a file; then it is put aside and another is begun
)

// Aside is what the name of a file that was full ends with. The one before it is forgotten.
const Aside = ".1"

// What says what an entry is about.
type What string

// What entries are about.
const (
	Git   What = "git"   // a git command that has ended
	Start What = "start" // an agent or another command was started
	End   What = "end"   // and has ended
	Lost  What = "lost"  // entries that were dropped before this one
)

// Entry is a line of the record.
type Entry struct {
	Time  time.Time     `json:"time"` // when the command began; of End and Lost: when that was
	What  What          `json:"what"`
	Task  string        `json:"task,omitempty"` // empty = of no single task
	ID    string        `json:"id,omitempty"`   // of a command that has a start and an end
	Dir   string        `json:"dir,omitempty"`
	Args  []string      `json:"args,omitempty"` // shortened; of git without the program
	Boxed bool          `json:"sandbox,omitempty"`
	Exit  int           `json:"exit"`              // -1 = not known, or it could not be started
	Took  time.Duration `json:"took_ns,omitempty"` // of Git and End
	Error string        `json:"error,omitempty"`   // why it could not be started
	Count int64         `json:"count,omitempty"`   // of Lost
}

// Log is a record that is being written. A nil one takes everything and keeps nothing. Safe for concurrent use.
type Log struct {
	path  string
	clean func(string) string

	entries chan Entry
	dropped atomic.Int64
	closing sync.Once
	stop    chan struct{}
	done    chan struct{}
	err     error // before done is closed: the writer's; after: everybody's

	// The writer's own.
	file *os.File
	size int64
	buf  *bufio.Writer
}

// Open begins or continues the record in a file. clean takes secrets out of a text; nil = nothing is taken out.
func Open(path string, clean func(string) string) (*Log, error) {
	l := &Log{
		path: path, clean: clean,
		entries: make(chan Entry, backlog), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if clean == nil {
		l.clean = func(s string) string { return s }
	}
	if err := l.open(); err != nil {
		return nil, err
	}
	go l.work()
	return l, nil
}

func (l *Log) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of commands: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open the log of commands: %w", errors.Join(err, f.Close()))
	}
	l.file, l.size = f, st.Size()
	if l.buf == nil {
		l.buf = bufio.NewWriterSize(f, 32<<10)
	} else {
		l.buf.Reset(f)
	}
	return nil
}

// Add records a command. It never waits. The entry's slices must not be changed afterwards.
func (l *Log) Add(e Entry) {
	if l == nil {
		return
	}
	select {
	case l.entries <- e:
	default:
		l.dropped.Add(1)
	}
}

// Close writes what was added before, and says whether something could not be written. What is added later is lost.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.closing.Do(func() { close(l.stop) })
	<-l.done
	return l.err
}

// work writes until the record is closed. After an error it only takes entries away.
func (l *Log) work() {
	defer close(l.done)
	defer func() {
		if l.file != nil {
			l.fail(l.buf.Flush())
			l.fail(l.file.Close())
		}
	}()
	var due <-chan time.Time
	for {
		select {
		case e := <-l.entries:
			l.write(e)
			if due == nil {
				due = time.After(flushWait)
			}
		case <-due:
			due = nil
			l.flush()
		case <-l.stop:
			for {
				select {
				case e := <-l.entries:
					l.write(e)
				default:
					return
				}
			}
		}
	}
}

func (l *Log) write(e Entry) {
	if l.err != nil {
		return
	}
	if n := l.dropped.Swap(0); n > 0 {
		l.line(Entry{Time: e.Time, What: Lost, Count: n})
	}
	l.line(shortened(e, l.clean))
}

func (l *Log) line(e Entry) {
	text, err := json.Marshal(e)
	if err != nil {
		l.fail(err)
		return
	}
	n, err := l.buf.Write(append(text, '\n'))
	l.size += int64(n)
	l.fail(err)
}

// flush writes what waits, and begins another file when this one is full.
func (l *Log) flush() {
	if l.err != nil {
		return
	}
	l.fail(l.buf.Flush())
	if l.size < mostBytes || l.err != nil {
		return
	}
	l.fail(os.Rename(l.path, l.path+Aside))
	l.fail(l.file.Close())
	l.file = nil
	if l.err == nil {
		l.fail(l.open())
	}
}

func (l *Log) fail(err error) {
	if err != nil && l.err == nil {
		l.err = fmt.Errorf("write the log of commands: %w", err)
	}
}
