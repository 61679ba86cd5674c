package orchestrator_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// limited are agents of an account that meets its usage limit in its first turn, with a fallback of another account. What
// that does is said by backup.
func limited(t *testing.T, backup func(turn provider.Turn) string, tasks ...*scheduler.Task) (*rig, *scripted, *clock) {
	r := newRig(t)
	c := &clock{}
	r.now = c.now
	s := newScripted(t, nil)
	reset := time.Now().Add(time.Hour)
	met := false
	s.play = func(turn provider.Turn) string {
		switch {
		case turn.Model == "backup":
			return backup(turn)
		case met:
			return end(provider.Result{Summary: "done by its own agent"})
		}
		met = true
		return text("I chose the second way.") + "echo half > half.txt\n" + end(provider.Result{Kind: provider.KindLimit, Error: "limit reached", RetryAt: reset})
	}
	r.agents(s, tasks...)
	r.options(func(o *persistence.RunOptions) {
		o.Agents["coder"] = persistence.Agent{Provider: "scripted", Account: "mine", Fallback: "backup"}
		o.Agents["backup"] = persistence.Agent{Provider: "scripted", Account: "theirs", Model: "backup"}
	})
	r.serial()
	return r, s, c
}

func done(provider.Turn) string { return end(provider.Result{Summary: "done by the other"}) }

func TestWorkGoesOnWithItsFallbackWhileItsAccountIsAtItsLimit(t *testing.T) {
	r, s, _ := limited(t, done, &scheduler.Task{ID: "a"}, &scheduler.Task{ID: "b"})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	a, b := s.asks("a"), s.asks("b")
	if len(a) != 2 || a[1].Model != "backup" || a[1].Resume || a[1].Session == a[0].Session {
		t.Fatalf("turns of a %+v", a)
	}
	for _, want := range []string{"Do a.", "I chose the second way.", "+half", "limit reached"} {
		if !strings.Contains(a[1].Prompt, want) {
			t.Errorf("the fallback was not told %q:\n%s", want, a[1].Prompt)
		}
	}
	if len(b) != 1 || b[0].Model != "backup" || strings.Contains(b[0].Prompt, "earlier session") {
		t.Errorf("turns of b, which had not begun: %+v", b)
	}
	if got := r.attempts("a"); len(got) != 1 || got[0].Work.Account != "theirs" || got[0].Work.Fallback.For != "coder" || got[0].Work.Waits != 0 {
		t.Errorf("attempts %+v", got)
	}
	if r.merged("half.txt") != "half" {
		t.Error("the workspace was not kept")
	}
	for _, id := range []string{"a", "b"} {
		if !slices.ContainsFunc(r.events(), func(e event.Event) bool {
			return e.Kind == event.Notice && e.Task == id && strings.HasPrefix(e.Message, "goes on with backup: mine is held until ")
		}) {
			t.Errorf("it is not told that %s went over", id)
		}
	}
}

func TestWorkWaitsForTheEarlierResetWhereItsFallbackIsHeldToo(t *testing.T) {
	soon := time.Now().Add(20 * time.Minute)
	met := false
	r, s, c := limited(t, func(turn provider.Turn) string {
		if !met && strings.HasPrefix(turn.ID, "first.") {
			met = true
			return end(provider.Result{Kind: provider.KindLimit, Error: "their limit", RetryAt: soon})
		}
		return done(turn)
	}, &scheduler.Task{ID: "first", AgentRole: "backup"}, &scheduler.Task{ID: "a"}, &scheduler.Task{ID: "b"})
	_, wait := r.begin()
	r.until("both accounts are at their limits", func() bool { return r.waiting("first") && r.waiting("a") })
	polls := r.polls()
	r.until("the engine has looked again and again", func() bool { return r.polls() > polls+5 })
	if n := len(s.asks("a")) + len(s.asks("b")); n != 1 {
		t.Errorf("%d turns while both are held", n)
	}
	c.advance(21 * time.Minute)
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	for _, id := range []string{"a", "b"} {
		asks := s.asks(id)
		if last := asks[len(asks)-1]; last.Model != "backup" {
			t.Errorf("%s did not go on with the account that was free first: %+v", id, last)
		}
	}
}

