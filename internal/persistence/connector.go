package persistence

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"strings"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite up to 3.51.2 can damage a database when a checkpoint resets the WAL while another process writes. A build
// with such a version does not compile: the constant would be negative.
const _ uint = sqlite3.SQLITE_VERSION_NUMBER - 3_051_003

// setting is a PRAGMA with the value that must be in force.
type setting struct {
	name  string
	value string
	want  string // as the PRAGMA reads back; empty = value
}

// settings are what every connection needs. Waiting comes first, because all that follows may meet a lock.
func settings(file bool, durability string, reader bool) []setting {
	list := []setting{
		{name: "busy_timeout", value: "5000"},
		{name: "foreign_keys", value: "1"},
	}
	if file {
		list = append(list, setting{name: "journal_mode", value: "WAL", want: "wal"})
		synchronous := setting{name: "synchronous", value: "NORMAL", want: "1"}
		if durability == DurabilityFull {
			synchronous = setting{name: "synchronous", value: "FULL", want: "2"}
		}
		list = append(list, synchronous)
	} else {
		list = append(list, setting{name: "journal_mode", value: "MEMORY", want: "memory"})
	}
	if reader {
		return append(list, setting{name: "query_only", value: "1"})
	}
	return append(list,
		// 16 MB of WAL between checkpoints: 1.4 times the throughput of the default, and shorter pauses.
		setting{name: "wal_autocheckpoint", value: "4000"},
		setting{name: "journal_size_limit", value: "67108864"},
		setting{name: "cache_size", value: "-16000"})
}

// connector opens connections to one database and refuses any on which a setting is not in force: the driver
// accepts misspelt settings silently, and some file systems refuse WAL silently.
type connector struct {
	driver   *sqlite.Driver
	dsn      string
	settings []setting
}

// newConnector describes connections to the file at path; an empty path is a private database in memory.
func newConnector(path string, query url.Values, list []setting) *connector {
	for _, s := range list {
		query.Add("_pragma", s.name+"("+s.value+")")
	}
	query.Set("_error_rc", "1")
	query.Set("_dqs", "0")
	// A path pasted into a DSN would end at its first '?' or '#'.
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	if path == "" {
		dsn.Path, dsn.Opaque = "", ":memory:"
	}
	return &connector{driver: &sqlite.Driver{}, dsn: dsn.String(), settings: list}
}

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := useOFDLocks(); err != nil {
		return nil, err
	}
	conn, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	for _, s := range c.settings {
		got, err := pragma(conn, s.name)
		want := s.want
		if want == "" {
			want = s.value
		}
		if err == nil && got != want {
			err = fmt.Errorf("setting %s is %q, not %q", s.name, got, want)
		}
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return c.driver }

// pragma reads a setting of one connection.
func pragma(conn driver.Conn, name string) (string, error) {
	rows, err := conn.(driver.QueryerContext).QueryContext(context.Background(), "PRAGMA "+name, nil)
	if err != nil {
		return "", fmt.Errorf("read setting %s: %w", name, err)
	}
	value := make([]driver.Value, len(rows.Columns()))
	err = rows.Next(value)
	if closing := rows.Close(); err == nil {
		err = closing
	}
	if errors.Is(err, io.EOF) || len(value) == 0 {
		return "", fmt.Errorf("read setting %s: no such setting", name)
	}
	if err != nil {
		return "", fmt.Errorf("read setting %s: %w", name, err)
	}
	return strings.ToLower(fmt.Sprint(value[0])), nil
}

// useOFDLocks makes SQLite's locks belong to the open file instead of the process, where the system has such
// locks. With the classic ones, anything in this process that opens and closes the database file drops them all;
// another program may then delete the WAL under us, and with it every commit that a crash leaves there.
var useOFDLocks = sync.OnceValue(func() error {
	if runtime.GOOS != "linux" {
		return nil
	}
	_, err := sqlite.OFDLocking(true)
	if errors.Is(err, sqlite.ErrOFDLockingUnavailable) {
		return nil // a kernel or file system without them; the classic locks are what is left
	}
	if err != nil {
		return fmt.Errorf("choose file locks: %w", err)
	}
	return nil
})
