package cli

import (
	"context"

	"orchestrator/internal/workspace"
)

// runGoal has a plan written for a goal, shows it, and runs it once a person has agreed.
func (a *App) runGoal(ctx context.Context, path string, o runFlags) error {
	if !o.yes && !o.dryRun && !a.canAsk() {
		return usageError("orc plan create GOAL, look at it, then orc run; or unseen: orc run --goal GOAL --yes", "nobody is there to agree to the plan")
	}
	if _, err := a.display(o.watching); err != nil {
		return err
	}
	run, err := a.planGoal(ctx, path, o)
	if err != nil || !run {
		return err
	}
	// An agent wrote it: neither its name on the command line nor --trust, given before anybody could have seen it, is
	// consent to what it runs.
	o.named, o.trust = false, false
	return a.runPlan(ctx, path, o)
}

// planGoal has the plan written, and asks whether it shall run.
func (a *App) planGoal(ctx context.Context, path string, o runFlags) (run bool, err error) {
	ctx, stop := interruptible(ctx)
	defer stop()
	goal, err := a.readGoal(o.goal)
	if err != nil {
		return false, err
	}
	repo, err := workspace.Open(ctx, a.Dir, workspace.Options{Environ: a.Environ})
	if err != nil {
		return false, err
	}
	made, err := a.createPlan(ctx, repo, creation{
		goal: goal, role: plannerRole, output: path, rounds: draftRounds, trust: o.trust,
		taken: "remove it, or name another file behind the goal: orc run --goal GOAL other.yaml",
	})
	if err != nil {
		return false, err
	}
	if err := a.showCreated(a.Stderr, made); err != nil || o.yes || o.dryRun {
		return err == nil, err
	}
	if run, err = a.confirmContext(ctx, "Run it now?", false); err != nil || run {
		return run, err
	}
	return false, a.tell("Not run. Edit it, then: orc run%s", argumentOf(path))
}
