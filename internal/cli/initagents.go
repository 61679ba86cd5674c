package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"orchestrator/internal/config"
	"orchestrator/internal/provider"
)

// chooseAgents looks for agents and returns what the settings of a repository say about them. On a terminal it asks.
// Settings that are there already are not asked about.
func (a *App) chooseAgents(ctx context.Context, root string, yes bool) (string, error) {
	o := a.configOptions("", nil) // the user's own; the repository has none yet, or they stay
	if _, err := os.Lstat(filepath.Join(root, ".orc", "config.yaml")); err == nil {
		return noAgents, nil
	}
	cfg, list, err := config.Load(o)
	if err != nil {
		return "", fmt.Errorf("read the configuration: %w", err)
	}
	if list.HasErrors() {
		return "", a.printDiagnostics(list, "the configuration")
	}
	in := a.inspector(cfg, root)
	able, err := a.tellAgents(ctx, in)
	if err != nil || len(able) == 0 {
		return noAgents, err
	}
	coder, reviewer := able[0], ""
	for _, name := range able {
		if d, _ := a.driver(name); d.Loose {
			continue
		}
		if reviewer == "" || reviewer == coder { // another pair of eyes, where there is one
			reviewer = name
		}
	}
	if reviewer == "" {
		return agentSettings(coder, ""), nil
	}
	if !yes && a.canAsk() {
		ok, err := a.confirmContext(ctx, fmt.Sprintf("Use %s for coding and %s for review?", coder, reviewer), true)
		if err != nil {
			return "", err
		}
		if !ok {
			return noAgents, nil
		}
	}
	return agentSettings(coder, reviewer), nil
}

// tellAgents prints which agents are there and returns those that can be used, the preferred ones first.
func (a *App) tellAgents(ctx context.Context, in *inspector) ([]string, error) {
	var able []string
	var t table
	p := a.paint(a.Stderr)
	for _, d := range a.Drivers {
		name := d.Agent.Name()
		found, _ := in.look(ctx, name)
		if d.Program == "" {
			continue
		}
		problem, fix := in.ready(ctx, name)
		state := strings.TrimPrefix(problem, name+" is ")
		sign := cell{text: "✗", style: p.red}
		if a.ascii() {
			sign.text = "x"
		}
		if problem == "" {
			able = append(able, name)
			sign = cell{text: "✓", style: p.green}
			if a.ascii() {
				sign.text = "+"
			}
			if state = "login not known"; found.Login == provider.LoginFound {
				state = "logged in"
			}
		}
		t.add(sign, plain(name), plain(found.Version), plain(state), plain(fix))
	}
	if a.globals.quiet || len(a.Drivers) == 0 {
		return able, ctx.Err()
	}
	if err := a.tell("Agents on this computer:"); err != nil {
		return nil, err
	}
	return able, t.write(a.Stderr, "  ", 0)
}

// agentSettings are the roles, done by two agents; without a reviewer, who must not change anything, only those that
// may.
func agentSettings(coder, reviewer string) string {
	text := fmt.Sprintf("agents:\n  coder: {provider: %s, permissions: edit}\n  tester: {provider: %s, permissions: edit}\n", coder, coder)
	if reviewer != "" {
		text += fmt.Sprintf("  reviewer: {provider: %s, permissions: read-only}\n  orchestrator: {provider: %s, permissions: read-only}\n", reviewer, reviewer)
	}
	return text
}
