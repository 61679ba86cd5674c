package tui

import (
	"bytes"
	"io"
	"os"
	"sync"
)

// hideCursor is part of the first drawing, and of no output before it.
var hideCursor = []byte("\x1b[?25l")

// screen is the terminal, watched: it tells when the region was drawn for the first time, since lines can be put
// above it only from then on, and when writing fails, which the program would keep to itself.
type screen struct {
	out    io.Writer
	drawn  chan struct{} // closed after the first drawing
	broken chan struct{} // closed after the first error

	mu    sync.Mutex
	shown bool
	err   error
}

func newScreen(out io.Writer) *screen {
	return &screen{out: out, drawn: make(chan struct{}), broken: make(chan struct{})}
}

// output is the writer for the program. It is a file when the terminal is one, for the program asks it for its
// size and mode.
func (s *screen) output() io.Writer {
	if file, ok := s.out.(*os.File); ok {
		return watchedFile{file, s}
	}
	return s
}

// Write writes to the terminal.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.out.Write(p)
	if err != nil {
		s.err = err
		close(s.broken)
	} else if !s.shown && bytes.Contains(p, hideCursor) {
		s.shown = true
		close(s.drawn)
	}
	return n, err
}

// failed is the first error.
func (s *screen) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// watchedFile is the terminal's file, whose writes go through the screen.
type watchedFile struct {
	*os.File
	screen *screen
}

func (f watchedFile) Write(p []byte) (int, error)       { return f.screen.Write(p) }
func (f watchedFile) WriteString(s string) (int, error) { return f.screen.Write([]byte(s)) }
