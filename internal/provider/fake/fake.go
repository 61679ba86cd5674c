// Package fake is an agent that plays a script: it says, calls, edits, waits, fails and hangs as a file tells it, in
// a real child process with sessions that are kept in HOME. The engine's tests run on it.
//
// The script, Turn.Program, is read by /bin/sh after prelude.sh, which says what words it has:
//
//	say "I will write hello.txt"
//	edit hello.txt "hello"
//	usage 100 20 0.01
//	test "$FAKE_TURN" = 1 && fail limit "usage limit reached" 1900000000
//	say "done"
//
// `ask QUESTION [OPTION…]` and `complete SUMMARY` use the tools of the turn's first server; ANSWER holds what was said.
//
// FAKE_TURN counts the turns of the session, FAKE_RESUME is not empty in one that was gone on with, FAKE_FOLDER holds
// the session's prompts so far by their numbers, and PROMPT is this turn's. What ends without an exit of its own has
// ended well.
package fake

import (
	"context"
	"crypto/rand"
	_ "embed"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

//go:embed prelude.sh
var prelude string

// Fake is the driver. The zero value is ready.
type Fake struct{}

var _ provider.Agent = Fake{}

// Name is "fake".
func (Fake) Name() string { return "fake" }

// Keeps are the program's own folders.
func (Fake) Keeps(_ string, env []string) provider.Kept { return stream.Keeps("fake", env) }

// NewSession is a random word.
func (Fake) NewSession() string { return "fake-" + strings.ToLower(rand.Text()) }

// Turn plays the script.
func (Fake) Turn(ctx context.Context, l provider.Launcher, t provider.Turn) (provider.Result, error) {
	if !stream.Exists(t.Program) {
		return provider.Result{
			Kind: provider.KindInvalid, Session: t.Session, Error: "script " + t.Program + " not found",
		}, nil
	}
	resume := ""
	if t.Resume {
		resume = "yes"
	}
	env := append(append([]string(nil), t.Env...), "FAKE_SESSION="+t.Session, "FAKE_RESUME="+resume, "FAKE_TOOLS="+tools(t.Servers))
	argv := append([]string{"/bin/sh", "-c", prelude, "fake", t.Program}, t.Args...)
	return stream.Run(ctx, l, t, stream.Program{Argv: argv, Env: env}, newDecoder(t))
}

// tools is the shell command that starts the first server; empty = there is none.
func tools(servers []provider.Server) string {
	if len(servers) == 0 {
		return ""
	}
	s := servers[0]
	words := []string{"env"}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		words = append(words, name+"="+s.Env[name])
	}
	words = append(append(words, s.Command), s.Args...)
	for i, w := range words {
		words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(words, " ")
}

// Finish judges a turn that ended while nobody watched.
func (Fake) Finish(t provider.Turn, exit process.Exit) (provider.Result, error) {
	return stream.Finish(t, exit, newDecoder(t))
}

var word = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// HasSession looks for the session's folder.
func (Fake) HasSession(_ context.Context, t provider.Turn) (bool, error) {
	if !word.MatchString(t.Session) {
		return false, nil
	}
	return stream.Exists(filepath.Join(stream.Home(t.Env, "", ".fake-agent"), t.Session)), nil
}

// Inspect looks for the script.
func (Fake) Inspect(_ context.Context, script string, _ []string) (provider.Installed, error) {
	if !stream.Exists(script) {
		return provider.Installed{Login: provider.LoginUnknown, Fix: "write the script " + script}, nil
	}
	return provider.Installed{Path: script, Version: "0", Login: provider.LoginFound}, nil
}
