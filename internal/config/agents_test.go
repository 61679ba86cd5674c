package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/plan"
)

var drivers = []Driver{{Name: "claude"}, {Name: "codex"}, {Name: "acp", Generic: true}}

func TestProvidersAndAgentsOfAllLayers(t *testing.T) {
	h := newHome(t)
	h.options.Drivers = drivers
	h.write(filepath.Join(filepath.Dir(h.options.UserFile()), "mine.md"), "Be brief.\n")
	h.write(filepath.Join(h.options.ProjectDir, ".orc", "review.md"), "Look closely.\n")
	h.write(h.options.UserFile(), `providers:
  claude: {command: /opt/claude, args: [--one], env: [ACME_*], set: {A: 1, B: two}}
  qwen: {driver: acp, command: qwen, args: --acp}
agents:
  senior: {provider: claude, model: opus, permissions: full, args: [--x], instructions_file: mine.md}
  coder: {provider: claude, model: opus}
`)
	h.write(h.options.ProjectFile(), `providers:
  claude:
    args: [--two]
    set: {B: three}
agents:
  coder: {provider: codex}
  reviewer: {instructions_file: .orc/review.md}
  senior: {instructions: Think., fallback: coder}
  writer: {provider: qwen}
`)
	c := h.load()
	wantProviders := map[string]Provider{
		"command": {Driver: "command"}, "codex": {Driver: "codex"}, "qwen": {Driver: "acp", Command: "qwen", Args: []string{"--acp"}},
		"claude": {Driver: "claude", Command: "/opt/claude", Args: []string{"--two"}, Env: []string{"ACME_*"}, Set: map[string]string{"A": "1", "B": "three"}},
	}
	if diff := cmp.Diff(wantProviders, c.Providers); diff != "" {
		t.Errorf("providers (-want +got):\n%s", diff)
	}
	wantAgents := map[string]plan.Agent{
		"senior": {Provider: "claude", Model: "opus", Permissions: "full", Args: []string{"--x"}, Instructions: "Think.", Fallback: "coder"},
		// The model was meant for the provider that the user's file names.
		"coder":    {Provider: "codex", Permissions: "edit"},
		"reviewer": {Permissions: "read-only", Instructions: "Look closely.\n"}, "orchestrator": {Permissions: "read-only"},
		"tester": {Permissions: "edit"}, "resolver": {Permissions: "edit"}, "writer": {Provider: "qwen"},
	}
	if diff := cmp.Diff(wantAgents, c.Agents); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	for key, want := range map[string]string{
		"providers.claude.args": "[--two]", "providers.claude.set.B": "three", "agents.senior.instructions": "Think.", "agents.reviewer.instructions_file": ".orc/review.md",
	} {
		if s, _ := c.Setting(key); s.Value.Text != want {
			t.Errorf("%s is %q, want %q", key, s.Value.Text, want)
		}
	}
	if s, ok := c.Setting("agents.senior.instructions_file"); ok {
		t.Errorf("a replaced setting is there: %+v", s)
	}
	if len(c.Trust) != 1 || !cmp.Equal(c.Trust[0].Commands, []string{"providers.claude.args: [--two]", "providers.claude.set.B: three"}) {
		t.Errorf("to be trusted: %+v", c.Trust)
	}
}

func TestWhatOfAProjectNeedsTrust(t *testing.T) {
	for text, needed := range map[string]bool{
		"agents: {coder: {provider: claude, model: opus, permissions: edit, instructions: x}}": false,
		"agents: {coder: {provider: claude, permissions: full}}":                               true,
		"agents: {coder: {provider: claude, args: [--mcp-config, x]}}":                         true,
		"providers: {claude: {env: [GITHUB_TOKEN]}}":                                           true,
		"providers: {claude: {command: ./claude}}":                                             true,
		"env: [GITHUB_TOKEN]": true,
		"concurrency: 9":      false,
	} {
		h := newHome(t)
		h.options.Drivers = drivers
		h.write(h.options.ProjectFile(), text)
		if got := len(h.load().Trust) > 0; got != needed {
			t.Errorf("%s: trust needed is %v, want %v", text, got, needed)
		}
	}
}

