package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// three seeds runs 7f3c and 7fa0 here, and 1b in another repository, oldest first.
func three(f *fixture) {
	tasks := func() []*scheduler.Task {
		return []*scheduler.Task{
			{ID: "build", Command: "true", Status: scheduler.TaskCompleted},
			{ID: "build-all", Command: "true", Status: scheduler.TaskFailed, Error: "exit 1"},
			{ID: "docs", Command: "true", Status: scheduler.TaskFailed},
			{ID: "7fa", Command: "true", Status: scheduler.TaskFailed},
		}
	}
	f.seed(seeded{run: persistence.Run{ID: "7f3c", State: scheduler.RunFailed}, tasks: tasks()})
	f.seed(seeded{run: persistence.Run{ID: "7fa0", Name: "second", State: scheduler.RunFailed}, tasks: tasks()})
	f.seed(seeded{run: persistence.Run{ID: "1b22", Name: "elsewhere", Repository: "/other", State: scheduler.RunCompleted}, tasks: []*scheduler.Task{{ID: "only", Command: "true", Status: scheduler.TaskCompleted}}})
}

func TestFindRun(t *testing.T) {
	f := newFixture(t)
	three(f)
	for arg, want := range map[string]string{
		"": "7fa0", "@last": "7fa0", "-": "7fa0", "7f3c": "7f3c", "7F3": "7f3c", "7fa": "7fa0", "1": "1b22",
	} {
		f.store(func(ctx context.Context, st persistence.Store) error {
			run, err := f.app.findRun(ctx, st, arg)
			if string(run.ID) != want || err != nil {
				t.Errorf("%q means %q (%v), want %q", arg, run.ID, err, want)
			}
			return nil
		})
	}
}

func TestFindRunExplainsItself(t *testing.T) {
	f := newFixture(t)
	three(f)
	for arg, want := range map[string][]string{
		"7f":   {`"7f" means 2 runs`, "7f3c  add-oauth, failed", "7fa0  second, failed"},
		"7f3d": {`there is no run "7f3d"`, "did you mean `7f3c`?", "1b22  elsewhere"},
		"zz":   {`there is no run "zz"`, "1b22  elsewhere"},
	} {
		f.must(ExitUsage, "status", arg)
		for _, w := range want {
			if !strings.Contains(f.err.String(), w) {
				t.Errorf("%q: %q is not in\n%s", arg, w, f.err.String())
			}
		}
	}
}

func TestFindRunOutsideOfARepositoryWantsAName(t *testing.T) {
	f := newFixture(t)
	three(f)
	f.app.Dir = filepath.Dir(f.repo)
	f.must(ExitUsage, "status")
	if !strings.Contains(f.err.String(), "is not in a git repository") {
		t.Error(f.err.String())
	}
	f.must(ExitOK, "status", "7f3c")
	f.must(ExitOK, "show", "7f3c", "docs")
	f.must(ExitOK, "-C", "repo", "status")
	f.must(ExitUsage, "-C", "nowhere", "status")
}

func TestFindRunFromASubfolderAndThroughASymbolicLink(t *testing.T) {
	f := newFixture(t)
	three(f)
	sub := filepath.Join(f.repo, "a", "b")
	if err := os.MkdirAll(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(filepath.Dir(f.repo), "link")
	if err := os.Symlink(f.repo, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{sub, link, filepath.Join(link, "a")} {
		f.app.Dir = dir
		if got := f.must(ExitOK, "status", "--jq", ".run.id"); got != "7fa0\n" {
			t.Errorf("in %s: %q", dir, got)
		}
	}
}

func TestFindTask(t *testing.T) {
	f := newFixture(t)
	three(f)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"docs"}, "7fa0 docs"},
		{[]string{"d"}, "7fa0 docs"},
		{[]string{"build"}, "7fa0 build"}, // a whole id is not ambiguous
		{[]string{"build-"}, "7fa0 build-all"},
		{[]string{"7f3c", "docs"}, "7f3c docs"},
		{[]string{"@last", "DOCS"}, "7fa0 docs"},
		{[]string{"7fa"}, "7fa0 7fa"}, // a whole task id before the beginning of a run's
		{[]string{"7fa0", "7fa"}, "7fa0 7fa"},
		{[]string{"1b22", "only"}, "1b22 only"},
	} {
		got := f.must(ExitOK, append([]string{"show", "--jq", `.run.id + " " + .task.id`}, c.args...)...)
		if got != c.want+"\n" {
			t.Errorf("%v means %q, want %q", c.args, got, c.want)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"b"}, `"b" means 2 tasks of run 7fa0`},
		{[]string{"dosc"}, "did you mean `docs`?"},
		{[]string{"7f3c"}, "name a task of run 7f3c"},
		{[]string{"nope", "docs"}, `there is no run "nope"`},
		{[]string{"docs", "build"}, `there is no run "docs"`},
		{[]string{"7f3c", "nope"}, `run 7f3c has no task "nope"`},
	} {
		f.must(ExitUsage, append([]string{"show"}, c.args...)...)
		if !strings.Contains(f.err.String(), c.want) {
			t.Errorf("%v: %q is not in\n%s", c.args, c.want, f.err.String())
		}
	}
}
