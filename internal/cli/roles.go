package cli

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"orchestrator/internal/config"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/provider"
	"orchestrator/internal/sandbox"
	"orchestrator/internal/scheduler"
)

// inspector looks at the programs of agents, each once. None is started before its project is trusted.
type inspector struct {
	app   *App
	cfg   *config.Config
	root  string // of the repository; empty = none
	found map[string]inspected
}

// inspected is what was found of a provider's program.
type inspected struct {
	provider.Installed
	err error // it is there, and could not be asked
}

func (a *App) inspector(cfg *config.Config, root string) *inspector {
	return &inspector{app: a, cfg: cfg, root: root, found: map[string]inspected{}}
}

// program is what a provider starts; empty = the driver's usual program.
func (in *inspector) program(p config.Provider) string {
	if strings.ContainsRune(p.Command, filepath.Separator) && !filepath.IsAbs(p.Command) && p.Driver != plan.CommandProvider {
		if rest, home := strings.CutPrefix(p.Command, "~/"); home {
			return filepath.Join(in.app.Getenv("HOME"), rest)
		}
		return filepath.Join(in.root, p.Command)
	}
	return p.Command
}

// look finds a provider's program. ok is false for a shell command, of which nobody can say.
func (in *inspector) look(ctx context.Context, name string) (found inspected, ok bool) {
	p := in.cfg.Providers[name]
	d, has := in.app.driver(p.Driver)
	if !has {
		return inspected{}, false
	}
	if known, again := in.found[name]; again {
		return known, true
	}
	found.Installed, found.err = d.Agent.Inspect(ctx, in.program(p), in.app.agentEnviron(in.cfg, p))
	if found.Path == "" && found.Fix == "" {
		found.Fix = d.Install
	}
	in.found[name] = found
	return found, true
}

// ready says why a provider cannot be used, and how to repair that; empty = it can, as far as one can see.
func (in *inspector) ready(ctx context.Context, name string) (problem, fix string) {
	found, ok := in.look(ctx, name)
	switch {
	case !ok:
		return "", ""
	case found.Path == "":
		return name + " is not installed", found.Fix
	case found.err != nil:
		return fmt.Sprintf("%s does not run: %v", name, found.err), found.Fix
	case found.Login == provider.LoginMissing:
		return name + " is not logged in", found.Fix
	}
	return "", ""
}

// first is the provider of roles that name none: the first whose program is installed and not known to be without a
// login, else the first that is installed. It is one that can be kept to the permissions. Empty = there is none.
func (in *inspector) first(ctx context.Context, permissions string) string {
	installed := ""
	for _, d := range in.app.Drivers {
		name := d.Agent.Name()
		if d.Program == "" || d.Loose && permissions == string(provider.PermitRead) {
			continue
		}
		if found, _ := in.look(ctx, name); found.Path == "" {
			continue
		}
		if problem, _ := in.ready(ctx, name); problem == "" {
			return name
		}
		if installed == "" {
			installed = name
		}
	}
	return installed
}

// noAgent says that no agent's program is there, and where to get one.
func (a *App) noAgent() error {
	var how []string
	for _, d := range a.Drivers {
		if d.Program != "" {
			how = append(how, fmt.Sprintf("%s: %s", d.Agent.Name(), d.Install))
		}
	}
	h := "name a command of your own: orc config set agents.coder.provider command agents.coder.command '…'"
	if len(how) > 0 {
		h = "install one: " + strings.Join(how, "\n             ") + "\nor " + h
	}
	return &ExitError{Code: ExitAgent, Err: errorf("no agent is installed"), Hint: h}
}

// resolve makes a role's agent what a run keeps of it.
func (in *inspector) resolve(ctx context.Context, role string, agent plan.Agent) (persistence.Agent, error) {
	name := agent.Provider
	if name == "" {
		if name = in.first(ctx, agent.Permissions); name == "" {
			return persistence.Agent{}, in.app.noAgent()
		}
	}
	p, ok := in.cfg.Providers[name]
	if !ok {
		return persistence.Agent{}, usageError("orc agents list", "agent %q names the provider %q, which does not exist", role, name)
	}
	r := persistence.Agent{Provider: p.Driver, Account: name, Fallback: agent.Fallback, Pass: slices.Clone(p.Env), Set: maps.Clone(p.Set), Sandbox: in.sandboxOf(agent, p)}
	if p.Driver == plan.CommandProvider {
		if r.Command = agent.Command; r.Command == "" {
			r.Command = p.Command
		}
		return r, nil
	}
	d, ok := in.app.driver(p.Driver)
	if !ok {
		return persistence.Agent{}, usageError("orc agents list", "this program has no driver %q", p.Driver)
	}
	if d.Loose && agent.Permissions == string(provider.PermitRead) {
		return persistence.Agent{}, usageError("another provider, or: orc config set agents."+role+".permissions edit", "agent %q: %s cannot be kept to reading", role, name)
	}
	r.Program, r.Model, r.Permissions, r.Instructions = in.program(p), agent.Model, agent.Permissions, agent.Instructions
	r.Args = slices.Concat(p.Args, agent.Args)
	r.Pass = slices.Concat(d.Env, p.Env)
	return r, nil
}

