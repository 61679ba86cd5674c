package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/commandlog"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// recorded writes a record of commands for a run.
func (f *fixture) recorded(run scheduler.RunID, entries ...commandlog.Entry) (path string) {
	f.t.Helper()
	dir, err := f.app.RunDir(string(run))
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		f.t.Fatal(err)
	}
	path = filepath.Join(dir, commandsFile)
	log, err := commandlog.Open(path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range entries {
		log.Add(e)
	}
	if err := log.Close(); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// someCommands are entries of every kind, one of them meant to do harm.
func someCommands() []commandlog.Entry {
	return []commandlog.Entry{
		{Time: noon, What: commandlog.Git, Task: "schema", Args: []string{"rev-parse", "HEAD"}, Took: 3 * time.Millisecond},
		{Time: noon, What: commandlog.Start, Task: "schema", ID: "schema.1", Args: []string{"sh", "-c", "make\x1b[2J \u202egnp"}},
		{Time: noon, What: commandlog.End, Task: "schema", ID: "schema.1", Args: []string{"sh", "-c", "make"}, Exit: 2, Took: 72 * time.Second},
		{Time: noon, What: commandlog.Git, Args: []string{"gc", "sk-" + strings.Repeat("a1", 20)}, Exit: -1},
		{Time: noon, What: commandlog.Lost, Count: 12},
	}
}

func TestLogsCommandsPrintsWhatWasRun(t *testing.T) {
	f := newFixture(t)
	run := f.seed(seeded{run: persistence.Run{State: scheduler.RunCompleted}})
	path := f.recorded(run.ID, someCommands()...)
	if err := os.WriteFile(path+commandlog.Aside, []byte(`{"time":"2026-05-01T11:00:00Z","what":"git","args":["init"],"exit":0}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"time":"2026-05-01T12:`); err != nil { // cut off by a crash
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	want := `11:00:00    exit 0       0ms  git init
12:00:00  schema  exit 0       3ms  git rev-parse HEAD
12:00:00  schema  start             sh -c 'make gnp'
12:00:00  schema  exit 2     1m12s  sh -c make
12:00:00          killed       0ms  git gc [redacted]
12:00:00                            12 more, which came too fast to be recorded
`
	if got := f.must(0, "logs", "--commands"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := f.must(0, "logs", "--commands", "-f", "-n", "2", string(run.ID)); strings.Count(got, "\n") != 2 || !strings.Contains(got, "12 more") {
		t.Errorf("the last two are\n%s", got)
	}
	if got := f.must(0, "logs", "--commands", "--jq", `select(.what=="end") | .exit, .took_ms`); got != "2\n72000\n" {
		t.Errorf("got %q", got)
	}
	for _, args := range [][]string{{"--raw"}, {"--attempt", "1"}, {"--search", "x"}, {"a", "b"}} {
		f.must(ExitUsage, append([]string{"logs", "--commands"}, args...)...)
	}
}

func TestLogsCommandsOfARunThatNobodyHasBegun(t *testing.T) {
	f := newFixture(t)
	f.seed(seeded{run: persistence.Run{}})
	f.must(ExitUsage, "logs", "--commands")
	if got := f.err.String(); !strings.Contains(got, "nothing is recorded of run 7f3c") || !strings.Contains(got, "hint: orc resume 7f3c") {
		t.Errorf("said %q", got)
	}
}

func TestTheRecordIsFollowedWhenItsFileIsPutAside(t *testing.T) {
	f := newFixture(t)
	path := f.recorded("7f3c", someCommands()[0])
	r, err := f.app.commandsOf("7f3c")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := r.last(0); err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	f.recorded("7f3c", someCommands()[1])
	if err := os.Rename(path, path+commandlog.Aside); err != nil {
		t.Fatal(err)
	}
	if list, err := r.next(); err != nil || len(list) != 1 || list[0].What != commandlog.Start {
		t.Fatalf("while there is none: %v, %v", list, err)
	}
	f.recorded("7f3c", someCommands()[2:]...)
	if list, err := r.next(); err != nil || len(list) != 3 || list[0].What != commandlog.End {
		t.Fatalf("of the next file: %v, %v", list, err)
	}
	if list, err := r.next(); err != nil || len(list) != 0 {
		t.Fatalf("again: %v, %v", list, err)
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheTaskOfACommand(t *testing.T) {
	for id, want := range map[string]string{
		"schema.1": "schema", "a.b.2": "a.b", "v1.2.12.v3": "v1.2", "x.1.setup": "x", "x.3.t2": "x", "probe": "", "a.1.2.t2.x": "a.1",
	} {
		if got := taskOf(id); got != want {
			t.Errorf("%s is of %q, want %q", id, got, want)
		}
	}
}
