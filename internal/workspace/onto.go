package workspace

import (
	"context"
	"path"
	"strconv"
)

// Onto makes the commit that brings saved work onto a run's integration as it is now, for a workspace to begin with,
// and keeps it under a ref beside the saved work, so that no garbage collection takes it from there. It moves nothing
// else. *ConflictError when the work does not fit.
func (r *Repository) Onto(ctx context.Context, run, task string, number int, tip, message string) (Merge, error) {
	op := "bring the work of " + task + " onto what is merged"
	if err := checkName("task", task); err != nil {
		return Merge{}, err
	}
	m, err := r.PlanMerge(ctx, run, tip, message)
	if err != nil || m.New == m.Old {
		return m, err
	}
	ref := path.Join(runRefs(run), "extra", escaped(task), strconv.Itoa(number), "onto")
	refs, err := r.readRefs(ctx, ref)
	if err != nil {
		return Merge{}, &Error{Op: op, Err: err}
	}
	if err := r.move(ctx, ref, m.New, refs[ref], "begin with the work of "+task); err != nil {
		return Merge{}, &Error{Op: op, Err: err}
	}
	return m, nil
}
