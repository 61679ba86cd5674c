package persistence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// querier is what reading needs of a pool, a transaction or a connection.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is a row, one of several or the only one.
type scanner interface{ Scan(dest ...any) error }

// read runs one query, or several that need not agree. f reads all it wants into memory and closes its rows before
// anything else happens: rows held open keep the WAL from being reset.
func (s *SQLiteStore) read(ctx context.Context, op string, f func(ctx context.Context, q querier) error) error {
	if s.isClosed() {
		return &Error{Op: op, Kind: ErrClosed}
	}
	if ctx.Err() != nil {
		return wrap(op, context.Cause(ctx), s.path)
	}
	var err error
	if s.readers == nil {
		err = s.writer.submit(ctx, &request{use: func(conn *sql.Conn) error { return f(ctx, conn) }})
	} else {
		err = f(ctx, s.readers)
	}
	err = because(ctx, err)
	var known *Error
	if err != nil && s.isClosed() && ctx.Err() == nil && code(err) == 0 && !errors.As(err, &known) {
		return &Error{Op: op, Kind: ErrClosed} // database/sql has no name for its error
	}
	return wrap(op, err, s.path)
}

// snapshot runs queries that all see the same commit.
func (s *SQLiteStore) snapshot(ctx context.Context, op string, f func(ctx context.Context, q querier) error) error {
	return s.read(ctx, op, func(ctx context.Context, q querier) (err error) {
		pool, ok := q.(*sql.DB)
		if !ok {
			return f(ctx, q) // the writer's own connection: nothing commits meanwhile
		}
		tx, err := pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		if err := f(ctx, tx); err != nil {
			_ = tx.Rollback() // nothing was written; the error is the one to tell
			return err
		}
		return tx.Commit()
	})
}

// snapshotConn is snapshot for what reads below database/sql.
func (s *SQLiteStore) snapshotConn(ctx context.Context, op string, f func(ctx context.Context, conn *sql.Conn) error) error {
	return s.read(ctx, op, func(ctx context.Context, q querier) (err error) {
		pool, ok := q.(*sql.DB)
		if !ok {
			return f(ctx, q.(*sql.Conn)) // the writer's own: nothing commits meanwhile
		}
		conn, err := pool.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() {
			if closing := conn.Close(); err == nil {
				err = closing
			}
		}()
		tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		if err := f(ctx, conn); err != nil {
			_ = tx.Rollback() // nothing was written; the error is the one to tell
			return err
		}
		return tx.Commit()
	})
}

// scan calls row with each row of a query, below database/sql, whose locks and conversions are a fifth of the cost of
// loading a large graph. The slice is valid during the call only, what is in it for ever.
func scan(ctx context.Context, conn *sql.Conn, row func(v []driver.Value) error, text string, args ...any) error {
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return raw(conn, func(c any) error {
		rows, err := c.(driver.QueryerContext).QueryContext(ctx, text, named)
		if err != nil {
			return err
		}
		return each(rows, func(v []driver.Value) error {
			if err := ctx.Err(); err != nil { // the driver looks only while it waits
				return err
			}
			return row(v)
		})
	})
}

// each calls row with each of the rows and closes them.
func each(rows driver.Rows, row func(v []driver.Value) error) (err error) {
	defer func() {
		if closing := rows.Close(); err == nil {
			err = closing
		}
	}()
	values := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(values); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := row(values); err != nil {
			return err
		}
	}
}

// collect reads all rows of a query.
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) (list []T, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close() // its error is also that of Err
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}
