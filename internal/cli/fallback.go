package cli

import (
	"context"
	"maps"
	"slices"

	"orchestrator/internal/config"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/provider"
)

// fallbacks adds the roles that those of a run fall back on, and refuses those that cannot take work over.
func (in *inspector) fallbacks(ctx context.Context, p *plan.Plan, o *persistence.RunOptions) error {
	for todo := slices.Sorted(maps.Keys(o.Agents)); len(todo) > 0; todo = todo[1:] {
		role := todo[0]
		own := o.Agents[role]
		if own.Fallback == "" {
			continue
		}
		if err := in.refuseCircle(p, role); err != nil {
			return err
		}
		if _, there := o.Agents[own.Fallback]; !there {
			permissions := provider.Permissions("")
			if own.Permissions == string(provider.PermitRead) {
				permissions = provider.PermitRead
			}
			if err := in.add(ctx, p, o, own.Fallback, permissions); err != nil {
				return err
			}
			todo = append(todo, own.Fallback)
		}
		other := o.Agents[own.Fallback]
		switch {
		case own.Provider == plan.CommandProvider || other.Provider == plan.CommandProvider:
			return usageError("another provider, or no fallback", "agent %q cannot fall back on %q: a shell command has no session to hand over", role, own.Fallback)
		case own.Account == other.Account:
			return usageError("a role of another provider: orc config set agents."+own.Fallback+".provider …",
				"agent %q cannot fall back on %q: both are limited by the account %s", role, own.Fallback, own.Account)
		}
	}
	return nil
}

// refuseCircle fails when the fallbacks of a role lead back to it, by the plan and the settings together.
func (in *inspector) refuseCircle(p *plan.Plan, role string) error {
	if circle := plan.FallbackCircle(definitions(p, in.cfg), role); circle != "" {
		return usageError("remove one of these `fallback`", "agents fall back on each other: %s", circle)
	}
	return nil
}

// definitions are the roles of the settings and of a plan, which come first.
func definitions(p *plan.Plan, cfg *config.Config) map[string]plan.Agent {
	all := maps.Clone(cfg.Agents)
	if all == nil {
		all = map[string]plan.Agent{}
	}
	maps.Copy(all, p.Agents)
	return all
}

// tellFallbacks adds to tasks as they would run what their agents fall back on.
func tellFallbacks(tasks []plannedTask, p *plan.Plan, cfg *config.Config) {
	all := definitions(p, cfg)
	for i := range tasks {
		tasks[i].Fallback = all[tasks[i].Agent].Fallback
	}
}
