package orchestrator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/internal/scheduler"
)

// createSetUp stores a run whose workspaces are set up.
func (r *rig) createSetUp(s scheduler.Setup, tasks ...*scheduler.Task) {
	r.t.Helper()
	r.create(tasks...)
	if err := r.store.DeleteRun(r.ctx, r.run.ID); err != nil {
		r.t.Fatal(err)
	}
	r.run.Options.Setup = &s
	if err := r.store.CreateRun(r.ctx, r.run, tasks); err != nil {
		r.t.Fatal(err)
	}
}

func TestWorkspaceGetsIgnoredFilesThatAreNeverSaved(t *testing.T) {
	r := newRig(t)
	r.write(".gitignore", ".env\nmade.log\n")
	r.git("add", "-A")
	r.git("commit", "-q", "-m", "ignore")
	r.write(".env", "secret\n")
	if err := os.MkdirAll(filepath.Join(r.root, "node modules", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.write("node modules/x/tool", "tool\n")
	r.createSetUp(
		scheduler.Setup{Copy: []string{".env"}, Symlink: []string{"node modules"}, Command: "echo $ORC_ATTEMPT > made.log"},
		&scheduler.Task{ID: "a", Command: "cat .env 'node modules/x/tool' made.log > seen; echo changed > .env; git add -A && git commit -qm mine"},
		&scheduler.Task{ID: "b", Command: "cat .env > again", DependsOn: []scheduler.TaskID{"a"}},
	)
	if s := r.finish(); s != scheduler.RunCompleted {
		t.Fatalf("state %s: %+v", s, r.attempts("a"))
	}
	if got := r.merged("seen"); got != "secret\ntool\n1" {
		t.Errorf("the task saw %q", got)
	}
	if got := r.merged("again"); got != "secret" {
		t.Errorf("the second task saw %q", got)
	}
	if got := r.git("ls-tree", "-r", "--name-only", "orc/7f3c"); got != ".gitignore\nREADME\nagain\nseen\nshared.txt" {
		t.Errorf("merged:\n%s", got)
	}
	if got := readFile(t, filepath.Join(r.root, ".env")); got != "secret\n" {
		t.Errorf("the user's own file is %q", got)
	}
	if !r.exists(filepath.Join(r.root, "node modules", "x", "tool")) {
		t.Error("what was linked to is gone")
	}
}

func TestSetupThatFailsFailsTheAttempt(t *testing.T) {
	r := newRig(t)
	r.createSetUp(scheduler.Setup{Command: "echo no network; exit 7"},
		&scheduler.Task{ID: "a", Command: "touch " + filepath.Join(r.data, "worked"), Attempts: 2})
	if s := r.finish(); s != scheduler.RunFailed {
		t.Fatalf("state %s", s)
	}
	list := r.attempts("a")
	if len(list) != 2 || list[1].Error != "setup failed: echo no network; exit 7: exit 7" || !strings.Contains(list[1].Output, "no network") {
		t.Errorf("attempts %+v", list)
	}
	if r.exists(filepath.Join(r.data, "worked")) {
		t.Error("the work began all the same")
	}
}

func TestFilesThatCannotBeProvidedFailForGood(t *testing.T) {
	outside := func(r *rig) {
		if err := os.Symlink(r.data, filepath.Join(r.root, "out")); err != nil {
			r.t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		setup scheduler.Setup
		make  func(*rig)
		want  string
	}{
		"missing":          {scheduler.Setup{Copy: []string{".env"}}, nil, "copy .env: it is not in your checkout"},
		"tracked":          {scheduler.Setup{Copy: []string{"README"}}, nil, "copy README: it is in the repository"},
		"copied from out":  {scheduler.Setup{Copy: []string{"out/home"}}, outside, "copy out/home: "},
		"linked to out":    {scheduler.Setup{Symlink: []string{"out"}}, outside, "link out: "},
		"up":               {scheduler.Setup{Copy: []string{"../home"}}, nil, "copy ../home: "},
		"the git folder":   {scheduler.Setup{Copy: []string{".git"}}, nil, "copy .git: "},
		"an absolute path": {scheduler.Setup{Symlink: []string{"/etc/passwd"}}, nil, "link /etc/passwd: "},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if c.make != nil {
				c.make(r)
			}
			r.createSetUp(c.setup, &scheduler.Task{ID: "a", Command: "true", Attempts: 3})
			if s := r.finish(); s != scheduler.RunFailed {
				t.Fatalf("state %s", s)
			}
			if list := r.attempts("a"); len(list) != 1 || !strings.Contains(list[0].Error, c.want) {
				t.Errorf("attempts %+v", list)
			}
		})
	}
}
