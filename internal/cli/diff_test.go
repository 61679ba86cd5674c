package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// changed seeds a run whose task "docs" has saved a change of a.txt, which is merged.
func changed(f *fixture) (base, saved string) {
	f.t.Helper()
	f.initGit()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(f.repo, name), []byte(text), 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
	write("a.txt", "one\ntwo\n")
	f.git("add", ".")
	f.git("commit", "-q", "-m", "base")
	base = f.git("rev-parse", "HEAD")
	write("a.txt", "one\n2 \x1b[31m\n")
	write("b.bin", "\x00\x01")
	f.git("add", ".")
	saved = f.git("commit-tree", "-p", base, "-m", "docs", f.git("write-tree"))
	f.git("reset", "-q", "--hard", base)
	f.git("update-ref", "refs/orc/7f3c/base", base)
	f.git("update-ref", "refs/orc/7f3c/integration", saved)
	f.git("update-ref", "refs/orc/7f3c/task/docs/1", saved)
	f.seed(seeded{
		run: persistence.Run{State: scheduler.RunCompleted, Base: base},
		tasks: []*scheduler.Task{
			{ID: "docs", Command: "x", Status: scheduler.TaskCompleted}, {ID: "later", Command: "x", Status: scheduler.TaskSkipped},
		},
		attempts: []persistence.Attempt{{
			Task: "docs", Number: 1, Phase: scheduler.PhaseDone, Outcome: scheduler.OutcomeSucceeded, StartedAt: noon, EndedAt: noon,
			Base: base, Saved: saved, SavedRef: "refs/orc/7f3c/task/docs/1", MergeNew: saved, Files: 2, Additions: 1, Deletions: 1,
		}},
	})
	return base, saved
}

func TestDiffIsAPatchInAPipe(t *testing.T) {
	f := newFixture(t)
	base, saved := changed(f)
	patch := f.must(ExitOK, "diff", "docs")
	if !strings.Contains(patch, "+2 \x1b[31m\n") {
		t.Errorf("the patch is not as git made it:\n%q", patch)
	}
	if got := f.must(ExitOK, "diff"); got != patch {
		t.Errorf("the run's patch differs from that of its only task:\n%s", got)
	}
	if got := f.must(ExitOK, "diff", "--stat"); !strings.Contains(got, "a.txt |") || !strings.Contains(got, "2 files changed") {
		t.Errorf("got %s", got)
	}
	want := `{"schema":1,"run":"7f3c","task":"docs","attempt":1,"from":"` + base + `","to":"` + saved +
		`","files":[{"path":"a.txt","additions":1,"deletions":1,"binary":false},{"path":"b.bin","additions":0,"deletions":0,"binary":true}],"additions":1,"deletions":1}` + "\n"
	if got := f.must(ExitOK, "diff", "docs", "--json"); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestDiffOnATerminalIsHarmless(t *testing.T) {
	f := newFixture(t)
	changed(f)
	f.app.Environ = append(f.app.Environ, "ORC_FORCE_TTY=1", "TERM=xterm")
	got := f.must(ExitOK, "diff", "docs")
	if strings.Contains(got, "2 \x1b[31m") || !strings.Contains(got, "\x1b[32m+2\x1b[0m\n") {
		t.Errorf("got %q", got)
	}
}

func TestDiffSaysWhyThereIsNone(t *testing.T) {
	f := newFixture(t)
	changed(f)
	for args, want := range map[string]string{
		"diff later":            "nothing is saved of later: it is skipped",
		"diff docs --attempt 2": "nothing is saved of attempt 2 of docs",
		"diff --attempt 1":      "--attempt wants a task",
		"diff docs later":       "name one task",
	} {
		f.must(ExitUsage, strings.Fields(args)...)
		if !strings.Contains(f.err.String(), want) {
			t.Errorf("orc %s: %s", args, f.err.String())
		}
	}
	f.git("update-ref", "-d", "refs/orc/7f3c/integration")
	f.must(ExitUsage, "diff")
	if !strings.Contains(f.err.String(), "run 7f3c has no branch yet") {
		t.Error(f.err.String())
	}
}
