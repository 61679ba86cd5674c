// Package claude drives Claude Code, one process for each turn: `claude -p` with its events as lines of JSON, the
// prompt on standard input, and the session named by us from the start, so that a crash at any moment leaves a
// session that is known.
//
// The program also has a mode in which one process takes turn after turn on its standard input. It is not used: such
// a process dies with its owner, its turns have no exit of their own to be found afterwards, and a turn that was
// asked for by a pipe cannot be told from one that was not. What the mode saves is about a second for each turn.
//
// Tools that the role does not permit are not offered, or are denied without a question, as nobody is there to be
// asked; a turn in which that happened is provider.KindRefused, also where the agent calls it a success. The
// program cannot confine the commands that it runs: with provider.PermitEdit it changes files, and runs of commands
// only those that its own rules or those in Args (`--allowedTools`) allow.
package claude

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

const program = "claude"

// Claude is the driver. The zero value is ready.
type Claude struct{}

var _ provider.Agent = Claude{}

// Name is "claude".
func (Claude) Name() string { return "claude" }

// Keeps are the program's own folders.
func (Claude) Keeps(_ string, env []string) provider.Kept { return stream.Keeps("claude", env) }

// NewSession is a random UUID, the only kind of id that the program takes.
func (Claude) NewSession() string { return stream.NewUUID() }

// Turn runs one turn.
func (Claude) Turn(ctx context.Context, l provider.Launcher, t provider.Turn) (provider.Result, error) {
	argv, err := arguments(t)
	if err != nil {
		return provider.Result{}, err
	}
	return stream.Run(ctx, l, t, stream.Program{Argv: argv, Env: environ(t)}, newDecoder(t))
}

// Finish judges a turn that ended while nobody watched.
func (Claude) Finish(t provider.Turn, exit process.Exit) (provider.Result, error) {
	return stream.Finish(t, exit, newDecoder(t))
}

// HasSession looks for the session's file. The program keeps them by the folder that they began in, but goes on
// with them from any.
func (Claude) HasSession(_ context.Context, t provider.Turn) (bool, error) {
	if !stream.IsUUID(t.Session) {
		return false, nil
	}
	home := stream.Home(t.Env, "CLAUDE_CONFIG_DIR", ".claude")
	if home == "" {
		return false, errors.New("look for the session: neither CLAUDE_CONFIG_DIR nor HOME is set")
	}
	if _, err := os.Stat(home); err != nil && !os.IsNotExist(err) {
		return false, fmt.Errorf("look for the session: %w", err)
	}
	found, err := filepath.Glob(filepath.Join(stream.Literal(home), "projects", "*", t.Session+".jsonl"))
	if err != nil {
		return false, fmt.Errorf("look for the session: %w", err)
	}
	return len(found) > 0, nil
}

// Inspect asks for the version and looks for credentials; it cannot see those in a system's keychain.
func (Claude) Inspect(ctx context.Context, name string, env []string) (provider.Installed, error) {
	in, err := stream.Inspect(ctx, name, program, env, "npm install -g @anthropic-ai/claude-code")
	if err != nil || in.Path == "" {
		return in, err
	}
	switch {
	case stream.Get(env, "ANTHROPIC_API_KEY") != "", stream.Get(env, "ANTHROPIC_AUTH_TOKEN") != "",
		stream.Get(env, "CLAUDE_CODE_OAUTH_TOKEN") != "", stream.Get(env, "CLAUDE_CODE_USE_BEDROCK") != "",
		stream.Get(env, "CLAUDE_CODE_USE_VERTEX") != "":
		in.Login = provider.LoginFound
	case stream.Exists(filepath.Join(stream.Home(env, "CLAUDE_CONFIG_DIR", ".claude"), ".credentials.json")):
		in.Login = provider.LoginFound
	case stream.Keychain:
		in.Login = provider.LoginUnknown
	default:
		in.Login, in.Fix = provider.LoginMissing, "run `claude` and /login, or set ANTHROPIC_API_KEY"
	}
	return in, nil
}

