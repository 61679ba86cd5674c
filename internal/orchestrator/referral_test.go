package orchestrator_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"orchestrator/internal/event"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// referring is a run in which the orchestrator agent is asked first. The agent of task a waits in its first turn until the
// returned file is there; what the orchestrator agent does in its n-th turn is said by advise.
func referring(t *testing.T, advise func(n int) string) (r *rig, s *scripted, open string) {
	r = newRig(t)
	first, open := r.gated("asking")
	s = newScripted(t, nil)
	n := 0
	s.play = func(turn provider.Turn) string {
		switch {
		case strings.Contains(turn.ID, ".q"):
			n++
			return advise(n)
		case strings.HasPrefix(turn.ID, "a.") && !turn.Resume:
			return first
		}
		return end(provider.Result{Summary: "done"})
	}
	r.agents(s, &scheduler.Task{ID: "a", Prompt: "Build the login."}, &scheduler.Task{ID: "b"}, &scheduler.Task{ID: "c", DependsOn: []scheduler.TaskID{"a"}, Status: scheduler.TaskPending})
	r.options(func(o *persistence.RunOptions) {
		o.Questions = "orchestrator"
		o.Agents["orchestrator"] = persistence.Agent{Provider: "scripted", Account: "advisor", Model: "wise"}
	})
	return r, s, open
}

// asked has the agent of task a ask, once it is at work.
func (r *rig) asked(text string, options ...string) {
	r.t.Helper()
	r.until("the agent is at work", r.has("a", "assistant: begun asking"))
	if got := r.says(orchestrator.RequestAsk, r.bound("a", text, options...)); got != "" {
		r.t.Fatalf("refused: %s", got)
	}
}

// question is the only one of task a.
func (r *rig) question() persistence.Question {
	r.t.Helper()
	list := r.attempts("a")[0].Work.Questions
	if len(list) != 1 {
		r.t.Fatalf("questions %+v", list)
	}
	return list[0]
}

// referrals are the turns of the orchestrator agent.
func (s *scripted) referrals() []provider.Turn {
	return slices.DeleteFunc(s.asks("a"), func(t provider.Turn) bool { return !strings.Contains(t.ID, ".q") })
}

func (r *rig) kinds(task string) []event.Kind {
	var list []event.Kind
	for _, e := range r.events() {
		if e.Task == task {
			list = append(list, e.Kind)
		}
	}
	return list
}

func TestQuestionIsAnsweredByTheOrchestratorAgent(t *testing.T) {
	r, s, open := referring(t, func(int) string {
		return print(said{Usage: provider.Usage{Input: 70, Output: 7, Cost: 0.5, Priced: true}}) +
			end(provider.Result{Summary: "The plan says so.\n\n**DECISION: answer**\n\n2"})
	})
	_, wait := r.begin()
	r.until("another task is done meanwhile", func() bool { return r.task("b").Status == scheduler.TaskCompleted })
	r.asked("Keep it?", "keep it", "drop it")
	r.until("it is answered", func() bool { return !r.question().AnsweredAt.IsZero() })
	q := r.question()
	if q.Answer != "drop it" || q.By != "orchestrator" || q.Referred() || !q.Referral.Passed.IsZero() {
		t.Errorf("question %+v, referral %+v", q, q.Referral)
	}
	turns := s.referrals()
	if len(turns) != 1 {
		t.Fatalf("%d turns", len(turns))
	}
	turn := turns[0]
	if turn.Permissions != provider.PermitRead || turn.Dir != r.root || turn.Model != "wise" || len(turn.Servers) != 0 || turn.Resume {
		t.Errorf("turn %+v", turn)
	}
	if slices.ContainsFunc(turn.Env, func(v string) bool { return strings.HasPrefix(v, "ORC_TASK=") }) {
		t.Error("it is bound to the task that asks")
	}
	for _, want := range []string{"Keep it?", "2. drop it", "asks: a\n\nBuild the login.", "- b: completed", "    done\n", "- c: pending, needs a", "DECISION: pass"} {
		if !strings.Contains(turn.Prompt, want) {
			t.Errorf("it was not told %q:\n%s", want, turn.Prompt)
		}
	}
	writeFile(t, open, "")
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if got := r.attempts("a")[0].Work.Spent(); got.Tokens != 77 || got.Cost != 0.5 {
		t.Errorf("spent %+v: what the other agent used is not counted", got)
	}
	for _, want := range []string{"question: Keep it?", "orchestrator: The plan says so.\n\n**DECISION: answer**\n\n2", "answer: drop it"} {
		if !r.has("a", want)() {
			t.Errorf("the conversation lacks %q: %q", want, r.history("a"))
		}
	}
	var by strings.Builder
	for _, e := range r.events() {
		if e.Kind == event.TaskQuestion || e.Kind == event.TaskAnswered {
			by.WriteString(string(e.Kind) + " " + e.By + "\n")
		}
	}
	if by.String() != "task.question orchestrator\ntask.answered orchestrator\n" {
		t.Errorf("events %s", by.String())
	}
}

