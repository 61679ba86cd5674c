package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
)

// blankStock is how many empty logs are kept ready at most.
const blankStock = 16

// blanks keeps empty logs ready, made while commands run: on a disk, a new file costs as much as the record of the
// start that it belongs to, and another name for a file that is there next to nothing.
type blanks struct {
	folder string
	log    *slog.Logger
	low    chan struct{} // there are few left

	mu    sync.Mutex
	taken int      // how many were asked for: as many, and no more, are worth having
	ready []string // names of empty files
	spent []string // names that are not needed any more; their files are logs now
	over  bool     // nothing is kept any more
}

func newBlanks(folder string, log *slog.Logger) *blanks {
	return &blanks{folder: folder, log: log, low: make(chan struct{}, 1)}
}

// take makes the log at path, if one is ready and nothing lies there yet. Otherwise whoever writes the log makes it,
// and says what is wrong.
func (s *blanks) take(path string) {
	name := s.pop()
	if name == "" {
		return
	}
	if err := os.Link(name, path); err != nil && !errors.Is(err, os.ErrExist) {
		s.log.Debug("no ready-made log", "path", path, "error", err)
	}
	s.mu.Lock()
	over := s.over
	s.spent = append(s.spent, name)
	s.mu.Unlock()
	if over { // nobody else will
		s.remove([]string{name})
	}
}

func (s *blanks) pop() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken++
	name := ""
	if n := len(s.ready); n > 0 {
		name, s.ready = s.ready[n-1], s.ready[:n-1]
	}
	if len(s.ready) < blankStock/2 {
		select {
		case s.low <- struct{}{}:
		default:
		}
	}
	return name
}

// keep makes empty logs as they are needed, until ctx ends.
func (s *blanks) keep(ctx context.Context) {
	left, err := filepath.Glob(filepath.Join(s.folder, ".blank-*")) // of an owner that was killed
	if err != nil {
		s.log.Warn("look for ready-made logs", "error", err)
	}
	s.remove(left)
	for made := 0; ; {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			left := append(s.spent, s.ready...)
			s.spent, s.ready, s.over = nil, nil, true
			s.mu.Unlock()
			s.remove(left)
			return
		case <-s.low:
		}
		s.mu.Lock()
		spent, missing := s.spent, min(blankStock, s.taken)-len(s.ready)
		s.spent = nil
		s.mu.Unlock()
		for range missing {
			made++
			name := filepath.Join(s.folder, fmt.Sprintf(".blank-%d", made))
			if err := touch(name); err != nil { // whoever needs a log meets the same and says so
				s.log.Debug("make a log ready", "error", err)
				break
			}
			s.mu.Lock()
			s.ready = append(s.ready, name)
			s.mu.Unlock()
		}
		s.remove(spent)
	}
}

// touch makes an empty file that must not be there.
func touch(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (s *blanks) remove(names []string) {
	for _, name := range names {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.log.Warn("a ready-made log stays", "error", err)
		}
	}
}
