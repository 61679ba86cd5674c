package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// create stores the run under a free id. A plan that is being run in this repository is not started again.
func (a *App) create(ctx context.Context, st persistence.Store, w *watch, tasks []*scheduler.Task) error {
	data, err := a.DataDir()
	if err != nil {
		return err
	}
	// One creation at a time for a plan: otherwise two commands typed at once would not see each other.
	sum := sha256.Sum256([]byte(w.run.Repository + "\x00" + w.run.PlanPath))
	locks := filepath.Join(data, "locks")
	if err := os.MkdirAll(locks, 0o700); err != nil {
		return fmt.Errorf("make the locks' folder: %w", err)
	}
	lock, err := holdFor(ctx, filepath.Join(locks, hex.EncodeToString(sum[:8])+".lock"))
	if err != nil {
		return err
	}
	w.creation = lock
	if err := a.refuseSecond(ctx, st, w.run); err != nil {
		return errors.Join(err, w.created())
	}
	for length := 4; ; length++ {
		id := randomHex((length + 1) / 2)[:length]
		w.run.ID, w.run.Branch = scheduler.RunID(id), branchFolder+"/"+id
		err := st.CreateRun(ctx, w.run, tasks)
		if errors.Is(err, persistence.ErrConflict) && length < 16 {
			continue
		}
		if err != nil {
			return errors.Join(err, w.created())
		}
		return nil
	}
}

// holdFor waits a short while for a lock that another command holds while it creates a run.
func holdFor(ctx context.Context, path string) (*process.Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		lock, err := process.Hold(path)
		if !errors.Is(err, process.ErrHeld) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, &ExitError{Code: ExitUsage, Err: errorf("another orc run of this plan is just starting"), Hint: "orc status"}
		case <-tick.C:
		}
	}
}

// refuseSecond fails when the same plan is being run in the same repository.
func (a *App) refuseSecond(ctx context.Context, st persistence.Store, run persistence.Run) error {
	runs, err := st.ListRuns(ctx, persistence.RunFilter{Repository: run.Repository})
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.PlanPath != run.PlanPath || r.State.Terminal() {
			continue
		}
		alive, err := a.ownerAlive(ctx, st, r)
		if err != nil {
			return err
		}
		if alive {
			return &ExitError{
				Code: ExitUsage, Err: errorf("this plan is already running as run %s", r.ID),
				Hint: fmt.Sprintf("see it: orc status %s\nor end it first: orc cancel %s", r.ID, r.ID),
			}
		}
		a.note("run %s of this plan was not finished (orc resume %s goes on with it); this is a new run", r.ID, r.ID)
		break // the latest is the one that matters
	}
	return nil
}

// refuseHidden fails when the branches of runs, orc/RUN, cannot be made: to git a branch is a file or a folder.
func refuseHidden(ctx context.Context, repo *workspace.Repository) error {
	hidden, err := repo.BranchExists(ctx, branchFolder)
	if err != nil || !hidden {
		return err
	}
	return usageError("rename it: git branch -m "+branchFolder+" NEWNAME",
		"there is a branch %q; the branches of runs, %s/RUN, cannot be beside it", branchFolder, branchFolder)
}

// branchFolder is what the branches of runs begin with.
const branchFolder = "orc"
