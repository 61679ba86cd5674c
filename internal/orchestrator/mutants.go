package orchestrator

import (
	"context"

	"orchestrator/internal/fault"
	"orchestrator/internal/scheduler"
)

// plantBugs changes what was loaded, where a bug is planted on purpose; see package fault.
func (e *Engine) plantBugs(ctx context.Context, tasks []*scheduler.Task) error {
	for _, t := range tasks {
		if fault.Mutant("no-file-locks") {
			t.WritesFiles = nil
		}
		if fault.Mutant("rerun-completed") && t.Status == scheduler.TaskCompleted {
			t.Status, t.Result = scheduler.TaskPending, nil
			return e.o.Store.UpdateTaskStatus(ctx, e.o.Run, t.ID, t.Status, nil, "")
		}
	}
	return nil
}

// mergeLater merges after the task counts as completed: a bug that is planted on purpose.
func (at *attempt) mergeLater() {
	later := *at
	at.e.attempts.Go(func() {
		if _, err := later.merge(false); err != nil {
			at.e.log.Error("merge later", "task", string(at.a.Task), "error", err)
		}
	})
}
