package persistence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"time"

	"orchestrator/internal/scheduler"
)

const taskColumns = `status, name, agent_role, failure_mode, isolation, attempts, timeout_ns, writes_files, verify,
	error, result, command, prompt`

// Upserting keeps the key, and with it the task's place in plan order and all that refers to it; REPLACE would
// delete the old row first and cascade.
var (
	insertTask = declare(`INSERT INTO tasks (run, id, ` + taskColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	upsertTask = declare(`INSERT INTO tasks (run, id, ` + taskColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (run, id) DO UPDATE SET status = excluded.status, name = excluded.name,
			agent_role = excluded.agent_role, failure_mode = excluded.failure_mode, isolation = excluded.isolation,
			attempts = excluded.attempts, timeout_ns = excluded.timeout_ns, writes_files = excluded.writes_files,
			verify = excluded.verify, error = excluded.error, result = excluded.result, command = excluded.command,
			prompt = excluded.prompt`)
	// resaveTask changes no row unless the task is there and needs what edgeText says.
	resaveTask = declare(`UPDATE tasks SET status = ?, name = ?, agent_role = ?, failure_mode = ?, isolation = ?,
		attempts = ?, timeout_ns = ?, writes_files = ?, verify = ?, error = ?, result = ?, command = ?, prompt = ?
		WHERE run = ? AND id = ? AND ? = (SELECT coalesce(group_concat(octet_length(depends_on_id) || ':' || depends_on_id, ''), '')
			FROM (SELECT depends_on_id FROM task_dependencies WHERE run = ? AND task_id = ? ORDER BY position))`)
	updateTask = declare(`UPDATE tasks SET status = ?, result = ?, error = ? WHERE run = ? AND id = ?`)
	moveTask   = declare(`UPDATE tasks SET status = ?, result = ?, error = ? WHERE run = ? AND id = ? AND status = ?`)
	taskStatus = declare(`SELECT status FROM tasks WHERE run = ? AND id = ?`)
	deleteTask = declare(`DELETE FROM tasks WHERE run = ? AND id = ?`)
)

// SaveTask implements Tasks. An empty status is stored as pending; a dependency named twice counts once.
func (s *SQLiteStore) SaveTask(ctx context.Context, run scheduler.RunID, t *scheduler.Task) error {
	op := "save task " + string(t.ID)
	values, err := taskValues(run, t)
	if err != nil {
		return wrap(op, err, s.path)
	}
	wanted := withoutDuplicates(t.DependsOn)
	return wrap(op, s.writer.submit(ctx, &request{one: true, write: func(tx *transaction) error {
		if tx.single {
			return tx.saveAgain(run, t.ID, values, wanted)
		}
		if _, err := tx.exec(upsertTask, values...); missingParent(err) {
			return unknownRun(run)
		} else if err != nil {
			return err
		}
		return tx.setEdges(run, t.ID, wanted)
	}}), s.path)
}

// saveAgain saves a task that is there and needs the same as before, which is the rule, in one statement.
func (tx *transaction) saveAgain(run scheduler.RunID, id scheduler.TaskID, values []any, needs []scheduler.TaskID) error {
	args := append(slices.Clip(values[2:]), string(run), string(id), edgeText(needs), string(run), string(id))
	n, err := tx.exec(resaveTask, args...)
	if err == nil && n == 0 {
		err = errSeveral
	}
	return err
}

// UpdateTaskStatus implements Tasks.
func (s *SQLiteStore) UpdateTaskStatus(ctx context.Context, run scheduler.RunID, id scheduler.TaskID, status scheduler.TaskStatus, result *string, errText string) error {
	return s.applyOne(ctx, "update task "+string(id), func() error { return unknownTask(run, id) },
		updateTask, string(status), optional(result), errText, string(run), string(id))
}

// move makes a TaskChange.
func (tx *transaction) move(run scheduler.RunID, c TaskChange) error {
	n, err := tx.exec(moveTask, string(c.To), optional(c.Result), c.Error, string(run), string(c.Task), string(c.From))
	if err != nil || n == 1 {
		return err
	}
	var is string
	err = tx.rows(taskStatus, func(v []driver.Value) error {
		is = v[0].(string)
		return nil
	}, string(run), string(c.Task))
	switch {
	case err != nil:
		return err
	case is == "":
		return unknownTask(run, c.Task)
	}
	return &Error{
		Op: "move task " + string(c.Task), Kind: ErrConflict,
		Err: fmt.Errorf("it is %s, not %s, so it cannot become %s", is, c.From, c.To),
	}
}

// DeleteTask implements Tasks. Tasks that depended on it no longer do. A conversation of one portion goes in the same
// transaction, a longer one before, as with DeleteRun.
func (s *SQLiteStore) DeleteTask(ctx context.Context, run scheduler.RunID, id scheduler.TaskID) error {
	turns := func(tx *transaction) (int64, error) {
		return tx.exec(deleteTurnsOfTask, string(run), string(id), int64(turnPortion))
	}
	return s.deleteWithTurns(ctx, "delete task "+string(id), turns, func(tx *transaction) error {
		if _, err := tx.exec(deleteDependents, string(run), string(id)); err != nil {
			return err
		}
		n, err := tx.exec(deleteTask, string(run), string(id))
		if err == nil && n == 0 {
			err = unknownTask(run, id)
		}
		return err
	})
}

const selectTasks = "SELECT id, " + taskColumns + " FROM tasks WHERE run = ?"

// GetTask implements Tasks.
func (s *SQLiteStore) GetTask(ctx context.Context, run scheduler.RunID, id scheduler.TaskID) (t *scheduler.Task, err error) {
	err = s.snapshotConn(ctx, "get task "+string(id), func(ctx context.Context, conn *sql.Conn) error {
		var g graph
		if err := scan(ctx, conn, g.addTask, selectTasks+" AND id = ?", string(run), string(id)); err != nil {
			return err
		}
		if len(g.tasks) == 0 {
			return unknownTask(run, id)
		}
		t = g.tasks[0]
		return scan(ctx, conn, g.addEdge, selectNeeds+" AND task_id = ? ORDER BY position", string(run), string(id))
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// ListTasks implements Tasks, with one scan of the tasks and one of the edges.
func (s *SQLiteStore) ListTasks(ctx context.Context, run scheduler.RunID) ([]*scheduler.Task, error) {
	var g graph
	err := s.snapshotConn(ctx, "list tasks of run "+string(run), func(ctx context.Context, conn *sql.Conn) error {
		g = graph{}
		if err := scan(ctx, conn, g.addTask, selectTasks+" ORDER BY key", string(run)); err != nil || len(g.tasks) == 0 {
			return err
		}
		return scan(ctx, conn, g.addEdge, selectNeeds+" ORDER BY task_id, position", string(run))
	})
	if err != nil {
		return nil, err
	}
	return g.tasks, nil
}

// taskValues are the values of a row, from run to prompt.
func taskValues(run scheduler.RunID, t *scheduler.Task) ([]any, error) {
	writes, err := jsonOf(t.WritesFiles)
	if err != nil {
		return nil, fmt.Errorf("encode files: %w", err)
	}
	verify, err := jsonOf(t.Verify)
	if err != nil {
		return nil, fmt.Errorf("encode gates: %w", err)
	}
	status := t.Status
	if status == "" {
		status = scheduler.TaskPending
	}
	return []any{
		string(run), string(t.ID), string(status), t.Name, t.AgentRole, string(t.FailureMode), string(t.Isolation),
		int64(t.Attempts), int64(t.Timeout / time.Nanosecond), writes, verify, t.Error, optional(t.Result), t.Command, t.Prompt,
	}, nil
}

// optional is NULL for nil.
func optional(text *string) any {
	if text == nil {
		return nil
	}
	return *text
}

func unknownRun(run scheduler.RunID) error {
	return &Error{Op: "find run", Kind: ErrNotFound, Err: fmt.Errorf("no run %s", run)}
}

func unknownTask(run scheduler.RunID, id scheduler.TaskID) error {
	return &Error{Op: "find task", Kind: ErrNotFound, Err: fmt.Errorf("run %s has no task %s", run, id)}
}
