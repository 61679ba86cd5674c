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

	sqlite3 "modernc.org/sqlite/lib"
)

// createFile makes the folder and an empty database file that only their owner can read: prompts and agents'
// output hold secrets. SQLite gives its -wal and -shm files the same mode. An existing file is not opened.
func createFile(path string) error {
	if info, err := os.Stat(path); err == nil {
		if info.IsDir() {
			return &Error{
				Op: "open database " + path, Err: errors.New("is a directory"),
				Hint: "give the path of a file, such as " + filepath.Join(path, "orc.db"),
			}
		}
		if !info.Mode().IsRegular() {
			return &Error{
				Op: "open database " + path, Err: fmt.Errorf("is not a regular file (%s)", info.Mode().Type()),
				Hint: "give the path of a file",
			}
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fileError("create the folder of "+path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process was faster
	}
	if err != nil {
		return fileError("create database "+path, err)
	}
	if err := f.Close(); err != nil {
		return fileError("create database "+path, err)
	}
	return nil
}

// identify refuses a file that is not ours, or that a newer program wrote, before anything about it is changed:
// the settings of the other connections would already turn a foreign database into WAL mode.
func identify(ctx context.Context, path string, known int) error {
	info, err := os.Stat(path)
	if err != nil {
		return fileError("open database "+path, err)
	}
	if info.Size() == 0 {
		return nil
	}
	err = identifyWith(ctx, path, "ro", known)
	switch code(err) {
	case sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY, sqlite3.SQLITE_READONLY_CANTINIT:
		// A crash left a journal, which only a connection that may write can play back.
		err = identifyWith(ctx, path, "rw", known)
	}
	return err
}

func identifyWith(ctx context.Context, path, mode string, known int) (err error) {
	c := newConnector(path, url.Values{"mode": {mode}}, []setting{{name: "busy_timeout", value: "5000"}})
	db := sql.OpenDB(c)
	defer func() {
		if closing := db.Close(); err == nil {
			err = closing
		}
	}()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var id, version, objects int
	const q = "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), count(*) FROM sqlite_schema"
	if err := conn.QueryRowContext(ctx, q).Scan(&id, &version, &objects); err != nil {
		return err
	}
	switch {
	case id == applicationID && version > known:
		return newer(ctx, conn, version, known)
	case id == applicationID, id == 0 && version == 0 && objects == 0:
		return nil
	}
	return &Error{
		Op:   "open database " + path,
		Kind: ErrForeign,
		Err:  fmt.Errorf("application id %#x", uint32(id)),
		Hint: "the file belongs to another program and was not changed; choose another path",
	}
}

// fileError sorts an error of the file system.
func fileError(op string, err error) error {
	e := &Error{Op: op, Err: err}
	switch {
	case errors.Is(err, fs.ErrPermission), isReadOnlyFS(err):
		e.Kind = ErrReadOnly
		e.Hint = "make the folder writable for you, or set XDG_DATA_HOME to one that is"
	case isFull(err):
		e.Kind = ErrFull
		e.Hint = "free some space there"
	case errors.Is(err, fs.ErrNotExist):
		e.Kind = ErrNotFound
		e.Hint = "check the path; it may be a link to a file that is not there"
	default:
		e.Hint = "check the path; a part of it may be a file"
	}
	return e
}
