package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/mcp"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// asking is a run whose agent asks something.
func asking() seeded {
	return seeded{
		leased: true,
		tasks:  []*scheduler.Task{{ID: "build", AgentRole: "coder", Prompt: "x", Status: scheduler.TaskRunning, WritesFiles: []string{"src/**"}}},
		attempts: []persistence.Attempt{{
			Task: "build", Number: 1, Phase: scheduler.PhaseWorking, StartedAt: noon.Add(-5 * time.Minute),
			Work: &persistence.Work{Turn: 1, Open: true, Questions: []persistence.Question{
				{ID: 7, Turn: 1, Text: "Keep /login?", Options: []string{"Keep it", "Move it"}, AskedAt: noon.Add(-time.Minute)},
			}},
		}},
	}
}

func TestOpenQuestionNeedsThePersonAndIsAnswered(t *testing.T) {
	f := newFixture(t)
	f.seed(asking())
	f.holdOwner("7f3c")
	status := f.must(ExitOK, "status")
	for _, want := range []string{"needs you", "asks: Keep /login?", "orc answer build"} {
		if !strings.Contains(status, want) {
			t.Errorf("status lacks %q:\n%s", want, status)
		}
	}
	f.must(ExitNeedsYou, "status", "--exit-status")
	if got := f.must(ExitOK, "status", "--jq", ".tasks[0].questions[] | .id, .text, .options[1]"); got != "7\nKeep /login?\nMove it\n" {
		t.Errorf("questions %q", got)
	}
	f.must(ExitUsage, "answer", "build", "3")
	f.must(ExitUsage, "answer", "build", "x", "--question", "8")
	f.must(ExitUsage, "answer", "build", " ")
}

func TestAnswerWithoutAnOwnerIsStored(t *testing.T) {
	f := newFixture(t)
	f.seed(asking())
	f.must(ExitOK, "answer", "build", "2")
	st, err := f.app.openStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	list, err := st.PendingRequests(t.Context(), "7f3c")
	if err != nil || len(list) != 1 || list[0].Kind != orchestrator.RequestAnswer {
		t.Fatalf("requests %+v, %v", list, err)
	}
	var got orchestrator.AnswerRequest
	if err := json.Unmarshal([]byte(list[0].Payload), &got); err != nil || got != (orchestrator.AnswerRequest{Task: "build", Question: 7, Text: "Move it"}) {
		t.Errorf("request %+v, %v", got, err)
	}
}

func TestAgentsServerIsBoundToItsAttempt(t *testing.T) {
	f := newFixture(t)
	f.seed(asking())
	f.holdOwner("7f3c")
	f.must(ExitUsage, "mcp", "agent") // by hand
	st, err := f.app.openStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	lease, err := st.GetLease(t.Context(), "7f3c")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{app: f.app, store: st, run: "7f3c", task: "build", attempt: 1, generation: lease.Generation}
	plan, err := d.Context(t.Context())
	if err != nil || len(plan.Tasks) != 1 || plan.Tasks[0].Writes[0] != "src/**" || plan.Task != "build" {
		t.Errorf("plan %+v, %v", plan, err)
	}
	// The owner takes what the agent says, and answers.
	ctx, cancel := context.WithCancel(t.Context())
	owner := make(chan []string, 1)
	go func() { owner <- serveRequests(ctx, st, lease.Generation) }()
	if err := d.Complete(t.Context(), "did it"); err != nil {
		t.Errorf("complete: %v", err)
	}
	answer, err := d.Ask(t.Context(), "Which?", nil)
	if err != nil || answer != "this one" {
		t.Errorf("ask: %q, %v", answer, err)
	}
	cancel()
	if got := strings.Join(<-owner, ", "); got != "done did it, ask Which?" {
		t.Errorf("the owner heard %s", got)
	}
	d.generation--
	for name, call := range map[string]func() error{
		"hello":    func() error { return d.Hello(t.Context()) },
		"complete": func() error { return d.Complete(t.Context(), "s") },
		"report":   func() error { return d.Report(t.Context(), "s") },
		"ask":      func() error { _, err := d.Ask(t.Context(), "s", nil); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "not under way") {
			t.Errorf("%s by a survivor: %v", name, err)
		}
	}
	var _ mcp.Task = d
}

// serveRequests plays the owner: it takes requests and answers questions until ctx ends.
func serveRequests(ctx context.Context, st persistence.Store, generation int64) (heard []string) {
	for ctx.Err() == nil {
		list, err := st.PendingRequests(ctx, "7f3c")
		if err != nil {
			break
		}
		for _, r := range list {
			var q orchestrator.AgentRequest
			if json.Unmarshal([]byte(r.Payload), &q) != nil {
				return append(heard, "not JSON")
			}
			heard = append(heard, r.Kind+" "+q.Text)
			tr := persistence.Transition{Run: "7f3c", Generation: generation, Now: noon, Requests: []persistence.RequestDone{{ID: r.ID}}}
			if r.Kind == orchestrator.RequestAsk {
				tr.Attempts = []persistence.Attempt{{Task: "build", Number: 1, Phase: scheduler.PhaseWorking, Work: &persistence.Work{
					Questions: []persistence.Question{{ID: r.ID, Text: q.Text, Answer: "this one", AnsweredAt: noon}},
				}}}
			}
			if _, err := st.Apply(ctx, tr); err != nil {
				return append(heard, err.Error())
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
	return heard
}

func TestQuestionThatAnAgentIsAskedFirstNeedsThePersonOnlyWhenItIsPassedOn(t *testing.T) {
	first := asking()
	q := &first.attempts[0].Work.Questions[0]
	q.Referral = &persistence.Referral{
		Role: persistence.OrchestratorRole, Turn: 1, Open: true, Log: "/log/q", Used: []persistence.TurnUsage{{Turn: 1, Usage: persistence.Usage{Input: 5}}},
	}
	f := newFixture(t)
	f.seed(first)
	f.holdOwner("7f3c")
	if status := f.must(ExitOK, "status"); !strings.Contains(status, "asks orchestrator: Keep /login?") || strings.Contains(status, "needs you") || strings.Contains(status, "orc answer") {
		t.Errorf("while it is asked:\n%s", status)
	}
	if got := f.must(ExitOK, "status", "--jq", ".tasks[0].questions[0].referred"); got != "orchestrator\n" {
		t.Errorf("referred to %q", got)
	}

	passed := asking()
	q = &passed.attempts[0].Work.Questions[0]
	q.Referral = &persistence.Referral{Role: persistence.OrchestratorRole, Turn: 1, Remark: "only you know", Passed: noon}
	f = newFixture(t)
	f.seed(passed)
	f.holdOwner("7f3c")
	for _, want := range []string{"needs you", "asks: Keep /login? (only you know)", "orc answer build"} {
		if status := f.must(ExitOK, "status"); !strings.Contains(status, want) {
			t.Errorf("status lacks %q:\n%s", want, status)
		}
	}
	if shown := f.must(ExitOK, "show", "build"); !strings.Contains(shown, "asks: Keep /login? (only you know)") {
		t.Errorf("show:\n%s", shown)
	}
}
