package persistence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
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
	selectEdges = declare(`SELECT depends_on_id FROM task_dependencies WHERE run = ? AND task_id = ? ORDER BY position`)
	deleteEdges = declare(`DELETE FROM task_dependencies WHERE run = ? AND task_id = ?`)
	// insertEdge changes no row when the task depended upon does not exist.
	insertEdge = declare(`INSERT INTO task_dependencies (run, task_id, position, depends_on_id)
		SELECT run, ?, ?, id FROM tasks WHERE run = ? AND id = ?`)
	updateTask = declare(`UPDATE tasks SET status = ?, result = ?, error = ? WHERE run = ? AND id = ?`)
	moveTask   = declare(`UPDATE tasks SET status = ?, result = ?, error = ? WHERE run = ? AND id = ? AND status = ?`)
	taskStatus = declare(`SELECT status FROM tasks WHERE run = ? AND id = ?`)
	deleteTask = declare(`DELETE FROM tasks WHERE run = ? AND id = ?`)
	// The other direction of the edges has no index of its own: it would cost each write, and this is rare.
	deleteDependents = declare(`DELETE FROM task_dependencies WHERE run = ? AND depends_on_id = ?`)
)

// SaveTask implements Tasks. An empty status is stored as pending; a dependency named twice counts once.
func (s *SQLiteStore) SaveTask(ctx context.Context, run scheduler.RunID, t *scheduler.Task) error {
	op := "save task " + string(t.ID)
	values, err := taskValues(run, t)
	if err != nil {
		return wrap(op, err, s.path)
	}
	wanted := withoutDuplicates(t.DependsOn)
	return s.apply(ctx, op, func(tx *transaction) error {
		if _, err := tx.exec(upsertTask, values...); missingParent(err) {
			return unknownRun(run)
		} else if err != nil {
			return err
		}
		stored, err := tx.edges(run, t.ID)
		if err != nil || slices.Equal(stored, wanted) {
			return err
		}
		if len(stored) > 0 {
			if _, err := tx.exec(deleteEdges, string(run), string(t.ID)); err != nil {
				return err
			}
		}
		return tx.addEdges(run, t.ID, wanted)
	})
}

func (tx *transaction) edges(run scheduler.RunID, id scheduler.TaskID) (list []scheduler.TaskID, err error) {
	err = tx.rows(selectEdges, func(v []driver.Value) error {
		list = append(list, scheduler.TaskID(v[0].(string)))
		return nil
	}, string(run), string(id))
	return list, err
}

func (tx *transaction) addEdges(run scheduler.RunID, id scheduler.TaskID, needs []scheduler.TaskID) error {
	for i, need := range needs {
		n, err := tx.exec(insertEdge, string(id), int64(i), string(run), string(need))
		if err != nil {
			return err
		}
		if n == 0 {
			return &Error{
				Op: "add dependency", Kind: ErrNotFound,
				Err:  fmt.Errorf("task %s depends on %s, which is not a task of run %s", id, need, run),
				Hint: "save " + string(need) + " first, or correct the name",
			}
		}
	}
	return nil
}

