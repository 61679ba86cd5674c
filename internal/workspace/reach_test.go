package workspace_test

import (
	"slices"
	"testing"

	"orchestrator/internal/workspace/workspacetest"
)

func TestHoldersNamesWhereTheUserKeepsACommit(t *testing.T) {
	r := done(t, "one", "one.txt", "1\n")
	head, err := r.Repo.Integration(t.Context(), workspacetest.RunID)
	must(t, err)
	got, err := r.Repo.Holders(t.Context(), head)
	must(t, err)
	own := make([]string, 0, len(got))
	for _, ref := range got {
		own = append(own, ref[len("refs/heads/"):])
	}
	if got, err = r.Repo.Holders(t.Context(), head, own...); err != nil || len(got) > 0 {
		t.Errorf("before it is merged: %v, %v", got, err)
	}
	r.Git("branch", "keeps", head)
	r.Git("tag", "v1", head)
	got, err = r.Repo.Holders(t.Context(), head, own...)
	if want := []string{"refs/heads/keeps", "refs/tags/v1"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestUnmergedNamesSavedWorkOutsideOfAHistory(t *testing.T) {
	r := done(t, "one", "one.txt", "1\n")
	task(t, r, "two", put(t, "two.txt", "2\n"))
	head, err := r.Repo.Integration(t.Context(), workspacetest.RunID)
	must(t, err)
	got, err := r.Repo.Unmerged(t.Context(), workspacetest.RunID, head)
	if err != nil || len(got) != 1 || got[0].Task != "two" {
		t.Errorf("got %+v, %v, want the work of two", got, err)
	}
}
