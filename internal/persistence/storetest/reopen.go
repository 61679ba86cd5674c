package storetest

import (
	"fmt"
	"path/filepath"
	"testing"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

type opener func(t *testing.T, path string) persistence.Store

var reopenCases = []struct {
	name string
	test func(t *testing.T, open opener)
}{
	{"everything survives close and reopen", survivesReopen},
	{"two stores on one file see each other's commits", twoStores},
	{"two stores on one file number events and requests without gaps or doubles", twoWriters},
}

func survivesReopen(t *testing.T, open opener) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path)
	create(t, s, "aa", task("a"), task("b", "a"))
	g := own(t, s, "aa")
	_, err := s.Apply(t.Context(), persistence.Transition{
		Run: "aa", Generation: g, Now: at, State: scheduler.RunWaiting,
		Tasks:    []persistence.TaskChange{{Task: "a", From: scheduler.TaskPending, To: scheduler.TaskRunning}},
		Attempts: []persistence.Attempt{{Task: "a", Number: 1, Phase: scheduler.PhaseWorking}},
		Sessions: []persistence.Session{{Task: "a", Attempt: 1, Provider: "p", SessionID: "s"}},
		Turns:    []persistence.TaskTurn{{Task: "a", ConversationTurn: persistence.ConversationTurn{Role: "user", Content: "x"}}},
		Events:   []event.Event{{Kind: event.TaskStarted, Task: "a", Attempt: 1}},
	})
	must(t, err)
	id, err := s.AddRequest(t.Context(), persistence.Request{Run: "aa", Kind: "cancel"})
	must(t, err)
	before := state(t, s, "aa")
	for range 3 {
		must(t, s.Close())
		s = open(t, path)
		wantSame(t, "the run after reopening", state(t, s, "aa"), before)
	}
	if again := own(t, s, "aa"); again != g+1 {
		t.Errorf("generation %d after %d", again, g)
	}
	next, err := s.AddRequest(t.Context(), persistence.Request{Run: "aa", Kind: "cancel"})
	must(t, err)
	if next <= id {
		t.Errorf("request %d after %d", next, id)
	}
	must(t, s.Close())
}

func twoStores(t *testing.T, open opener) {
	path := filepath.Join(t.TempDir(), "store")
	one, two := open(t, path), open(t, path)
	before, err := two.DataVersion(t.Context())
	must(t, err)
	create(t, one, "aa", task("a"))
	after, err := two.DataVersion(t.Context())
	must(t, err)
	if after == before {
		t.Error("another store's commit did not change the data version")
	}
	wantSame(t, "task", getTask(t, two, "aa", "a"), task("a"))
	must(t, two.UpdateTaskStatus(t.Context(), "aa", "a", scheduler.TaskRunning, nil, ""))
	if got := getTask(t, one, "aa", "a").Status; got != scheduler.TaskRunning {
		t.Errorf("the first store sees %s", got)
	}
	must(t, one.Close())
	if got := getTask(t, two, "aa", "a").Status; got != scheduler.TaskRunning {
		t.Errorf("after the first store closed the second sees %s", got)
	}
	must(t, two.Close())
}

func twoWriters(t *testing.T, open opener) {
	path := filepath.Join(t.TempDir(), "store")
	stores := []persistence.Store{open(t, path), open(t, path)}
	create(t, stores[0], "aa", task("a"))
	g := own(t, stores[0], "aa")
	const each = 25
	done := make(chan error)
	for _, s := range stores {
		go func() {
			for range each {
				if _, err := s.Apply(t.Context(), persistence.Transition{Run: "aa", Generation: g, Now: at, Events: []event.Event{{Kind: event.Notice}}}); err != nil {
					done <- fmt.Errorf("apply: %w", err)
					return
				}
				if _, err := s.AddRequest(t.Context(), persistence.Request{Run: "aa", Kind: "x"}); err != nil {
					done <- fmt.Errorf("add request: %w", err)
					return
				}
			}
			done <- nil
		}()
	}
	for range stores {
		must(t, <-done)
	}
	events, err := stores[0].Events(t.Context(), "aa", 0, 0)
	must(t, err)
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has number %d", i, e.Seq)
		}
	}
	requests, err := stores[1].PendingRequests(t.Context(), "aa")
	must(t, err)
	if len(events) != 2*each || len(requests) != 2*each {
		t.Errorf("%d events and %d requests", len(events), len(requests))
	}
	for _, s := range stores {
		must(t, s.Close())
	}
}
