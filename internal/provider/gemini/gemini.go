// Package gemini drives the Gemini CLI: `gemini -o stream-json`, one process for each turn, the prompt on standard
// input, and the session named by us from the start.
//
// A session belongs to the folder that it began in. What has no flag goes by settings, which the program reads from
// the person's home, from the workspace, and from files of root only: each task gets a home of its own whose settings
// are the person's and ours, and where everything else is the person's by links. Without that the program would try
// ten times, for minutes, when its model does not answer. Its exit codes are statuses of HTTP cut to a byte, or 0 for
// failures, and say nothing that its last event does not.
//
// Without a person at a terminal, tools that would have to ask are not offered: with provider.PermitEdit the program
// changes files but runs no commands.
package gemini

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

const program = "gemini"

// Gemini is the driver. The zero value is ready.
type Gemini struct{}

var _ provider.Agent = Gemini{}

// Name is "gemini".
func (Gemini) Name() string { return "gemini" }

// Keeps are the program's own folder, which the task's leads to by links.
func (Gemini) Keeps(_ string, env []string) provider.Kept {
	if base := stream.Get(env, homeVariable); base != "" {
		env = append(env[:len(env):len(env)], "HOME="+base)
	}
	return stream.Keeps("gemini", env)
}

// NewSession is a random UUID.
func (Gemini) NewSession() string { return stream.NewUUID() }

// Turn runs one turn.
func (Gemini) Turn(ctx context.Context, l provider.Launcher, t provider.Turn) (provider.Result, error) {
	if name := commanding(t); name != "" {
		return provider.Result{Kind: provider.KindInvalid, Session: t.Session, Error: name + " of this repository can make gemini run " +
			"commands, and it cannot be left out: once you have read it, set GEMINI_CLI_TRUST_WORKSPACE=true in the `set` of the provider"}, nil
	}
	env, err := environ(t)
	if err != nil {
		return provider.Result{}, err
	}
	if t, err = instruct(t); err != nil {
		return provider.Result{}, err
	}
	return stream.Run(ctx, l, t, stream.Program{Argv: arguments(t), Env: env}, newDecoder())
}

// Finish judges a turn that ended while nobody watched.
func (Gemini) Finish(t provider.Turn, exit process.Exit) (provider.Result, error) {
	return stream.Finish(t, exit, newDecoder())
}

// HasSession looks for the session's file among those of the turn's folder. Asking the program would have its model
// write summaries.
func (Gemini) HasSession(_ context.Context, t provider.Turn) (bool, error) {
	if !stream.IsUUID(t.Session) {
		return false, nil
	}
	home := stream.Home(t.Env, "GEMINI_CLI_HOME", "")
	if home == "" {
		return false, errors.New("look for the session: HOME is not set")
	}
	short := t.Session[:8] // files are named by it
	pattern := filepath.Join(stream.Literal(home), ".gemini", "tmp", "*", "chats", "session-*-"+short+".json*")
	found, err := filepath.Glob(pattern)
	if err != nil {
		return false, fmt.Errorf("look for the session: %w", err)
	}
	for _, path := range found {
		root, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(path)), ".project_root"))
		if err != nil && !os.IsNotExist(err) {
			return false, fmt.Errorf("look for the session: %w", err)
		}
		if stream.SameFolder(strings.TrimSpace(string(root)), t.Dir) {
			return true, nil
		}
	}
	return false, nil
}

// Inspect asks for the version and looks for credentials.
func (Gemini) Inspect(ctx context.Context, name string, env []string) (provider.Installed, error) {
	in, err := stream.Inspect(ctx, name, program, env, "npm install -g @google/gemini-cli")
	if err != nil || in.Path == "" {
		return in, err
	}
	own := filepath.Join(stream.Home(env, "GEMINI_CLI_HOME", ""), ".gemini")
	switch {
	case stream.Get(env, "GEMINI_API_KEY") != "", stream.Get(env, "GOOGLE_API_KEY") != "",
		stream.Get(env, "GOOGLE_GENAI_USE_VERTEXAI") != "", stream.Exists(filepath.Join(own, "oauth_creds.json")):
		in.Login = provider.LoginFound
	case stream.Keychain:
		in.Login = provider.LoginUnknown
	default:
		in.Login, in.Fix = provider.LoginMissing, "run `gemini` and log in, or set GEMINI_API_KEY"
	}
	return in, nil
}

// modes are how the program names permissions. In its default mode it offers no tool that changes anything.
var modes = map[provider.Permissions]string{
	"":                  "auto_edit",
	provider.PermitRead: "default",
	provider.PermitEdit: "auto_edit",
	provider.PermitFull: "yolo",
}

func arguments(t provider.Turn) []string {
	argv := []string{t.Program, "-o", "stream-json", "--approval-mode=" + modes[t.Permissions]}
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
	return append(argv, t.Args...)
}

// instruct puts the instructions before the first prompt: the program can replace its system prompt, but not add to
// it.
func instruct(t provider.Turn) (provider.Turn, error) {
	if t.Instructions == "" || t.Resume {
		return t, nil
	}
	prompt, err := os.ReadFile(t.PromptFile)
	if err != nil {
		return t, fmt.Errorf("read the prompt: %w", err)
	}
	t.PromptFile = filepath.Join(t.State, "gemini-prompt")
	if err := os.WriteFile(t.PromptFile, append([]byte(t.Instructions+"\n\n"), prompt...), 0o600); err != nil {
		return t, fmt.Errorf("write the prompt: %w", err)
	}
	return t, nil
}
