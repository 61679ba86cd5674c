package fake

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/providertest"
	"orchestrator/internal/provider/stream"
)

func TestMain(m *testing.M) { providertest.Main(m) }

const session = "fake-1"

func TestFake(t *testing.T) {
	counted := provider.Usage{Input: 100, Output: 20, Cost: 0.01, Priced: true, Model: "fake"}
	providertest.Run(t, providertest.Suite{
		Agent: Fake{}, Edited: "hello.txt", Said: "done", Session: session, First: counted, Second: counted,
		Kinds: map[string]provider.Kind{
			"auth": provider.KindAuth, "limit": provider.KindLimit, "overload": provider.KindTransient,
			"model": provider.KindModel, "context": provider.KindContext,
		},
		Resets:  map[string]time.Time{"limit": time.Unix(1_900_000_000, 0)},
		Say:     func(text string) string { return "text " + text },
		Trouble: []string{"retry overloaded", "notice a warning"},
		Plant: func(t *testing.T, home, _, id string) {
			if err := os.MkdirAll(filepath.Join(home, ".fake-agent", id), 0o700); err != nil {
				t.Fatal(err)
			}
		},
		Skip: map[string]string{"the installed program": "its program is a script"},
		Tune: func(t *testing.T, tr *providertest.Turned) {
			script := filepath.Join(tr.State, "script")
			text := `exec "` + tr.Program + `" "$FAKE_SESSION" <"$PROMPT"`
			if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			tr.Program = script
			if err := os.MkdirAll(filepath.Join(stream.Get(tr.Env, "HOME"), ".fake-agent"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	})
}

func FuzzDecoder(f *testing.F) {
	providertest.Fuzz(f, func() stream.Decoder { return newDecoder(provider.Turn{}) })
}

// play runs a turn of a script in a home that turns can share.
func play(t *testing.T, home, script string, change func(*provider.Turn)) (provider.Result, []provider.Event) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"script": script, "prompt": "-n do it"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := process.Start(t.Context(), process.Options{Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	var events []provider.Event
	turn := provider.Turn{
		ID: "a.1", Dir: dir, Env: []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}, Program: filepath.Join(dir, "script"),
		PromptFile: filepath.Join(dir, "prompt"), Log: filepath.Join(dir, "log"), Session: session,
		Sink: func(e provider.Event) error { events = append(events, e); return nil },
	}
	if change != nil {
		change(&turn)
	}
	r, err := Fake{}.Turn(t.Context(), s, turn)
	if cerr := s.Close(t.Context()); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	return r, events
}

func TestScriptIsPlayed(t *testing.T) {
	r, events := play(t, t.TempDir(), `
		think "hm"
		edit sub/hello.txt "hello"
		test "$(cat sub/hello.txt)" = hello || fail failed "not written"
		test "$(cat "$PROMPT")" = "-n do it" || fail failed "another prompt"
		call 7 shell '{"command":"ls"}'
		broken 7 shell "no such file"
		usage 10 2
		deny shell
		say "two
lines \\ here"
	`, nil)
	if r.Kind != provider.KindRefused || r.Summary != "two\nlines \\ here" || r.Usage.Input != 10 || r.Usage.Priced {
		t.Errorf("%+v", r)
	}
	var said []string
	for _, e := range events {
		said = append(said, string(e.Kind))
	}
	want := "session thought tool_call edit tool_result tool_call tool_result usage text"
	if got := strings.Join(said, " "); got != want {
		t.Errorf("events %s, want %s", got, want)
	}
}

func TestSessionsAreKept(t *testing.T) {
	home := t.TempDir()
	script := `
		test "$FAKE_TURN" = 1 && { say first; kill -9 $$; }
		test -n "$FAKE_RESUME" || fail failed "not resumed"
		say "turn $FAKE_TURN after $(cat "$FAKE_FOLDER/1")"
	`
	resume := func(t *provider.Turn) { t.Resume = true }
	if r, _ := play(t, home, script, resume); r.Kind != provider.KindSession {
		t.Errorf("there is no session yet: %+v", r)
	}
	if r, _ := play(t, home, script, nil); r.Kind != provider.KindCrashed || r.Summary != "first" {
		t.Errorf("%+v", r)
	}
	if r, _ := play(t, home, script, resume); r.Kind != "" || r.Summary != "turn 2 after -n do it" {
		t.Errorf("%+v", r)
	}
}

func TestScriptsFail(t *testing.T) {
	for script, want := range map[string]provider.Kind{
		`fail limit "wait" 1900000000`: provider.KindLimit,
		`exit 3`:                       provider.KindFailed,
		`exit 0`:                       provider.KindCrashed,
		`kill -9 $$`:                   provider.KindCrashed,
	} {
		if r, _ := play(t, t.TempDir(), script, nil); r.Kind != want {
			t.Errorf("%s: %+v", script, r)
		}
	}
}
