package plan

import (
	"strings"
	"testing"
)

func TestGuideNamesEveryKey(t *testing.T) {
	guide := Guide()
	for _, name := range append(append(names(planKeys), names(taskKeys)...), names(defaultsKeys)...) {
		if !strings.Contains(guide, name) {
			t.Errorf("the guide says nothing of %s", name)
		}
	}
	if strings.Contains(guide, "%!") {
		t.Error(guide)
	}
}

func TestPlanIsFoundInWhatAnAgentSaid(t *testing.T) {
	const small = "version: 1\ntasks:\n  a: {run: x}\n"
	nested := "version: 1\ntasks:\n  a:\n    prompt: |\n      Write:\n      ```go\n      package a\n      ```\n      and stop.\n"
	for _, c := range []struct{ name, answer, want string }{
		{"a block", "Here it is:\n\n```yaml\n" + small + "```\nGood luck.", small},
		{"without a language", "```\n" + small + "```", small},
		{"the last of two", "```yaml\nversion: 1\ntasks:\n  old: {run: y}\n```\nor rather\n```yaml\n" + small + "```\n", small},
		{"not one of something else", "```yaml\n" + small + "```\nRun it:\n```sh\norc run\n```\n", small},
		{"with a fence in a prompt", "```yaml\n" + nested + "```\n", nested},
		{"tildes", "~~~yml\n" + small + "~~~", small},
		{"in a list", "1. The plan:\n   ```yaml\n   version: 1\n   tasks:\n     a: {run: x}\n   ```\n", small},
		{"never closed", "```yaml\n" + small, small},
		{"nothing but a plan", "\n" + small, "\n" + small},
		{"JSON", "```json\n{\"version\": 1, \"tasks\": {\"a\": {\"run\": \"x\"}}}\n```", "{\"version\": 1, \"tasks\": {\"a\": {\"run\": \"x\"}}}\n"},
		{"words about tasks", "I would split it into\ntasks: first the store.", ""},
		{"another block", "```go\n" + small + "```", ""},
		{"nothing", "", ""},
	} {
		text, ok := FromAnswer(c.answer)
		if string(text) != c.want || ok != (c.want != "") {
			t.Errorf("%s: %v %q", c.name, ok, text)
		}
	}
}
