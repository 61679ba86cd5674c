package main

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/test/rig"
)

// build builds orc with fault points.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("takes tens of seconds")
	}
	orc := filepath.Join(t.TempDir(), "orc")
	build := exec.Command("go", "build", "-tags", "orcfault", "-o", orc, "orchestrator/cmd/orc")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build orc: %v\n%s", err, out)
	}
	return orc
}

// TestTorturedRunLosesNothing plays one round; `make torture N=…` plays more.
func TestTorturedRunLosesNothing(t *testing.T) {
	r := round{orc: build(t), seed: 2}
	res, err := r.play(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s, %s, %s", res.about, res.tally, res.verdict())
	if len(res.faults) > 0 {
		t.Errorf("%d faults; again with: make torture N=1 SEED=%d", len(res.faults), r.seed)
	}
}

// TestProcessDiesAtItsPoint kills an owner, and a supervisor, at points, and holds the deaths against what they report.
func TestProcessDiesAtItsPoint(t *testing.T) {
	orc := build(t)
	p := smallPlan(rand.New(rand.NewPCG(1, 0)))
	for _, name := range []string{"attempt.advanced", "supervisor.journal", "attempt.checking", "attempt.checked"} {
		s, err := newSite(t.Context(), orc, filepath.Join(t.TempDir(), "site"), p)
		if err != nil {
			t.Fatal(err)
		}
		res := result{tally: newTally()}
		d := newDisturbance(s, p, rand.New(rand.NewPCG(1, 0)), p.estimate(), &res)
		d.script = [][]string{s.faultAt(name, 2)}
		if _, err := d.play(t.Context()); err != nil {
			t.Fatal(err)
		}
		if res.tally.points[name] != 1 || len(res.faults) > 0 {
			t.Errorf("%s: %d deaths, faults %q", name, res.tally.points[name], res.faults)
		}
	}
}

func TestPlanDependsOnTheSeedAlone(t *testing.T) {
	s := &site{ledger: "/notes/ledger"}
	draw := func(seed uint64) string { return newPlan(rand.New(rand.NewPCG(seed, 0))).yaml(s) }
	if diff := cmp.Diff(draw(7), draw(7)); diff != "" {
		t.Errorf("the same seed drew two plans:\n%s", diff)
	}
	if draw(7) == draw(8) {
		t.Error("two seeds drew the same plan")
	}
}

func TestEveryKindOfTaskIsDrawn(t *testing.T) {
	seen := map[kind]bool{}
	for seed := range uint64(40) {
		p := newPlan(rand.New(rand.NewPCG(seed, 0)))
		if n := len(p.tasks); n < 4 || n > 14 {
			t.Errorf("seed %d: %d tasks", seed, n)
		}
		for _, task := range p.tasks {
			seen[task.kind] = true
		}
	}
	if len(seen) != int(kinds) {
		t.Errorf("%d of %d kinds in 40 plans", len(seen), kinds)
	}
}

func TestTouchedCheckoutIsNoticed(t *testing.T) {
	ctx := context.Background()
	s, err := newSite(ctx, "orc", filepath.Join(t.TempDir(), "site"), smallPlan(rand.New(rand.NewPCG(1, 0))))
	if err != nil {
		t.Fatal(err)
	}
	same, err := look(ctx, s.Site)
	if err != nil {
		t.Fatal(err)
	}
	if diff := s.before.differences(same); len(diff) > 0 {
		t.Fatalf("untouched, but: %q", diff)
	}
	touch := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	touch(s.Write("untracked.txt", "overwritten\n"))
	touch(s.Write("new.txt", "new\n"))
	touch(os.Remove(filepath.Join(s.Repo, "secret.ignored")))
	_, err = s.Git(ctx, "rm", "--quiet", "--cached", "staged.txt") // unstages
	touch(err)
	_, err = s.Git(ctx, "branch", "orc/7f3c") // ours to make
	touch(err)
	_, err = s.Git(ctx, "branch", "other")
	touch(err)
	after, err := look(ctx, s.Site)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{".git/index changed", "secret.ignored is gone", "untracked.txt changed", "new.txt is new", "refs/heads/other is new"}
	if diff := cmp.Diff(want, s.before.differences(after)); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
}

func TestWhatTheLedgerTellsIsNoticed(t *testing.T) {
	l := ledger(filepath.Join(t.TempDir(), "ledger"))
	text := "START t01 1\nEND t01 1\nSTART t02 1\nSTART t01 2\nSTART t02 1\nOVERLAP t02 1\nMISSING t02 1\n"
	if err := os.WriteFile(string(l), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	entries, err := l.read()
	if err != nil {
		t.Fatal(err)
	}
	var res result
	w := watcher{res: &res, done: map[string]int64{"t01": int64(len("START t01 1\nEND t01 1\n"))}}
	w.audit(entries)
	want := []string{
		"I1: t01 started again (attempt 2) after it was completed in the store", "I1: attempt 1 of t02 started twice",
		"I3: attempt 1 of t02 ran beside another attempt of it, or another task that writes the same files",
		"I2: attempt 1 of t02 started without the work of a task that it needs",
	}
	if diff := cmp.Diff(want, res.faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestAnotherEndIsNoticed(t *testing.T) {
	ends := func(state, tree string) ending {
		e := ending{tree: tree}
		e.status.Run.State = state
		e.status.Tasks = []rig.Task{{ID: "t00", State: state}}
		return e
	}
	p := plan{tasks: []task{{id: "t00"}}}
	var same, other result
	compare(&same, p, ends("completed", "a"), ends("completed", "a"))
	compare(&other, p, ends("completed", "a"), ends("failed", "b"))
	if len(same.faults) != 0 || len(other.faults) != 3 {
		t.Errorf("same end: %q; another end: %q", same.faults, other.faults)
	}
}

func TestProcessLeftBehindIsFound(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	s, err := rig.NewSite(t.Context(), "orc", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := s.Command(t.Context(), "sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := processes(s)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	if len(found) != 1 {
		t.Errorf("found %q, want one process", found)
	}
	left, err := vanish(t.Context(), &site{Site: s}, patience)
	if err != nil || len(left) > 0 {
		t.Errorf("after its death: %q, error %v", left, err)
	}
}
