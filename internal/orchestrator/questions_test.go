package orchestrator_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

func TestQuestionIsAnsweredAtOnceWhereNobodyIsAsked(t *testing.T) {
	r := newRig(t)
	script, open := r.gated("one")
	r.agents(newScripted(t, func(string, int) string { return script }), &scheduler.Task{ID: "a"})
	r.options(func(o *persistence.RunOptions) { o.Questions = "never" })
	_, wait := r.begin()
	r.until("the turn runs", r.has("a", "assistant: begun one"))
	if got := r.says(orchestrator.RequestAsk, r.bound("a", "Which way?")); got != "" {
		t.Fatalf("refused: %s", got)
	}
	w := r.attempts("a")[0].Work
	if len(w.Asking()) != 0 || len(w.Questions) != 1 || !strings.Contains(w.Questions[0].Answer, "Decide yourself") {
		t.Errorf("questions %+v", w.Questions)
	}
	writeFile(t, open, "")
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	if got := strings.Join(r.history("a"), "\n"); !strings.Contains(got, "question: Which way?") || !strings.Contains(got, "answer: Nobody answers") {
		t.Errorf("conversation %s", got)
	}
}

func TestQuestionFailsItsAttemptWhereThatIsTheRule(t *testing.T) {
	r := newRig(t)
	first, _ := r.gated("never opened")
	s := newScripted(t, func(_ string, turn int) string {
		if turn == 1 {
			return first
		}
		return end(provider.Result{Summary: "decided it alone"})
	})
	r.agents(s, &scheduler.Task{ID: "a", Attempts: 2})
	r.options(func(o *persistence.RunOptions) {
		o.Questions, o.QuestionsOf = "never", map[scheduler.TaskID]string{"a": "fail"}
	})
	_, wait := r.begin()
	r.until("the turn runs", r.has("a", "assistant: begun never opened"))
	if got := r.says(orchestrator.RequestAsk, r.bound("a", "Which way?")); !strings.Contains(got, "failed your attempt") {
		t.Errorf("the agent was told %q", got)
	}
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	a := r.attempts("a")
	if len(a) != 2 || a[0].Outcome != scheduler.OutcomeFailed || !strings.Contains(a[0].Error, "Which way?") || !strings.Contains(a[0].Error, "questions: fail") {
		t.Fatalf("attempts %+v", a)
	}
	if asks := s.asks("a"); len(asks) != 2 || !strings.Contains(asks[1].Prompt, "Which way?") {
		t.Errorf("the next attempt was not told why: %+v", asks)
	}
}

func TestRefusedQuestionFailsItsAttemptAlsoAfterAKill(t *testing.T) {
	r := newRig(t)
	script, _ := r.gated("one")
	r.agents(newScripted(t, func(string, int) string { return script }), &scheduler.Task{ID: "a"})
	r.halted(r.has("a", "assistant: begun one"))
	// The owner was killed between writing down the question and stopping the agent.
	a := r.attempts("a")[0]
	a.Work.Questions = []persistence.Question{{ID: 1, Turn: a.Work.Turn, Text: "Which way?", AskedAt: a.StartedAt, AnsweredAt: a.StartedAt, Refused: true}}
	r.rewrite(a)
	if state := r.finish(); state != scheduler.RunFailed {
		t.Fatalf("state %s", state)
	}
	if got := r.task("a").Error; !strings.Contains(got, "Which way?") {
		t.Errorf("error %q", got)
	}
}

func TestFreshSessionIsBegunForTheNextAttemptWhereThePlanSaysSo(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(_ string, turn int) string {
		if turn == 1 {
			return "echo wrong > left.txt\n" + end(provider.Result{Summary: "done", Counters: provider.Usage{Input: 10}})
		}
		return "test ! -e left.txt && echo right > result.txt\n" + end(provider.Result{Summary: "done anew"})
	})
	r.agents(s, &scheduler.Task{ID: "a", Attempts: 2, Verify: []string{"test -e result.txt || { echo it is wrong; exit 3; }"}})
	r.options(func(o *persistence.RunOptions) { o.FreshSessions = []scheduler.TaskID{"a"} })
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	asks := s.asks("a")
	if len(asks) != 2 || asks[1].Resume || asks[1].Session == asks[0].Session || asks[1].Before != (provider.Usage{}) {
		t.Fatalf("turns %+v", asks)
	}
	for _, want := range []string{"Do a.", "it is wrong"} {
		if !strings.Contains(asks[1].Prompt, want) {
			t.Errorf("the new session was not told %q:\n%s", want, asks[1].Prompt)
		}
	}
	if got := r.attempts("a"); got[0].Saved == "" || slices.Contains(strings.Fields(r.git("ls-tree", "--name-only", "orc/7f3c")), "left.txt") {
		t.Errorf("the first attempt's work: saved %q, merged %s", got[0].Saved, r.git("ls-tree", "--name-only", "orc/7f3c"))
	}
}

// rewrite changes what is stored of an attempt.
func (r *rig) rewrite(a persistence.Attempt) {
	r.t.Helper()
	lease, err := r.store.GetLease(r.ctx, r.run.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	a.Generation = lease.Generation
	if _, err := r.store.Apply(r.ctx, persistence.Transition{Run: r.run.ID, Generation: lease.Generation, Now: time.Now(), Attempts: []persistence.Attempt{a}}); err != nil {
		r.t.Fatal(err)
	}
}
