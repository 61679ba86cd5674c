package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// failing is a run in which most things happened: done, failed with a dependent, skipped, allowed to fail.
func failing() seeded {
	at := func(m int) time.Time { return noon.Add(time.Duration(m-20) * time.Minute) }
	return seeded{
		run: persistence.Run{State: scheduler.RunFailed, Error: "oauth-client failed"},
		tasks: []*scheduler.Task{
			{ID: "schema", Name: "Users and sessions tables", AgentRole: "codex", Prompt: "Add migrations.", Status: scheduler.TaskCompleted, Result: new("two tables"), WritesFiles: []string{"migrations/**"}},
			{ID: "oauth-client", AgentRole: "claude", Prompt: "Write the client.\nUse PKCE.", DependsOn: []scheduler.TaskID{"schema"}, Attempts: 3, Timeout: 45 * time.Minute, Verify: []string{"go test ./internal/oauth/..."}, Status: scheduler.TaskFailed, Error: "verify failed: go test ./internal/oauth/...  exit 1"},
			{ID: "docs", Command: "make docs", DependsOn: []scheduler.TaskID{"schema"}, FailureMode: scheduler.FailSoft, Status: scheduler.TaskFailed, Error: "make docs: exit 2"},
			{ID: "handlers", AgentRole: "claude", Prompt: "Wire.", DependsOn: []scheduler.TaskID{"oauth-client"}, Status: scheduler.TaskSkipped, Error: "needs oauth-client"},
			{ID: "e2e", Prompt: "Test.", AgentRole: "claude", DependsOn: []scheduler.TaskID{"handlers"}, Status: scheduler.TaskSkipped, Error: "needs handlers"},
		},
		attempts: []persistence.Attempt{
			{Task: "schema", Number: 1, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeSucceeded, StartedAt: at(0), EndedAt: at(2).Add(12 * time.Second), Saved: strings.Repeat("a", 40), SavedRef: "refs/orc/7f3c/task/schema/1", MergeOld: strings.Repeat("b", 40), MergeNew: strings.Repeat("c", 40), Files: 4, Additions: 184, Deletions: 2, ExitCode: new(0), Workspace: "/w/schema", Cleaned: true, Log: "/nowhere/schema.1.log"},
			{Task: "docs", Number: 1, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeFailed, Error: "make docs: exit 2", StartedAt: at(3), EndedAt: at(4), ExitCode: new(2)},
			{Task: "oauth-client", Number: 1, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeFailed, Error: "verify failed: go test ./internal/oauth/...  exit 1", StartedAt: at(3), EndedAt: at(5), ExitCode: new(1)},
			{Task: "oauth-client", Number: 2, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeFailed, Error: "verify failed: go test ./internal/oauth/...  exit 1", Output: "--- FAIL: TestExchange/pkce (0.02s)\n    client_test.go:88: got \"invalid_grant\", want token\n", Note: "use S256", StartedAt: at(6), EndedAt: at(18), ExitCode: new(1), Isolation: scheduler.IsolationClone, Workspace: "/w/oauth-client", Saved: strings.Repeat("d", 40), SavedRef: "refs/orc/7f3c/task/oauth-client/2", Files: 5, Additions: 96, Deletions: 11, Conflicts: nil},
		},
		turns: []persistence.TaskTurn{
			{Task: "oauth-client", ConversationTurn: persistence.ConversationTurn{Role: "user", Content: "Write the client.", Timestamp: at(3), Attempt: 1}},
			{Task: "oauth-client", ConversationTurn: persistence.ConversationTurn{Role: "assistant", Content: "Done \x1b[31mindeed.", Timestamp: at(5), Attempt: 1}},
		},
	}
}

// going is a run under way.
func going() seeded {
	return seeded{
		leased: true,
		tasks: []*scheduler.Task{
			{ID: "build", AgentRole: "coder", Prompt: "x", Status: scheduler.TaskRunning, Attempts: 2},
			{ID: "test", Command: "make test", Status: scheduler.TaskEligible},
			{ID: "merge-me", Command: "make x", Status: scheduler.TaskRunning},
			{ID: "ship", Command: "make ship", DependsOn: []scheduler.TaskID{"build", "test"}, Status: scheduler.TaskPending},
		},
		attempts: []persistence.Attempt{
			{Task: "build", Number: 1, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeFailed, StartedAt: noon.Add(-10 * time.Minute), EndedAt: noon.Add(-9 * time.Minute)},
			{Task: "build", Number: 2, Phase: scheduler.PhaseVerifying, StartedAt: noon.Add(-5 * time.Minute)},
			{Task: "merge-me", Number: 1, Phase: scheduler.PhaseWaiting, Outcome: scheduler.OutcomeConflict, Conflicts: []string{"router.go"}, StartedAt: noon.Add(-5 * time.Minute)},
		},
	}
}

