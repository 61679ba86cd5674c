package cli

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
)

func TestAgentsServerWantsItsWholeBinding(t *testing.T) {
	whole := []string{"ORC_RUN=7f3c", "ORC_TASK=build", "ORC_ATTEMPT=1", "ORC_GENERATION=1"}
	for i, missing := range whole {
		f := newFixture(t)
		for j, e := range whole {
			if i != j {
				f.app.Environ = append(f.app.Environ, e)
			}
		}
		if out := f.must(ExitUsage, "mcp", "agent"); out != "" {
			t.Errorf("without %s it printed %q, and its output is the protocol's", missing, out)
		}
		f.app.Environ = append(f.app.Environ, strings.Split(missing, "=")[0]+"=x y")
		if i >= 2 {
			f.must(ExitUsage, "mcp", "agent") // no number
		}
	}
}

// seat opens the desk of an attempt of the seeded run.
func seat(t *testing.T, f *fixture) *desk {
	t.Helper()
	st, err := f.app.openStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	lease, err := st.GetLease(t.Context(), "7f3c")
	if err != nil {
		t.Fatal(err)
	}
	return &desk{app: f.app, store: st, run: "7f3c", task: "build", attempt: 1, generation: lease.Generation, goneAfter: time.Hour}
}

func TestToolsOfARunThatThereIsNotAreRefused(t *testing.T) {
	f := newFixture(t)
	f.seed(asking())
	f.holdOwner("7f3c")
	d := seat(t, f)
	d.run = "0000"
	for name, err := range map[string]error{
		"hello": d.Hello(t.Context()), "complete": d.Complete(t.Context(), "s"), "report": d.Report(t.Context(), "s"),
	} {
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := d.Context(t.Context()); err == nil {
		t.Error("a plan was shown")
	}
}

func TestNothingIsTakenByARunThatNobodyOwns(t *testing.T) {
	f := newFixture(t)
	f.seed(asking())
	d := seat(t, f) // its owner is dead: it has a lease, and holds no lock
	if err := d.Complete(t.Context(), "s"); err == nil || !strings.Contains(err.Error(), "stopped before it took") {
		t.Errorf("complete: %v", err)
	}
	if _, err := d.Ask(t.Context(), "q", nil); err == nil || !strings.Contains(err.Error(), "stopped before it took") {
		t.Errorf("ask: %v", err)
	}
}

func TestQuestionIsGivenUpWhenItsOwnerIsGone(t *testing.T) {
	f := newFixture(t)
	f.seed(asking())
	var late atomic.Bool
	f.app.Now = func() time.Time {
		if late.Load() {
			return noon.AddDate(20, 0, 0)
		}
		return noon
	}
	f.holdOwner("7f3c")
	d := seat(t, f)
	d.goneAfter = time.Millisecond
	// The owner takes the question, and dies before a person has answered it.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	taken := make(chan error, 1)
	go func() { taken <- takeQuestion(ctx, d.store, d.generation); late.Store(true) }()
	if _, err := d.Ask(ctx, "Which?", nil); err == nil || !strings.Contains(err.Error(), "nobody owns the run") {
		t.Errorf("ask: %v", err)
	}
	if err := <-taken; err != nil {
		t.Error(err)
	}
}

// takeQuestion plays an owner that takes one question and does nothing more.
func takeQuestion(ctx context.Context, st persistence.Store, generation int64) error {
	for {
		list, err := st.PendingRequests(ctx, "7f3c")
		if err != nil {
			return err
		}
		for _, r := range list {
			if r.Kind == orchestrator.RequestAsk {
				_, err := st.Apply(ctx, persistence.Transition{Run: "7f3c", Generation: generation, Now: noon, Requests: []persistence.RequestDone{{ID: r.ID}}})
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