// UpdateTaskStatus implements Tasks.
func (s *SQLiteStore) UpdateTaskStatus(ctx context.Context, run scheduler.RunID, id scheduler.TaskID, status scheduler.TaskStatus, result *string, errText string) error {
	return s.apply(ctx, "update task "+string(id), func(tx *transaction) error {
		n, err := tx.exec(updateTask, string(status), optional(result), errText, string(run), string(id))
		if err == nil && n == 0 {
			err = unknownTask(run, id)
		}
		return err
	})
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

// DeleteTask implements Tasks. Tasks that depended on it no longer do.
func (s *SQLiteStore) DeleteTask(ctx context.Context, run scheduler.RunID, id scheduler.TaskID) error {
	return s.apply(ctx, "delete task "+string(id), func(tx *transaction) error {
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

// GetTask implements Tasks.
func (s *SQLiteStore) GetTask(ctx context.Context, run scheduler.RunID, id scheduler.TaskID) (t *scheduler.Task, err error) {
	op := "get task " + string(id)
	err = s.snapshot(ctx, op, func(ctx context.Context, q querier) error {
		const task = "SELECT id, " + taskColumns + " FROM tasks WHERE run = ? AND id = ?"
		t, err = scanTask(q.QueryRowContext(ctx, task, string(run), string(id)))
		if errors.Is(err, sql.ErrNoRows) {
			return unknownTask(run, id)
		}
		if err != nil {
			return err
		}
		const edges = "SELECT depends_on_id FROM task_dependencies WHERE run = ? AND task_id = ? ORDER BY position"
		rows, err := q.QueryContext(ctx, edges, string(run), string(id))
		t.DependsOn, err = collect(rows, err, func(r scanner) (need scheduler.TaskID, err error) {
			return need, r.Scan((*string)(&need))
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// ListTasks implements Tasks, with one scan of the tasks and one of the edges.
func (s *SQLiteStore) ListTasks(ctx context.Context, run scheduler.RunID) (list []*scheduler.Task, err error) {
	err = s.snapshot(ctx, "list tasks of run "+string(run), func(ctx context.Context, q querier) error {
		const tasks = "SELECT id, " + taskColumns + " FROM tasks WHERE run = ? ORDER BY key"
		rows, err := q.QueryContext(ctx, tasks, string(run))
		if list, err = collect(rows, err, scanTask); err != nil {
			return err
		}
		byID := make(map[scheduler.TaskID]*scheduler.Task, len(list))
		for _, t := range list {
			byID[t.ID] = t
		}
		const edges = "SELECT task_id, depends_on_id FROM task_dependencies WHERE run = ? ORDER BY task_id, position"
		if rows, err = q.QueryContext(ctx, edges, string(run)); err != nil {
			return err
		}
		return addAll(rows, byID)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// addAll gives each task its dependencies. Both names of an edge are those of tasks in byID, whose strings are
// shared instead of kept again.
func addAll(rows *sql.Rows, byID map[scheduler.TaskID]*scheduler.Task) error {
	defer rows.Close() // its error is also that of Err
	var id, need sql.RawBytes
	var t *scheduler.Task
	for rows.Next() {
		if err := rows.Scan(&id, &need); err != nil {
			return err
		}
		if t == nil || string(t.ID) != string(id) {
			t = byID[scheduler.TaskID(id)]
		}
		t.DependsOn = append(t.DependsOn, byID[scheduler.TaskID(need)].ID)
	}
	return rows.Err()
}

func scanTask(r scanner) (*scheduler.Task, error) {
	t := new(scheduler.Task)
	var writes, verify, result sql.NullString
	err := r.Scan((*string)(&t.ID), (*string)(&t.Status), &t.Name, &t.AgentRole, (*string)(&t.FailureMode),
		(*string)(&t.Isolation), &t.Attempts, (*int64)(&t.Timeout), &writes, &verify, &t.Error, &result, &t.Command, &t.Prompt)
	if err != nil {
		return nil, err
	}
	if t.WritesFiles, err = listOf(writes); err != nil {
		return nil, fmt.Errorf("task %s: decode files: %w", t.ID, err)
	}
	if t.Verify, err = listOf(verify); err != nil {
		return nil, fmt.Errorf("task %s: decode gates: %w", t.ID, err)
	}
	if result.Valid {
		t.Result = &result.String
	}
	return t, nil
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

// jsonOf is a list as stored: NULL for nil, so that missing and empty stay two things.
func jsonOf(list []string) (any, error) {
	switch {
	case list == nil:
		return nil, nil
	case len(list) == 0:
		return "[]", nil
	}
	text, err := json.Marshal(list)
	return string(text), err
}

func listOf(text sql.NullString) (list []string, err error) {
	switch {
	case !text.Valid:
		return nil, nil
	case text.String == "[]":
		return []string{}, nil
	}
	err = json.Unmarshal([]byte(text.String), &list)
	return list, err
}

// optional is NULL for nil.
func optional(text *string) any {
	if text == nil {
		return nil
	}
	return *text
}

func withoutDuplicates(ids []scheduler.TaskID) []scheduler.TaskID {
	list := make([]scheduler.TaskID, 0, len(ids))
	if len(ids) <= 8 { // the usual case, for which a map costs more than it saves
		for _, id := range ids {
			if !slices.Contains(list, id) {
				list = append(list, id)
			}
		}
		return list
	}
	seen := make(map[scheduler.TaskID]bool, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	return list
}

func unknownRun(run scheduler.RunID) error {
	return &Error{Op: "find run", Kind: ErrNotFound, Err: fmt.Errorf("no run %s", run)}
}

func unknownTask(run scheduler.RunID, id scheduler.TaskID) error {
	return &Error{Op: "find task", Kind: ErrNotFound, Err: fmt.Errorf("run %s has no task %s", run, id)}
}
