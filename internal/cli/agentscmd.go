package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/config"
	"orchestrator/internal/plan"
	"orchestrator/internal/provider"
)

func newAgents(a *App) *cobra.Command {
	return groupCommand(a, &cobra.Command{
		Use:   "agents",
		Short: "list | test",
		Long: `Agents do the tasks that have a prompt. A role (coder, reviewer, tester, orchestrator, or one of your own) says who
does the work; the settings say how: orc config show agents.`,
	}, newAgentsList(a), newAgentsTest(a))
}

// agentsDocument is `orc agents list --json`.
type agentsDocument struct {
	Schema int             `json:"schema"`
	Agents []agentDocument `json:"agents"`
}

// agentDocument is a role and who does it.
type agentDocument struct {
	Role        string         `json:"role"`
	Provider    string         `json:"provider"` // empty = no agent is installed
	Chosen      bool           `json:"chosen"`   // by the settings; else it is the first that is installed
	Model       string         `json:"model"`    // empty = the agent's own choice
	Permissions string         `json:"permissions"`
	Program     string         `json:"program"` // its path, or the shell command; empty = not found
	Version     string         `json:"version"`
	Login       provider.Login `json:"login"`
	Ready       bool           `json:"ready"`
	Problem     string         `json:"problem"`
	Fix         string         `json:"fix"`
}

func newAgentsList(a *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "list",
		Short:             "The roles, who does them, and whether that is installed and logged in",
		Example:           "  orc agents list\n  orc agents list --jq '.agents[] | select(.ready | not)'",
		Args:              between(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	out := newOutput(cmd, agentsDocument{}, "agents")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		repo, err := a.repository()
		if err != nil {
			return err
		}
		cfg, err := a.settings(repo, nil)
		if err != nil {
			return err
		}
		doc, err := a.listAgents(cmd.Context(), cfg, repo)
		if err != nil {
			return err
		}
		if wanted {
			return out.write(a, doc)
		}
		return a.writeAgents(doc)
	}
	return cmd
}

func (a *App) listAgents(ctx context.Context, cfg *config.Config, repo string) (agentsDocument, error) {
	in := a.inspector(cfg, repo)
	doc := agentsDocument{Schema: schema, Agents: []agentDocument{}}
	strange, err := a.strangeProviders(cfg)
	if err != nil {
		return doc, err
	}
	for _, role := range cfg.AgentNames() {
		doc.Agents = append(doc.Agents, in.describe(ctx, role, cfg.Agents[role], strange))
	}
	return doc, ctx.Err()
}

// strangeProviders are those that the project's settings define in a way that nobody has agreed to: their programs
// must not even be asked for their version.
func (a *App) strangeProviders(cfg *config.Config) (map[string]bool, error) {
	memory, err := a.trusted()
	if err != nil {
		return nil, err
	}
	strange := map[string]bool{}
	for _, it := range memory.Unknown(configItems(cfg)) {
		for _, c := range it.Commands {
			if rest, is := strings.CutPrefix(c, "providers."); is {
				for _, name := range cfg.ProviderNames() {
					if strings.HasPrefix(rest, name+".") {
						strange[name] = true
					}
				}
			}
		}
	}
	return strange, nil
}

// describe says who does a role, and whether it can.
func (in *inspector) describe(ctx context.Context, role string, agent plan.Agent, strange map[string]bool) agentDocument {
	d := agentDocument{
		Role: role, Provider: agent.Provider, Chosen: agent.Provider != "", Model: agent.Model, Permissions: agent.Permissions,
		Login: provider.LoginUnknown, Ready: true,
	}
	if d.Permissions == "" {
		d.Permissions = string(provider.PermitEdit)
	}
	if d.Provider == "" {
		d.Provider = in.firstOf(ctx, agent.Permissions, strange)
	}
	p := in.cfg.Providers[d.Provider]
	switch {
	case d.Provider == "":
		d.Ready, d.Problem, d.Fix = false, "no agent is installed", hint(in.app.noAgent())
	case strange[d.Provider]:
		d.Ready, d.Problem, d.Fix = false, "its settings are not trusted yet", "orc trust"
	case p.Driver == plan.CommandProvider:
		d.Permissions = string(provider.PermitFull) // nobody confines a shell command
		if d.Program = agent.Command; d.Program == "" {
			d.Program = p.Command
		}
		if program := firstWord(d.Program); program != "" {
			if _, err := in.app.lookPath(program); err != nil {
				d.Ready, d.Problem, d.Fix = false, program+" is not found", "install it, or change the command: orc config set agents."+role+".command '…'"
			}
		}
	default:
		found, _ := in.look(ctx, d.Provider)
		d.Program, d.Version, d.Login = found.Path, found.Version, found.Login
		if driver, _ := in.app.driver(p.Driver); driver.Loose && d.Permissions == string(provider.PermitRead) {
			d.Ready, d.Problem, d.Fix = false, "cannot be kept to reading", "another provider, or: orc config set agents."+role+".permissions edit"
		} else if d.Problem, d.Fix = in.ready(ctx, d.Provider); d.Problem != "" {
			d.Ready = false
		}
	}
	return d
}

// firstOf is first, which asks no program that a stranger has named.
func (in *inspector) firstOf(ctx context.Context, permissions string, strange map[string]bool) string {
	for name := range strange {
		if p := in.cfg.Providers[name]; p.Driver == name {
			return name // it would be asked; the person has to look at it before
		}
	}
	return in.first(ctx, permissions)
}

func (a *App) writeAgents(doc agentsDocument) error {
	p := a.paint(a.Stdout)
	var t table
	t.add(cell{text: "ROLE", style: p.dim}, cell{text: "PROVIDER", style: p.dim}, cell{text: "MODEL", style: p.dim},
		cell{text: "PERMISSIONS", style: p.dim}, cell{text: "PROGRAM", style: p.dim}, cell{text: "VERSION", style: p.dim}, cell{text: "LOGIN", style: p.dim})
	for _, d := range doc.Agents {
		who, model := d.Provider, d.Model
		if !d.Chosen && who != "" {
			who += " (first found)"
		}
		if model == "" {
			model = "-"
		}
		state := cell{text: string(d.Login)}
		switch {
		case d.Problem != "":
			state = cell{text: d.Problem, style: p.red}
		case d.Login == provider.LoginFound:
			state = cell{text: "logged in", style: p.green}
		}
		t.add(cell{text: d.Role, style: p.bold}, plain(who), plain(model), plain(d.Permissions), plain(a.tilde(d.Program)), plain(d.Version), state)
	}
	if err := t.write(a.Stdout, "", a.width(a.Stdout)); err != nil {
		return err
	}
	said := map[string]bool{}
	for _, d := range doc.Agents {
		if d.Fix != "" && !said[d.Fix] {
			said[d.Fix] = true
			if err := a.tell("fix for %s: %s", d.Role, d.Fix); err != nil {
				return err
			}
		}
	}
	return nil
}
