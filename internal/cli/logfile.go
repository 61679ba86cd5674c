package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

const (
	blockSize = 64 << 10 // how much of a log is in memory at a time
	longest   = blockSize
)

// logFile reads an attempt's output while it may still grow. However large the file and its lines are, it holds one
// block of it.
type logFile struct {
	f    *os.File
	hold []byte // read, but not printed: the beginning of a line
}

// openLog opens a log; nil when it does not exist yet.
func openLog(path string) (*logFile, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return &logFile{f: f}, nil
}

func (l *logFile) close() error { return l.f.Close() }

// seekLines goes to where the last n lines begin and says whether anything stands before it.
func (l *logFile) seekLines(n int) (skipped bool, err error) {
	size, err := l.f.Seek(0, io.SeekEnd)
	if err != nil {
		return false, fmt.Errorf("read the log: %w", err)
	}
	at, err := lastLinesAt(l.f, size, n)
	if err != nil {
		return false, fmt.Errorf("read the log: %w", err)
	}
	if _, err := l.f.Seek(at, io.SeekStart); err != nil {
		return false, fmt.Errorf("read the log: %w", err)
	}
	return at > 0, nil
}

// lastLinesAt finds where the last n lines of a file begin, from its end.
func lastLinesAt(f io.ReaderAt, size int64, n int) (int64, error) {
	if n <= 0 {
		return size, nil
	}
	buf := make([]byte, blockSize)
	end := size
	for end > 0 {
		begin := max(0, end-blockSize)
		block := buf[:end-begin]
		if _, err := f.ReadAt(block, begin); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		for i := len(block) - 1; i >= 0; i-- {
			// A newline at the very end ends the last line and begins none.
			if block[i] != '\n' || begin+int64(i) == size-1 {
				continue
			}
			if n--; n == 0 {
				return begin + int64(i) + 1, nil
			}
		}
		end = begin
	}
	return 0, nil
}

// copyRaw copies what is there, byte for byte.
func (l *logFile) copyRaw(w io.Writer) error {
	_, err := io.Copy(w, l.f)
	return err
}

// lines calls f with each line that is there. A line that is not ended yet waits for its end, unless final is set;
// one that is too long for memory comes in pieces, and ends says for each piece whether the line ends with it.
func (l *logFile) lines(final bool, f func(line []byte, ends bool) error) error {
	buf := make([]byte, blockSize)
	for {
		n, err := l.f.Read(buf)
		l.hold = append(l.hold, buf[:n]...)
		for {
			i := bytes.IndexByte(l.hold, '\n')
			if i < 0 {
				break
			}
			if err := f(l.hold[:i], true); err != nil {
				return err
			}
			l.hold = l.hold[i+1:]
		}
		if len(l.hold) > longest {
			cut := runeBoundary(l.hold)
			if err := f(l.hold[:cut], false); err != nil {
				return err
			}
			l.hold = append([]byte(nil), l.hold[cut:]...)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
	}
	if final && len(l.hold) > 0 {
		line := l.hold
		l.hold = nil
		return f(line, true)
	}
	return nil
}

// lastLineSize is how much of a log's end is looked at for its last line.
const lastLineSize = 4 << 10

// logPath is where an attempt's output is.
func (a *App) logPath(run scheduler.RunID, task string, number int) (string, error) {
	dir, err := a.RunDir(string(run))
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "log", fmt.Sprintf("%s.%d.log", task, number)), nil
}

// lastLogLine returns the last line that a task's latest attempt wrote, or an empty string.
func (a *App) lastLogLine(run scheduler.RunID, task string) (string, error) {
	end, err := a.logEnd(run, task, lastLineSize)
	if err != nil {
		return "", err
	}
	lines := strings.Split(view.Sanitize(end), "\n")
	for _, line := range slices.Backward(lines) {
		if line = strings.TrimSpace(line); line != "" {
			return a.secrets.String(line), nil // again: escape sequences may have stood within one
		}
	}
	return "", nil
}

// logEnd returns the last bytes that a task's latest attempt wrote, at most size, without secrets; empty if there
// are none.
func (a *App) logEnd(run scheduler.RunID, task string, size int64) (string, error) {
	latest := ""
	for n := 1; ; n++ {
		path, err := a.logPath(run, task, n)
		if err != nil {
			return "", err
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", fmt.Errorf("look for the log: %w", err)
		}
		latest = path
	}
	if latest == "" {
		return "", nil
	}
	f, err := os.Open(latest)
	if err != nil {
		return "", fmt.Errorf("open the log: %w", err)
	}
	defer f.Close()
	length, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", fmt.Errorf("read the log: %w", err)
	}
	end := make([]byte, min(length, size))
	if _, err := f.ReadAt(end, length-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the log: %w", err)
	}
	text := string(end)
	if length > size { // half a line may be half a secret
		if _, whole, ok := strings.Cut(text, "\n"); ok {
			text = whole
		}
	}
	return a.secrets.String(text), nil
}
