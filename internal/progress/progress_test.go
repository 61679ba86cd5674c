package progress

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", path, diff)
	}
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(minutes, seconds int) time.Time {
	return start.Add(time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second)
}

func seed() view.Seed {
	return view.Seed{
		ID: "7f3c", Name: "add-oauth", Branch: "orc/7f3c", Base: "1c9e2ab4d5", BaseRef: "main", Concurrency: 4,
		Tasks: []view.SeedTask{
			{ID: "schema", Agent: "codex"},
			{ID: "oauth-client", Agent: "claude", Needs: []string{"schema"}, Attempts: 3},
			{ID: "docs", Agent: "gemini", Needs: []string{"schema"}, Attempts: 2},
			{ID: "publish-docs", Needs: []string{"docs"}},
			{ID: "handlers", Agent: "claude", Needs: []string{"oauth-client"}},
			{ID: "e2e", Agent: "codex", Needs: []string{"handlers"}},
		},
	}
}

func numbered(events ...event.Event) []event.Event {
	for i := range events {
		events[i].Seq, events[i].Run = int64(i+1), "7f3c"
	}
	return events
}

func ev(min, sec int, kind event.Kind, task string, attempt int, d event.Detail) event.Event {
	return event.Event{Time: at(min, sec), Kind: kind, Task: task, Attempt: attempt, Detail: d}
}

// story is a run in which docs fails, which is allowed or not.
func story(allowed bool) []event.Event {
	state, counts := "failed", map[string]int{"completed": 4, "failed": 1, "skipped": 1}
	return numbered(
		ev(0, 0, event.RunStarted, "", 0, event.Detail{Name: "add-oauth", Branch: "orc/7f3c", Base: "1c9e2ab4d5", Total: 6, Concurrency: 4}),
		ev(0, 0, event.TaskEligible, "schema", 0, event.Detail{}),
		ev(0, 0, event.TaskStarted, "schema", 1, event.Detail{Agent: "codex", Attempts: 1}),
		ev(0, 1, event.TaskPhase, "schema", 1, event.Detail{Phase: "working"}),
		ev(2, 12, event.TaskCompleted, "schema", 1, event.Detail{Commit: "a1", Files: 4, Additions: 184, Deletions: 2, Gates: 1, DurationMS: 132000}),
		ev(2, 18, event.TaskStarted, "oauth-client", 1, event.Detail{Agent: "claude", Attempts: 3}),
		ev(2, 18, event.TaskPhase, "oauth-client", 1, event.Detail{Phase: "working"}),
		ev(2, 20, event.TaskStarted, "docs", 1, event.Detail{Agent: "gemini", Attempts: 2}),
		ev(7, 0, event.TaskRetrying, "docs", 1, event.Detail{Error: "verify failed: make docs-lint", ExitCode: new(2)}),
		ev(7, 1, event.TaskStarted, "docs", 2, event.Detail{Agent: "gemini", Attempts: 2}),
		ev(9, 40, event.TaskFailed, "docs", 2, event.Detail{
			Error: "verify failed: make docs-lint", ExitCode: new(2), Allowed: allowed, Files: 1, Additions: 3,
			Ref:    "refs/orc/7f3c/task/docs/2",
			Output: "docs/auth.md:12: \x1b[31mbroken link\x1b[0m\n\nmake: *** [docs-lint] Error 2\n",
		}),
		ev(9, 40, event.TaskSkipped, "publish-docs", 0, event.Detail{Reason: "needs docs"}),
		ev(10, 0, event.TaskInterrupted, "oauth-client", 1, event.Detail{Action: "goes on in its workspace"}),
		ev(10, 1, event.TaskStarted, "oauth-client", 2, event.Detail{Agent: "claude", Attempts: 3}),
		ev(12, 0, event.TaskConflict, "oauth-client", 2, event.Detail{Status: "running", Paths: []string{"a.go", "b.go", "c.go", "d.go", "e.go"}}),
		ev(13, 0, event.TaskReset, "oauth-client", 0, event.Detail{Status: "eligible", Reason: "asked for by a person"}),
		ev(13, 1, event.TaskStarted, "oauth-client", 3, event.Detail{Agent: "claude", Attempts: 3}),
		ev(14, 0, event.Notice, "", 0, event.Detail{Message: "disk is nearly full\x07"}),
		ev(14, 0, event.Notice, "handlers", 0, event.Detail{Message: "writes overlap"}),
		ev(15, 0, event.TaskCompleted, "oauth-client", 3, event.Detail{Commit: "a2", Files: 1, Additions: 1, DurationMS: 119000}),
		ev(16, 0, event.TaskStarted, "handlers", 1, event.Detail{}),
		ev(16, 30, event.TaskCompleted, "handlers", 1, event.Detail{DurationMS: 30000}),
		ev(16, 30, event.TaskStarted, "e2e", 1, event.Detail{}),
		ev(31, 5, event.TaskCompleted, "e2e", 1, event.Detail{DurationMS: 875000, Gates: 2}),
		ev(31, 5, event.RunFinished, "", 0, event.Detail{State: state, Counts: counts, DurationMS: 1865000}),
	)
}

