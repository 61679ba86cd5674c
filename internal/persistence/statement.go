package persistence

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// command names a statement of the writer. Each of its connections prepares all of them once: parsing and planning
// would cost as much again as a small write.
type command int

var commandTexts []string

// declare adds a statement to those that the writer prepares.
func declare(text string) command {
	commandTexts = append(commandTexts, text)
	return command(len(commandTexts) - 1)
}

// statement is one prepared statement of the writer's connection, below database/sql, whose bookkeeping per call
// (locks, conversions, copies) is a fifth of a status update.
type statement struct {
	stmt driver.Stmt
	args []driver.NamedValue // reused; one request uses the connection at a time
}

// transaction is what a request writes through: the writer's connection between BEGIN IMMEDIATE and COMMIT.
type transaction struct {
	statements []statement
	unsearched bool // turns were written that the search index may not have yet
	single     bool // there is no BEGIN: one statement may be run, which is committed at once
}

// errSeveral is what a request returns that found that one statement is not enough, and so far changed nothing.
var errSeveral = errors.New("more than one statement is needed")

// prepare prepares every command on conn.
func prepare(conn driver.Conn) (*transaction, error) {
	tx := &transaction{statements: make([]statement, 0, len(commandTexts))}
	for _, text := range commandTexts {
		stmt, err := conn.Prepare(text)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("prepare %q: %w", text, err), tx.close())
		}
		tx.statements = append(tx.statements, statement{stmt: stmt})
	}
	return tx, nil
}

// close ends the statements. A connection closed before its statements would stay open for ever, files and all.
func (tx *transaction) close() error {
	var errs []error
	for _, s := range tx.statements {
		errs = append(errs, s.stmt.Close())
	}
	tx.statements = nil
	return errors.Join(errs...)
}

// bind puts the arguments where the driver looks for them. They are int64, string, []byte or nil.
func (s *statement) bind(args []any) []driver.NamedValue {
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s.args
}

// exec runs a command and returns the number of rows that it changed.
func (tx *transaction) exec(c command, args ...any) (int64, error) {
	r, err := tx.run(c, args)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// insert runs a command and returns the integer key of the row that it inserted.
func (tx *transaction) insert(c command, args ...any) (int64, error) {
	r, err := tx.run(c, args)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// The context is always Background: a statement interrupted inside a transaction rolls all of it back, and what
// follows would be committed alone. A caller that no longer waits is dropped between requests instead.
func (tx *transaction) run(c command, args []any) (driver.Result, error) {
	s := &tx.statements[c]
	return s.stmt.(driver.StmtExecContext).ExecContext(context.Background(), s.bind(args))
}

// rows calls row with each row of a query. The values are valid during the call only.
func (tx *transaction) rows(c command, row func(v []driver.Value) error, args ...any) error {
	s := &tx.statements[c]
	rows, err := s.stmt.(driver.StmtQueryContext).QueryContext(context.Background(), s.bind(args))
	if err != nil {
		return err
	}
	return each(rows, row)
}

// micros is how times are stored: integer microseconds since 1970 in UTC, NULL for the zero time.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}
