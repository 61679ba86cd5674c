package providertest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

// fuzzLine is a line that seeds are made longer with: it is no event of any agent.
const fuzzLine = "\n{\"type\":\"error\",\"message\":\"429 too many requests, try again in 3m\",\"error\":{\"data\":{\"statusCode\":429}}}\n"

// Fuzz gives a driver mutated captures: whatever they hold, its decoder takes them and says valid text, and a turn with
// that log ends with a judgement that is the same each time. A program that failed has never done well.
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
		f.Add(bytes.Replace(b, []byte("\n"), []byte(fuzzLine), 1))
		f.Add(append([]byte(fuzzLine), b...))
	}
	log := filepath.Join(f.TempDir(), "log")
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzDecoder(t, fresh(), b)
		first, told := fuzzTurn(t, fresh(), log, b)
		again, toldAgain := fuzzTurn(t, fresh(), log, b)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("judged differently the second time (-first +second):\n%s", diff)
		}
		if diff := cmp.Diff(told, toldAgain); diff != "" {
			t.Errorf("other events the second time (-first +second):\n%s", diff)
		}
	})
}

// fuzzDecoder gives a decoder all lines, also behind the last event, and then wants its verdict.
func fuzzDecoder(t *testing.T, d stream.Decoder, b []byte) {
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		for _, e := range d.Decode(line) {
			if e.Kind == "" || !utf8.ValidString(e.Text+e.Tool+e.Input+e.Session+e.Call+strings.Join(e.Paths, "")) {
				t.Errorf("%q became %+v", line, e)
			}
		}
	}
	v := d.Verdict(time.Unix(1_800_000_000, 0))
	if !utf8.ValidString(v.Error + v.Summary + v.Session) {
		t.Errorf("invalid text in %+v", v)
	}
}

// fuzzTurn judges a turn that had b as its log, and complained of its end.
func fuzzTurn(t *testing.T, d stream.Decoder, log string, b []byte) (provider.Result, []provider.Event) {
	if err := os.WriteFile(log, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log+".err", b[len(b)/2:], 0o600); err != nil {
		t.Fatal(err)
	}
	var told []provider.Event
	turn := provider.Turn{ID: "fuzz.1", Log: log, Session: "of-the-turn", Sink: func(e provider.Event) error {
		told = append(told, e)
		return nil
	}}
	exit := process.Exit{Code: len(b) % 2, Ended: time.Unix(1_800_000_000, 0)}
	r, err := stream.Finish(turn, exit, d)
	if err != nil {
		t.Fatalf("no judgement: %v", err)
	}
	switch {
	case r.Kind != "" && strings.TrimSpace(r.Error) == "":
		t.Errorf("failed (%s) without words for people", r.Kind)
	case r.Kind == "" && exit.Code != 0:
		t.Error("a program that failed did well")
	case r.End != int64(len(b)):
		t.Errorf("read %d bytes of %d", r.End, len(b))
	case !utf8.ValidString(r.Error + r.Summary + r.Output + r.Session + strings.Join(r.Denied, "")):
		t.Errorf("invalid text in %+v", r)
	}
	wantInOrder(t, told)
	return r, told
}
