package provider

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// Tail returns at most limit bytes from the end of the file, but nothing before byte from, as valid UTF-8. When it
// cuts, it begins at a line's start if one is near. A missing file is empty.
func Tail(path string, from, limit int64) (string, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the end of the log: %w", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", fmt.Errorf("read the end of the log: %w", err)
	}
	start := max(from, size-limit)
	if start >= size {
		return "", nil
	}
	b := make([]byte, size-start)
	n, err := f.ReadAt(b, start)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the end of the log: %w", err)
	}
	b = b[:n]
	if start > from {
		b = dropPartial(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), nil
}

// dropPartial removes what a cut left of a line, or of a character where no line ends in the first kilobyte.
func dropPartial(b []byte) []byte {
	for i := 0; i < len(b) && i < 1024; i++ {
		if b[i] == '\n' {
			return b[i+1:]
		}
	}
	for i := 0; i < len(b) && i < utf8.UTFMax; i++ {
		if utf8.RuneStart(b[i]) {
			return b[i:]
		}
	}
	return b
}
