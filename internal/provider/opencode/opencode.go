// Package opencode drives OpenCode: `opencode run --format json`, one process for each turn, the prompt on standard
// input (as arguments it would be sent in quotes).
//
// The program chooses the id of a session and tells it with every event. A session belongs to the folder that it
// began in: gone on with in another it hangs without a word, so that HasSession knows it in its own folder only.
// Everything else is told by its configuration, which goes by an environment variable and is joined with what the
// caller put there. With provider.PermitEdit the program's own rules hold, by which it changes files and runs
// commands in the folder; it cannot confine those, the sandbox around it can.
package opencode

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

const (
	program  = "opencode"
	variable = "OPENCODE_CONFIG_CONTENT"
)

// OpenCode is the driver. The zero value is ready.
type OpenCode struct{}

var _ provider.Agent = OpenCode{}

// Name is "opencode".
func (OpenCode) Name() string { return "opencode" }

// Keeps are the program's own folders.
func (OpenCode) Keeps(_ string, env []string) provider.Kept { return stream.Keeps("opencode", env) }

// NewSession is empty: the program chooses.
func (OpenCode) NewSession() string { return "" }

// TellsLate says that a tool is told of when it has ended.
func (OpenCode) TellsLate() {}

// Turn runs one turn.
func (OpenCode) Turn(ctx context.Context, l provider.Launcher, t provider.Turn) (provider.Result, error) {
	if given := stream.Get(t.Env, variable); given != "" && !json.Valid([]byte(given)) {
		return provider.Result{Kind: provider.KindInvalid, Session: t.Session, Error: variable + " is no JSON"}, nil
	}
	env, err := environ(t)
	if err != nil {
		return provider.Result{}, err
	}
	return stream.Run(ctx, l, t, stream.Program{Argv: arguments(t), Env: env}, &decoder{model: t.Model})
}

// Finish judges a turn that ended while nobody watched.
func (OpenCode) Finish(t provider.Turn, exit process.Exit) (provider.Result, error) {
	return stream.Finish(t, exit, &decoder{model: t.Model})
}

var sessionID = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// HasSession asks the program for the sessions of the turn's folder.
func (OpenCode) HasSession(ctx context.Context, t provider.Turn) (bool, error) {
	if !sessionID.MatchString(t.Session) {
		return false, nil
	}
	name := t.Program
	if name == "" {
		name = program
	}
	path := stream.Find(name, t.Env)
	if path == "" {
		return false, fmt.Errorf("look for the session: program %s not found", name)
	}
	out, err := stream.Probe(ctx, t, probing(t.Env), path, "session", "list", "--format", "json")
	if err != nil {
		return false, fmt.Errorf("look for the session: %w", err)
	}
	if strings.TrimSpace(out) == "" {
		return false, nil // it has none at all
	}
	var sessions []struct {
		ID  string `json:"id"`
		Dir string `json:"directory"`
	}
	if err := json.Unmarshal([]byte(out), &sessions); err != nil {
		return false, fmt.Errorf("look for the session: understand %s session list: %w", name, err)
	}
	for _, s := range sessions {
		if s.ID == t.Session {
			return stream.SameFolder(s.Dir, t.Dir), nil
		}
	}
	return false, nil
}

// Inspect asks for the version and looks for credentials.
func (OpenCode) Inspect(ctx context.Context, name string, env []string) (provider.Installed, error) {
	in, err := stream.Inspect(ctx, name, program, env, "npm install -g opencode-ai")
	if err != nil || in.Path == "" {
		return in, err
	}
	data := stream.Home(env, "", ".local/share")
	if xdg := stream.Get(env, "XDG_DATA_HOME"); xdg != "" {
		data = xdg
	}
	if stream.Exists(filepath.Join(data, "opencode", "auth.json")) {
		in.Login = provider.LoginFound
	} // else keys of providers may be in the environment or in its configuration
	return in, nil
}

func arguments(t provider.Turn) []string {
	argv := []string{t.Program, "run", "--format", "json"}
	if t.Program == "" {
		argv[0] = program
	}
	if t.Resume {
		argv = append(argv, "--session="+t.Session)
	}
	if t.Model != "" {
		argv = append(argv, "--model="+t.Model)
	}
	return append(argv, t.Args...)
}

// environ holds the configuration: the caller's, and what it does not say.
func environ(t provider.Turn) ([]string, error) {
	config := map[string]any{}
	if given := stream.Get(t.Env, variable); given != "" {
		if err := json.Unmarshal([]byte(given), &config); err != nil {
			return nil, fmt.Errorf("%s is no JSON object: %w", variable, err)
		}
	}
	missing(config, "autoupdate", false)
	missing(config, "share", "disabled")
	if p := permissions(t.Permissions); p != nil {
		missing(config, "permission", p)
	}
	if len(t.Servers) > 0 {
		servers, _ := config["mcp"].(map[string]any)
		if servers == nil {
			servers = map[string]any{}
		}
		for _, s := range t.Servers {
			servers[s.Name] = map[string]any{
				"type": "local", "command": append([]string{s.Command}, s.Args...), "environment": s.Env, "enabled": true,
			}
		}
		config["mcp"] = servers
	}
	for _, name := range []string{"AGENTS.md", "CLAUDE.md"} { // left out together with the repository's configuration
		if path := filepath.Join(t.Dir, name); t.Dir != "" && stream.Exists(path) {
			files, _ := config["instructions"].([]any)
			config["instructions"] = append(files, path)
			break
		}
	}
	if t.Instructions != "" {
		path := filepath.Join(t.State, "opencode-instructions.md")
		if err := os.WriteFile(path, []byte(t.Instructions), 0o600); err != nil {
			return nil, fmt.Errorf("write the instructions: %w", err)
		}
		files, _ := config["instructions"].([]any)
		config["instructions"] = append(files, path)
	}
	b, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", variable, err)
	}
	env := make([]string, 0, len(t.Env)+4)
	for _, e := range t.Env {
		if !strings.HasPrefix(e, variable+"=") {
			env = append(env, e)
		}
	}
	env = append(env, variable+"="+string(b))
	return probing(env), nil
}

// probing keeps the program from doing what it was not asked for, and from what a repository's own configuration and
// plugins would have it do: who cloned the repository did not write those.
func probing(env []string) []string {
	return stream.With(env, "OPENCODE_DISABLE_AUTOUPDATE=1", "OPENCODE_DISABLE_LSP_DOWNLOAD=1", "OPENCODE_DISABLE_PROJECT_CONFIG=1")
}

func missing(config map[string]any, key string, value any) {
	if _, ok := config[key]; !ok {
		config[key] = value
	}
}

// permissions in the words of the program; nil are its own. What is denied is not even offered to the model; what
// asks is refused, as nobody is there, and ends the turn.
func permissions(p provider.Permissions) map[string]any {
	switch p {
	case provider.PermitRead:
		return map[string]any{
			"edit": "deny", "external_directory": "deny",
			"bash": map[string]string{"*": "deny", "git diff*": "allow", "git log*": "allow", "git show*": "allow", "git status*": "allow"},
		}
	case provider.PermitFull:
		return map[string]any{"edit": "allow", "bash": "allow", "webfetch": "allow", "external_directory": "allow"}
	}
	return nil
}
