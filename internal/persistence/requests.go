package persistence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"orchestrator/internal/scheduler"
)

var (
	insertRequest  = declare(`INSERT INTO requests (run, kind, payload, created_at, consumed_at, error) VALUES (?, ?, ?, ?, NULL, '')`)
	consumeRequest = declare(`UPDATE requests SET consumed_at = ?, error = ? WHERE id = ? AND run = ? AND consumed_at IS NULL`)
)

const requestColumns = "id, run, kind, payload, created_at, consumed_at, error"

// AddRequest implements Requests. Ids are never used again, not even after DeleteRun.
func (s *SQLiteStore) AddRequest(ctx context.Context, r Request) (id int64, err error) {
	err = s.apply(ctx, "add request "+r.Kind, func(tx *transaction) (err error) {
		id, err = tx.insert(insertRequest, string(r.Run), r.Kind, r.Payload, micros(r.CreatedAt))
		if missingParent(err) {
			return unknownRun(r.Run)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return id, nil
}

// consume marks a request as done.
func (tx *transaction) consume(run scheduler.RunID, r RequestDone, now time.Time) error {
	n, err := tx.exec(consumeRequest, now.UnixMicro(), r.Error, r.ID, string(run))
	if err == nil && n == 0 {
		err = &Error{
			Op: "consume request", Kind: ErrConflict,
			Err: fmt.Errorf("request %d is not a pending request of run %s", r.ID, run),
		}
	}
	return err
}

// PendingRequests implements Requests.
func (s *SQLiteStore) PendingRequests(ctx context.Context, run scheduler.RunID) (list []Request, err error) {
	err = s.read(ctx, "list requests of run "+string(run), func(ctx context.Context, q querier) error {
		const where = " FROM requests WHERE run = ? AND consumed_at IS NULL ORDER BY id"
		rows, err := q.QueryContext(ctx, "SELECT "+requestColumns+where, string(run))
		list, err = collect(rows, err, scanRequest)
		return err
	})
	return list, err
}

// GetRequest implements Requests.
func (s *SQLiteStore) GetRequest(ctx context.Context, id int64) (r Request, err error) {
	op := fmt.Sprintf("get request %d", id)
	err = s.read(ctx, op, func(ctx context.Context, q querier) error {
		r, err = scanRequest(q.QueryRowContext(ctx, "SELECT "+requestColumns+" FROM requests WHERE id = ?", id))
		if errors.Is(err, sql.ErrNoRows) {
			return &Error{Op: op, Kind: ErrNotFound, Err: errors.New("no such request")}
		}
		return err
	})
	return r, err
}

func scanRequest(row scanner) (r Request, err error) {
	var created, consumed sql.NullInt64
	err = row.Scan(&r.ID, (*string)(&r.Run), &r.Kind, &r.Payload, &created, &consumed, &r.Error)
	r.CreatedAt, r.ConsumedAt = timeOf(created), timeOf(consumed)
	return r, err
}
