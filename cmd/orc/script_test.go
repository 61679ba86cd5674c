package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"orchestrator/internal/cli"
	"orchestrator/internal/sandbox"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"orc": func() {
		app := cli.System()
		if beat := app.Getenv(heartbeatVariable); beat != "" {
			var err error
			if app.Heartbeat, err = time.ParseDuration(beat); err != nil {
				panic(err)
			}
		}
		start(app)
	}})
}

// heartbeatVariable lets a script wait less for the lease of a frozen owner to run out.
const heartbeatVariable = "HEARTBEAT"

// The scripts are the specification of the command line, and the examples of the manual.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:               setup,
		Condition:           sandboxes(t),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"repository": repository,
		},
	})
}

// sandboxes are the conditions bubblewrap and landlock: what this machine can confine commands with.
func sandboxes(t *testing.T) func(string) (bool, error) {
	orc, err := exec.LookPath("orc")
	return func(name string) (bool, error) {
		switch level := sandbox.Level(name); level {
		case sandbox.LevelBubblewrap, sandbox.LevelLandlock:
			if err != nil {
				return false, err
			}
			_, missing := sandbox.FindLevel(t.Context(), sandbox.Options{Executable: orc, Env: os.Environ()}, level)
			return missing == nil, nil
		}
		return false, fmt.Errorf("unknown condition %q", name)
	}
}

// setup gives each script a world of its own. The home folder with the data lies outside of $WORK, which a script may
// make a repository: the program refuses to keep its data in one.
func setup(env *testscript.Env) error {
	home, err := os.MkdirTemp("", "orc-home-")
	if err != nil {
		return err
	}
	env.Defer(func() {
		if err := os.RemoveAll(home); err != nil {
			panic(err)
		}
	})
	orc, err := exec.LookPath("orc")
	if err != nil {
		return err
	}
	env.Setenv("ORC", orc)
	env.Setenv("GORACE", os.Getenv("GORACE"))
	env.Setenv("HOME", home)
	env.Setenv("DATA", filepath.Join(home, ".local", "share", "orc"))
	env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	env.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		env.Setenv("GIT_"+who+"_NAME", "Ann")
		env.Setenv("GIT_"+who+"_EMAIL", "ann@example.com")
	}
	return nil
}

// exits runs a program and compares its exit code: `exits CODE PROGRAM [ARG…]`.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// repository makes the working directory a git repository with one commit of all its files.
func repository(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: repository")
	}
	for _, c := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "--allow-empty", "-m", "start"}} {
		ts.Check(ts.Exec("git", c...))
	}
}
