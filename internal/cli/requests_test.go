package cli

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// resumer remembers what it was asked for.
type resumer struct {
	run      scheduler.RunID
	requests []string
	err      error
}

func (r *resumer) ResumeRun(_ context.Context, run persistence.Run, requests []persistence.Request) error {
	r.run = run.ID
	for _, q := range requests {
		r.requests = append(r.requests, q.Kind+" "+q.Payload)
	}
	return r.err
}

func TestRequestsOfARunWithoutAnOwnerGoToTheResumer(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"retry"}, `retry {}`},
		{[]string{"retry", "docs", "oauth", "--note", "use S256"}, `retry {"tasks":["docs","oauth-client"],"note":"use S256"}`},
		{[]string{"retry", "--from", "schema"}, `retry {"tasks":["schema"],"cascade":true}`},
		{[]string{"retry", "7f3c", "docs"}, `retry {"tasks":["docs"]}`},
	} {
		f := newFixture(t)
		f.seed(failing())
		r := &resumer{}
		f.app.Resume = r
		f.must(ExitOK, c.args...)
		if diff := cmp.Diff([]string{c.want}, r.requests); diff != "" || r.run != "7f3c" {
			t.Errorf("%v on run %q (-want +got):\n%s", c.args, r.run, diff)
		}
		r.err = &ExitError{Code: ExitFailures, Err: errors.New("it failed again")}
		f.must(ExitFailures, c.args...)
	}
}

func TestRequestsThatMakeNoSenseAreRefusedAtOnce(t *testing.T) {
	for _, c := range []struct {
		seed seeded
		args []string
		want string
	}{
		{failing(), []string{"cancel"}, "run 7f3c is over: it is failed"},
		{failing(), []string{"retry", "docs", "--from", "schema"}, "choose --from or tasks"},
		{going(), []string{"retry"}, ""},
		{going(), []string{"retry", "build"}, "build is running"},
		{seeded{run: persistence.Run{State: scheduler.RunCompleted}, tasks: []*scheduler.Task{{ID: "a", Command: "x", Status: scheduler.TaskCompleted}}}, []string{"retry"}, "run 7f3c has no task that failed"},
	} {
		f := newFixture(t)
		f.seed(c.seed)
		code := f.orc(c.args...)
		if c.want == "" {
			continue
		}
		if code != ExitUsage || !strings.Contains(f.err.String(), c.want) {
			t.Errorf("%v: exit code %d, %s", c.args, code, f.err.String())
		}
	}
}

func TestRequestsOfALiveRunWaitForItsAnswer(t *testing.T) {
	f := newFixture(t)
	f.seed(going())
	f.holdOwner("7f3c")
	for _, c := range []struct {
		args    []string
		refusal string
		payload string
		code    int
	}{
		{[]string{"cancel", "build", "ship"}, "", `{"tasks":["build","ship"]}`, ExitOK},
		{[]string{"cancel"}, "", `{}`, ExitOK},
		{[]string{"retry", "merge-me"}, "no time for that", `{"tasks":["merge-me"]}`, ExitUsage},
	} {
		answered := make(chan string, 1)
		go func() { answered <- f.answer("7f3c", c.refusal) }()
		f.must(c.code, c.args...)
		if got := <-answered; got != c.payload {
			t.Errorf("%v asked %q, want %q", c.args, got, c.payload)
		}
		if !strings.Contains(f.err.String(), c.refusal) {
			t.Errorf("%v: the refusal is not in %q", c.args, f.err.String())
		}
	}
}
