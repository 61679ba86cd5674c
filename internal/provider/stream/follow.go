package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
)

const (
	errSuffix    = ".err"
	followPeriod = 50 * time.Millisecond
	chunk        = 256 << 10
	errTail      = 16 << 10 // bytes of standard error that are looked at
)

// follower reads a turn's log and gives its events to the sink.
type follower struct {
	t    provider.Turn
	d    Decoder
	log  *os.File
	cut  cutter
	buf  []byte
	from int64 // events before it were given already
	last int64 // end of the line that was decoded last
	next int   // index of that line's next event
	err  error // of the sink; it gets nothing after that
}

// follow opens the log to be read from start on, where the turn's output begins.
func follow(t provider.Turn, start int64, d Decoder) (*follower, error) {
	log, err := os.Open(t.Log)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return &follower{
		t: t, d: d, log: log, from: max(t.From, start),
		cut: cutter{limit: lineLimit, offset: start}, buf: make([]byte, chunk),
	}, nil
}

func (f *follower) close() { _ = f.log.Close() }

// until follows the log and returns nil when the program has exited, else why it must be stopped.
func (f *follower) until(ctx context.Context, exited, over <-chan struct{}) error {
	tick := time.NewTicker(followPeriod)
	defer tick.Stop()
	for {
		select {
		case <-exited:
			return nil
		case <-over:
			return errTalkOver
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			if err := f.step(); err != nil {
				return err
			}
		}
	}
}

// step takes what is new in the log.
func (f *follower) step() error {
	if err := f.read(); err != nil {
		return err
	}
	if q, ok := f.d.(Quitter); ok && q.GivenUp() {
		return errGivenUp
	}
	if f.t.OutputLimit > 0 && f.cut.offset > f.t.OutputLimit {
		return errOutputLimit
	}
	return nil
}

// read takes what there is at present.
func (f *follower) read() error {
	for f.err == nil {
		n, err := f.log.ReadAt(f.buf, f.cut.offset)
		if ferr := f.cut.feed(f.buf[:n], f.line); ferr != nil {
			return ferr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
	}
	return nil
}

// finish takes all that is left, also a last line that was cut off. A sink that refused once is not asked again.
func (f *follower) finish() error {
	if f.err != nil {
		return nil
	}
	if err := f.read(); err != nil {
		return err
	}
	if err := f.cut.rest(f.line); err != nil {
		return err
	}
	if h, ok := f.d.(Flusher); ok {
		return f.give(h.Flush())
	}
	return nil
}

func (f *follower) line(l line) error {
	f.last, f.next = l.end, 0
	if l.long {
		return f.give([]provider.Event{{
			Kind: provider.EventNotice,
			Text: fmt.Sprintf("a line of more than %d MiB was left out", f.cut.limit>>20),
		}})
	}
	return f.give(f.d.Decode(l.text))
}

// give gives events of the last line to the sink.
func (f *follower) give(events []provider.Event) error {
	if f.t.Sink == nil || f.last < f.from {
		return nil
	}
	for _, e := range events {
		e.Offset, e.Index = f.last, f.next
		f.next++
		if err := f.t.Sink(e); err != nil {
			f.err = fmt.Errorf("keep an event of %s: %w", f.t.ID, err)
			return f.err
		}
	}
	return nil
}

// ended is when the program ended, as well as anybody knows.
func (f *follower) ended(exit process.Exit) time.Time {
	if !exit.Ended.IsZero() {
		return exit.Ended
	}
	if st, err := f.log.Stat(); err == nil {
		return st.ModTime()
	}
	return time.Now()
}

// result judges the turn.
func (f *follower) result(exit process.Exit) (provider.Result, error) {
	complaints, err := provider.Tail(f.t.Log+errSuffix, 0, errTail)
	if err != nil {
		return provider.Result{}, err
	}
	if c, ok := f.d.(Complainer); ok {
		complaints = strings.TrimSpace(c.Complaints() + "\n" + complaints)
	}
	at := f.ended(exit)
	r := judge(f.d.Verdict(at), exit, complaints, at)
	r.End = f.cut.offset
	if r.Session == "" {
		r.Session = f.t.Session
	}
	return r, nil
}

// known is what can be said of a turn that was stopped.
func (f *follower) known(exit process.Exit) provider.Result {
	v := f.d.Verdict(f.ended(exit))
	r := provider.Result{Session: v.Session, Usage: v.Usage, Counters: v.Counters, Summary: v.Summary, End: f.cut.offset}
	if r.Session == "" {
		r.Session = f.t.Session
	}
	return r
}

func (f *follower) overLimit() provider.Result {
	r := f.known(process.Exit{})
	r.Kind = provider.KindOutput
	r.Error = fmt.Sprintf("stopped: it wrote more than %d MiB of output (output_limit)", f.t.OutputLimit>>20)
	return r
}
