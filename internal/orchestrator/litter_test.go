package orchestrator_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orchestrator/internal/event"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

func TestUnfinishedCopiesOfAnAgentAreNotMergedAndNotLost(t *testing.T) {
	r := newRig(t)
	const ours = "fixture.tmp.1.abcdef" // of the repository
	writeFile(t, filepath.Join(r.root, ours), "1\n")
	r.git("add", ours)
	r.git("commit", "-qm", "A fixture")
	const litter = "notes.txt.tmp.11519.dedeed462a84"
	s := newScripted(t, func(string, int) string {
		return "echo 2 >> " + ours + " && mkdir sub && echo half > sub/" + litter + " && echo whole > sub/notes.txt && echo mine > plan.tmp.txt\n" + end(provider.Result{Summary: "done"})
	})
	r.agents(s, &scheduler.Task{ID: "a"}, &scheduler.Task{ID: "b", Command: "echo 1 > x.tmp.1.abcdef"})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	want := []string{ours, "plan.tmp.txt", "sub/notes.txt", "x.tmp.1.abcdef"} // a command's own names are its own business
	got := strings.Fields(r.git("diff", "--name-only", r.run.Base, "orc/7f3c"))
	if !slices.Equal(got, want) {
		t.Errorf("merged %q, want %q", got, want)
	}
	kept := filepath.Join(r.data, "run", "litter", "a.1", "sub", litter)
	if text := readFile(t, kept); text != "half\n" {
		t.Errorf("kept %q", text)
	}
	if !slices.ContainsFunc(r.events(), func(e event.Event) bool { return e.Kind == event.Notice && strings.Contains(e.Message, kept) }) {
		t.Error("nobody is told")
	}
}
