package cli

import (
	"context"

	"orchestrator/internal/persistence"
)

// Resumer takes over a run that nobody owns.
type Resumer interface {
	// ResumeRun makes this process, or one that it starts, the owner of the run, stores the requests, which are
	// then the first thing that the owner consumes, and goes on with the run. It returns when the run ended,
	// paused or went to the background; the error carries the exit code. ErrConflict when the run has an owner.
	ResumeRun(ctx context.Context, run persistence.Run, requests []persistence.Request) error
}

// resumeRun calls the Resumer, if this program has one.
func (a *App) resumeRun(ctx context.Context, run persistence.Run, requests []persistence.Request) error {
	if a.Resume == nil {
		return &ExitError{
			Code: ExitFailures,
			Err:  errorf("run %s has no owner, and this program cannot take it over", run.ID),
			Hint: "orc resume " + string(run.ID),
		}
	}
	return a.Resume.ResumeRun(ctx, run, requests)
}
