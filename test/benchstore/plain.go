package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// durabilityKey is how the durability reaches a work's process.
const durabilityKey = "BENCHSTORE_DURABILITY"

// plain opens the file the ordinary way: a pool with the settings of the store in its DSN. The driver is registered
// by package persistence.
func plain(file string) (*sql.DB, error) {
	synchronous := "NORMAL"
	if os.Getenv(durabilityKey) == persistence.DurabilityFull {
		synchronous = "FULL"
	}
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(5000)", "foreign_keys(1)", "journal_mode(WAL)", "synchronous(" + synchronous + ")",
		"wal_autocheckpoint(4000)", "journal_size_limit(67108864)", "cache_size(-16000)",
	}}
	dsn := url.URL{Scheme: "file", Path: file, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	db.SetMaxOpenConns(1)
	return db, db.Ping()
}

// byPool measures ops operations on a plain pool.
func byPool(file string, ops int, do func(db *sql.DB) error) (sample, error) {
	db, err := plain(file)
	if err != nil {
		return sample{}, err
	}
	result, err := measured(ops, func() error { return do(db) })
	return result, errors.Join(err, db.Close())
}

// inTransaction does f between BeginTx and Commit.
func inTransaction(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

const plainUpsert = `INSERT INTO tasks (run, id, status, name, agent_role, failure_mode, isolation, attempts, timeout_ns,
		writes_files, verify, error, result, command, prompt)
	VALUES (?, ?, ?, '', '', '', '', 1, 0, '["cmd/**"]', '[]', '', NULL, ?, ?)
	ON CONFLICT (run, id) DO UPDATE SET status = excluded.status, name = excluded.name,
		agent_role = excluded.agent_role, failure_mode = excluded.failure_mode, isolation = excluded.isolation,
		attempts = excluded.attempts, timeout_ns = excluded.timeout_ns, writes_files = excluded.writes_files,
		verify = excluded.verify, error = excluded.error, result = excluded.result, command = excluded.command,
		prompt = excluded.prompt`

// saveByTransaction saves tasks again as is usually done: the dependencies are deleted and inserted anew.
func saveByTransaction(ctx context.Context, file string, count int) (sample, error) {
	tasks := graph(many)
	return byPool(file, count, func(db *sql.DB) error {
		for i := range count {
			t := tasks[i%many]
			err := inTransaction(ctx, db, func(tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, plainUpsert, run, string(t.ID), string(t.Status), t.Command, t.Prompt)
				if err != nil {
					return err
				}
				_, err = tx.ExecContext(ctx, "DELETE FROM task_dependencies WHERE run = ? AND task_id = ?", run, string(t.ID))
				for k, need := range t.DependsOn {
					if err != nil {
						return err
					}
					_, err = tx.ExecContext(ctx, "INSERT INTO task_dependencies (run, task_id, position, depends_on_id) VALUES (?, ?, ?, ?)",
						run, string(t.ID), k, string(need))
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func writersByTransaction(ctx context.Context, file string, count int) (sample, error) {
	return byPool(file, count, func(db *sql.DB) error {
		return together(count, func(i int) error {
			return inTransaction(ctx, db, func(tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, "UPDATE tasks SET status = ?, result = NULL, error = '' WHERE run = ? AND id = ?",
					string(twoStatuses[i%2]), run, string(taskName(i%many)))
				return err
			})
		})
	})
}

const plainTasks = `SELECT id, status, name, agent_role, failure_mode, isolation, attempts, timeout_ns, writes_files,
	verify, error, result, command, prompt FROM tasks WHERE run = ? ORDER BY key`

// row is a task as it lies in the table.
type row struct {
	task                     scheduler.Task
	writesFiles, verify, res sql.NullString
}

func (r *row) scan(rows *sql.Rows) error {
	t := &r.task
	return rows.Scan(&t.ID, &t.Status, &t.Name, &t.AgentRole, &t.FailureMode, &t.Isolation, &t.Attempts, &t.Timeout,
		&r.writesFiles, &r.verify, &t.Error, &r.res, &t.Command, &t.Prompt)
}

// each calls do with every row of a query.
func each(ctx context.Context, db *sql.DB, query string, do func(rows *sql.Rows) error, args ...any) (err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// plainLoad reads the tasks alone.
func plainLoad(ctx context.Context, db *sql.DB) (list []*scheduler.Task, err error) {
	err = each(ctx, db, plainTasks, func(rows *sql.Rows) error {
		r := new(row)
		if err := r.scan(rows); err != nil {
			return err
		}
		list = append(list, &r.task)
		return nil
	}, run)
	return list, err
}

// loadBare is the least that a load of the graph can do above database/sql: two scans and a map.
func loadBare(ctx context.Context, file string, count int) (sample, error) {
	return byPool(file, count, func(db *sql.DB) error {
		list, err := plainLoad(ctx, db)
		if err != nil {
			return err
		}
		byID := make(map[scheduler.TaskID]*scheduler.Task, len(list))
		for _, t := range list {
			byID[t.ID] = t
		}
		err = each(ctx, db, "SELECT task_id, depends_on_id FROM task_dependencies WHERE run = ? ORDER BY task_id, position",
			func(rows *sql.Rows) error {
				var id, need scheduler.TaskID
				if err := rows.Scan(&id, &need); err != nil {
					return err
				}
				t := byID[id]
				t.DependsOn = append(t.DependsOn, need)
				return nil
			}, run)
		return complete(list, count, err)
	})
}

// loadOneByOne asks for the dependencies of each task by a query of its own.
func loadOneByOne(ctx context.Context, file string, count int) (sample, error) {
	return byPool(file, count, func(db *sql.DB) error {
		list, err := plainLoad(ctx, db)
		if err != nil {
			return err
		}
		for _, t := range list {
			err := each(ctx, db, "SELECT depends_on_id FROM task_dependencies WHERE run = ? AND task_id = ? ORDER BY position",
				func(rows *sql.Rows) error {
					var need scheduler.TaskID
					err := rows.Scan(&need)
					t.DependsOn = append(t.DependsOn, need)
					return err
				}, run, string(t.ID))
			if err != nil {
				return err
			}
		}
		return complete(list, count, nil)
	})
}
