package providertest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"orchestrator/internal/provider/stream"
)

// Fuzz gives a decoder mutated captures: whatever they hold, it takes them and says valid text.
func Fuzz(f *testing.F, fresh func() stream.Decoder) {
	names, err := filepath.Glob(filepath.Join("testdata", "*.out"))
	if err != nil || len(names) == 0 {
		f.Fatalf("no captures: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Add(bytes.ReplaceAll(b, []byte(`"`), []byte(`[`)))
		f.Add(bytes.ReplaceAll(b, []byte(`:"`), []byte(`:[{"text":1},"`)))
		f.Add(bytes.ReplaceAll(b, []byte(`type`), []byte("type\xff")))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := fresh()
		for line := range bytes.SplitSeq(b, []byte("\n")) {
			for _, e := range d.Decode(line) {
				if e.Kind == "" || !utf8.ValidString(e.Text+e.Tool+e.Input+e.Session+e.Call+strings.Join(e.Paths, "")) {
					t.Errorf("%q became %+v", line, e)
				}
			}
		}
		v := d.Verdict(time.Unix(1_800_000_000, 0))
		if v.Kind != "" && v.Error == "" {
			t.Errorf("failed (%s) without words for people", v.Kind)
		}
		if !utf8.ValidString(v.Error + v.Summary + v.Session) {
			t.Errorf("invalid text in %+v", v)
		}
	})
}