func TestWorkThatWentOverStaysThereAndOutlivesItsOwner(t *testing.T) {
	r, s, c := limited(t, func(turn provider.Turn) string {
		if !turn.Resume {
			return text("backup begins") + "sleep 300\n"
		}
		return done(turn)
	}, &scheduler.Task{ID: "a"})
	r.halted(r.has("a", "assistant: backup begins"))
	c.advance(2 * time.Hour) // its own account is free again
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	asks := s.asks("a")
	if len(asks) != 3 || asks[2].Model != "backup" || !asks[2].Resume || asks[2].Session != asks[1].Session {
		t.Fatalf("turns %+v", asks)
	}
	if n := len(r.attempts("a")); n != 1 {
		t.Errorf("%d attempts", n)
	}
}

func TestHeldAccountIsNotTriedByTheNextOwnerWhereWorkWentOver(t *testing.T) {
	r, s, _ := limited(t, func(turn provider.Turn) string {
		if strings.HasPrefix(turn.ID, "a.") && !turn.Resume {
			return text("backup begins") + "sleep 300\n"
		}
		return done(turn)
	}, &scheduler.Task{ID: "a"}, &scheduler.Task{ID: "b"})
	r.halted(r.has("a", "assistant: backup begins"))
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if b := s.asks("b"); len(b) != 1 || b[0].Model != "backup" {
		t.Errorf("turns of b %+v", b)
	}
}

func TestReviewGoesOnWithItsFallbackAndRejectedWorkGoesBackWhereItWas(t *testing.T) {
	rounds := 0
	r, s, _ := limited(t, func(turn provider.Turn) string {
		if turn.Permissions != provider.PermitRead {
			return "echo two > half.txt\n" + done(turn)
		}
		if rounds++; rounds == 1 {
			return reject("half.txt:1 must say two.")
		}
		return approve()
	}, &scheduler.Task{ID: "a"})
	r.options(func(o *persistence.RunOptions) {
		o.Workflows = map[string][]scheduler.Step{"w": {{}, {Agent: "reviewer", Review: true, Rounds: 3}}}
		o.WorkflowOf = map[scheduler.TaskID]string{"a": "w"}
		o.Agents["reviewer"] = persistence.Agent{Provider: "scripted", Account: "mine", Fallback: "backup"}
	})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	asks := s.asks("a")
	if len(asks) != 5 {
		t.Fatalf("%d turns", len(asks))
	}
	coder, reviewer, again, judged := asks[1], asks[2], asks[3], asks[4]
	if reviewer.Model != "backup" || reviewer.Permissions != provider.PermitRead || reviewer.Session == coder.Session {
		t.Errorf("review %+v", reviewer)
	}
	if !again.Resume || again.Session != coder.Session || !strings.Contains(again.Prompt, "must say two") || !judged.Resume || judged.Session != reviewer.Session {
		t.Errorf("rejected work went to %+v, its review to %+v", again, judged)
	}
	if r.merged("half.txt") != "two" {
		t.Errorf("merged %q", r.merged("half.txt"))
	}
}

// TestFallbackEndsTheSameAfterACrashAtAnyEffect ends the owner after each of its effects while work goes over.
func TestFallbackEndsTheSameAfterACrashAtAnyEffect(t *testing.T) {
	for n := 4; ; n += 2 * stride() {
		r, s, _ := limited(t, done, &scheduler.Task{ID: "a", Isolation: scheduler.IsolationNone})
		r.cut = &cut{last: n}
		_, err := r.engine().Run(r.ctx)
		r.cut = nil
		if state := r.finish(); state != scheduler.RunCompleted {
			t.Fatalf("cut off after effect %d: %s", n, r.states())
		}
		asks := s.asks("a")
		if last := asks[len(asks)-1]; err != nil && len(r.attempts("a")) == 1 && r.attempts("a")[0].Work.Fallback != nil && last.Model != "backup" {
			t.Fatalf("cut off after effect %d: %+v", n, last)
		}
		if err == nil {
			return // it came to its end
		}
	}
}
