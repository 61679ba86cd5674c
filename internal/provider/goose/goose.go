// Package goose drives Goose: `goose run` with its events as lines of JSON, one process for each turn, the prompt on
// standard input.
//
// A session is known by a name that we choose; the program's own id is in none of its events. Names need not be
// unique there, and without one it goes on with whatever session is the newest on the machine, so a name is always
// given. A session works in the folder that it began in, wherever it is gone on with: for any other folder it counts
// as gone.
//
// Without a person at a terminal the program knows one mode only, in which its tools ask nobody. It cannot confine
// commands, so that provider.PermitEdit is as far as the sandbox around it goes, and it cannot be kept to reading at
// all: provider.PermitRead is refused. (By the Agent Client Protocol it asks, see package acp.)
package goose

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

const program = "goose"

// Goose is the driver. The zero value is ready.
type Goose struct{}

var _ provider.Agent = Goose{}

// Name is "goose".
func (Goose) Name() string { return "goose" }

// Keeps are the program's own folders.
func (Goose) Keeps(_ string, env []string) provider.Kept { return stream.Keeps("goose", env) }

// NewSession is a name that no other session has.
func (Goose) NewSession() string { return "orc-" + strings.ToLower(rand.Text()) }

// Turn runs one turn.
func (Goose) Turn(ctx context.Context, l provider.Launcher, t provider.Turn) (provider.Result, error) {
	if t.Permissions == provider.PermitRead {
		return provider.Result{
			Kind: provider.KindInvalid, Session: t.Session,
			Error: "goose cannot be kept to reading: give the agent `permissions: edit`, or drive goose by `acp`",
		}, nil
	}
	argv, err := arguments(t)
	if err != nil {
		return provider.Result{}, err
	}
	return stream.Run(ctx, l, t, stream.Program{Argv: argv, Env: environ(t.Env)}, newDecoder(t))
}

// Finish judges a turn that ended while nobody watched.
func (Goose) Finish(t provider.Turn, exit process.Exit) (provider.Result, error) {
	return stream.Finish(t, exit, newDecoder(t))
}

// HasSession asks the program for a session of that name that works in the turn's folder.
func (Goose) HasSession(ctx context.Context, t provider.Turn) (bool, error) {
	if t.Session == "" {
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
	out, err := stream.Probe(ctx, t, environ(t.Env), path, "session", "list", "--format", "json")
	if err != nil {
		return false, fmt.Errorf("look for the session: %w", err)
	}
	var sessions []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Dir  string `json:"working_dir"`
	}
	if out = strings.TrimSpace(out); out == "" || strings.HasPrefix(strings.ToLower(out), "no sessions") {
		return false, nil
	}
	if err := json.Unmarshal([]byte(out), &sessions); err != nil {
		return false, fmt.Errorf("look for the session: understand %s session list: %w", name, err)
	}
	for _, s := range sessions {
		if s.Name == t.Session && stream.SameFolder(s.Dir, t.Dir) {
			return true, nil
		}
	}
	return false, nil
}

// Inspect asks for the version and looks for a configuration.
func (Goose) Inspect(ctx context.Context, name string, env []string) (provider.Installed, error) {
	in, err := stream.Inspect(ctx, name, program, env, "npm install -g @aaif/goose-binary-linux-x64, or see goose-docs.ai")
	if err != nil || in.Path == "" {
		return in, err
	}
	config := stream.Home(env, "", ".config/goose")
	if root := stream.Get(env, "GOOSE_PATH_ROOT"); root != "" {
		config = filepath.Join(root, "config")
	} else if xdg := stream.Get(env, "XDG_CONFIG_HOME"); xdg != "" {
		config = filepath.Join(xdg, "goose")
	}
	switch {
	case stream.Get(env, "GOOSE_PROVIDER") != "":
		in.Login = provider.LoginFound
	case stream.Exists(filepath.Join(config, "config.yaml")):
		in.Login = provider.LoginUnknown
	default:
		in.Login, in.Fix = provider.LoginMissing, "run `goose configure`, or set GOOSE_PROVIDER, GOOSE_MODEL and the provider's key"
	}
	return in, nil
}

// arguments never hold the prompt. Without -q a greeting stands before the events; without --no-profile the session
// gets whatever extensions the person at this machine uses.
func arguments(t provider.Turn) ([]string, error) {
	argv := []string{
		t.Program, "run", "-q", "--output-format", "stream-json", "--name=" + t.Session,
		"--no-profile", "--with-builtin", "developer", "-i", "-",
	}
	if t.Program == "" {
		argv[0] = program
	}
	if t.Session == "" {
		return nil, fmt.Errorf("goose: a turn without a session would go on with somebody else's")
	}
	if t.Resume {
		argv = append(argv, "--resume")
	}
	if t.Model != "" {
		argv = append(argv, "--model="+t.Model)
	}
	if t.Instructions != "" {
		argv = append(argv, "--system="+t.Instructions) // not remembered: given with every turn
	}
	for _, s := range t.Servers {
		path, err := writeServer(t.State, s)
		if err != nil {
			return nil, err
		}
		// A session remembers its extensions, refuses them a second time, and finds the present script at the old path.
		if !t.Resume {
			argv = append(argv, "--with-extension="+s.Name+":"+path)
		}
	}
	return append(argv, t.Args...), nil
}

// writeServer makes a script that starts the server. An extension is one argument, which the program cuts at blanks
// by rules of its own, and arguments can be read by everybody on the machine.
func writeServer(state string, s provider.Server) (string, error) {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	names := make([]string, 0, len(s.Env))
	for name := range s.Env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString("export " + name + "=" + quote(s.Env[name]) + "\n")
	}
	b.WriteString("exec " + quote(s.Command))
	for _, a := range s.Args {
		b.WriteString(" " + quote(a))
	}
	b.WriteString("\n")
	path := filepath.Join(state, "goose-"+s.Name)
	if strings.ContainsAny(path, " \t\n=") {
		return "", fmt.Errorf("goose: an extension cannot be started from %q: it holds a blank or an equals sign", path)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o700); err != nil {
		return "", fmt.Errorf("write the MCP server: %w", err)
	}
	return path, nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func environ(env []string) []string {
	return stream.With(env, "GOOSE_MODE=auto", "GOOSE_TELEMETRY_ENABLED=false")
}
