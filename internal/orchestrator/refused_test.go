package orchestrator_test

import (
	"testing"
	"time"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

func TestToolsOfAnAttemptThatIsNotUnderWayAreRefused(t *testing.T) {
	r := newRig(t)
	script, open := r.gated("one")
	s := newScripted(t, func(task string, _ int) string {
		if task == "a" {
			return script
		}
		return end(provider.Result{Summary: "done"})
	})
	r.agents(s, &scheduler.Task{ID: "done"}, &scheduler.Task{ID: "a", DependsOn: []scheduler.TaskID{"done"}},
		&scheduler.Task{ID: "later", DependsOn: []scheduler.TaskID{"a"}}, &scheduler.Task{ID: "plain", Command: "true", DependsOn: []scheduler.TaskID{"a"}})
	_, wait := r.begin()
	r.until("the turn runs", r.has("a", "assistant: begun one"))
	good := r.bound("a", "mine")
	for name, change := range map[string]func(q *orchestrator.AgentRequest){
		"a task that there is not":     func(q *orchestrator.AgentRequest) { q.Task = "none" },
		"a task that is done":          func(q *orchestrator.AgentRequest) { q.Task = "done" },
		"a task that has not begun":    func(q *orchestrator.AgentRequest) { q.Task = "later" },
		"a task without an agent":      func(q *orchestrator.AgentRequest) { q.Task = "plain" },
		"an attempt that is not yet":   func(q *orchestrator.AgentRequest) { q.Attempt = 2 },
		"an attempt that never was":    func(q *orchestrator.AgentRequest) { q.Attempt = -1 },
		"an earlier owner's attempt":   func(q *orchestrator.AgentRequest) { q.Generation-- },
		"an owner's that there is not": func(q *orchestrator.AgentRequest) { q.Generation += 7 },
		"nobody's attempt at all":      func(q *orchestrator.AgentRequest) { *q = orchestrator.AgentRequest{} },
	} {
		q := good
		change(&q)
		for _, kind := range []string{orchestrator.RequestHello, orchestrator.RequestDone, orchestrator.RequestDoing, orchestrator.RequestAsk} {
			if got := r.says(kind, q); got == "" {
				t.Errorf("%s by %s was taken", kind, name)
			}
		}
	}
	id, err := r.store.AddRequest(r.ctx, persistence.Request{Run: r.run.ID, Kind: orchestrator.RequestDone, Payload: `{"task":`, CreatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	r.until("half of a request is refused", func() bool {
		got, err := r.store.GetRequest(r.ctx, id)
		return err == nil && got.Error != ""
	})
	if w := r.attempts("a")[0].Work; w.Declared != nil || len(w.Questions) > 0 || w.Tools != 0 {
		t.Errorf("work %+v", w)
	}
	if got := r.says(orchestrator.RequestDone, good); got != "" {
		t.Errorf("the agent's own word was refused: %s", got)
	}
	writeFile(t, open, "")
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s", state)
	}
}
