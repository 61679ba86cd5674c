package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/claude"
	"orchestrator/internal/provider/codex"
	"orchestrator/internal/provider/goose"
	"orchestrator/test/stubmodel"
)

// agent is a program, how it is driven, and how it is kept to itself.
type agent struct {
	name     string
	driver   provider.Agent
	program  string // below node_modules
	version  string // of the program, as pinned
	optional bool   // its package is optional, and it may be missing on a machine
	node     int    // the oldest version of node that it needs; 0 = none
	model    string
	unknown  string // an id that could be a session's, but is none
	// commands lets a turn run commands, where that takes more than the permission to edit.
	commands func(t *provider.Turn)
	// last is true where only the last answer of a turn is counted.
	last bool
	// loose says that it cannot be kept to reading.
	loose bool
	// grain is how exactly the program tells when a limit ends, if it does.
	saysReset bool
	grain     time.Duration
	// prepare writes the program's own configuration and returns its part of the environment.
	prepare func(s *site) ([]string, error)
	// skip says which scenarios make no sense, and why.
	skip map[string]string
}

// oldestNode is the first version of node that the agents work with which are no programs of their own.
const oldestNode = 20

const unknownUUID = "6f1c0a52-3f0e-4f0f-9d58-0f2b7d1f6a11"

// agents are all that the suite knows.
func agents() []agent {
	code := codexAgent("codex-code-mode", "gpt-6.1-sol")
	return []agent{
		claudeAgent(), codexAgent("codex", stubmodel.Model), code, gooseAgent(), openCodeAgent(), geminiAgent(),
		gooseByProtocol(), openCodeByProtocol(),
	}
}

// chosen are the agents that the command line names.
func (o options) chosen() []agent {
	return slices.DeleteFunc(agents(), func(a agent) bool {
		return len(o.agents) > 0 && !slices.Contains(o.agents, a.name)
	})
}

func claudeAgent() agent {
	return agent{
		name: "claude", driver: claude.Claude{}, program: "@anthropic-ai/claude-code-linux-x64/claude",
		version: "2.1.330", model: "claude-opus-5-5", unknown: unknownUUID,
		saysReset: true, commands: func(t *provider.Turn) { t.Args = []string{"--allowedTools=Bash"} },
		prepare: func(s *site) ([]string, error) {
			return []string{
				"ANTHROPIC_BASE_URL=" + s.model.URL(),
				"ANTHROPIC_API_KEY=not-a-key",
				"CLAUDE_CONFIG_DIR=" + filepath.Join(s.Home, "claude"),
				"DISABLE_TELEMETRY=1",
				"DISABLE_ERROR_REPORTING=1",
			}, nil
		},
	}
}

const codexConfig = `model_provider = "stub"
[model_providers.stub]
name = "stub"
base_url = "%s/v1"
env_key = "CODEX_API_KEY"
wire_api = "responses"
[analytics]
enabled = false
[features]
plugins = false
remote_plugin = false
`

// codexAgent offers its tools to the model in one way or another, depending on the model's name.
func codexAgent(name, model string) agent {
	return agent{
		name: name, driver: codex.Codex{}, program: "@openai/codex/vendor/x86_64-unknown-linux-musl/bin/codex",
		version: "0.169.0", model: model, unknown: unknownUUID,
		saysReset: true, grain: time.Minute, // it tells the minute
		prepare: func(s *site) ([]string, error) {
			home := filepath.Join(s.Home, "codex")
			err := writeFile(filepath.Join(home, "config.toml"), fmt.Sprintf(codexConfig, s.model.URL()))
			return []string{"CODEX_HOME=" + home, "CODEX_API_KEY=not-a-key"}, err
		},
	}
}

func gooseAgent() agent {
	return agent{
		name: "goose", loose: true, driver: goose.Goose{}, program: "@aaif/goose-binary-linux-x64/bin/goose",
		version: "1.52.0", model: stubmodel.Model, unknown: "orc-no-such-session", saysReset: true,
		skip: map[string]string{"plan": "it cannot be kept to reading"},
		prepare: func(s *site) ([]string, error) {
			return []string{
				"GOOSE_PROVIDER=openai", "GOOSE_MODEL=" + stubmodel.Model, "OPENAI_API_KEY=not-a-key", "OPENAI_HOST=" + s.model.URL(),
				"GOOSE_PATH_ROOT=" + filepath.Join(s.Home, "goose"),
				"GOOSE_DISABLE_KEYRING=1", "GOOSE_TELEMETRY_ENABLED=false",
			}, nil
		},
	}
}

// writeFile writes a file and the folders above it.
func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write a configuration: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write a configuration: %w", err)
	}
	return nil
}
