package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"orchestrator/internal/config"
	"orchestrator/internal/provider"
)

// checkAgents says of each agent that is installed its version and login, and of each role whether somebody can do it.
func (a *App) checkAgents(ctx context.Context) []check {
	const name = "agents"
	repo, err := a.repository()
	if err != nil {
		return []check{failed(name, err, "")}
	}
	cfg, list, err := config.Load(a.configOptions(repo, nil))
	if err != nil || list.HasErrors() {
		return []check{{Name: name, State: checkWarn, Detail: "not known while the settings cannot be read"}}
	}
	doc, err := a.listAgents(ctx, cfg, repo)
	if err != nil {
		return []check{failed(name, err, "")}
	}
	checks, missing := a.checkPrograms(ctx, cfg, repo)
	return append(checks, rolesCheck(doc, missing))
}

// checkPrograms looks at the usual programs; missing are the providers whose program is not installed.
func (a *App) checkPrograms(ctx context.Context, cfg *config.Config, repo string) (checks []check, missing []string) {
	in := a.inspector(cfg, repo)
	strange, err := a.strangeProviders(cfg)
	if err != nil {
		return []check{failed("trust", err, "")}, nil
	}
	for _, name := range cfg.ProviderNames() {
		if strange[name] {
			checks = append(checks, check{Name: name, State: checkWarn, Detail: "its settings here are not trusted yet", Fix: "orc trust"})
			continue
		}
		found, ok := in.look(ctx, name)
		if !ok {
			continue
		}
		if found.Path == "" {
			missing = append(missing, name)
			continue
		}
		c := check{Name: name, State: checkOK, Detail: strings.TrimSpace(found.Version + " at " + a.tilde(found.Path))}
		switch problem, fix := in.ready(ctx, name); {
		case problem != "":
			c.State, c.Detail, c.Fix = checkWarn, c.Detail+", "+strings.TrimPrefix(problem, name+" is "), fix
		case found.Login == provider.LoginFound:
			c.Detail += ", logged in"
		default:
			c.Detail += ", login not known (orc agents test says)"
		}
		checks = append(checks, c)
	}
	return checks, missing
}

// rolesCheck says who does the roles. Roles of nobody's settings, and no agent to do them, are nothing to warn of:
// plans can do without.
func rolesCheck(doc agentsDocument, missing []string) check {
	c := check{Name: "agents", State: checkOK}
	var able, unable []string
	for _, d := range doc.Agents {
		switch {
		case d.Ready:
			able = append(able, d.Role+" ("+d.Provider+")")
		case d.Chosen:
			unable = append(unable, fmt.Sprintf("%s: %s", d.Role, d.Problem))
			if c.Fix == "" {
				c.Fix = d.Fix
			}
		}
	}
	switch {
	case len(unable) > 0:
		c.State, c.Detail = checkWarn, strings.Join(unable, "; ")
		if c.Fix == "" {
			c.Fix = "orc agents list"
		}
	case len(able) > 0:
		c.Detail = strings.Join(able, ", ")
	default:
		c.Detail = "none installed; plans can run plain commands and define their own"
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		c.Detail += "; not installed: " + strings.Join(missing, ", ")
	}
	return c
}
