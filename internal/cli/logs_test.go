package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// logged is a run whose task "docs" has made two attempts, each with a log.
func logged(f *fixture, status scheduler.TaskStatus, first, second string) (logs [2]string) {
	f.t.Helper()
	for i, text := range []string{first, second} {
		path, err := f.app.logPath("7f3c", "docs", i+1)
		if err != nil {
			f.t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			f.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			f.t.Fatal(err)
		}
		logs[i] = path
	}
	last := persistence.Attempt{Task: "docs", Number: 2, Phase: scheduler.PhaseWorking, StartedAt: noon, Log: logs[1]}
	if status.Terminal() {
		last.Phase, last.EndedAt = scheduler.PhaseDone, noon
	}
	f.seed(seeded{
		tasks: []*scheduler.Task{{ID: "docs", Command: "x", Status: status}, {ID: "later", Command: "x", Status: scheduler.TaskPending}},
		attempts: []persistence.Attempt{
			{Task: "docs", Number: 1, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeFailed, StartedAt: noon, EndedAt: noon, Log: logs[0]},
			last,
		},
	})
	return logs
}

func TestLogsPrintsTheLastAttempt(t *testing.T) {
	f := newFixture(t)
	logged(f, scheduler.TaskCompleted, "first\n", "\x1b[31mred\x1b[0m\r\n10%\r100%\nno end")
	for args, want := range map[string]string{
		"docs":                           "red\n100%\nno end\n",
		"docs --raw":                     "\x1b[31mred\x1b[0m\r\n10%\r100%\nno end",
		"docs --attempt 1":               "first\n",
		"docs -n 1":                      "no end\n",
		"docs -n 2":                      "100%\nno end\n",
		"7f3c docs -n 0":                 "red\n100%\nno end\n",
		"docs -f":                        "red\n100%\nno end\n",
		"docs --json=line -n 1":          `{"schema":1,"line":"no end"}` + "\n",
		"docs --jq .attempt --attempt 1": "1\n",
	} {
		if got := f.must(ExitOK, append([]string{"logs"}, strings.Fields(args)...)...); got != want {
			t.Errorf("orc logs %s: got %q, want %q", args, got, want)
		}
	}
	f.must(ExitUsage, "logs", "later")
	if !strings.Contains(f.err.String(), "later has not started: it is waiting") {
		t.Error(f.err.String())
	}
	f.must(ExitUsage, "logs", "docs", "--attempt", "3")
	f.must(ExitUsage, "logs", "docs", "--raw", "--json")
	f.must(ExitUsage, "logs", "docs", "-n", "-4")
}

func TestLogsOnATerminalShowsTheEnd(t *testing.T) {
	f := newFixture(t)
	logged(f, scheduler.TaskCompleted, "", strings.Repeat("x\n", 2000))
	f.app.Environ = append(f.app.Environ, "ORC_FORCE_TTY=1", "NO_COLOR=1")
	if n := strings.Count(f.must(ExitOK, "logs", "docs"), "\n"); n != screenLines {
		t.Errorf("%d lines", n)
	}
	if !strings.Contains(f.err.String(), "-n 0") {
		t.Errorf("nothing says that there is more: %q", f.err.String())
	}
	if n := strings.Count(f.must(ExitOK, "logs", "docs", "-n", "0"), "\n"); n != 2000 {
		t.Errorf("%d lines with -n 0", n)
	}
}

func TestLogsFollowsAcrossARetryUntilTheTaskIsOver(t *testing.T) {
	f := newFixture(t)
	logs := logged(f, scheduler.TaskRunning, "first\n", "second: begin\n")
	f.holdOwner("7f3c")
	out, in := io.Pipe()
	f.app.Stdout = in
	f.countLooks()
	ended := make(chan int, 1)
	go func() {
		code := Main(context.Background(), f.app, []string{"logs", "docs", "-f"})
		in.Close()
		ended <- code
	}()
	read := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(out, got); err != nil || string(got) != want {
			t.Fatalf("got %q (%v), want %q", got, err, want)
		}
	}
	read("second: begin\n")
	appendTo(t, logs[1], "half a ")
	appendTo(t, logs[1], "line\n")
	read("half a line\n")

	third := strings.Replace(logs[1], ".2.log", ".3.log", 1)
	f.apply("7f3c", persistence.Transition{Attempts: []persistence.Attempt{
		{Task: "docs", Number: 2, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeFailed, StartedAt: noon, EndedAt: noon, Log: logs[1]},
	}})
	f.waitLooks(3) // an ended attempt is not printed again while nothing follows it
	appendTo(t, third, "third\n")
	f.apply("7f3c", persistence.Transition{Attempts: []persistence.Attempt{
		{Task: "docs", Number: 3, Phase: scheduler.PhaseWorking, StartedAt: noon, Log: third},
	}})
	read("third\n")
	appendTo(t, third, "the end")
	f.apply("7f3c", persistence.Transition{
		Tasks: []persistence.TaskChange{{Task: "docs", From: scheduler.TaskRunning, To: scheduler.TaskCompleted}},
		Attempts: []persistence.Attempt{
			{Task: "docs", Number: 3, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeSucceeded, StartedAt: noon, EndedAt: noon, Log: third},
		},
	})
	read("the end\n")
	if code := <-ended; code != ExitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestLogsStopsFollowingARunThatStopped(t *testing.T) {
	f := newFixture(t)
	logged(f, scheduler.TaskRunning, "first\n", "second\n")
	f.must(ExitInterrupted, "logs", "docs", "-f")
	if f.out.String() != "second\n" || !strings.Contains(f.err.String(), "orc resume 7f3c") {
		t.Errorf("stdout %q, stderr %q", f.out.String(), f.err.String())
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