// roleOf is the definition of a role: the plan's, else the configuration's.
func roleOf(p *plan.Plan, cfg *config.Config, role string) (plan.Agent, bool) {
	if p != nil {
		if agent, ok := p.Agents[role]; ok {
			return agent, true
		}
	}
	agent, ok := cfg.Agents[role]
	return agent, ok
}

// agentsOf resolves the roles that tasks use, and those of their workflows.
func (in *inspector) agentsOf(ctx context.Context, p *plan.Plan, tasks []*scheduler.Task) (map[string]persistence.Agent, error) {
	agents := map[string]persistence.Agent{}
	for _, t := range tasks {
		if _, done := agents[t.AgentRole]; done || t.AgentRole == "" {
			continue
		}
		agent, ok := roleOf(p, in.cfg, t.AgentRole)
		if !ok {
			return nil, usageError("orc agents list", "there is no agent %q", t.AgentRole)
		}
		r, err := in.resolve(ctx, t.AgentRole, agent)
		if err != nil {
			return nil, err
		}
		agents[t.AgentRole] = r
	}
	steps, of := p.Workflows()
	for _, t := range tasks {
		name, has := of[t.ID]
		if late := p.TemplateWorkflow(t.ID); late != "" && t.AgentRole != "" {
			name, has = late, true
		}
		if has && agents[t.AgentRole].Provider == plan.CommandProvider {
			return nil, noSession(t.AgentRole, name)
		}
	}
	return agents, in.stepAgents(ctx, p, steps, agents)
}

// stepAgents resolves the roles that workflows name.
func (in *inspector) stepAgents(ctx context.Context, p *plan.Plan, workflows map[string][]scheduler.Step, agents map[string]persistence.Agent) error {
	for _, name := range slices.Sorted(maps.Keys(workflows)) {
		for _, s := range workflows[name] {
			if s.Agent == "" {
				continue
			}
			agent, ok := roleOf(p, in.cfg, s.Agent)
			if !ok {
				return usageError("orc agents list", "there is no agent %q, which the workflow %s names", s.Agent, name)
			}
			if s.Review {
				agent.Permissions = string(provider.PermitRead)
			}
			r, err := in.resolve(ctx, s.Agent, agent)
			if err != nil {
				return err
			}
			if r.Provider == plan.CommandProvider {
				return noSession(s.Agent, name)
			}
			if _, done := agents[s.Agent]; !done {
				agents[s.Agent] = r
			}
		}
	}
	return nil
}

// noSession says that an agent cannot be part of a workflow.
func noSession(role, workflow string) error {
	return usageError("another provider for it: orc config set agents."+role+".provider …",
		"agent %q is a shell command: it has no session to go on with, which the workflow %s needs", role, workflow)
}

// besides adds the roles that a run wants beside those of its tasks: who resolves conflicts, who is asked before the
// person, and who does the work of others while their accounts are held.
func (in *inspector) besides(ctx context.Context, p *plan.Plan, run *persistence.Run) error {
	o := &run.Options
	if m := o.Merge.OnConflict; m != "" && m != plan.Conflicts[0] {
		if err := in.add(ctx, p, o, persistence.ResolverRole, ""); err != nil {
			return err
		}
	}
	if o.Questions == plan.QuestionsOrchestrator || slices.Contains(slices.Collect(maps.Values(o.QuestionsOf)), plan.QuestionsOrchestrator) {
		if err := in.add(ctx, p, o, persistence.OrchestratorRole, provider.PermitRead); err != nil {
			return err
		}
	}
	return in.fallbacks(ctx, p, o)
}

// add resolves a role and adds it, unless a task has it. permissions are what it may do at most; empty = what it says.
func (in *inspector) add(ctx context.Context, p *plan.Plan, o *persistence.RunOptions, role string, permissions provider.Permissions) error {
	agent, ok := roleOf(p, in.cfg, role)
	if !ok {
		return usageError("orc agents list", "there is no agent %q", role)
	}
	if permissions != "" {
		agent.Permissions = string(permissions)
	}
	r, err := in.resolve(ctx, role, agent)
	if err != nil {
		return err
	}
	if _, done := o.Agents[role]; !done {
		o.Agents[role] = r
	}
	return nil
}

// preflight fails when an agent that a run needs is missing or logged out.
func (in *inspector) preflight(ctx context.Context, agents map[string]persistence.Agent) error {
	roles := map[string][]string{}
	for _, role := range slices.Sorted(maps.Keys(agents)) {
		name := agents[role].Account
		roles[name] = append(roles[name], role)
	}
	var problems, fixes []string
	for _, name := range slices.Sorted(maps.Keys(roles)) {
		problem, fix := in.ready(ctx, name)
		if problem == "" {
			continue
		}
		problems = append(problems, fmt.Sprintf("%s (needed for %s)", problem, strings.Join(roles[name], ", ")))
		if fix != "" {
			fixes = append(fixes, fix)
		}
	}
	if len(problems) == 0 {
		return in.app.preflightSandbox(ctx, agents, in.cfg.Sandbox == string(sandbox.Required))
	}
	return &ExitError{
		Code: ExitAgent, Err: errorf("%s", strings.Join(problems, "\n")),
		Hint: strings.Join(append(fixes, "everything that is installed: orc agents list"), "\n"),
	}
}
