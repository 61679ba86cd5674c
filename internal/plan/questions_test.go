package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/scheduler"
)

func TestNearestWordAboutQuestionsCounts(t *testing.T) {
	const tasks = "tasks:\n  a: {run: x}\n  b: {run: x, questions: ask}\n"
	for text, want := range map[string]string{
		"":                              "",
		"questions: never\n":            "never",
		"defaults: {questions: fail}\n": "fail",
		"questions: never\ndefaults: {questions: fail}\n": "fail",
	} {
		p := parse(t, "version: 1\n"+text+tasks)
		if p.Questions() != want {
			t.Errorf("%q: %q", text, p.Questions())
		}
		if diff := cmp.Diff(map[scheduler.TaskID]string{"b": "ask"}, p.QuestionsOf()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestOrchestratorIsAskedFirstWhereThePlanSaysSo(t *testing.T) {
	p := parse(t, "version: 1\nquestions: orchestrator\ntasks: {a: {run: x}}\n")
	if p.Questions() != QuestionsOrchestrator {
		t.Errorf("questions %q", p.Questions())
	}
}

func TestFreshSessionsOfRetries(t *testing.T) {
	p := parse(t, `version: 1
defaults: {retry: {attempts: 2, session: fresh}}
tasks:
  a: {run: x}
  b: {run: x, retry: {attempts: 3, session: continue}}
  c: {run: x, retry: 4}
`)
	if diff := cmp.Diff([]scheduler.TaskID{"a", "c"}, p.FreshSessions()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	tasks := p.Tasks()
	if tasks[0].Attempts != 2 || tasks[1].Attempts != 3 || tasks[2].Attempts != 5 {
		t.Errorf("attempts %d, %d, %d", tasks[0].Attempts, tasks[1].Attempts, tasks[2].Attempts)
	}
}
