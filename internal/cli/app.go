// Package cli is the command line: the commands, what they print, and the exit codes. It is the only place that
// joins the other packages together.
//
// What a command found goes to stdout, what it has to say about it to stderr. Every command that reads can print
// JSON (--json, --jq) whose shape is versioned by its "schema" field. An error is two lines, the cause first and
// what to do about it last; usage is not repeated after it. The exit codes are listed in exit.go.
package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orchestrator/internal/fault"
	"orchestrator/internal/persistence"
	"orchestrator/internal/redact"
)

// App is the surroundings of one invocation. Everything that a command reads from or writes to its process goes
// through it, so that a test can run any command inside its own process.
type App struct {
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Environ []string         // "KEY=value"; the last of two equal keys counts
	Dir     string           // the working directory, absolute; -C changes it
	Now     func() time.Time // the clock
	Umask   int              // the user's mask for new files

	Heartbeat time.Duration // how often an owner says that it lives; 0 = orchestrator.DefaultHeartbeat

	// OpenStore opens the database at a path and makes it when there is none.
	OpenStore func(ctx context.Context, path string, o persistence.Options) (persistence.Store, error)
	// Drivers are the agents that this program can drive, the preferred ones first.
	Drivers []AgentDriver
	// Resume takes over runs that nobody owns; nil means that this program does.
	Resume Resumer

	globals globals
	secrets *redact.Redactor // of this environment
}

// globals are the flags that every command takes.
type globals struct {
	color   string // auto, always, never
	noInput bool
	quiet   bool
	verbose bool
	chdir   string
}

// System returns the surroundings of this process.
func System() *App {
	dir, err := os.Getwd()
	if err != nil {
		// The folder may have been deleted under the shell; commands that need it say so themselves.
		dir = ""
	}
	return &App{
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		Environ:   os.Environ(),
		Dir:       dir,
		Now:       time.Now,
		Umask:     0o022,
		Heartbeat: fault.Heartbeat(),
		Drivers:   agentDrivers(),
		OpenStore: func(ctx context.Context, path string, o persistence.Options) (persistence.Store, error) {
			// A nil *SQLiteStore must not become a Store that is not nil.
			st, err := persistence.OpenSQLite(ctx, path, o)
			if err != nil {
				return nil, err
			}
			return st, nil
		},
	}
}

// Getenv returns a variable of the environment, or an empty string.
func (a *App) Getenv(key string) string {
	v, _ := a.LookupEnv(key)
	return v
}

// LookupEnv returns a variable of the environment and whether it is set.
func (a *App) LookupEnv(key string) (string, bool) {
	for i := len(a.Environ) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(a.Environ[i], key+"="); ok {
			return v, true
		}
	}
	return "", false
}

// DataDir returns the folder of the database and of everything that belongs to runs: $XDG_DATA_HOME/orc, by
// default ~/.local/share/orc, on macOS too.
func (a *App) DataDir() (string, error) {
	// The specification says that a relative path there is invalid and to be ignored.
	if dir := a.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "orc"), nil
	}
	home := a.Getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", usageError("set HOME or XDG_DATA_HOME to an absolute path", "the home folder is not known")
	}
	return filepath.Join(home, ".local", "share", "orc"), nil
}

// RunDir returns the folder of one run's files: locks, logs, journals.
func (a *App) RunDir(run string) (string, error) {
	data, err := a.DataDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(data, "runs", run), nil
}

// path makes a path that a person wrote absolute.
func (a *App) path(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(a.Dir, p)
}

// tilde shortens a path under the home folder for people.
func (a *App) tilde(p string) string {
	home := a.Getenv("HOME")
	if home == "" || home == "/" {
		return p
	}
	if rest, ok := strings.CutPrefix(p, home+string(filepath.Separator)); ok {
		return "~/" + filepath.ToSlash(rest)
	}
	return p
}