func show(t *testing.T, d Display, events []event.Event) {
	t.Helper()
	for _, e := range events {
		if err := d.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPlainHasOneLinePerChange(t *testing.T) {
	var out bytes.Buffer
	show(t, NewPlain(Options{Out: &out, Run: view.New(seed())}), story(true))
	golden(t, "plain.golden", out.String())
}

func TestQuietSaysFailuresAndTheEnd(t *testing.T) {
	var out bytes.Buffer
	show(t, NewQuiet(Options{Out: &out, Run: view.New(seed())}), story(false))
	golden(t, "quiet.golden", out.String())
}

func TestPlainWithoutASeedShowsTheSameChanges(t *testing.T) {
	var out bytes.Buffer
	show(t, NewPlain(Options{Out: &out}), story(true))
	if got := strings.Count(out.String(), "\n"); got != 22 {
		t.Errorf("%d lines:\n%s", got, out.String())
	}
}

func TestPlainGoesOnAfterTheHistoryThatItsViewHolds(t *testing.T) {
	events := story(true)
	run := view.New(seed())
	for _, e := range events[:len(events)-1] {
		run.Fold(e)
	}
	var out bytes.Buffer
	show(t, NewPlain(Options{Out: &out, Run: run}), append(events, events...))
	want := "31:05 run 7f3c        failed   4 done, 1 failed (allowed), 1 skipped, 31m05s\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestPlainSaysHowARunStops(t *testing.T) {
	for name, c := range map[string]struct {
		end  event.Event
		want string
	}{
		"paused":    {ev(1, 0, event.RunPaused, "", 0, event.Detail{Reason: "interrupted"}), "01:00 run 7f3c        paused   interrupted, 6 to go\n"},
		"waiting":   {ev(1, 0, event.RunWaiting, "", 0, event.Detail{}), "01:00 run 7f3c        waiting  6 to go\n"},
		"cancelled": {ev(1, 0, event.RunFinished, "", 0, event.Detail{State: "canceled"}), "01:00 run 7f3c        cancelled 6 to go, 1m00s\n"},
		"broken":    {ev(1, 0, event.RunFinished, "", 0, event.Detail{State: "failed", Error: "disk full"}), "01:00 run 7f3c        failed   disk full, 6 to go, 1m00s\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			show(t, NewPlain(Options{Out: &out, Run: view.New(seed())}), numbered(ev(0, 0, event.RunStarted, "", 0, event.Detail{}), c.end))
			if _, last, _ := strings.Cut(out.String(), "\n"); last != c.want {
				t.Errorf("got %q, want %q", last, c.want)
			}
		})
	}
}

func TestARunningTaskIsHeardOfOnceAMinute(t *testing.T) {
	var out bytes.Buffer
	d := NewPlain(Options{
		Out: &out, Run: view.New(seed()),
		Tail: func(string) string { return "\x1b[32mEdit\x1b[0m internal/oauth/client.go\r\n" },
	})
	show(t, d, numbered(
		ev(0, 0, event.RunStarted, "", 0, event.Detail{Total: 6, Concurrency: 4}),
		ev(2, 18, event.TaskStarted, "oauth-client", 1, event.Detail{Agent: "claude", Attempts: 3}),
		ev(2, 19, event.TaskPhase, "oauth-client", 1, event.Detail{Phase: "working"}),
	))
	out.Reset()
	for s := 2*60 + 18; s <= 5*60; s++ {
		d.Tick(at(0, s))
	}
	if err := d.Event(event.Event{Seq: 4, Time: at(5, 1), Kind: event.TaskPhase, Task: "oauth-client", Detail: event.Detail{Phase: "verifying"}}); err != nil {
		t.Fatal(err)
	}
	for s := 5*60 + 2; s <= 5*60+30; s++ {
		d.Tick(at(0, s))
	}
	want := `03:18 oauth-client    working  1m00s, last: Edit internal/oauth/client.go
04:18 oauth-client    working  2m00s, last: Edit internal/oauth/client.go
05:18 oauth-client    working  3m00s, verifying, last: Edit internal/oauth/client.go
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLongOutputIsCutInAHeartbeat(t *testing.T) {
	var out bytes.Buffer
	d := NewPlain(Options{Out: &out, Heartbeat: time.Second, Tail: func(string) string { return strings.Repeat("語", 1<<20) }})
	show(t, d, numbered(ev(0, 0, event.RunStarted, "", 0, event.Detail{}), ev(0, 0, event.TaskStarted, "a", 1, event.Detail{})))
	out.Reset()
	d.Tick(at(0, 1))
	if got := len([]rune(out.String())); got > 200 || !strings.HasSuffix(out.String(), "...\n") {
		t.Errorf("%d characters: %.300q", got, out.String())
	}
}

func TestHostileTextReachesNoTerminal(t *testing.T) {
	const evil = "\x1b]0;owned\x07\x1b[2J\u202etxt\u009b31m\r\nnext\xff\U000e0041"
	s := view.Seed{ID: "7f3c", Name: evil, BaseRef: evil, Tasks: []view.SeedTask{{ID: "a", Name: evil, Agent: evil}}}
	events := numbered(
		ev(0, 0, event.RunStarted, "", 0, event.Detail{Name: evil, Branch: evil, Base: evil}),
		ev(0, 0, event.TaskStarted, "a", 1, event.Detail{Agent: evil}),
		ev(0, 1, event.TaskRetrying, "a", 1, event.Detail{Error: evil, Output: evil}),
		ev(0, 1, event.TaskInterrupted, "a", 1, event.Detail{Action: evil}),
		ev(0, 1, event.TaskConflict, "a", 1, event.Detail{Paths: []string{evil}, Error: evil}),
		ev(0, 1, event.TaskReset, "a", 1, event.Detail{Reason: evil}),
		ev(0, 1, event.TaskSkipped, evil, 1, event.Detail{Reason: evil}),
		ev(0, 1, event.Notice, "", 1, event.Detail{Message: evil}),
		ev(0, 1, event.TaskFailed, "a", 1, event.Detail{Error: evil, Output: evil, Ref: evil}),
		ev(0, 1, event.RunFinished, "", 0, event.Detail{State: "failed", Error: evil, Reason: evil}),
	)
	var plain, ndjson bytes.Buffer
	run := view.New(s)
	show(t, NewPlain(Options{Out: &plain, Run: run}), events)
	show(t, NewJSON(&ndjson, 0), events)
	if err := Summary(&plain, run, Closing{Workspaces: map[string]string{"a": evil}}); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"plain": plain.String(), "json": ndjson.String()} {
		if clean := view.Sanitize(text); clean != text {
			t.Errorf("%s has something to remove:\n%q", name, text)
		}
	}
	if strings.Contains(plain.String(), "\nnext") {
		t.Error("a line was broken by its content")
	}
}

// broken fails after so many writes.
type broken struct{ left int }

var errPipe = errors.New("broken pipe")

func (b *broken) Write(p []byte) (int, error) {
	if b.left--; b.left < 0 {
		return 0, errPipe
	}
	return len(p), nil
}

func TestAWriterThatFailsIsReported(t *testing.T) {
	events := story(false)
	for name, open := range map[string]func(*broken) Display{
		"plain": func(w *broken) Display { return NewPlain(Options{Out: w, Run: view.New(seed())}) },
		"quiet": func(w *broken) Display { return NewQuiet(Options{Out: w, Run: view.New(seed())}) },
		"json":  func(w *broken) Display { return NewJSON(w, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &broken{left: 1}
			d := open(w)
			var err error
			for _, e := range events {
				if err = d.Event(e); err != nil {
					break
				}
			}
			if !errors.Is(err, errPipe) || !errors.Is(d.Event(events[0]), errPipe) || !errors.Is(d.Close(), errPipe) {
				t.Errorf("Event: %v, Close: %v", err, d.Close())
			}
			if w.left != -1 {
				t.Errorf("%d writes after the error", -1-w.left)
			}
		})
	}
}

func TestAHeartbeatThatCannotBeWrittenIsReportedByTheNextCall(t *testing.T) {
	d := NewPlain(Options{Out: &broken{left: 2}})
	show(t, d, nil)
	for _, e := range numbered(ev(0, 0, event.RunStarted, "", 0, event.Detail{}), ev(0, 0, event.TaskStarted, "a", 1, event.Detail{})) {
		if err := d.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	d.Tick(at(5, 0))
	if err := d.Close(); !errors.Is(err, errPipe) {
		t.Errorf("Close: %v", err)
	}
	if err := Summary(&broken{}, view.New(seed()), Closing{}); !errors.Is(err, errPipe) {
		t.Errorf("Summary: %v", err)
	}
}
