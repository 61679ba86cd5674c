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
