package persistence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// Check implements Maintenance: SQLite's own check of every page, index and constraint, then that every row's parent is
// there. It takes about a second per 100 MB and blocks nobody.
func (s *SQLiteStore) Check(ctx context.Context) error {
	const op = "check database"
	var findings []error
	err := s.snapshot(ctx, op, func(ctx context.Context, q querier) (err error) {
		if findings, err = quickCheck(ctx, q); err != nil || len(findings) > 0 {
			return err
		}
		findings, err = orphans(ctx, q)
		return err
	})
	if err != nil || len(findings) == 0 {
		return err
	}
	return &Error{
		Op: op, Kind: ErrCorrupt, Err: errors.Join(findings...),
		Hint: "stop orc, move " + s.path + " away together with its -wal and -shm files, and restore a backup",
	}
}

// mostFindings is how many faults a check tells.
const mostFindings = 10

func quickCheck(ctx context.Context, q querier) ([]error, error) {
	rows, err := q.QueryContext(ctx, fmt.Sprintf("PRAGMA quick_check(%d)", mostFindings))
	findings, err := collect(rows, err, func(r scanner) (error, error) {
		var line string
		err := r.Scan(&line)
		return errors.New(line), err
	})
	if len(findings) == 1 && findings[0].Error() == "ok" {
		return nil, err
	}
	return findings, err
}

// orphans lists rows that refer to a row that is not there.
func orphans(ctx context.Context, q querier) ([]error, error) {
	const text = "SELECT DISTINCT \"table\", parent FROM pragma_foreign_key_check LIMIT ?"
	rows, err := q.QueryContext(ctx, text, mostFindings)
	return collect(rows, err, func(r scanner) (error, error) {
		var child, parent string
		err := r.Scan(&child, &parent)
		return fmt.Errorf("rows of %s belong to rows of %s that are not there", child, parent), err
	})
}

// Backup implements Maintenance. The copy is readable for its owner only, has no unused space, and is on disk when this
// returns. Others go on reading and writing meanwhile.
func (s *SQLiteStore) Backup(ctx context.Context, file string) (err error) {
	op := "back up to " + file
	if s.isClosed() {
		return &Error{Op: op, Kind: ErrClosed}
	}
	if ctx.Err() != nil {
		return wrap(op, context.Cause(ctx), s.path)
	}
	// SQLite would take a name that begins with "file:" for an address.
	if file, err = filepath.Abs(file); err != nil {
		return fileError(op, err)
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &Error{Op: op, Kind: ErrConflict, Err: errors.New("the file exists"), Hint: "choose another name, or move it away"}
	}
	if err != nil {
		return fileError(op, err)
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = wrap(op, closing, file)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(file))
		}
	}()
	if err := s.copyInto(ctx, file); err != nil {
		return wrap(op, because(ctx, err), file)
	}
	// SQLite does not sync what it vacuums into another file, nor the folder that names it.
	return wrap(op, errors.Join(f.Sync(), syncFolder(filepath.Dir(file))), file)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// copyInto fills an empty file.
func (s *SQLiteStore) copyInto(ctx context.Context, file string) (err error) {
	const text = "VACUUM INTO ?"
	if s.readers == nil {
		return s.writer.submit(ctx, &request{use: func(conn *sql.Conn) error {
			_, err := conn.ExecContext(ctx, text, file)
			return err
		}})
	}
	// A connection of its own: those of the pool may not write, not even elsewhere.
	db := sql.OpenDB(newConnector(s.path, url.Values{"mode": {"rw"}}, settings(true, "", false)))
	defer func() {
		if closing := db.Close(); err == nil {
			err = closing
		}
	}()
	_, err = db.ExecContext(ctx, text, file)
	return err
}
