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

// rounds is how many plans a plain `go test` disturbs; `make kill N=…` does more.
const rounds = 3

func TestKilledOwnerLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes tens of seconds")
	}
	if runtime.GOOS == "windows" {
		t.Skip("signals are those of unix")
	}
	orc := filepath.Join(t.TempDir(), "orc")
	build := exec.Command("go", "build", "-o", orc, "orchestrator/cmd/orc")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build orc: %v\n%s", err, out)
	}
	for seed := range uint64(rounds) {
		r := round{orc: orc, seed: seed + 1}
		res, err := r.play(t.Context())
		if err != nil {
			t.Fatalf("seed %d: %v", r.seed, err)
		}
		t.Logf("seed %d: %d tasks, %s, %s", r.seed, res.tasks, res.tally, res.verdict())
		if len(res.faults) > 0 {
			t.Errorf("seed %d: %d faults; again with: make kill N=1 SEED=%d", r.seed, len(res.faults), r.seed)
		}
	}
}

func TestPlanDependsOnTheSeedAlone(t *testing.T) {
	draw := func(seed uint64) string { return newPlan(rand.New(rand.NewPCG(seed, 0))).yaml("/ledger") }
	if diff := cmp.Diff(draw(7), draw(7)); diff != "" {
		t.Errorf("the same seed drew two plans:\n%s", diff)
	}
	if draw(7) == draw(8) {
		t.Error("two seeds drew the same plan")
	}
}

func TestEveryKindOfTaskIsDrawn(t *testing.T) {
	seen := map[kind]bool{}
	for seed := range uint64(20) {
		p := newPlan(rand.New(rand.NewPCG(seed, 0)))
		if n := len(p.tasks); n < 5 || n > 15 {
			t.Errorf("seed %d: %d tasks", seed, n)
		}
		for _, task := range p.tasks {
			seen[task.kind] = true
		}
	}
	if len(seen) != int(kinds) {
		t.Errorf("%d of %d kinds in 20 plans", len(seen), kinds)
	}
}

func TestTouchedCheckoutIsNoticed(t *testing.T) {
	ctx := context.Background()
	s, err := newSite(ctx, "orc", t.TempDir(), newPlan(rand.New(rand.NewPCG(1, 0))), true)
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

func TestTwoMergesOfOneTaskAreCounted(t *testing.T) {
	ctx := context.Background()
	s, err := newSite(ctx, "orc", t.TempDir(), newPlan(rand.New(rand.NewPCG(1, 0))), false)
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := s.Git(ctx, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	base := run("rev-parse", "HEAD")
	run("update-ref", "refs/orc/7f3c/base", base)
	tip := base
	for _, task := range []string{"t01", "7f3c/t02", "t01"} {
		tip = run("commit-tree", base+"^{tree}", "-p", tip, "-m", "Merge\n\nOrc-Task: "+task)
	}
	run("update-ref", "refs/orc/7f3c/integration", tip)
	count, got, err := s.merges(ctx, "7f3c")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"t01": 2, "t02": 1}, count); diff != "" || got != tip {
		t.Errorf("merges at %s (-want +got):\n%s", got, diff)
	}
}

func TestSecondStartIsNoticed(t *testing.T) {
	l := ledger(filepath.Join(t.TempDir(), "ledger"))
	text := "START t01 1\nEND t01 1\nSTART t02 1\nSTART t01 2\nSTART t02 1\n"
	if err := os.WriteFile(string(l), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	entries, err := l.read()
	if err != nil {
		t.Fatal(err)
	}
	var res result
	d := disturbance{res: &res, done: map[string]int64{"t01": int64(len("START t01 1\nEND t01 1\n"))}}
	d.audit(entries)
	want := []string{"t01 started again (attempt 2) after it was completed in the store", "attempt 1 of t02 started twice"}
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
