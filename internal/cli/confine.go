package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orchestrator/internal/config"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
	"orchestrator/internal/sandbox"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// sandboxOf is what a role wants of a sandbox. A shell command keeps its own files where nobody knows: it is confined
// only where somebody asked for that.
func (in *inspector) sandboxOf(agent plan.Agent, p config.Provider) string {
	switch {
	case agent.Sandbox != "":
		return agent.Sandbox
	case p.Driver == plan.CommandProvider:
		return commandSandbox(in.cfg)
	}
	return in.cfg.Sandbox
}

// commandSandbox is what plain commands want.
func commandSandbox(cfg *config.Config) string {
	if cfg.Sandbox == string(sandbox.Required) {
		return cfg.Sandbox
	}
	return ""
}

// sandboxWrites are the paths of the settings, absolute.
func (a *App) sandboxWrites(cfg *config.Config) []string {
	var paths []string
	for _, path := range cfg.SandboxWrites {
		if rest, home := strings.CutPrefix(path, "~/"); home {
			path = filepath.Join(a.Getenv("HOME"), rest)
		}
		paths = append(paths, filepath.Clean(path))
	}
	return paths
}

// findSandbox tries what this machine has.
func (a *App) findSandbox(ctx context.Context) (sandbox.Found, error) {
	self, err := os.Executable()
	if err != nil {
		return sandbox.Found{}, errorf("find this program: %w", err)
	}
	return sandbox.Find(ctx, sandbox.Options{Executable: self, Env: a.Environ}), nil
}

// nests says whether an agent's program confines its commands by a sandbox of its own, which does not start inside of
// Landlock.
func nests(agent persistence.Agent) bool {
	return agent.Provider == "codex" || agent.Provider == "acp" && strings.HasPrefix(filepath.Base(agent.Program), "codex")
}

// wantsSandbox says whether a mode asks for a sandbox.
func wantsSandbox(mode string) bool {
	return mode == string(sandbox.Required) || mode == string(sandbox.Auto)
}

// fits is the sandbox that an agent gets; nil = none.
func fits(box *sandbox.Sandbox, agent persistence.Agent) *sandbox.Sandbox {
	if box.Level() == sandbox.LevelLandlock && nests(agent) {
		return nil
	}
	return box
}

// preflightSandbox fails when something has to be confined and cannot be, and says when what should be is not.
func (a *App) preflightSandbox(ctx context.Context, agents map[string]persistence.Agent, commands bool) error {
	var required, open []string
	wanted := commands
	for _, agent := range agents {
		wanted = wanted || wantsSandbox(agent.Sandbox)
	}
	if !wanted {
		return nil
	}
	found, err := a.findSandbox(ctx)
	if err != nil {
		return err
	}
	for role, agent := range agents {
		if fits(found.Best, agent) != nil {
			continue
		}
		switch agent.Sandbox {
		case string(sandbox.Required):
			required = append(required, role)
		case string(sandbox.Auto):
			open = append(open, role)
		}
	}
	slices.Sort(required)
	slices.Sort(open)
	if commands && found.Best == nil {
		required = append(required, "plain commands")
	}
	if len(required) > 0 {
		return noSandbox(strings.Join(required, ", "), found)
	}
	if len(open) > 0 && !a.globals.quiet {
		a.note("no sandbox for %s: what it starts can write wherever you can (orc doctor says why)", strings.Join(open, ", "))
	}
	return nil
}

// noSandbox says that what has to be confined cannot be.
func noSandbox(who string, found sandbox.Found) error {
	why := strings.Join(found.Reasons, "; ")
	if found.Best != nil {
		why = "inside of " + string(found.Best.Level()) + " its own does not start; " + why
	}
	return &ExitError{
		Code: ExitAgent, Err: errorf("a sandbox is required for %s, and this machine has none that fits (%s)", who, why),
		Hint: sandboxFix + "\nor do without, knowingly: orc config set sandbox auto",
	}
}

const sandboxFix = "install bubblewrap (apt install bubblewrap, dnf install bubblewrap), or use a kernel with Landlock (6.2 or newer)"

// confiner confines the commands of one run, or of an agent that works outside of runs.
type confiner struct {
	app    *App
	repo   *workspace.Repository
	found  sandbox.Found
	writes []string
	data   string
	state  string
}

// confinement is how the run's commands are confined; nil where none of them is to be.
func (o *ownership) confinement(ctx context.Context, repo *workspace.Repository) (func(orchestrator.Room) (orchestrator.Cell, error), error) {
	mode := o.run.Options.Sandbox
	wanted := wantsSandbox(mode)
	for _, agent := range o.run.Options.Agents {
		wanted = wanted || wantsSandbox(agent.Sandbox)
	}
	if !wanted {
		return nil, nil
	}
	found, err := o.app.findSandbox(ctx)
	if err != nil {
		return nil, err
	}
	c := &confiner{app: o.app, repo: repo, found: found, writes: o.run.Options.SandboxWrites}
	if err := c.places(); err != nil {
		return nil, err
	}
	for role, agent := range o.run.Options.Agents {
		if _, err := c.choose(role, agent); err != nil {
			return nil, err
		}
	}
	if _, err := c.choose("plain commands", persistence.Agent{Sandbox: mode}); err != nil {
		return nil, err
	}
	return c.cell, nil
}

