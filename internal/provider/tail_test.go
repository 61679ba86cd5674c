package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"orchestrator/internal/provider"
)

func TestTail(t *testing.T) {
	for name, c := range map[string]struct {
		text        string
		from, limit int64
		want        string
	}{
		"everything when it fits":          {"one\ntwo\n", 0, 100, "one\ntwo\n"},
		"nothing before from":              {"one\ntwo\n", 4, 100, "two\n"},
		"from beyond the end":              {"one\n", 9, 100, ""},
		"a cut begins at a line":           {"first line\nsecond line\nthird\n", 0, 12, "third\n"},
		"one long line is cut in a letter": {strings.Repeat("ä", 3000), 0, 2001, strings.Repeat("ä", 1000)},
		"invalid text is marked":           {"a\xff\xfeb", 0, 100, "a\uFFFDb"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := provider.Tail(path, c.from, c.limit)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	if got, err := provider.Tail(filepath.Join(t.TempDir(), "none"), 0, 10); got != "" || err != nil {
		t.Errorf("a missing file: %q, %v", got, err)
	}
	if _, err := provider.Tail(t.TempDir(), 0, 10); err == nil {
		t.Error("a folder is no log")
	}
}

func FuzzTailIsValidText(f *testing.F) {
	f.Add([]byte("one\ntwo"), int64(3))
	f.Add([]byte("\xff\xc3\n"), int64(1))
	f.Fuzz(func(t *testing.T, b []byte, limit int64) {
		if limit < 0 {
			return
		}
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := provider.Tail(path, 0, limit)
		if err != nil || !utf8.ValidString(got) {
			t.Errorf("%q, %v", got, err)
		}
	})
}
