package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func writeLog(t interface{ Fatal(...any) }, dir, text string) *logFile {
	path := filepath.Join(dir, "x.log")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := openLog(path)
	if err != nil || l == nil {
		t.Fatal(l, err)
	}
	return l
}

func TestLogSeeksTheLastLinesFromTheEnd(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		// Lines about as long as a block, so that their ends fall before, on and behind its edge.
		var text strings.Builder
		for range rapid.IntRange(0, 6).Draw(t, "lines") {
			text.WriteString(strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 100, blockSize - 2, blockSize - 1, blockSize, blockSize + 1}).Draw(t, "length")))
			text.WriteByte('\n')
		}
		if rapid.Bool().Draw(t, "open") {
			text.WriteString("open")
		}
		n := rapid.IntRange(1, 8).Draw(t, "n")
		l := writeLog(t, dir, text.String())
		defer l.close()
		if _, err := l.seekLines(n); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := l.copyRaw(&got); err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(text.String(), "\n")
		if lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		want := strings.Join(lines[max(0, len(lines)-n):], "")
		if got.String() != want {
			t.Fatalf("last %d lines are %d bytes, want %d", n, got.Len(), len(want))
		}
	})
}

func TestLogLinesLoseNothingWhileTheFileGrows(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab\n日é")), 0, 200, -1).Draw(t, "text")
		l := writeLog(t, dir, "")
		defer l.close()
		f, err := os.OpenFile(filepath.Join(dir, "x.log"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var got strings.Builder
		collect := func(line []byte, ends bool) error {
			got.Write(line)
			if ends {
				got.WriteByte('\n')
			}
			return nil
		}
		for rest := []byte(text); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			if _, err := f.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
			if err := l.lines(false, collect); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.lines(true, collect); err != nil {
			t.Fatal(err)
		}
		want := text
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if got.String() != want {
			t.Fatalf("got %q, want %q", got.String(), want)
		}
	})
}

func TestLogHoldsOnlyABlockOfAnEndlessLine(t *testing.T) {
	l := writeLog(t, t.TempDir(), strings.Repeat("é", 5<<20))
	defer l.close()
	total, pieces := 0, 0
	err := l.lines(true, func(line []byte, ends bool) error {
		if len(line) > 2*blockSize {
			t.Fatalf("a piece has %d bytes", len(line))
		}
		if !bytes.HasPrefix(line, []byte("é")) || !bytes.HasSuffix(line, []byte("é")) {
			t.Fatal("a character was cut in two")
		}
		total += len(line)
		pieces++
		return nil
	})
	if err != nil || total != 10<<20 || pieces < 2 {
		t.Errorf("%d bytes in %d pieces, error %v", total, pieces, err)
	}
}

func TestLastLogLineIsOfTheLatestAttempt(t *testing.T) {
	a := &App{Environ: []string{"XDG_DATA_HOME=" + t.TempDir()}}
	for n, text := range map[int]string{1: "first\n", 2: "x\r\nlast \x1b[1mline\x1b[0m\n\n"} {
		path, err := a.logPath("7f3c", "docs", n)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := a.lastLogLine("7f3c", "docs")
	if err != nil || got != "last line" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := a.lastLogLine("7f3c", "none"); err != nil || got != "" {
		t.Errorf("a task without a log: %q, %v", got, err)
	}
}