func TestMistakesOfProvidersAndAgents(t *testing.T) {
	key := "sk" + "-ant-" + strings.Repeat("a1", 20)
	for text, want := range map[string]string{
		"providers: {x: {command: y}}":                                   "provider `x` has no `driver` [missing-key]",
		"providers: {x: {driver: claud}}":                                "`driver` cannot be `claud` [bad-value]",
		"providers: {x: {driver: acp}}":                                  "provider `x` has no `command` [missing-key]",
		"providers: {claude: {transport: x}}":                            "unknown key `transport` in provider `claude` [unknown-key]",
		"providers: {claude: {env: [A=1]}}":                              "`A=1` is no name of a variable [bad-value]",
		"providers: {claude: {set: {A: " + key + "}}}":                   "this looks like a secret key [secret]",
		"providers: {claude: {args: [--key, " + key + "]}}":              "this looks like a secret key [secret]",
		"providers: {claude: {set: {ORC_RUN: x}}}":                       "`ORC_RUN` is no name of a variable that can be set [bad-value]",
		"providers: {Claude: {}}":                                        "provider `Claude` can only have",
		"agents: {x: {provider: cluade}}":                                "`provider` cannot be `cluade` [bad-value]",
		"agents: {x: {model: m}}":                                        "agent `x` has no `provider` [missing-key]",
		"agents: {coder: {model: m}}":                                    "agent `coder` has a model or arguments and no `provider` [missing-key]",
		"agents: {coder: {command: m}}":                                  "agent `coder` has no `provider` [missing-key]",
		"agents: {coder: {provider: command}}":                           "agent `coder` has no `command` [missing-key]",
		"agents: {coder: {provider: claude, command: x}}":                "agent `coder` has both `provider: claude` and `command` [conflicting-keys]",
		"agents: {coder: {fallback: nobody}}":                            "agent `coder` falls back on the agent `nobody`, which is not defined [unknown-agent]",
		"agents: {coder: {fallback: coder}}":                             "agents fall back on each other: coder → coder [bad-fallback]",
		"agents: {coder: {fallback: tester}, tester: {fallback: coder}}": "agents fall back on each other: coder → tester → coder [bad-fallback]",
		"agents: {coder: {provider: claude, permissions: all}}":          "`permissions` cannot be `all` [bad-value]",
		"agents: {coder: {instructions_file: ../../x}}":                  "instructions file `../../x` is outside",
		"env: [A-B]": "`env` cannot be `A-B` [bad-value]",
	} {
		h := newHome(t)
		h.options.Drivers = drivers
		h.write(h.options.ProjectFile(), text)
		h.write(filepath.Join(h.options.ProjectDir, ".git"), "")
		lines := strings.Join(h.wrong(), "\n")
		if !strings.Contains(lines, want) || !strings.Contains(lines, ".orc/config.yaml:1:") {
			t.Errorf("%s: said\n%s\nwant %s", text, lines, want)
		}
	}
}

func TestSchemaHasEveryKey(t *testing.T) {
	var root struct {
		Properties map[string]struct {
			Description string
			Properties  map[string]struct{ Description string }
		}
		Definitions map[string]struct {
			Properties map[string]struct{ Description string }
			Required   []string
		}
	}
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	for _, k := range Keys() {
		about := root.Properties[k.Name].Description
		if section, name, in := strings.Cut(k.Name, "."); in {
			about = root.Properties[section].Properties[name].Description
		}
		if about != k.About {
			t.Errorf("%s is not described", k.Name)
		}
	}
	for _, f := range providerFields {
		if root.Definitions["provider"].Properties[f.name].Description == "" {
			t.Errorf("providers' %s is not described", f.name)
		}
	}
	agent := root.Definitions["agent"]
	if len(agent.Properties) != len(agentFields) || len(agent.Required) != 0 {
		t.Errorf("an agent of the settings: %+v", agent)
	}
}

func TestFieldsThatCanBeSet(t *testing.T) {
	for key, want := range map[string]string{
		"concurrency": "concurrency", "agents.coder.model": "agents coder model", "agents.a.b.args": "agents a.b args list", "env": "env list",
		"providers.claude.set.MY_VAR": "providers claude set MY_VAR", "providers.claude.env": "providers claude env list",
		"version": "", "agents": "", "agents.coder": "", "agents.coder.nothing": "", "providers.claude.set": "", "x.y.z": "", "agents..model": "",
	} {
		path, list, ok := Field(key)
		got := strings.Join(path, " ")
		if list {
			got += " list"
		}
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("Field(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestInstructionsOfAnotherRepositoryAreNotRead(t *testing.T) {
	h := newHome(t)
	h.options.Drivers = drivers
	outside := filepath.Join(h.options.Home, "secret.md")
	h.write(outside, "secret")
	h.write(h.options.ProjectFile(), "agents: {coder: {instructions_file: link.md}}\n")
	h.write(filepath.Join(h.options.ProjectDir, ".git"), "")
	if err := os.Symlink(outside, filepath.Join(h.options.ProjectDir, "link.md")); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Join(h.wrong(), "\n"); !strings.Contains(lines, "outside the repository") {
		t.Errorf("said %s", lines)
	}
}
