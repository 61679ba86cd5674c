package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"orchestrator/internal/config"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/scheduler"
)

// dryRunDocument is `orc run --dry-run --json`.
type dryRunDocument struct {
	Schema int           `json:"schema"`
	Run    dryRunHead    `json:"run"`
	Tasks  []plannedTask `json:"tasks"`
}

// dryRunHead is what would be frozen of the run itself.
type dryRunHead struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Plan        string `json:"plan"`
	Repository  string `json:"repository"`
	Base        string `json:"base"` // a commit
	BaseRef     string `json:"base_ref"`
	Concurrency int    `json:"concurrency"`
	FailFast    bool   `json:"fail_fast"`
}

// dryRun says what would run.
func (a *App) dryRun(run persistence.Run, p *plan.Plan, cfg *config.Config, tasks []*scheduler.Task, m mode) error {
	planned := []plannedTask{}
	for _, t := range tasks {
		planned = append(planned, newPlannedTask(t))
	}
	tellFallbacks(planned, p, cfg)
	if m == modeJSON {
		return a.writeDryRun(run, planned)
	}
	w := a.Stdout
	if _, err := fmt.Fprintf(w, "%s: %s, %d at a time, from %s\n", run.Name, plural(len(tasks), "task", "tasks"),
		run.Concurrency, baseName(run)); err != nil {
		return err
	}
	if err := plan.Graph(w, tasks, plan.Text); err != nil {
		return err
	}
	told := map[string]bool{}
	for _, t := range planned {
		if t.Fallback == "" || told[t.Agent] {
			continue
		}
		told[t.Agent] = true
		if _, err := fmt.Fprintf(w, "%s falls back on %s while its account is held\n", t.Agent, t.Fallback); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "Nothing was started (--dry-run).\n")
	return err
}

// writeDryRun says it to a program, in one line.
func (a *App) writeDryRun(run persistence.Run, tasks []plannedTask) error {
	doc := dryRunDocument{
		Schema: schema,
		Run: dryRunHead{
			Name: run.Name, Description: run.Description, Plan: run.PlanPath, Repository: run.Repository,
			Base: run.Base, BaseRef: run.BaseRef, Concurrency: run.Concurrency, FailFast: run.Options.FailFast,
		},
		Tasks: tasks,
	}
	enc := json.NewEncoder(a.Stdout)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
