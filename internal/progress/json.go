package progress

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"orchestrator/internal/event"
)

// JSON is the display for programs: NDJSON, one event per line, each the JSON form of event.Event with
// "schema": event.Schema as its first field. Times are UTC. Characters that a terminal obeys or that hide text
// are written as \u escapes, so that nothing is lost and a line is safe to print.
type JSON struct {
	printer
	seq int64
}

var _ Display = (*JSON)(nil)

// NewJSON returns a display that writes to out the events after the sequence number.
func NewJSON(out io.Writer, after int64) *JSON {
	return &JSON{printer: printer{out: out}, seq: after}
}

// Event writes the event's line.
func (j *JSON) Event(e event.Event) error {
	if e.Seq != 0 && e.Seq <= j.seq {
		return j.err
	}
	j.seq = max(j.seq, e.Seq)
	e.Time = e.Time.UTC()
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct {
		Schema int `json:"schema"`
		event.Event
	}{event.Schema, e})
	if err != nil {
		return fmt.Errorf("encode event %d: %w", e.Seq, err)
	}
	return j.print(escapeHidden(line.Bytes()))
}

// Tick does nothing: a program knows the time.
func (j *JSON) Tick(time.Time) {}

// Close returns the error that ended the display, if any.
func (j *JSON) Close() error { return j.err }

// escapeHidden replaces characters that a terminal obeys or does not show. In a line of JSON they occur inside
// strings only, but for the line feed at its end.
func escapeHidden(line []byte) string {
	out := make([]byte, 0, len(line))
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		line = line[n:]
		switch {
		case r == '\n' || (!unicode.IsControl(r) && !unicode.Is(unicode.Cf, r) && !(r >= 0xe0000 && r <= 0xe0fff)):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return string(out)
}
