package persistence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// The durabilities. Both survive the death of the process at any instant and never damage the database.
const (
	DurabilityNormal = "normal" // a power cut may take the last commits
	DurabilityFull   = "full"   // every commit is synced before it is acknowledged
)

// Options are the settings of a store. The zero value is the default.
type Options struct {
	Durability string // DurabilityNormal (default) or DurabilityFull
	Program    string // name and version recorded as the writer; default "orc" and the build's version
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	switch o.Durability {
	case "", DurabilityNormal, DurabilityFull:
		return nil
	}
	return &Error{
		Op:   "open database",
		Err:  fmt.Errorf("durability %q is unknown", o.Durability),
		Hint: `use "normal" or "full"`,
	}
}

func (o Options) program() string {
	if o.Program != "" {
		return o.Program
	}
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return "orc " + build.Main.Version
	}
	return "orc"
}

// SQLiteStore is a Store in one SQLite file, shared by any number of processes.
type SQLiteStore struct {
	path    string // empty in memory
	writer  *writer
	writing *sql.DB // the writer's; one connection
	readers *sql.DB // nil in memory: the writer's connection is all there is
	watch   watch

	closing sync.Once
	closed  chan struct{}
	failure error // of Close
}

var _ Store = (*SQLiteStore)(nil)

// OpenSQLite opens the database file at path as NewSQLiteStore does. It refuses, with an Error that has a hint, a
// file that is not ours (ErrForeign), damaged (ErrCorrupt), written by a newer program (ErrNewer), or that cannot
// be written (ErrReadOnly, ErrFull), and any connection on which a setting is not in force.
func OpenSQLite(ctx context.Context, path string, o Options) (_ *SQLiteStore, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if path == "" {
		if path, err = DefaultPath(); err != nil {
			return nil, err
		}
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	op := "open database " + path
	network, err := networkOf(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if network != "" {
		return nil, &Error{
			Op: op, Err: fmt.Errorf("its folder is on a network file system (%s), where a database cannot be kept safe", network),
			Hint: "set XDG_DATA_HOME to a folder on a local disk",
		}
	}
	if err := createFile(path); err != nil {
		return nil, err
	}
	for began := time.Now(); ; {
		s, err := openFile(ctx, path, o)
		if code(err)&0xff != sqlite3.SQLITE_BUSY || time.Since(began) > openPatience {
			return s, wrap(op, err, path)
		}
		select {
		case <-ctx.Done():
			return nil, wrap(op, context.Cause(ctx), path)
		case <-time.After(openPause):
		}
	}
}

// SQLite does not wait for a lock where two connections might wait for one another, as when several turn a fresh file
// to WAL mode at once: it says "busy" right away, whatever busy_timeout is. A connection that holds nothing yet can
// begin again without harm.
const (
	openPatience = 5 * time.Second
	openPause    = 10 * time.Millisecond
)

// openFile makes one try at opening a file that exists. After an error nothing of it is left open.
func openFile(ctx context.Context, path string, o Options) (*SQLiteStore, error) {
	if err := identify(ctx, path, len(migrations)); err != nil {
		return nil, because(ctx, err)
	}
	s := &SQLiteStore{path: path, closed: make(chan struct{})}
	s.writing = sql.OpenDB(newConnector(path, url.Values{"_txlock": {"immediate"}}, settings(true, o.Durability, false)))
	s.writing.SetMaxOpenConns(1)
	reading := newConnector(path, url.Values{}, settings(true, o.Durability, true))
	s.readers = sql.OpenDB(reading)
	n := max(2, runtime.GOMAXPROCS(0))
	s.readers.SetMaxOpenConns(n)
	s.readers.SetMaxIdleConns(n)
	s.watch.db = sql.OpenDB(reading)
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(because(ctx, err), s.writing.Close(), s.readers.Close(), s.watch.db.Close())
	}
	return s, nil
}

// openMemory opens a private database in memory.
func openMemory(ctx context.Context, o Options) (*SQLiteStore, error) {
	s := &SQLiteStore{closed: make(chan struct{})}
	s.writing = sql.OpenDB(newConnector("", url.Values{"_txlock": {"immediate"}}, settings(false, "", false)))
	s.writing.SetMaxOpenConns(1)
	if err := s.start(ctx, o); err != nil {
		return nil, wrap("open a database in memory", errors.Join(because(ctx, err), s.writing.Close()), "")
	}
	return s, nil
}

// start brings the schema up to date and starts the writer.
func (s *SQLiteStore) start(ctx context.Context, o Options) error {
	w, err := newWriter(ctx, s.writing, s.readers == nil)
	if err != nil {
		return err
	}
	if err := migrate(ctx, w.conn, migrations, o.program()); err != nil {
		return errors.Join(fmt.Errorf("migrate: %w", err), w.conn.Close())
	}
	if err := w.prepare(); err != nil {
		return errors.Join(err, w.conn.Close())
	}
	if err := w.writable(s.path); err != nil {
		return errors.Join(err, w.close())
	}
	s.writer = w
	go w.run()
	return nil
}

// Path returns the absolute path of the database file; empty for a store in memory.
func (s *SQLiteStore) Path() string { return s.path }

func (s *SQLiteStore) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// Close implements Store. What was queued before is still written. The WAL is folded into the database file unless
// another process is reading it.
func (s *SQLiteStore) Close() error {
	s.closing.Do(func() {
		close(s.closed)
		close(s.writer.closing)
		<-s.writer.ended
		s.writer.mu.Lock() // a caller that writes by itself may be at it still
		defer s.writer.mu.Unlock()
		var errs []error
		if s.readers != nil {
			errs = append(errs, s.watch.close(), s.readers.Close(), s.checkpoint())
		}
		errs = append(errs, s.writer.close(), s.writing.Close())
		if err := errors.Join(errs...); err != nil {
			s.failure = wrap("close database", err, s.path)
		}
	})
	return s.failure
}

// checkpoint empties the WAL. Another process may be reading it, for as long as it likes: then it stays, which
// costs nothing but space.
func (s *SQLiteStore) checkpoint() error {
	ctx := context.Background()
	if _, err := s.writer.conn.ExecContext(ctx, "PRAGMA busy_timeout = 100"); err != nil {
		return fmt.Errorf("shorten the wait: %w", err)
	}
	var busy, frames, moved int
	err := s.writer.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if sentinel, _ := kind(code(err), s.path); err != nil && !errors.Is(sentinel, ErrBusy) && !errors.Is(sentinel, ErrFull) {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// apply runs f in a transaction of the writer.
func (s *SQLiteStore) apply(ctx context.Context, op string, f func(tx *transaction) error) error {
	return wrap(op, s.writer.submit(ctx, &request{write: f}), s.path)
}

// applyOne runs one command, which must change a row: else the error is none. Whoever writes alone needs no more for it
// than that one statement.
func (s *SQLiteStore) applyOne(ctx context.Context, op string, none func() error, c command, args ...any) error {
	return wrap(op, s.writer.submit(ctx, &request{one: true, write: func(tx *transaction) error {
		n, err := tx.exec(c, args...)
		if err == nil && n == 0 {
			err = none()
		}
		return err
	}}), s.path)
}

// watch is the connection that DataVersion looks through. It only ever looks, so every commit, of this process or
// another, is one of "another connection" to it, which is what SQLite counts.
type watch struct {
	db    *sql.DB
	mu    sync.Mutex
	conn  *sql.Conn
	epoch int64 // connections opened before this one; the count of a new one starts again
}

func (w *watch) version() (v int64, err error) {
	// The caller's context is not used: the answer takes no time, and an interrupted connection would lose count.
	ctx := context.Background()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == nil {
		if w.conn, err = w.db.Conn(ctx); err != nil {
			return 0, err
		}
	}
	if err := w.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&v); err != nil {
		err = errors.Join(err, w.conn.Close())
		w.conn = nil
		w.epoch++
		return 0, err
	}
	return w.epoch<<32 | v, nil
}

func (w *watch) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == nil {
		return w.db.Close()
	}
	return errors.Join(w.conn.Close(), w.db.Close())
}

// DataVersion implements Store. In memory it counts the commits of the only connection.
func (s *SQLiteStore) DataVersion(ctx context.Context) (int64, error) {
	const op = "read the data version"
	if s.isClosed() {
		return 0, &Error{Op: op, Kind: ErrClosed}
	}
	if ctx.Err() != nil {
		return 0, wrap(op, context.Cause(ctx), s.path)
	}
	if s.readers == nil {
		return s.writer.commits.Load(), nil
	}
	v, err := s.watch.version()
	return v, wrap(op, err, s.path)
}
