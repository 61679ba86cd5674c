package persistence

import (
	"errors"
	"fmt"

	"orchestrator/internal/scheduler"
)

// PlanEdit changes the plan of a run. It is part of a Transition: made before the tasks move.
type PlanEdit struct {
	Name, Description string
	PlanPath          string // where the new text came from; absolute
	Plan              string // the whole new text
	Context           string
	Concurrency       int
	// Tasks are those that are new, and those of which the plan now says something else. A task that is there keeps
	// its status, result, error, attempts and place in plan order; a new one is pending and comes last. Tasks are never
	// deleted: what was removed from the plan is named in RunOptions.Removed.
	Tasks []*scheduler.Task
}

var (
	editRun    = declare(`UPDATE runs SET name = ?, description = ?, plan_path = ?, plan = ?, context = ?, concurrency = ? WHERE id = ?`)
	redefine   = declare(`UPDATE tasks SET name = ?, agent_role = ?, failure_mode = ?, isolation = ?, attempts = ?, timeout_ns = ?, writes_files = ?, verify = ?, command = ?, prompt = ? WHERE run = ? AND id = ?`)
	errTwoTask = errors.New("the plan has two tasks of this name")
)

// edit stores the new plan. Edges come last: a new task may be needed by one that stands before it.
func (tx *transaction) edit(run scheduler.RunID, e *PlanEdit) error {
	if _, err := tx.exec(editRun, e.Name, e.Description, e.PlanPath, e.Plan, e.Context, int64(e.Concurrency), string(run)); err != nil {
		return fmt.Errorf("store the plan: %w", err)
	}
	seen := make(map[scheduler.TaskID]bool, len(e.Tasks))
	for _, t := range e.Tasks {
		if seen[t.ID] {
			return &Error{Op: "edit task " + string(t.ID), Kind: ErrConflict, Err: errTwoTask}
		}
		seen[t.ID] = true
		if err := tx.define(run, t); err != nil {
			return fmt.Errorf("edit task %s: %w", t.ID, err)
		}
	}
	for _, t := range e.Tasks {
		if err := tx.setEdges(run, t.ID, withoutDuplicates(t.DependsOn)); err != nil {
			return err
		}
	}
	return nil
}

// define inserts a task, or changes what the plan says of it.
func (tx *transaction) define(run scheduler.RunID, t *scheduler.Task) error {
	fresh := *t
	fresh.Status, fresh.Result, fresh.Error = scheduler.TaskPending, nil, ""
	v, err := taskValues(run, &fresh)
	if err != nil {
		return err
	}
	// The values as taskColumns names them, behind run and id: status, name … verify, error, result, command, prompt.
	n, err := tx.exec(redefine, v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[13], v[14], v[0], v[1])
	if err != nil || n == 1 {
		return err
	}
	_, err = tx.exec(insertTask, v...)
	return err
}