func TestQuestionThatTheOrchestratorAgentDoesNotAnswerGoesToThePerson(t *testing.T) {
	quota := end(provider.Result{Kind: provider.KindQuota, Error: "no money is left"})
	cases := map[string]struct {
		does   string
		remark string
		turns  int
	}{
		"it passes it on":      {end(provider.Result{Summary: "DECISION: pass\nOnly you know the price."}), "Only you know the price.", 1},
		"it has no money left": {quota, "no money is left", 1},
		"it decides nothing":   {end(provider.Result{Summary: "Well."}), "without a decision", 2},
		"it is killed again":   {"kill -9 $$\n", "exit", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, s, open := referring(t, func(int) string { return c.does })
			_, wait := r.begin()
			r.asked("How much?")
			r.until("the person is asked", func() bool { return !r.question().Referral.Passed.IsZero() })
			q := r.question()
			if !strings.Contains(q.Referral.Remark, c.remark) || q.By != "" || len(r.attempts("a")[0].Work.Asking()) != 1 {
				t.Errorf("question %+v, referral %+v", q, q.Referral)
			}
			if n := len(s.referrals()); n != c.turns {
				t.Errorf("%d turns, want %d", n, c.turns)
			}
			passed := slices.IndexFunc(r.events(), func(e event.Event) bool { return e.Kind == event.TaskPassed })
			if passed < 0 || r.events()[passed].Message != "How much?" || !strings.Contains(r.events()[passed].Reason, c.remark) {
				t.Errorf("events %v", r.kinds("a"))
			}
			r.request(orchestrator.RequestAnswer, orchestrator.AnswerRequest{Task: "a", Text: "ten"})
			r.until("it is answered", func() bool { return !r.question().AnsweredAt.IsZero() })
			if q := r.question(); q.By != persistence.ByPerson || q.Answer != "ten" {
				t.Errorf("question %+v", q)
			}
			writeFile(t, open, "")
			if state := wait(); state != scheduler.RunCompleted {
				t.Fatalf("state %s: %s", state, r.states())
			}
		})
	}
}

func TestQuestionGoesToThePersonAtOnceWhereTheOrchestratorAgentCannotBeAsked(t *testing.T) {
	r, s, open := referring(t, func(int) string { return end(provider.Result{Summary: "DECISION: answer\nyes"}) })
	r.options(func(o *persistence.RunOptions) { delete(o.Agents, "orchestrator") })
	_, wait := r.begin()
	r.asked("How much?")
	if q := r.question(); q.Referred() || !strings.Contains(q.Referral.Remark, "has none") {
		t.Errorf("question %+v, referral %+v", q, q.Referral)
	}
	if n := len(s.referrals()); n != 0 {
		t.Errorf("%d turns", n)
	}
	writeFile(t, open, "")
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
}

func TestAnswerOfThePersonWhoIsFasterCounts(t *testing.T) {
	r, s, open := referring(t, func(int) string { return text("thinking") + "sleep 300\n" })
	_, wait := r.begin()
	r.asked("Which way?")
	r.until("the other agent is at work", func() bool { return len(s.referrals()) == 1 && r.exists(r.question().Referral.Log) })
	r.request(orchestrator.RequestAnswer, orchestrator.AnswerRequest{Task: "a", Text: "left"})
	r.until("it is answered", func() bool { return !r.question().AnsweredAt.IsZero() })
	writeFile(t, open, "")
	if state := wait(); state != scheduler.RunCompleted { // the other agent, which would go on for long, was ended
		t.Fatalf("state %s: %s", state, r.states())
	}
	if q := r.question(); q.By != persistence.ByPerson || q.Answer != "left" || !q.Referral.Passed.IsZero() {
		t.Errorf("question %+v, referral %+v", q, q.Referral)
	}
}

