package persistence

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
)

const runColumns = `id, name, repository, state, base, base_ref, branch, plan_path, concurrency, mark, created_at,
	finished_at, error, description, options, context, plan`

var (
	insertRun = declare(`INSERT INTO runs (` + runColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	setState   = declare(`UPDATE runs SET state = ?, error = ?, finished_at = ? WHERE id = ?`)
	setOptions = declare(`UPDATE runs SET options = ? WHERE id = ?`)
	deleteRun  = declare(`DELETE FROM runs WHERE id = ?`)
	// Children first, each in one pass: left to the cascade, every task would look for the edges that point at it.
	deleteOfRun = []command{
		declare(`DELETE FROM task_dependencies WHERE run = ?`),
		declare(`DELETE FROM sessions WHERE run = ?`),
		declare(`DELETE FROM attempts WHERE run = ?`),
		declare(`DELETE FROM events WHERE run = ?`),
		declare(`DELETE FROM tasks WHERE run = ?`),
	}
)

// CreateRun implements Runs. Tasks may come in any order; theirs is the plan order.
func (s *SQLiteStore) CreateRun(ctx context.Context, r Run, tasks []*scheduler.Task, events ...event.Event) error {
	op := "create run " + string(r.ID)
	options, err := json.Marshal(r.Options)
	if err != nil {
		return wrap(op, fmt.Errorf("encode options: %w", err), s.path)
	}
	if err := checkTasks(r.ID, tasks); err != nil {
		return wrap(op, err, s.path)
	}
	facts, err := encodeEvents(events, r.CreatedAt)
	if err != nil {
		return wrap(op, err, s.path)
	}
	return s.apply(ctx, op, func(tx *transaction) error {
		_, err := tx.exec(insertRun, string(r.ID), r.Name, r.Repository, string(r.State), r.Base, r.BaseRef, r.Branch,
			r.PlanPath, int64(r.Concurrency), r.Mark, micros(r.CreatedAt), micros(r.FinishedAt), r.Error, r.Description,
			string(options), r.Context, r.Plan)
		if taken(err) {
			return &Error{Op: op, Kind: ErrConflict, Err: fmt.Errorf("run %s exists already", r.ID)}
		}
		if err != nil {
			return err
		}
		for _, t := range tasks {
			values, err := taskValues(r.ID, t)
			if err != nil {
				return fmt.Errorf("task %s: %w", t.ID, err)
			}
			if _, err := tx.exec(insertTask, values...); err != nil {
				return fmt.Errorf("task %s: %w", t.ID, err)
			}
		}
		for _, t := range tasks {
			if err := tx.addEdges(r.ID, t.ID, withoutDuplicates(t.DependsOn)); err != nil {
				return err
			}
		}
		return tx.addEvents(r.ID, 0, facts)
	})
}

// checkTasks says before anything is written that the same id was given twice or that a dependency is missing.
func checkTasks(run scheduler.RunID, tasks []*scheduler.Task) error {
	ids := make(map[scheduler.TaskID]bool, len(tasks))
	for _, t := range tasks {
		if ids[t.ID] {
			return &Error{Op: "add task " + string(t.ID), Kind: ErrConflict, Err: errTwoTask}
		}
		ids[t.ID] = true
	}
	for _, t := range tasks {
		for _, need := range t.DependsOn {
			if !ids[need] {
				return &Error{
					Op: "add dependency", Kind: ErrNotFound,
					Err: fmt.Errorf("task %s depends on %s, which is not a task of run %s", t.ID, need, run),
				}
			}
		}
	}
	return nil
}

// GetRun implements Runs.
func (s *SQLiteStore) GetRun(ctx context.Context, id scheduler.RunID) (r Run, err error) {
	err = s.read(ctx, "get run "+string(id), func(ctx context.Context, q querier) error {
		r, err = scanRun(q.QueryRowContext(ctx, "SELECT "+runColumns+" FROM runs WHERE id = ?", string(id)))
		if errors.Is(err, sql.ErrNoRows) {
			return unknownRun(id)
		}
		return err
	})
	return r, err
}

// ListRuns implements Runs.
func (s *SQLiteStore) ListRuns(ctx context.Context, f RunFilter) (list []Run, err error) {
	err = s.read(ctx, "list runs", func(ctx context.Context, q querier) error {
		limit := int64(-1)
		if f.Limit > 0 {
			limit = int64(f.Limit)
		}
		// Two texts, so that each is answered in the order of an index.
		const order = " ORDER BY created_at DESC, key DESC LIMIT ?"
		text, args := "SELECT "+runColumns+" FROM runs"+order, []any{limit}
		if f.Repository != "" {
			text, args = "SELECT "+runColumns+" FROM runs WHERE repository = ?"+order, []any{f.Repository, limit}
		}
		rows, err := q.QueryContext(ctx, text, args...)
		list, err = collect(rows, err, scanRun)
		return err
	})
	return list, err
}

// CountRun implements Runs.
func (s *SQLiteStore) CountRun(ctx context.Context, id scheduler.RunID) (n RunCounts, err error) {
	err = s.read(ctx, "count run "+string(id), func(ctx context.Context, q querier) error {
		const text = `SELECT (SELECT count(*) FROM tasks WHERE run = r.id), (SELECT count(*) FROM attempts WHERE run = r.id),
			(SELECT count(*) FROM conversation_history WHERE run = r.id), (SELECT count(*) FROM events WHERE run = r.id)
			FROM runs r WHERE r.id = ?`
		err := q.QueryRowContext(ctx, text, string(id)).Scan(&n.Tasks, &n.Attempts, &n.Turns, &n.Events)
		if errors.Is(err, sql.ErrNoRows) {
			return unknownRun(id)
		}
		return err
	})
	return n, err
}

// DeleteRun implements Runs. A run with a conversation of one portion goes in one transaction.
func (s *SQLiteStore) DeleteRun(ctx context.Context, id scheduler.RunID) error {
	turns := func(tx *transaction) (int64, error) { return tx.exec(deleteTurns, string(id), int64(turnPortion)) }
	rest := func(tx *transaction) error { return tx.deleteRun(id) }
	return s.deleteWithTurns(ctx, "delete run "+string(id), turns, rest)
}

// deleteRun removes a run that has no turns any more.
func (tx *transaction) deleteRun(id scheduler.RunID) error {
	for _, c := range deleteOfRun {
		if _, err := tx.exec(c, string(id)); err != nil {
			return err
		}
	}
	n, err := tx.exec(deleteRun, string(id))
	if err == nil && n == 0 {
		err = unknownRun(id)
	}
	return err
}

// Durations implements Runs. Tasks without an agent count under the agent "".
func (s *SQLiteStore) Durations(ctx context.Context, repository, plan string) (Durations, error) {
	d := Durations{ByTask: map[scheduler.TaskID]time.Duration{}, ByAgent: map[string]time.Duration{}}
	type sum struct {
		task, agent string
		n, micros   int64
	}
	var sums []sum
	err := s.read(ctx, "read durations of plan "+plan, func(ctx context.Context, q querier) error {
		const text = `SELECT t.id, t.agent_role, count(*), sum(a.ended_at - a.started_at)
			FROM runs r JOIN attempts a ON a.run = r.id JOIN tasks t ON t.run = a.run AND t.id = a.task
			WHERE r.repository = ? AND r.name = ? AND a.outcome = 'succeeded' AND a.ended_at >= a.started_at
			GROUP BY t.id, t.agent_role`
		rows, err := q.QueryContext(ctx, text, repository, plan)
		sums, err = collect(rows, err, func(r scanner) (s sum, err error) {
			return s, r.Scan(&s.task, &s.agent, &s.n, &s.micros)
		})
		return err
	})
	tasks, agents := map[string]sum{}, map[string]sum{}
	for _, s := range sums {
		t, a := tasks[s.task], agents[s.agent]
		t.n, t.micros = t.n+s.n, t.micros+s.micros
		a.n, a.micros = a.n+s.n, a.micros+s.micros
		tasks[s.task], agents[s.agent] = t, a
	}
	for id, s := range tasks {
		d.ByTask[scheduler.TaskID(id)] = time.Duration(s.micros/s.n) * time.Microsecond
	}
	for agent, s := range agents {
		d.ByAgent[agent] = time.Duration(s.micros/s.n) * time.Microsecond
	}
	return d, err
}

func scanRun(row scanner) (r Run, err error) {
	var created, finished sql.NullInt64
	var options []byte
	err = row.Scan((*string)(&r.ID), &r.Name, &r.Repository, (*string)(&r.State), &r.Base, &r.BaseRef, &r.Branch,
		&r.PlanPath, &r.Concurrency, &r.Mark, &created, &finished, &r.Error, &r.Description, &options, &r.Context, &r.Plan)
	if err != nil {
		return Run{}, err
	}
	r.CreatedAt, r.FinishedAt = timeOf(created), timeOf(finished)
	if err := json.Unmarshal(options, &r.Options); err != nil {
		return Run{}, fmt.Errorf("run %s: decode options: %w", r.ID, err)
	}
	return r, nil
}

// timeOf is the time stored as micros.
func timeOf(v sql.NullInt64) time.Time {
	if !v.Valid {
		return time.Time{}
	}
	return time.UnixMicro(v.Int64).UTC()
}
