package orchestrator_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orchestrator/internal/event"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// says is what the server of an agent's tools would write; it returns what the owner refused.
func (r *rig) says(kind string, q orchestrator.AgentRequest) string {
	r.t.Helper()
	id := r.request(kind, q)
	refused := ""
	r.until("the owner took it", func() bool {
		got, err := r.store.GetRequest(r.ctx, id)
		if err != nil {
			r.t.Fatal(err)
		}
		refused = got.Error
		return !got.ConsumedAt.IsZero()
	})
	return refused
}

// bound is a request of the agent of a task's present attempt.
func (r *rig) bound(task scheduler.TaskID, text string, options ...string) orchestrator.AgentRequest {
	r.t.Helper()
	lease, err := r.store.GetLease(r.ctx, r.run.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return orchestrator.AgentRequest{Task: task, Attempt: len(r.attempts(task)), Generation: lease.Generation, Text: text, Options: options}
}

// gated is a scripted turn that begins, and ends when the returned file is made.
func (r *rig) gated(name string) (script, file string) {
	file = filepath.Join(r.data, name)
	return text("begun "+name) + "until test -e '" + file + "'; do sleep 0.02; done\n" + end(provider.Result{Summary: "its last words"}), file
}

func (r *rig) has(task scheduler.TaskID, line string) func() bool {
	return func() bool { return slices.Contains(r.history(task), line) }
}

func TestAgentWithToolsIsDoneWhenItSaysSo(t *testing.T) {
	r := newRig(t)
	first, open1 := r.gated("one")
	second, open2 := r.gated("two")
	s := newScripted(t, func(_ string, turn int) string { return []string{first, second}[min(turn, 2)-1] })
	r.tools = &provider.Server{Name: "orc", Command: "/bin/orc", Env: map[string]string{"HOME": "/h"}}
	r.agents(s, &scheduler.Task{ID: "a"})
	_, wait := r.begin()
	r.until("the first turn runs", r.has("a", "assistant: begun one"))
	if got := r.says(orchestrator.RequestHello, r.bound("a", "")); got != "" {
		t.Fatalf("refused: %s", got)
	}
	writeFile(t, open1, "")
	r.until("it is asked to go on", r.has("a", "assistant: begun two"))
	stale := r.bound("a", "from a survivor")
	stale.Generation--
	if got := r.says(orchestrator.RequestDone, stale); !strings.Contains(got, "not under way") {
		t.Errorf("a survivor was heard: %q", got)
	}
	for _, kind := range []string{orchestrator.RequestHello, orchestrator.RequestDoing, orchestrator.RequestDone} {
		if got := r.says(kind, r.bound("a", kind+" said")); got != "" {
			t.Fatalf("refused: %s", got)
		}
	}
	writeFile(t, open2, "")
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	if res := r.task("a").Result; res == nil || *res != "done said" {
		t.Errorf("result %v", res)
	}
	asks := s.asks("a")
	if len(asks) != 2 || !asks[1].Resume || !strings.Contains(asks[1].Prompt, "task_complete") {
		t.Fatalf("turns %+v", asks)
	}
	env := asks[0].Servers[0].Env
	if env["ORC_TASK"] != "a" || env["ORC_RUN"] != "7f3c" || env["ORC_ATTEMPT"] != "1" || env["ORC_GENERATION"] != "1" || env["HOME"] != "/h" {
		t.Errorf("the server's environment %v", env)
	}
	if !slices.ContainsFunc(r.events(), func(e event.Event) bool { return e.Kind == event.TaskActivity && e.Message == "doing said" }) {
		t.Error("what it reported is not told")
	}
}

func TestQuestionIsAnsweredWhileItsAgentWaits(t *testing.T) {
	r := newRig(t)
	script, open := r.gated("one")
	r.agents(newScripted(t, func(string, int) string { return script }), &scheduler.Task{ID: "a"})
	_, wait := r.begin()
	r.until("the turn runs", r.has("a", "assistant: begun one"))
	if got := r.says(orchestrator.RequestAsk, r.bound("a", "Keep it?", "yes", "no")); got != "" {
		t.Fatalf("refused: %s", got)
	}
	q := r.attempts("a")[0].Work.Asking()
	if len(q) != 1 || q[0].Text != "Keep it?" || len(q[0].Options) != 2 {
		t.Fatalf("questions %+v", q)
	}
	id := r.request(orchestrator.RequestAnswer, orchestrator.AnswerRequest{Task: "a", Text: "yes"})
	r.until("it is answered", func() bool {
		w := r.attempts("a")[0].Work
		return len(w.Asking()) == 0 && w.Questions[0].Answer == "yes"
	})
	r.until("a second answer is refused", func() bool {
		again := r.request(orchestrator.RequestAnswer, orchestrator.AnswerRequest{Task: "a", Question: q[0].ID, Text: "no"})
		r.until("it is taken", func() bool {
			got, err := r.store.GetRequest(r.ctx, again)
			return err == nil && !got.ConsumedAt.IsZero()
		})
		got, err := r.store.GetRequest(r.ctx, again)
		return err == nil && strings.Contains(got.Error, "no such open question")
	})
	if got, err := r.store.GetRequest(r.ctx, id); err != nil || got.Error != "" {
		t.Errorf("the answer: %+v, %v", got, err)
	}
	writeFile(t, open, "")
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s", state)
	}
	if got := r.history("a"); !slices.Contains(got, "question: Keep it?") || !slices.Contains(got, "answer: yes") {
		t.Errorf("conversation %q", got)
	}
}

func TestAnswerGivenWhileNobodyOwnsTheRunIsTold(t *testing.T) {
	r := newRig(t)
	script, _ := r.gated("one")
	s := newScripted(t, func(_ string, turn int) string {
		if turn == 1 {
			return script
		}
		return end(provider.Result{Summary: "done"})
	})
	r.agents(s, &scheduler.Task{ID: "a"})
	e, wait := r.begin()
	r.until("the turn runs", r.has("a", "assistant: begun one"))
	if got := r.says(orchestrator.RequestAsk, r.bound("a", "Which way?")); got != "" {
		t.Fatalf("refused: %s", got)
	}
	e.Stop(true)
	if state := wait(); state != scheduler.RunPaused {
		t.Fatalf("state %s", state)
	}
	r.request(orchestrator.RequestAnswer, orchestrator.AnswerRequest{Task: "a", Text: "the second one"})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	asks := s.asks("a")
	if last := asks[len(asks)-1].Prompt; !strings.Contains(last, "Which way?") || !strings.Contains(last, "the second one") {
		t.Errorf("the agent was not told:\n%s", last)
	}
}
