package cli

import (
	"cmp"

	"orchestrator/internal/config"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/scheduler"
)

// mergingOf is how the work of a run is merged: as the plan says, or else the settings.
func mergingOf(p *plan.Plan, cfg *config.Config) persistence.Merging {
	m := persistence.Merging{OnConflict: cmp.Or(p.OnConflict(), cfg.OnConflict)}
	if verify, commands, given := p.MergeVerify(); given {
		m.Verify, m.Commands = verify, commands
		return m
	}
	if m.Verify = cfg.MergeVerify; cfg.MergeCommand != "" {
		m.Commands = []string{cfg.MergeCommand}
	}
	return m
}

// planOptions are what a plan is checked against.
func planOptions(cfg *config.Config) plan.Options {
	return plan.Options{Agents: cfg.AgentNames(), Providers: cfg.ProviderNames(), Workflows: cfg.Workflows}
}

// setups are the ways in which single tasks want their workspaces set up.
func setups(p *plan.Plan, tasks []*scheduler.Task) map[scheduler.TaskID]scheduler.Setup {
	var own map[scheduler.TaskID]scheduler.Setup
	for _, t := range tasks {
		if s := p.SetupOf(t.ID); s != nil {
			if own == nil {
				own = map[scheduler.TaskID]scheduler.Setup{}
			}
			own[t.ID] = *s
		}
	}
	return own
}

// questions is what becomes of agents' questions in tasks that do not say it: what the plan says, or else the settings.
// Where neither does, nobody sits in front of a machine of CI.
func (a *App) questions(p *plan.Plan, cfg *config.Config) string {
	if said := p.Questions(); said != "" {
		return said
	}
	if s, _ := cfg.Setting("questions"); s.Value.Origin.Layer == config.BuiltIn && a.Getenv("CI") != "" && !a.interactive() {
		return plan.QuestionsFail
	}
	return cfg.Questions
}