func TestStatusShowsAFailureWithItsCause(t *testing.T) {
	f := newFixture(t)
	f.seed(failing())
	golden(t, "status-failed", f.must(ExitOK, "status"))
	golden(t, "status-failed-80", func() string {
		f.app.Environ = append(f.app.Environ, "ORC_FORCE_TTY=1", "COLUMNS=60", "NO_COLOR=1", "LC_ALL=C")
		return f.must(ExitOK, "status")
	}())
}

func TestStatusShowsARunUnderWay(t *testing.T) {
	f := newFixture(t)
	f.seed(going())
	f.holdOwner("7f3c")
	golden(t, "status-running", f.must(ExitOK, "status", "-"))
	golden(t, "bare-running", f.must(ExitOK))
}

func TestStatusTellsAnInterruptedRunFromALiveOne(t *testing.T) {
	f := newFixture(t)
	f.seed(going())
	golden(t, "status-interrupted", f.must(ExitOK, "status"))
	f.must(ExitInterrupted, "status", "--exit-status", "--json")
	if got := f.must(ExitOK, "status", "--jq", ".run.interrupted, .run.state"); got != "true\nrunning\n" {
		t.Errorf("got %q", got)
	}
	f.holdOwner("7f3c")
	if got := f.must(ExitOK, "status", "--jq", ".run.interrupted, .run.state"); got != "false\nrunning\n" {
		t.Errorf("with a live owner: got %q", got)
	}
}

func TestStatusGivesANewRunTimeToGetAnOwner(t *testing.T) {
	f := newFixture(t)
	f.seed(seeded{run: persistence.Run{CreatedAt: noon.Add(-2 * time.Second)}, tasks: []*scheduler.Task{{ID: "a", Command: "true", Status: scheduler.TaskEligible}}})
	if got := f.must(ExitOK, "status", "--jq", ".run.interrupted"); got != "false\n" {
		t.Errorf("a run that is starting counts as interrupted: %q", got)
	}
}

func TestStatusJSON(t *testing.T) {
	f := newFixture(t)
	f.seed(failing())
	var doc any
	if err := json.Unmarshal([]byte(f.must(ExitOK, "status", "--json")), &doc); err != nil {
		t.Fatal(err)
	}
	pretty, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "status-json", strings.ReplaceAll(string(pretty), f.repo, "/repo")+"\n")
}

func TestExitStatusTellsTheState(t *testing.T) {
	done := []*scheduler.Task{{ID: "a", Command: "true", Status: scheduler.TaskCompleted}}
	soft := []*scheduler.Task{{ID: "a", Command: "false", FailureMode: scheduler.FailSoft, Status: scheduler.TaskFailed}}
	for name, c := range map[string]struct {
		seed seeded
		want int
	}{
		"completed":          {seeded{run: persistence.Run{State: scheduler.RunCompleted}, tasks: done}, ExitOK},
		"completed, allowed": {seeded{run: persistence.Run{State: scheduler.RunCompleted}, tasks: soft}, ExitFailures},
		"failed":             {seeded{run: persistence.Run{State: scheduler.RunFailed}, tasks: done}, ExitFailures},
		"canceled":           {seeded{run: persistence.Run{State: scheduler.RunCanceled}, tasks: done}, ExitFailures},
		"paused":             {seeded{run: persistence.Run{State: scheduler.RunPaused}, tasks: done}, ExitInterrupted},
		"waiting":            {seeded{run: persistence.Run{State: scheduler.RunWaiting}, tasks: done}, ExitNeedsYou},
		"lost its owner":     {seeded{tasks: done, leased: true}, ExitInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.seed(c.seed)
			f.must(c.want, "status", "--exit-status")
			f.must(ExitOK, "status")
		})
	}
}

func TestStatusOfAHugeRunIsShort(t *testing.T) {
	f := newFixture(t)
	var tasks []*scheduler.Task
	for i := range 3000 {
		tasks = append(tasks, &scheduler.Task{ID: scheduler.TaskID("t" + itoa(i)), Command: "true", Status: scheduler.TaskCompleted})
	}
	f.seed(seeded{run: persistence.Run{State: scheduler.RunCompleted}, tasks: tasks})
	if n := strings.Count(f.must(ExitOK, "status"), "\n"); n > 20 {
		t.Errorf("%d lines", n)
	}
	if n := strings.Count(f.must(ExitOK, "status", "-v"), "\n"); n < 3000 {
		t.Errorf("%d lines with -v", n)
	}
}

func TestCommandsWithoutADatabaseMakeNone(t *testing.T) {
	f := newFixture(t)
	for _, args := range [][]string{{"status"}, {"logs", "a"}, {"show", "a"}, {"cancel"}, {"retry"}} {
		f.must(ExitUsage, args...)
		if !strings.Contains(f.err.String(), "there are no runs yet") {
			t.Errorf("%v: %s", args, f.err.String())
		}
	}
	f.must(ExitOK, "history")
	f.must(ExitOK)
	data, err := f.app.DataDir()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made %s", data)
	}
}
