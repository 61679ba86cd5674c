package orchestrator_test

import (
	"strings"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

func TestStalledAgentIsInterruptedAndGoesOnInItsSession(t *testing.T) {
	r := newRig(t)
	r.stall = 3 * time.Second
	s := newScripted(t, func(_ string, turn int) string {
		if turn == 1 {
			return print(said{Session: "s-1"}) + text("Now I think.") + "exec sleep 600\n"
		}
		return end(provider.Result{Summary: "done"})
	})
	s.chooses = true
	r.agents(s, &scheduler.Task{ID: "a"})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	asks := s.asks("a")
	last := asks[len(asks)-1]
	if !last.Resume || last.Session != "s-1" || !strings.Contains(last.Prompt, "nothing was heard of you for 3s") {
		t.Errorf("it was asked to go on with session %q (resume %v): %s", last.Session, last.Resume, last.Prompt)
	}
	said := false
	for _, e := range r.events() {
		said = said || e.Kind == event.Notice && strings.Contains(e.Message, "nothing was heard of it")
	}
	if !said {
		t.Error("no event says that it stalled")
	}
	if a := r.attempts("a"); len(a) != 1 {
		t.Errorf("%d attempts were spent", len(a))
	}
}

func TestAgentThatStallsAgainAndAgainFails(t *testing.T) {
	r := newRig(t)
	r.stall = 200 * time.Millisecond
	s := newScripted(t, func(string, int) string { return print(said{Session: "s-1"}) + "exec sleep 600\n" })
	s.chooses = true
	r.agents(s, &scheduler.Task{ID: "a"})
	if state := r.finish(); state != scheduler.RunFailed {
		t.Fatalf("state %s", state)
	}
	if why := r.task("a").Error; !strings.Contains(why, "stalled 3 times") || !strings.Contains(why, "nothing was heard") {
		t.Errorf("it failed because: %s", why)
	}
}