func TestReferralOutlivesItsOwner(t *testing.T) {
	var began atomic.Bool
	r, s, _ := referring(t, func(n int) string {
		if n == 1 {
			began.Store(true)
			return print(said{Usage: provider.Usage{Input: 40}}) + "sleep 300\n"
		}
		return print(said{Usage: provider.Usage{Input: 2}}) + end(provider.Result{Summary: "DECISION: answer\nThe left one."})
	})
	e := r.engine()
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := e.Run(ctx)
		ended <- err
	}()
	r.asked("Which way?")
	r.until("the other agent is at work", func() bool { return began.Load() && r.question().Referral.Open && len(r.question().Referral.Used) == 1 })
	r.steal()
	e.Stop(true)
	if err := <-ended; err == nil {
		t.Fatal("the engine did not notice that it had been replaced")
	}
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	turns := s.referrals()
	if len(turns) != 2 || !turns[1].Resume || turns[1].Session != turns[0].Session || !strings.Contains(turns[1].Prompt, "interrupted") {
		t.Fatalf("turns %+v", turns)
	}
	own := slices.DeleteFunc(s.asks("a"), func(t provider.Turn) bool { return strings.Contains(t.ID, ".q") })
	if len(own) != 2 || !own[1].Resume || !strings.Contains(own[1].Prompt, "Which way?") || !strings.Contains(own[1].Prompt, "The left one.") {
		t.Errorf("the agent that asks was not told: %+v", own)
	}
	if got := r.attempts("a")[0].Work.Spent(); got.Tokens != 42 {
		t.Errorf("spent %+v", got)
	}
}

// TestReferralEndsTheSameAfterACrashAtAnyEffect ends the owner after each of its effects while an agent is asked.
func TestReferralEndsTheSameAfterACrashAtAnyEffect(t *testing.T) {
	_, began, answered := referredOnce(t, 0)
	if answered <= began {
		t.Fatalf("asked after effect %d and answered after %d: nothing to cut between", began, answered)
	}
	for n := began; n <= answered+1; n += stride() {
		r, _, _ := referredOnce(t, n)
		if state := r.finish(); state != scheduler.RunCompleted {
			t.Fatalf("cut off after effect %d: %s: %s", n, state, r.task("a").Error)
		}
		for _, q := range r.attempts("a")[0].Work.Questions {
			if q.Answer != "left" || q.By != "orchestrator" {
				t.Fatalf("cut off after effect %d: question %+v", n, q)
			}
		}
	}
}

// referredOnce owns a run whose task asks a question in its first turn and goes on when that is answered, until the owner
// is cut off after an effect; 0 = it is not. It says after which effects the question was asked and answered.
func referredOnce(t *testing.T, last int) (r *rig, began, answered int) {
	r = newRig(t)
	r.cut = &cut{last: last}
	effects := func() (n int, over bool) {
		r.cut.mu.Lock()
		defer r.cut.mu.Unlock()
		return r.cut.effects, last > 0 && r.cut.effects >= last
	}
	s := newScripted(t, nil)
	first := true
	s.play = func(turn provider.Turn) string {
		if strings.Contains(turn.ID, ".q") {
			return end(provider.Result{Summary: "DECISION: answer\nleft"})
		}
		if !first {
			return end(provider.Result{Summary: "done"})
		}
		first = false
		began, _ = effects()
		r.request(orchestrator.RequestAsk, r.bound("a", "Which way?"))
		for r.ctx.Err() == nil {
			n, over := effects()
			if list := r.attempts("a")[0].Work.Questions; len(list) > 0 && !list[0].AnsweredAt.IsZero() {
				answered = n
				return end(provider.Result{Summary: "done"})
			}
			if over {
				break
			}
		}
		// Where the last effect was the answer itself, nothing more happens before the turn ends.
		return "sleep 3\n" + end(provider.Result{Summary: "done"})
	}
	r.agents(s, &scheduler.Task{ID: "a", Isolation: scheduler.IsolationNone})
	r.options(func(o *persistence.RunOptions) {
		o.Questions = "orchestrator"
		o.Agents["orchestrator"] = persistence.Agent{Provider: "scripted", Account: "advisor"}
	})
	_, err := r.engine().Run(r.ctx)
	r.cut = nil
	if err != nil && last == 0 {
		t.Fatalf("cut off after effect %d: %v", last, err)
	}
	return r, began, answered
}
