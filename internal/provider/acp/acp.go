// Package acp drives every agent that speaks the Agent Client Protocol: JSON-RPC on the standard input and output of
// its program. The agent asks before it uses a tool, and the permissions of the role answer; it gets no access to
// files or terminals through us, so that it works in the workspace by itself, as with the other drivers.
//
// One process serves one turn, as with the other drivers: the next turn loads the session again. What the agent says
// is written to the log as it comes, one line each, together with what we answered, so that a turn can be judged
// from its log alone.
//
// What is known of the agents' habits is in the profiles. Of tokens the protocol tells what the agent cares to count:
// OpenCode and Goose count the last call of the model only.
package acp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

// ACP is the driver. The zero value is ready.
type ACP struct{}

var _ provider.Agent = ACP{}

// Name is "acp".
func (ACP) Name() string { return "acp" }

// Keeps are the folders of the agent's program, where its habits are known.
func (ACP) Keeps(program string, env []string) provider.Kept {
	name := profileOf(program).name
	if of, is := adapters[name]; is {
		name = of
	}
	return stream.Keeps(name, env)
}

// adapters are programs that speak the protocol for another one, and keep its files.
var adapters = map[string]string{"claude-agent-acp": "claude", "codex-acp": "codex"}

// NewSession is empty: the agent chooses.
func (ACP) NewSession() string { return "" }

// Turn runs one turn.
func (ACP) Turn(ctx context.Context, l provider.Launcher, t provider.Turn) (provider.Result, error) {
	p := profileOf(t.Program)
	switch {
	case t.Program == "":
		return invalid(t, "no program: set its `command` to an agent that speaks the Agent Client Protocol, such as opencode"), nil
	case t.Resume && p.forgets:
		r := invalid(t, p.name+" cannot go on with a session by this protocol")
		r.Kind = provider.KindSession
		return r, nil
	}
	c := &conversation{t: t, profile: p}
	return stream.Run(ctx, l, t, stream.Program{
		Argv: append(append([]string{t.Program}, p.args...), t.Args...),
		Env:  p.environ(t),
		Converse: func(ctx context.Context, in io.Writer, out io.Reader, log io.Writer) error {
			return c.hold(ctx, in, out, log)
		},
	}, newDecoder(t, p))
}

func invalid(t provider.Turn, text string) provider.Result {
	return provider.Result{Kind: provider.KindInvalid, Session: t.Session, Error: text}
}

// Finish judges a turn that ended while nobody watched.
func (ACP) Finish(t provider.Turn, exit process.Exit) (provider.Result, error) {
	return stream.Finish(t, exit, newDecoder(t, profileOf(t.Program)))
}

// Inspect asks for the version; whether somebody is logged in shows with the first turn.
func (ACP) Inspect(ctx context.Context, name string, env []string) (provider.Installed, error) {
	if name == "" {
		return provider.Installed{
			Login: provider.LoginUnknown, Fix: "set its `command` to an agent that speaks the Agent Client Protocol, such as opencode",
		}, nil
	}
	return stream.Inspect(ctx, name, name, env, "see its documentation")
}

// profile is what is known of one agent.
type profile struct {
	name    string
	args    []string // that make its program speak the protocol
	forgets bool     // sessions cannot be loaded
	modes   map[provider.Permissions]string
	env     func(t provider.Turn) []string
	// errors are the beginnings of a text by which the agent's own program, at the end of a turn that it calls well
	// ended, tells that it did not reach its model.
	errors []string
	// writers are the beginnings of titles of tools that change a file, where the agent's kind of tool does not say so.
	writers []string
	// grows is true where costs are those of the session, also those of earlier processes.
	grows bool
}

var profiles = map[string]profile{
	"goose": {
		name: "goose", args: []string{"acp"}, errors: []string{"Ran into this error:", "Network error:"},
		writers: []string{"write · ", "edit · "},
		env: func(t provider.Turn) []string {
			if t.Permissions == provider.PermitFull {
				return []string{"GOOSE_MODE=auto", "GOOSE_TELEMETRY_ENABLED=false"}
			}
			return []string{"GOOSE_MODE=approve", "GOOSE_TELEMETRY_ENABLED=false"}
		},
	},
	"opencode": {name: "opencode", args: []string{"acp"}, grows: true, env: opencodeAsks},
	"gemini": {
		name: "gemini", args: []string{"--acp"}, forgets: true,
		env: func(provider.Turn) []string { return []string{"GEMINI_CLI_NO_RELAUNCH=true"} },
	},
	"qwen":    {name: "qwen", args: []string{"--acp"}},
	"copilot": {name: "copilot", args: []string{"--acp"}},
	"claude-agent-acp": {
		name: "claude-agent-acp",
		modes: map[provider.Permissions]string{ // its own default has a model decide
			provider.PermitRead: "default", provider.PermitEdit: "acceptEdits", provider.PermitFull: "bypassPermissions",
		},
	},
	"codex-acp": {
		name: "codex-acp",
		modes: map[provider.Permissions]string{
			provider.PermitRead: "read-only", provider.PermitEdit: "workspace-write", provider.PermitFull: "agent-full-access",
		},
	},
}

func profileOf(program string) profile {
	name := filepath.Base(program)
	if p, ok := profiles[strings.TrimSuffix(name, filepath.Ext(name))]; ok {
		return p
	}
	if p, ok := profiles[name]; ok {
		return p
	}
	return profile{name: name}
}

func (p profile) environ(t provider.Turn) []string {
	if p.env == nil {
		return t.Env
	}
	return stream.With(t.Env, p.env(t)...)
}

// opencodeAsks makes OpenCode ask for what it otherwise does without a question. A configuration that was given by
// this variable is kept, and has the last word.
func opencodeAsks(t provider.Turn) []string {
	const variable = "OPENCODE_CONFIG_CONTENT"
	quiet := "OPENCODE_DISABLE_PROJECT_CONFIG=1" // the repository's own could run commands and permit everything
	if t.Permissions == provider.PermitFull || stream.Get(t.Env, variable) != "" {
		return []string{quiet}
	}
	b, err := json.Marshal(map[string]any{
		"permission": map[string]string{"edit": "ask", "bash": "ask", "webfetch": "ask", "external_directory": "ask"},
	})
	if err != nil {
		return nil // never: strings can be encoded
	}
	return []string{variable + "=" + string(b), quiet}
}

func readPrompt(t provider.Turn) (string, error) {
	b, err := os.ReadFile(t.PromptFile)
	if err != nil {
		return "", fmt.Errorf("read the prompt: %w", err)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), nil
}