// arguments never hold the prompt. Values are joined to their flags, so that none is read as a flag.
func arguments(t provider.Turn) ([]string, error) {
	argv := []string{t.Program, "-p", "--output-format", "stream-json", "--verbose"}
	if t.Program == "" {
		argv[0] = program
	}
	switch {
	case t.Session == "":
	case t.Resume:
		argv = append(argv, "--resume="+t.Session)
	default:
		argv = append(argv, "--session-id="+t.Session)
	}
	if t.Model != "" {
		argv = append(argv, "--model="+t.Model)
	}
	words, err := instructions(t)
	if err != nil {
		return nil, err
	}
	if words != "" {
		argv = append(argv, "--append-system-prompt="+words)
	}
	argv, allowed := permissions(argv, t.Permissions)
	// The repository's own settings run commands (hooks, helpers), redirect requests and permit tools, and in this mode
	// the program does not ask whether they are to be trusted; without --strict-mcp-config its .mcp.json would be
	// started.
	argv = append(argv, "--setting-sources=user", "--strict-mcp-config")
	if len(t.Servers) > 0 {
		path, err := writeServers(t)
		if err != nil {
			return nil, err
		}
		argv = append(argv, "--mcp-config="+path)
		for _, s := range t.Servers {
			allowed = append(allowed, "mcp__"+s.Name)
		}
	}
	if len(allowed) > 0 {
		argv = append(argv, "--allowedTools="+strings.Join(allowed, ","))
	}
	return append(argv, t.Args...), nil
}

func permissions(argv []string, p provider.Permissions) (with, allowed []string) {
	switch p {
	case provider.PermitRead:
		// The other tools are not even offered; of commands only those that look at history.
		return append(argv, "--permission-mode=dontAsk", "--tools=Read,Grep,Glob,Bash"),
			[]string{"Bash(git diff *)", "Bash(git log *)", "Bash(git show *)", "Bash(git status *)"}
	case provider.PermitFull:
		return append(argv, "--permission-mode=bypassPermissions"), nil
	}
	return append(argv, "--permission-mode=acceptEdits"), nil
}

// mostNotes is how much of the repository's notes is given as an argument, in bytes.
const mostNotes = 64 << 10

// instructions are the role's, and the repository's notes for the program, which it leaves out together with the
// repository's settings.
func instructions(t provider.Turn) (string, error) {
	root, err := os.OpenRoot(t.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return t.Instructions, nil // the launch says it better
	}
	if err != nil {
		return "", fmt.Errorf("look for the repository's notes: %w", err)
	}
	defer root.Close()
	parts := []string{}
	if t.Instructions != "" {
		parts = append(parts, t.Instructions)
	}
	for _, name := range []string{"CLAUDE.md", ".claude/CLAUDE.md"} {
		text, err := root.ReadFile(name)
		switch {
		case err != nil, len(text) == 0: // there is none, or it leads out of the workspace
		case len(text) > mostNotes:
			parts = append(parts, "Read "+name+" before you begin: it says how to work in this repository.")
		default:
			parts = append(parts, "From "+name+" of this repository:\n\n"+strings.ToValidUTF8(string(text), "\uFFFD"))
		}
	}
	return strings.Join(parts, "\n\n"), nil
}

type server struct {
	Type    string            `json:"type"`
	Command string            `json:"command"`
	Args    []string          `json:"args"`
	Env     map[string]string `json:"env,omitempty"`
}

func writeServers(t provider.Turn) (string, error) {
	servers := make(map[string]server, len(t.Servers))
	for _, s := range t.Servers {
		servers[s.Name] = server{Type: "stdio", Command: s.Command, Args: append([]string{}, s.Args...), Env: s.Env}
	}
	b, err := json.MarshalIndent(map[string]any{"mcpServers": servers}, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write the MCP servers: %w", err)
	}
	path := filepath.Join(t.State, "claude-mcp.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return "", fmt.Errorf("write the MCP servers: %w", err)
	}
	return path, nil
}

// environ adds what keeps the program from waiting for minutes by itself: the engine is better at that, and others
// can see its waiting. What the caller set stays.
func environ(t provider.Turn) []string {
	env := stream.With(t.Env,
		"CLAUDE_CODE_MAX_RETRIES=2",
		"DISABLE_AUTOUPDATER=1",
		"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
	)
	if len(t.Servers) > 0 {
		env = stream.With(env, "ENABLE_TOOL_SEARCH=false") // else the model does not see our tools
	}
	return env
}
