package providertest

import (
	"context"
	"errors"
	"math"
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

func testFirst(t *testing.T, s Suite) {
	tr := s.New(t, "first")
	r := s.play(t, tr)
	wantWell(t, r)
	if !strings.Contains(r.Summary, s.Said) {
		t.Errorf("last words %q, want %q among them", r.Summary, s.Said)
	}
	if r.Session == "" || s.Agent.NewSession() == "" && r.Session != s.Session {
		t.Errorf("session %q, want %q", r.Session, s.Session)
	}
	wantUsage(t, r.Usage, s.First)
	for _, kind := range []provider.EventKind{
		provider.EventSession, provider.EventText, provider.EventToolCall, provider.EventToolResult,
	} {
		if len(tr.of(kind)) == 0 {
			t.Errorf("no event %q", kind)
		}
	}
	if !edits(tr.Events, s.Edited) {
		t.Errorf("nothing says that %s was changed", s.Edited)
	}
	if st, err := os.Stat(tr.Log); err != nil || r.End != st.Size() {
		t.Errorf("end %d of the log, which is %v, %v", r.End, st, err)
	}
	wantInOrder(t, tr.Events)
	wantJoined(t, tr.Events)
}

// wantUsage compares usage; differences of money are those of binary fractions.
func wantUsage(t *testing.T, got, want provider.Usage) {
	t.Helper()
	if math.Abs(got.Cost-want.Cost) < 1e-9 {
		got.Cost = want.Cost
	}
	if got != want {
		t.Errorf("usage %+v, want %+v", got, want)
	}
}

// edits says whether a file was changed by an edit, or by a tool that was called with its name.
func edits(events []provider.Event, name string) bool {
	for _, e := range events {
		for _, p := range e.Paths {
			if filepath.Base(p) == name {
				return true
			}
		}
		if e.Kind == provider.EventToolCall && strings.Contains(e.Input, name) {
			return true
		}
	}
	return false
}

func wantInOrder(t *testing.T, events []provider.Event) {
	t.Helper()
	for i := 1; i < len(events); i++ {
		a, b := events[i-1], events[i]
		if b.Offset < a.Offset || b.Offset == a.Offset && b.Index != a.Index+1 || b.Offset > a.Offset && b.Index != 0 {
			t.Errorf("event %d at (%d,%d) follows one at (%d,%d)", i, b.Offset, b.Index, a.Offset, a.Index)
		}
	}
}

// wantJoined checks that each result belongs to a call.
func wantJoined(t *testing.T, events []provider.Event) {
	t.Helper()
	calls := map[string]string{}
	for _, e := range events {
		switch e.Kind {
		case provider.EventToolCall:
			calls[e.Call] = e.Tool
		case provider.EventToolResult:
			if tool, ok := calls[e.Call]; !ok || tool == "" || tool != e.Tool {
				t.Errorf("result of %q (%s) belongs to no call", e.Tool, e.Call)
			}
		}
	}
}

func testStreaming(t *testing.T, s Suite) {
	tr := s.New(t, "first")
	tr.Script.Gate = strings.LastIndexByte(strings.TrimSuffix(tr.Script.Out, "\n"), '\n') + 1
	keep := tr.Sink
	tr.Sink = func(e provider.Event) error {
		if e.Kind == provider.EventText { // only an event that came while it runs lets it go on
			if err := os.WriteFile(filepath.Join(tr.Script.Dir, "gate"), nil, 0o600); err != nil {
				return err
			}
		}
		return keep(e)
	}
	wantWell(t, s.play(t, tr))
}

func testSecond(t *testing.T, s Suite) {
	tr := s.New(t, "second").resume(s.Session)
	r := s.play(t, tr)
	wantWell(t, r)
	if r.Session != s.Session {
		t.Errorf("session %q, want %q", r.Session, s.Session)
	}
	if s.Talk == "" && !strings.Contains(strings.Join(tr.Given.Argv, " "), s.Session) {
		t.Errorf("the session is not among the arguments %q", tr.Given.Argv)
	}
}

func testKinds(t *testing.T, s Suite) {
	for _, class := range []provider.Kind{
		provider.KindAuth, provider.KindLimit, provider.KindTransient, provider.KindModel, provider.KindContext,
	} {
		if !hasKind(s.Kinds, class) {
			t.Errorf("no capture of %q", class)
		}
	}
	if s.Kinds["connection"] != provider.KindTransient && s.Agent.Name() != "fake" {
		t.Error("no capture of a connection that was refused")
	}
	if len(s.Resets) == 0 {
		t.Error("no capture of a limit that says when it ends")
	}
	for name, kind := range s.Kinds {
		t.Run(name, func(t *testing.T) {
			tr := s.New(t, name)
			r := s.play(t, tr)
			wantKind(t, r, kind)
			if want := s.Resets[name]; !r.RetryAt.Equal(want) {
				t.Errorf("not before %s, want %s", r.RetryAt, want)
			}
		})
	}
}

func hasKind(kinds map[string]provider.Kind, kind provider.Kind) bool {
	for _, k := range kinds {
		if k == kind {
			return true
		}
	}
	return false
}

func testQuotaText(t *testing.T, s Suite) {
	tr := s.New(t, "quota")
	r := s.play(t, tr)
	wantWell(t, r)
	if !strings.Contains(strings.ToLower(r.Summary), "limit") {
		t.Errorf("the capture says nothing of a limit: %q", r.Summary)
	}
}

func testUnknownSession(t *testing.T, s Suite) {
	tr := s.New(t, "unknown").resume("99999999-2222-4333-8444-555555555555")
	wantKind(t, s.play(t, tr), provider.KindSession)
	if len(tr.of(provider.EventSession)) > 0 && tr.of(provider.EventSession)[0].Session != tr.Session {
		t.Errorf("another session is told as this task's: %+v", tr.of(provider.EventSession))
	}
}

func testCancel(t *testing.T, s Suite) {
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	tr := s.New(t, "killed")
	tr.Script.Kill, tr.Script.Hang = false, true
	keep := tr.Sink
	tr.Sink = func(e provider.Event) error {
		if e.Kind == provider.EventToolCall {
			cancel(enough)
		}
		return keep(e)
	}
	r, err := s.try(t, ctx, tr)
	if !errors.Is(err, enough) {
		t.Fatalf("got %v, want the cause", err)
	}
	if r.Session == "" {
		t.Error("the session of a canceled turn is forgotten")
	}
}

func testInvalidText(t *testing.T, s Suite) {
	tr := s.New(t, "first")
	tr.insert(s.Say("bro\xff\xfeken"), "\xff\xfe\x00\x80")
	wantWell(t, s.play(t, tr))
	said := false
	for _, e := range tr.Events {
		if !utf8.ValidString(e.Text) || !utf8.ValidString(e.Input) {
			t.Errorf("invalid text in %+v", e)
		}
		said = said || strings.Contains(e.Text, "bro") && strings.Contains(e.Text, "ken")
	}
	if !said {
		t.Error("what was around the invalid bytes is lost")
	}
}

func testCutOff(t *testing.T, s Suite) {
	tr := s.New(t, "first")
	end := len(strings.TrimSuffix(tr.Script.Out, "\n"))
	tr.Script.Out = tr.Script.Out[:end-(end-strings.LastIndexByte(tr.Script.Out[:end], '\n'))/2]
	r := s.play(t, tr)
	if r.Kind == "" {
		t.Error("a turn whose last event was cut off counts as a success")
	}
	if s.Talk == "" && r.Kind != provider.KindCrashed {
		t.Errorf("got %q (%s)", r.Kind, r.Error)
	}
}

func testLongPrompt(t *testing.T, s Suite) {
	tr := s.New(t, "first")
	tr.Turn.Prompt = strings.Repeat("p", 1<<20)
	wantWell(t, s.play(t, tr))
	wantPrompt(t, s, tr)
}

func wantPrompt(t *testing.T, s Suite, tr *Turned) {
	t.Helper()
	got := tr.Given.Stdin
	if s.Prompt != nil {
		got = s.Prompt(got)
	}
	if got != tr.Turn.Prompt {
		t.Errorf("a prompt of %d bytes came as %d: %.40q", len(tr.Turn.Prompt), len(got), got)
	}
}

func testUnknownEvents(t *testing.T, s Suite) {
	tr := s.New(t, "first")
	plain := s.play(t, tr)
	odd := s.New(t, "first")
	odd.insert(
		`{"type":"event_of_next_year","item":7,"message":[1],"part":"x","session_id":{}}`, `{"type":9}`, `{}`, `[]`, `42`,
		`null`, `"text"`, ``, `{"type":"system"}`, `{"type":"item.completed","item":{"type":"hologram"}}`, `plain words`,
	)
	strange := s.play(t, odd)
	ignored := func(r *provider.Result) { r.End = 0; r.Session = "" }
	ignored(&plain)
	ignored(&strange)
	if diff := cmp.Diff(plain, strange); diff != "" {
		t.Errorf("unknown events change the result (-without +with):\n%s", diff)
	}
}

func testFinish(t *testing.T, s Suite) {
	for _, name := range []string{"first", "killed"} {
		tr := s.New(t, name)
		if err := os.WriteFile(tr.Log, []byte("what an earlier turn left, cut off: {\"ty"), 0o600); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(tr.Log)
		if err != nil {
			t.Fatal(err)
		}
		watched := s.play(t, tr)
		exit := process.Exit{Code: tr.Script.Code}
		if tr.Script.Kill {
			exit = process.Exit{Code: 137, Signal: "SIGKILL"}
		}
		again := *tr
		again.Events, again.Start, again.From = nil, st.Size(), 0
		again.Sink = func(e provider.Event) error { again.Events = append(again.Events, e); return nil }
		r, err := s.Agent.Finish(again.Turn, exit)
		if err != nil {
			t.Fatal(err)
		}
		if s.Talk != "" {
			watched.ExitCode, r.ExitCode = nil, nil
		}
		if diff := cmp.Diff(watched, r); diff != "" {
			t.Errorf("%s: judged differently afterwards (-watched +afterwards):\n%s", name, diff)
		}
		if diff := cmp.Diff(tr.Events, again.Events); diff != "" {
			t.Errorf("%s: other events afterwards (-watched +afterwards):\n%s", name, diff)
		}
	}
}

func testFinishFrom(t *testing.T, s Suite) {
	tr := s.New(t, "first")
	whole := s.play(t, tr)
	for i, e := range tr.Events {
		var rest []provider.Event
		again := tr.Turn
		again.From = e.Offset
		again.Sink = func(e provider.Event) error { rest = append(rest, e); return nil }
		r, err := s.Agent.Finish(again, process.Exit{Lost: true})
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind != "" || r.Usage != whole.Usage || r.Summary != whole.Summary {
			t.Errorf("after event %d: %+v", i, r)
		}
		if diff := cmp.Diff(tr.Events[i-e.Index:], rest); diff != "" {
			t.Errorf("after event %d (-want +got):\n%s", i, diff)
		}
	}
}

func testSinkRefuses(t *testing.T, s Suite) {
	full := errors.New("disk full")
	tr := s.New(t, "killed")
	tr.Script.Kill, tr.Script.Hang = false, true
	calls := 0
	tr.Sink = func(provider.Event) error { calls++; return full }
	if _, err := s.try(t, t.Context(), tr); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if calls != 1 {
		t.Errorf("a sink that refused was asked %d times", calls)
	}
}

func testMissingProgram(t *testing.T, s Suite) {
	tr := s.New(t, "first")
	tr.Program = "no-such-agent"
	r := s.play(t, tr)
	wantKind(t, r, provider.KindInvalid)
	if !strings.Contains(r.Error, "no-such-agent") {
		t.Errorf("%q does not name the program", r.Error)
	}
}

func testOutputLimit(t *testing.T, s Suite) {
	tr := s.New(t, "killed")
	tr.Script.Kill, tr.Script.Hang = false, true
	tr.OutputLimit = 100
	wantKind(t, s.play(t, tr), provider.KindOutput)
}

func testHasSession(t *testing.T, s Suite) {
	tr := s.New(t, "first").resume(s.Session)
	tr.prepare(t)
	if has, err := s.Agent.HasSession(t.Context(), tr.Turn); has || err != nil {
		t.Errorf("a session in an empty home: %v, %v", has, err)
	}
	s.Plant(t, stream.Get(tr.Env, "HOME"), tr.Dir, s.Session)
	if has, err := s.Agent.HasSession(t.Context(), tr.Turn); !has || err != nil {
		t.Errorf("a session that is there: %v, %v", has, err)
	}
	for _, odd := range []string{"", "*", "../" + s.Session, "no-such-session", "11111111-0000-4333-8444-000000000000"} {
		tr.Session = odd
		if has, err := s.Agent.HasSession(t.Context(), tr.Turn); has || err != nil {
			t.Errorf("session %q: %v, %v", odd, has, err)
		}
	}
}

func testInspect(t *testing.T, s Suite) {
	tr := s.New(t, "first")
	tr.Script = Script{Out: "agent 12.34.56 (of today)\n", Dir: tr.Script.Dir}
	tr.prepare(t)
	in, err := s.Agent.Inspect(t.Context(), tr.Program, tr.Env)
	if err != nil || in.Path != tr.Program || in.Version != "12.34.56" {
		t.Errorf("%+v, %v", in, err)
	}
	if in.Login == provider.LoginMissing && in.Fix == "" {
		t.Error("nobody is told how to log in")
	}
	in, err = s.Agent.Inspect(t.Context(), "", []string{"PATH=" + t.TempDir(), "HOME=" + t.TempDir()})
	if err != nil || in.Path != "" || in.Fix == "" {
		t.Errorf("not installed: %+v, %v", in, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	cancel()
	if _, err = s.Agent.Inspect(ctx, tr.Program, tr.Env); err == nil {
		t.Error("an inspection that was canceled knows a version")
	}
}
