package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/test/rig"
	"orchestrator/test/stubmodel"
)

// patience is how long one turn may take. Generous: a loaded machine is no fault.
const patience = 4 * time.Minute

// site is a place where one agent plays its scenarios: a repository, a home, and a model server of its own.
type site struct {
	*rig.Site
	agent    agent
	program  string
	env      []string
	model    *stubmodel.Server
	launcher *launcher
	turns    int
}

func newSite(ctx context.Context, o options, a agent, root string, l provider.Launcher) (*site, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("make the site: %w", err)
	}
	base, err := rig.NewSite(ctx, o.orc, root)
	if err != nil {
		return nil, err
	}
	s := &site{
		Site: base, agent: a, program: filepath.Join(o.folder(), "node_modules", filepath.FromSlash(a.program)),
		launcher: &launcher{Launcher: l},
	}
	if err := s.Write("README.md", "A repository to work in.\n"); err != nil {
		return nil, err
	}
	if err := s.Commit(ctx, "Start"); err != nil {
		return nil, err
	}
	for _, dir := range []string{s.tmp(), s.path("state"), s.path("logs")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the site: %w", err)
		}
	}
	if s.model, err = stubmodel.Start(); err != nil {
		return nil, err
	}
	own, err := a.prepare(s)
	if err != nil {
		return nil, errors.Join(err, s.model.Close())
	}
	// Nothing of our own environment but where programs are found.
	s.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.Home, "TMPDIR=" + s.tmp(), "LANG=C.UTF-8", "TERM=dumb",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
	}, own...)
	return s, nil
}

func (s *site) path(name string) string { return filepath.Join(s.Root, name) }

// tmp is beside the home and not above it, as one of the programs wants it.
func (s *site) tmp() string { return s.path("tmp") }

// read returns a file of the repository; empty = there is none.
func (s *site) read(name string) string {
	text, err := os.ReadFile(filepath.Join(s.Repo, name))
	if err != nil {
		return ""
	}
	return string(text)
}

// played is what came of a turn.
type played struct {
	provider.Result
	err    error
	events []provider.Event
	asked  []stubmodel.Request // what the model was asked meanwhile
	turn   provider.Turn
}

// request is what a scenario wants of a turn.
type request struct {
	prompt  string
	session string         // to go on with; empty = a new one
	before  provider.Usage // that session's counters
}

// play runs one turn to its end.
func (s *site) play(ctx context.Context, r request) played {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the turn takes too long"))
	defer cancel()
	s.turns++
	p := played{}
	asked := len(s.model.Requests())
	name := fmt.Sprintf("%s.%d", s.agent.name, s.turns)
	p.turn = provider.Turn{
		ID: name, Dir: s.Repo, Env: s.env, Prompt: r.prompt, PromptFile: s.path("logs/" + name + ".prompt"),
		Log: s.path("logs/" + name + ".log"), Grace: 3 * time.Second, Program: s.program, Args: s.agent.args,
		Model: s.agent.model, State: s.path("state"), Session: r.session, Resume: r.session != "", Before: r.before,
	}
	if !p.turn.Resume {
		p.turn.Session = s.agent.driver.NewSession()
	}
	p.turn.Sink = func(e provider.Event) error {
		p.events = append(p.events, e)
		return nil
	}
	if p.err = os.WriteFile(p.turn.PromptFile, []byte(r.prompt), 0o600); p.err != nil {
		return p
	}
	p.Result, p.err = s.agent.driver.Turn(ctx, s.launcher, p.turn)
	p.asked = s.model.Requests()[asked:]
	p.turn.Sink = nil
	return p
}

// begin runs a turn in the background.
func (s *site) begin(ctx context.Context, r request) <-chan played {
	done := make(chan played, 1)
	go func() { done <- s.play(ctx, r) }()
	return done
}

// launcher remembers what it started last.
type launcher struct {
	provider.Launcher
	mu   sync.Mutex
	last *process.Child
}

// Launch starts a child process.
func (l *launcher) Launch(ctx context.Context, spec process.Spec) (*process.Child, error) {
	c, err := l.Launcher.Launch(ctx, spec)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.last = c
	}
	return c, err
}

// kill ends the program that was started last, as the kernel does it when memory is short.
func (l *launcher) kill() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil || l.last.PID() == 0 {
		return errors.New("kill the agent: it is not running")
	}
	if err := syscall.Kill(l.last.PID(), syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the agent: %w", err)
	}
	return nil
}

// exit says how the program that was started last ended.
func (l *launcher) exit(ctx context.Context) (process.Exit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		return process.Exit{}, errors.New("no agent was started")
	}
	return l.last.Wait(ctx)
}

// missing says why the agent cannot run here; empty = it can.
func (s *site) missing(ctx context.Context) string {
	if _, err := os.Stat(s.program); err != nil {
		return "not installed"
	}
	if s.agent.node == 0 {
		return ""
	}
	cmd := s.Command(ctx, "node", "--version")
	out, err := cmd.Output()
	if err != nil {
		return "needs node, which is not installed"
	}
	var major int
	if _, err := fmt.Sscanf(string(out), "v%d.", &major); err != nil || major < s.agent.node {
		return fmt.Sprintf("needs node %d, here is %s", s.agent.node, strings.TrimSpace(string(out)))
	}
	return ""
}

// await waits until the agent has made a file in the repository, unless the turn ends before.
func (s *site) await(ctx context.Context, name string, running <-chan played) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if _, err := os.Stat(filepath.Join(s.Repo, name)); err == nil {
			return nil
		}
		select {
		case p := <-running:
			return fmt.Errorf("the turn ended before it made %s: %q %s %v", name, p.Kind, p.Error, p.err)
		case <-ctx.Done():
			return fmt.Errorf("wait for the agent to make %s: %w", name, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// strays waits until no process with the site's home is left, and names those that stay.
func (s *site) strays(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		left := s.living()
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("left behind: %s", strings.Join(left, "; "))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// living describes the processes whose HOME is the site's.
func (s *site) living() []string {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil // the pattern is good
	}
	var found []string
	for _, path := range environs {
		env, err := os.ReadFile(path)
		if err != nil || !strings.Contains("\x00"+string(env), "\x00HOME="+s.Home+"\x00") {
			continue // another's, or it has ended
		}
		argv, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err != nil || len(argv) == 0 {
			continue
		}
		found = append(found, filepath.Base(filepath.Dir(path))+" "+strings.ReplaceAll(strings.TrimSuffix(string(argv), "\x00"), "\x00", " "))
	}
	return found
}
