package acp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

const (
	lineLimit    = 64 << 20 // bytes of a line that is looked at
	messageLimit = 10 << 20 // bytes of a line that the protocol library takes
)

// record is a line of the log.
type record struct {
	Record  string          `json:"acp"`
	Session string          `json:"session,omitempty"`
	Update  json.RawMessage `json:"update,omitempty"`
	Text    string          `json:"text,omitempty"`
	Tool    string          `json:"tool,omitempty"`
	Allowed bool            `json:"allowed,omitempty"`
	At      string          `json:"at,omitempty"`
	Code    int             `json:"code,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	End     json.RawMessage `json:"end,omitempty"`
}

// journal writes records, whole lines only, from any goroutine until it is closed.
type journal struct {
	mu     sync.Mutex
	to     io.Writer
	closed bool
	err    error // the first
}

func (j *journal) write(r record) {
	b, err := json.Marshal(r)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || j.err != nil {
		return
	}
	if err == nil {
		_, err = j.to.Write(append(b, '\n'))
	}
	j.err = err
}

// close ends it: what comes later is not the turn's any more.
func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	if j.err != nil {
		return fmt.Errorf("write the log: %w", j.err)
	}
	return nil
}

// wire stands between the agent and the protocol library. It writes the agent's updates to the log as they are and
// keeps them from the library, which neither takes lines of more than 10 MiB nor kinds of updates that it does not
// know, and gives up when they come faster than it is told to take them.
type wire struct {
	log   *journal
	muted atomic.Bool // updates are a repetition of what was said in earlier turns
	ended atomic.Bool // the agent hung up
}

// read passes on what is for the library until the agent hangs up.
func (w *wire) read(from io.Reader, to *io.PipeWriter) {
	r := bufio.NewReaderSize(from, 256<<10)
	for {
		line, long, err := readLine(r)
		if len(line) > 0 && !long {
			if perr := w.pass(line, to); perr != nil {
				return // the library is gone
			}
		}
		if long {
			w.log.write(record{Record: "notice", Text: "a line of more than 64 MiB was left out"})
		}
		if err != nil {
			w.ended.Store(true)
			_ = to.CloseWithError(io.EOF) // never fails
			return
		}
	}
}

// readLine reads a line; one that is too long is read and left out.
func readLine(r *bufio.Reader) (line []byte, long bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if long = long || len(line)+len(part) > lineLimit; long {
			line = nil
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, long, err
		}
	}
}

func (w *wire) pass(line []byte, to io.Writer) error {
	line = bytes.TrimSpace(line)
	var m struct {
		Version string          `json:"jsonrpc"`
		Method  string          `json:"method"`
		ID      json.RawMessage `json:"id"`
		Params  struct {
			Update json.RawMessage `json:"update"`
		} `json:"params"`
	}
	valid := len(line) > 0 && line[0] == '{' && json.Valid(line)
	if valid {
		_ = json.Unmarshal(line, &m) // members of odd types are the library's to refuse
	}
	switch {
	case len(line) == 0:
		return nil
	case !valid || m.Method == "" && len(m.ID) == 0:
		w.log.write(record{Record: "notice", Text: string(line[:min(len(line), 2<<10)])})
		return nil
	case m.Method == "session/update":
		if !w.muted.Load() && len(m.Params.Update) > 0 {
			w.log.write(record{Record: "update", Update: m.Params.Update})
		}
		return nil
	case len(line) >= messageLimit:
		w.log.write(record{Record: "notice", Text: "a message of more than 10 MiB was left out: " + m.Method})
		return nil
	}
	_, err := to.Write(append(line, '\n'))
	return err
}
