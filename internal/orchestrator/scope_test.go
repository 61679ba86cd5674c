package orchestrator_test

import (
	"context"
	"strings"
	"testing"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// options changes what the run was stored with.
func (r *rig) options(change func(*persistence.RunOptions)) {
	r.t.Helper()
	change(&r.run.Options)
	generation, err := r.store.AcquireLease(r.ctx, persistence.Lease{Run: r.run.ID, Owner: "setup", ExpiresAt: r.run.CreatedAt}, r.run.CreatedAt, true)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.store.Apply(context.Background(), persistence.Transition{Run: r.run.ID, Generation: generation, Now: r.run.CreatedAt, Options: &r.run.Options}); err != nil {
		r.t.Fatal(err)
	}
}

func TestFilesOutsideOfWritesAreToldAndFailTheAttemptWhenStrict(t *testing.T) {
	r := newRig(t)
	r.create(
		&scheduler.Task{ID: "loose", Command: "mkdir a; echo 1 > a/in; echo 1 > out", WritesFiles: []string{"a/**"}},
		&scheduler.Task{ID: "strict", Command: "mkdir b; echo 1 > b/in; echo 1 > 'o u t'", WritesFiles: []string{"b/**"}},
		&scheduler.Task{ID: "tidy", Command: "mkdir c; echo 1 > c/in", WritesFiles: []string{"c/**"}},
		&scheduler.Task{ID: "free", Command: "echo 1 > anywhere"},
	)
	r.options(func(o *persistence.RunOptions) { o.StrictWrites = []scheduler.TaskID{"strict", "tidy"} })
	if s := r.finish(); s != scheduler.RunFailed {
		t.Fatalf("state %s", s)
	}
	if got, want := r.states(), "loose completed, strict failed, tidy completed, free completed"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
	if got := r.task("strict").Error; !strings.Contains(got, "strict_writes): o u t") {
		t.Errorf("error %q", got)
	}
	told := map[string]string{}
	for _, e := range r.events() {
		if e.Kind == event.Notice && strings.Contains(e.Message, "outside of its `writes`") {
			told[e.Task] += e.Message
		}
	}
	if len(told) != 2 || !strings.HasSuffix(told["loose"], ": out") || !strings.HasSuffix(told["strict"], ": o u t") {
		t.Errorf("told %q", told)
	}
	// The work that went too far is saved all the same, and not merged.
	if got := r.git("show", "refs/orc/7f3c/task/strict/1:b/in"); got != "1" {
		t.Errorf("saved work %q", got)
	}
	if got := r.git("ls-tree", "--name-only", "-r", "orc/7f3c"); strings.Contains(got, "b/in") || !strings.Contains(got, "out") {
		t.Errorf("merged:\n%s", got)
	}
}

func TestVariablesReachOnlyWhomTheyAreFor(t *testing.T) {
	r := newRig(t)
	r.environ = append(r.environ, "ROLE_KEY=role", "RUN_FLAG=run", "DEPLOY_TOKEN=secret", "LC_TIME=C")
	const show = "env > seen-$ORC_TASK"
	r.create(
		&scheduler.Task{ID: "plain", Command: show},
		&scheduler.Task{ID: "agent", AgentRole: "coder", Prompt: "x", Verify: []string{"! env | grep -q -e ROLE_ -e DEPLOY_"}},
	)
	r.options(func(o *persistence.RunOptions) {
		o.Pass = []string{"RUN_FLAG"}
		o.Agents = map[string]persistence.Agent{
			"coder": {Provider: "command", Command: show, Pass: []string{"ROLE_*"}, Set: map[string]string{"ROLE_SET": "set"}},
		}
	})
	if s := r.finish(); s != scheduler.RunCompleted {
		t.Fatalf("state %s: %+v", s, r.attempts("agent"))
	}
	for task, want := range map[string][]string{"plain": {"RUN_FLAG=run", "LC_TIME=C"}, "agent": {"RUN_FLAG=run", "ROLE_KEY=role", "ROLE_SET=set", "LC_TIME=C"}} {
		seen := "\n" + r.merged("seen-"+task) + "\n"
		for _, name := range []string{"RUN_FLAG=run", "ROLE_KEY=role", "ROLE_SET=set", "DEPLOY_TOKEN=secret", "LC_TIME=C"} {
			wanted := false
			for _, w := range want {
				wanted = wanted || w == name
			}
			if strings.Contains(seen, "\n"+name+"\n") != wanted {
				t.Errorf("%s has %s: want %v", task, name, wanted)
			}
		}
	}
}
