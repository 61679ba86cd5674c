package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/scheduler"
)

// providers are those of a configuration.
var providers = []string{"claude", "command", "mine"}

func TestAgentsOfProviders(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "review.md"), []byte("Look closely.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, list := Parse(filepath.Join(dir, "plan.yaml"), []byte(`version: 1
agents:
  senior: {provider: claude, model: opus, permissions: full, args: [--effort, high], instructions: Think first.}
  reviewer: {provider: mine, permissions: read-only, instructions_file: review.md}
tasks:
  a: {agent: senior, prompt: x}
  b: {agent: reviewer, prompt: x}
`), Options{Providers: providers})
	if len(list.Errors()) > 0 {
		t.Fatal(list)
	}
	want := map[string]Agent{
		"senior":   {Provider: "claude", Model: "opus", Permissions: "full", Args: []string{"--effort", "high"}, Instructions: "Think first."},
		"reviewer": {Provider: "mine", Permissions: "read-only", Instructions: "Look closely.\n"},
	}
	if diff := cmp.Diff(want, p.Agents); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
}

func TestMistakesOfAgents(t *testing.T) {
	for agent, want := range map[string]string{
		"{provider: cluade}":                                                    "`provider` cannot be `cluade` [bad-value]",
		"{provider: claude, command: x}":                                        "agent `c` has both `provider: claude` and `command` [conflicting-keys]",
		"{provider: command}":                                                   "agent `c` has no `command` [missing-key]",
		"{model: opus}":                                                         "agent `c` has no `provider` [missing-key]",
		"{provider: claude, permissions: yolo}":                                 "`permissions` cannot be `yolo` [bad-value]",
		"{provider: claude, permissions: readonly}":                             "`permissions` cannot be `readonly` [bad-value]",
		"{provider: claude, instructions_file: none.md}":                        "instructions file `none.md` does not exist [bad-instructions-file]",
		"{provider: claude, instructions_file: /etc/passwd}":                    "instructions file `/etc/passwd` is not a relative path [bad-instructions-file]",
		"{provider: claude, instructions: x, instructions_file: ../secret.txt}": "agent `c` has both `instructions` and `instructions_file` [conflicting-keys]",
		"{provider: claude, args: [[x]]}":                                       "an item of `args` wants text, got a list [bad-type]",
		"{provider: command, command: x, model: opus}":                          "agent `c` is a shell command: `model` does nothing [unused-key]",
	} {
		_, list := Parse(filepath.Join(t.TempDir(), "p.yaml"), []byte("version: 1\nagents: {c: "+agent+"}\ntasks: {a: {agent: c, prompt: x, verify: y, timeout: 1m}}\n"), Options{Providers: providers})
		var all []string
		for _, d := range list {
			all = append(all, d.String())
		}
		if text := strings.Join(all, "\n"); !strings.Contains(text, want) {
			t.Errorf("%s: said\n%s\nwant %s", agent, text, want)
		}
	}
}

func TestSchemaAndCheckerAgreeOnAgents(t *testing.T) {
	v, root := newValidator(t)
	for _, agent := range []string{
		"{}", "{provider: command}", "{provider: command, command: x}", "{command: x}", "{provider: command, command: x, model: m}", "{provider: command, command: x, args: [a]}",
		"{provider: command, command: x, permissions: full}", "{provider: command, command: x, permissions: all}", "{provider: command, command: x, instructions: y}",
		"{provider: command, command: x, instructions: \"\"}", "{provider: command, command: x, session: y}",
	} {
		agree(t, v, root, "version: 1\nagents: {c: "+agent+"}\ntasks: {a: {run: x}}\n")
	}
}

func TestStrictWritesIsOfTheTaskThenTheDefaultsThenThePlan(t *testing.T) {
	for head, want := range map[string][]scheduler.TaskID{
		"":                                  {"on"},
		"strict_writes: true\n":             {"on", "plain"},
		"defaults: {strict_writes: true}\n": {"on", "plain"},
		"strict_writes: true\ndefaults: {strict_writes: false}\n": {"on"},
	} {
		p, list := Parse("p.yaml", []byte("version: 1\n"+head+`tasks:
  on: {run: x, writes: [a/**], strict_writes: true}
  off: {run: x, writes: [b/**], strict_writes: false}
  plain: {run: x, writes: [c/**]}
  anything: {run: x}
`), Options{})
		if p == nil {
			t.Fatal(list)
		}
		if diff := cmp.Diff(want, p.StrictWrites()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", head, diff)
		}
	}
}
