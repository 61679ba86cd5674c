package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// record is one line of the journal. Times are UTC, durations nanoseconds, sizes bytes.
type record struct {
	ID      string    `json:"id"`
	Code    int       `json:"code"`
	Signal  string    `json:"signal,omitempty"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	User    int64     `json:"user"`
	System  int64     `json:"system"`
	MaxRSS  int64     `json:"maxrss"`
	Strays  int       `json:"strays,omitempty"`
	Lost    bool      `json:"lost,omitempty"`
	Stopped bool      `json:"stopped,omitempty"`
}

// appendRecord writes one line with one write(2), so that a kill leaves it whole or not there.
func appendRecord(f *os.File, id string, e Exit) error {
	line, err := json.Marshal(record{
		ID: id, Code: e.Code, Signal: e.Signal,
		Started: e.Started.UTC(), Ended: e.Ended.UTC(),
		User: int64(e.User), System: int64(e.System),
		MaxRSS: e.MaxRSS, Strays: e.Strays, Lost: e.Lost, Stopped: e.Stopped,
	})
	if err != nil {
		return fmt.Errorf("encode exit of %s: %w", id, err)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("journal exit of %s: %w", id, err)
	}
	return nil
}

// openJournal opens the file for appending and closes a line that an earlier crash left open.
func openJournal(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err = f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			_, err = f.Write([]byte{'\n'})
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mend journal: %w", err), f.Close())
	}
	return f, nil
}

// ReadJournal gives the last exit recorded for each ID. A journal that does not exist is empty;
// lines that a crash or a full disk cut off are passed over.
func ReadJournal(path string) (map[string]Exit, error) {
	exits := make(map[string]Exit)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return exits, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	for line := range bytes.Lines(b) {
		var r record
		if json.Unmarshal(line, &r) != nil || r.ID == "" {
			continue
		}
		exits[r.ID] = Exit{
			Code: r.Code, Signal: r.Signal, Started: r.Started, Ended: r.Ended,
			User: time.Duration(r.User), System: time.Duration(r.System),
			MaxRSS: r.MaxRSS, Strays: r.Strays, Lost: r.Lost, Stopped: r.Stopped,
		}
	}
	return exits, nil
}
