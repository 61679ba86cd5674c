package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/scheduler"
)

func TestWorkspaceOfATaskStandsForTheDefault(t *testing.T) {
	p, list, err := Load("testdata/good/workspace.yaml", Options{})
	if err != nil || p == nil {
		t.Fatalf("%v %v", err, list)
	}
	want := &scheduler.Setup{Copy: []string{".env", "testdata/large"}, Symlink: []string{"node_modules"}}
	if diff := cmp.Diff(want, p.Setup()); diff != "" {
		t.Error(diff)
	}
	if got := p.SetupOf("a"); got != nil {
		t.Errorf("a says %+v", got)
	}
	if diff := cmp.Diff(&scheduler.Setup{Command: "npm ci"}, p.SetupOf("b")); diff != "" {
		t.Error(diff)
	}
}
