package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/test/rig"
	"orchestrator/test/stubmodel"
)

// patience is how long one turn may take. Generous: a loaded machine is no fault.
const patience = 4 * time.Minute

// program is the path of an agent's program.
func (o options) program(a agent) string {
	return filepath.Join(o.folder(), "node_modules", filepath.FromSlash(a.program))
}

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
		Site: base, agent: a, program: o.program(a),
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

	permissions provider.Permissions // empty = to edit
	commands    bool                 // it shall run commands
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
		Log: s.path("logs/" + name + ".log"), Grace: 3 * time.Second, Program: s.program,
		Model: s.agent.model, State: s.path("state"), Session: r.session, Resume: r.session != "", Before: r.before,
	}
	p.turn.Permissions = r.permissions
	if r.commands && s.agent.commands != nil {
		s.agent.commands(&p.turn)
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
	for range mostUnread {
		p.Result, p.err = s.agent.driver.Turn(ctx, s.launcher, p.turn)
		if !strings.Contains(p.Error, unread) {
			break
		}
	}
	p.asked = s.model.Requests()[asked:]
	p.turn.Sink = nil
	return p
}

// unread is what Gemini says of a prompt that it did not find within half a second, as happens on a busy machine. The
// engine has such a turn tried again later; here it is tried again at once.
const (
	unread     = "No input provided via stdin"
	mostUnread = 5
)

// begin runs a turn in the background.
func (s *site) begin(ctx context.Context, r request) <-chan played {
	done := make(chan played, 1)
	go func() { done <- s.play(ctx, r) }()
	return done
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
