package persistence

import (
	"context"
	"database/sql"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// code returns SQLite's extended result code of err, or 0 when err did not come from SQLite.
func code(err error) int {
	if err == nil {
		return 0 // asked after every statement; errors.As would put e on the heap first
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// own says whether err concerns only the request that met it. A constraint, a value that does not fit and every
// refusal of ours leave the transaction as it was before the statement; any other error of SQLite (full disk, I/O,
// damage, lock) may have rolled it back already, so that the next statement would run outside of it.
func own(err error) bool {
	if gone(err) {
		return false
	}
	switch code(err) & 0xff {
	case 0, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		return true
	}
	return false
}

// missingParent says whether a foreign key found no row to point at.
func missingParent(err error) bool { return code(err) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY }

// taken says whether a key exists already.
func taken(err error) bool {
	c := code(err)
	return c == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || c == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

// kind sorts a result code of SQLite into the questions that callers ask, with what a person can do about it.
func kind(c int, path string) (sentinel error, hint string) {
	switch c {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_FSYNC:
		return ErrFull, "free space where " + path + " lives, and check quotas and file size limits; what was stored before is intact"
	case sqlite3.SQLITE_IOERR_SHORT_READ:
		return ErrCorrupt, path + " or its -wal file was cut off or deleted while it was open; end orc, which then saves what it still holds, and start it again"
	case sqlite3.SQLITE_READONLY_DBMOVED:
		return ErrReadOnly, path + " was moved or deleted while it was open; put it back, or start again"
	}
	switch c & 0xff {
	case sqlite3.SQLITE_FULL:
		return ErrFull, "free space where " + path + " lives; what was stored before is intact"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return ErrReadOnly, "make " + path + " and its folder writable for you, or set XDG_DATA_HOME to a folder that is"
	case sqlite3.SQLITE_CANTOPEN:
		return ErrReadOnly, "check that the folder of " + path + " exists and is writable for you"
	case sqlite3.SQLITE_CORRUPT:
		return ErrCorrupt, "move " + path + " away together with its -wal and -shm files and restore a backup, or start with a new database"
	case sqlite3.SQLITE_NOTADB:
		return ErrCorrupt, path + " is not a database; move it away, or choose another path"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ErrBusy, "another program holds " + path + " locked; end it, or try again"
	case sqlite3.SQLITE_IOERR:
		return nil, "look into the system's log for errors of the disk that holds " + path
	}
	return nil, ""
}

// wrap says what was tried. An Error of ours keeps its kind and gets the verb; an error of SQLite is sorted; the
// cause of a cancelled context stays as it is.
func wrap(op string, err error, path string) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		if e.Op == op {
			return err
		}
		return &Error{Op: op, Err: err, Hint: e.Hint}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return &Error{Op: op, Kind: ErrNotFound}
	}
	if errors.Is(err, sql.ErrConnDone) {
		return &Error{Op: op, Kind: ErrClosed}
	}
	sentinel, hint := kind(code(err), path)
	return &Error{Op: op, Kind: sentinel, Err: err, Hint: hint}
}

// because returns why ctx ended when it did, else err. Drivers report only Canceled or DeadlineExceeded.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
