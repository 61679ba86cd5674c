// Package codex drives OpenAI's Codex: `codex exec --json`, one process for each turn, the prompt on standard input.
//
// The program chooses the id of a session (its word is thread) and tells it first of all. Asked to go on with one
// that it does not know by an id of another form, it begins a new one and calls that a success: the ids are compared,
// and a turn in the wrong thread is stopped. The sandbox is given with every turn, as a resumed session does not
// remember it and would be read-only. In it the repository's .git is read-only too: commits are the engine's.
package codex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

const program = "codex"

// Codex is the driver. The zero value is ready.
type Codex struct{}

var _ provider.Agent = Codex{}

// Name is "codex".
func (Codex) Name() string { return "codex" }

// Keeps are the program's own folders.
func (Codex) Keeps(_ string, env []string) provider.Kept { return stream.Keeps("codex", env) }

// NewSession is empty: the program chooses.
func (Codex) NewSession() string { return "" }

// Turn runs one turn.
func (Codex) Turn(ctx context.Context, l provider.Launcher, t provider.Turn) (provider.Result, error) {
	if t.Resume && !stream.IsUUID(t.Session) {
		return provider.Result{
			Kind: provider.KindSession, Session: t.Session, End: t.From,
			Error: fmt.Sprintf("%q is no session of Codex", t.Session),
		}, nil
	}
	argv, err := arguments(t)
	if err != nil {
		return provider.Result{}, err
	}
	return stream.Run(ctx, l, t, stream.Program{Argv: argv, Env: environ(t)}, newDecoder(t))
}

// Finish judges a turn that ended while nobody watched.
func (Codex) Finish(t provider.Turn, exit process.Exit) (provider.Result, error) {
	return stream.Finish(t, exit, newDecoder(t))
}

// HasSession looks for the session's record below CODEX_HOME. The program goes on with it in any folder.
func (Codex) HasSession(_ context.Context, t provider.Turn) (bool, error) {
	if !stream.IsUUID(t.Session) {
		return false, nil
	}
	home := stream.Home(t.Env, "CODEX_HOME", ".codex")
	if home == "" {
		return false, errors.New("look for the session: neither CODEX_HOME nor HOME is set")
	}
	if _, err := os.Stat(home); err != nil && !os.IsNotExist(err) {
		return false, fmt.Errorf("look for the session: %w", err)
	}
	pattern := filepath.Join(stream.Literal(home), "sessions", "*", "*", "*", "rollout-*-"+t.Session+".jsonl*")
	found, err := filepath.Glob(pattern)
	if err != nil {
		return false, fmt.Errorf("look for the session: %w", err)
	}
	return len(found) > 0, nil
}

// Inspect asks for the version and looks for credentials. A model provider of one's own in the program's
// configuration may need none.
func (Codex) Inspect(ctx context.Context, name string, env []string) (provider.Installed, error) {
	in, err := stream.Inspect(ctx, name, program, env, "npm install -g @openai/codex")
	if err != nil || in.Path == "" {
		return in, err
	}
	home := stream.Home(env, "CODEX_HOME", ".codex")
	config, _ := os.ReadFile(filepath.Join(home, "config.toml")) // missing is as good as empty
	switch {
	case stream.Get(env, "CODEX_API_KEY") != "", stream.Get(env, "OPENAI_API_KEY") != "",
		stream.Exists(filepath.Join(home, "auth.json")):
		in.Login = provider.LoginFound
	case bytes.Contains(config, []byte("model_provider")), bytes.Contains(config, []byte("keyring")):
		in.Login = provider.LoginUnknown
	default:
		in.Login, in.Fix = provider.LoginMissing, "run `codex login`, or set CODEX_API_KEY"
	}
	return in, nil
}

var sandboxes = map[provider.Permissions]string{
	"":                  "workspace-write",
	provider.PermitRead: "read-only",
	provider.PermitEdit: "workspace-write",
	provider.PermitFull: "danger-full-access",
}

// arguments never hold the prompt; the lone hyphen says that it comes on standard input. What stands before `resume`
// holds for it too, and some of it is understood there only.
func arguments(t provider.Turn) ([]string, error) {
	sandbox, ok := sandboxes[t.Permissions]
	if !ok {
		return nil, fmt.Errorf("codex: no permissions %q", t.Permissions)
	}
	argv := []string{t.Program, "exec", "--json", "--sandbox=" + sandbox, "--skip-git-repo-check"}
	if t.Program == "" {
		argv[0] = program
	}
	argv = append(argv, "-c", "check_for_update_on_startup=false")
	if t.Model != "" {
		argv = append(argv, "--model="+t.Model)
	}
	if t.Instructions != "" {
		argv = append(argv, "-c", "developer_instructions="+quote(t.Instructions))
	}
	for _, s := range t.Servers {
		argv = append(argv, serverArguments(s)...)
	}
	argv = append(argv, t.Args...)
	if t.Resume {
		argv = append(argv, "resume", t.Session)
	}
	return append(argv, "-"), nil
}

// serverArguments let the server's tools be called without a question, which nobody could answer, and let a tool take
// as long as a person's answer may.
func serverArguments(s provider.Server) []string {
	key := "mcp_servers." + s.Name + "."
	args := make([]string, 0, len(s.Args))
	for _, a := range s.Args {
		args = append(args, quote(a))
	}
	names := make([]string, 0, len(s.Env))
	for name := range s.Env {
		names = append(names, quote(name))
	}
	slices.Sort(names)
	return []string{
		"-c", key + "command=" + quote(s.Command),
		"-c", key + "args=[" + strings.Join(args, ",") + "]",
		"-c", key + "env_vars=[" + strings.Join(names, ",") + "]", // names: everybody can read a command line
		"-c", key + `default_tools_approval_mode="approve"`,
		"-c", key + "tool_timeout_sec=86400",
		"-c", key + "required=true",
	}
}

// environ is the turn's with what its servers get: the program hands on the variables that their settings name.
func environ(t provider.Turn) []string {
	env := t.Env[:len(t.Env):len(t.Env)]
	for _, s := range t.Servers {
		for _, name := range slices.Sorted(maps.Keys(s.Env)) {
			env = append(env, name+"="+s.Env[name])
		}
	}
	return env
}

// quote writes a TOML string: JSON's, but for one character that TOML wants escaped.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(strings.ToValidUTF8(s, "\uFFFD")); err != nil {
		panic(err) // a string can always be encoded
	}
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007F`)
}