// places finds the folders that nobody who is confined may touch.
func (c *confiner) places() (err error) {
	if c.data, err = c.app.DataDir(); err != nil {
		return err
	}
	c.state, err = c.app.StateDir()
	return err
}

// choose is the sandbox of an agent; the error says that it has to have one and there is none.
func (c *confiner) choose(who string, agent persistence.Agent) (*sandbox.Sandbox, error) {
	box := fits(c.found.Best, agent)
	if box == nil && agent.Sandbox == string(sandbox.Required) {
		return nil, noSandbox(who, c.found)
	}
	return box, nil
}

// cell confines the commands of a room.
func (c *confiner) cell(r orchestrator.Room) (orchestrator.Cell, error) {
	box, err := c.choose(r.Agent.Account, r.Agent)
	if box == nil || err != nil {
		return nil, err
	}
	policy, err := c.policy(r)
	if err != nil {
		return nil, err
	}
	cell := confined{box: box, policy: policy}
	if tmp := tempDir(r.Env); !policy.Writable(tmp) {
		// Something in it has to be protected, so that nothing can be made in it: the task gets one of its own.
		cell.temp = filepath.Join(r.State, "tmp")
		if err := os.MkdirAll(cell.temp, 0o700); err != nil {
			return nil, errorf("make the task's folder for temporary files: %w", err)
		}
	}
	return cell, nil
}

func tempDir(env []string) string {
	if dir := stream.Get(env, "TMPDIR"); filepath.IsAbs(dir) {
		return dir
	}
	return "/tmp"
}

// policy is what the commands of a room may do with files.
func (c *confiner) policy(r orchestrator.Room) (sandbox.Policy, error) {
	if err := os.MkdirAll(r.State, 0o700); err != nil {
		return sandbox.Policy{}, errorf("make the task's folder: %w", err)
	}
	p := sandbox.Policy{
		Write:    slices.Concat([]string{"/tmp", "/var/tmp", tempDir(r.Env), r.State, stream.Get(r.Env, agentSocket)}, caches(r.Env), c.writes),
		ReadOnly: []string{c.data, stream.Get(r.Env, "HOME")},
		Hide: append(secretPlaces(c.app.Environ, r.Env), c.state,
			filepath.Join(c.data, databaseFile), filepath.Join(c.data, databaseFile+"-wal"), filepath.Join(c.data, databaseFile+"-shm")),
	}
	if r.Review {
		p.ReadOnly = append(p.ReadOnly, r.Dir)
	} else {
		p.Write = append(p.Write, r.Dir)
	}
	switch r.Isolation {
	case scheduler.IsolationNone:
	case scheduler.IsolationWorktree:
		// A commit needs the objects and the worktree's own part of the repository, and nothing else of it.
		p.ReadOnly = append(p.ReadOnly, c.repo.Root(), c.repo.CommonDir())
		if !r.Review {
			p.Write = append(p.Write, filepath.Join(c.repo.CommonDir(), "objects"), worktreeGit(r.Dir))
		}
	default:
		p.ReadOnly = append(p.ReadOnly, c.repo.Root(), c.repo.CommonDir())
	}
	if r.Turn {
		return p, c.keep(&p, r)
	}
	return p, nil
}

// keep lets an agent's program write its own files.
func (c *confiner) keep(p *sandbox.Policy, r orchestrator.Room) error {
	keeper, is := c.app.providers()[r.Agent.Provider].(provider.Keeper)
	if !is {
		return nil
	}
	kept := keeper.Keeps(r.Agent.Program, r.Env)
	for _, dir := range kept.Folders {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return errorf("make the agent's own folder: %w", err)
		}
	}
	p.Write = slices.Concat(p.Write, kept.Folders, kept.Files)
	p.ReadOnly = append(p.ReadOnly, kept.Settings...)
	return nil
}

// worktreeGit is the part of the repository that belongs to a worktree; empty when it cannot be told.
func worktreeGit(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, ".git"))
	if err != nil {
		return "" // git will say what is wrong with it
	}
	path, _ := strings.CutPrefix(strings.TrimSpace(string(b)), "gitdir: ")
	return path
}

// confined is a policy with what makes it hold.
type confined struct {
	box    *sandbox.Sandbox
	policy sandbox.Policy
	temp   string // instead of the usual folder for temporary files; empty = that one
}

func (c confined) Level() string { return string(c.box.Level()) }

func (c confined) Wrap(s process.Spec) (process.Spec, error) {
	if c.temp != "" {
		s.Env = append(s.Env[:len(s.Env):len(s.Env)], "TMPDIR="+c.temp)
	}
	return c.box.Wrap(s, c.policy)
}

// checkSandbox says how agents are confined here.
func (a *App) checkSandbox(ctx context.Context) check {
	const name = "sandbox"
	found, err := a.findSandbox(ctx)
	if err != nil {
		return failed(name, err, "")
	}
	c := check{Name: name, State: checkOK, Detail: found.String()}
	switch found.Best.Level() {
	case sandbox.LevelBubblewrap:
		c.Detail += ": agents write in their workspace and their own folders only"
	case sandbox.LevelLandlock:
		c.Detail += ": agents write in their workspace and their own folders only; codex keeps to its own sandbox"
		c.Fix = "install bubblewrap for more: apt install bubblewrap, dnf install bubblewrap"
	default:
		c.State, c.Fix = checkWarn, sandboxFix
	}
	return c
}
