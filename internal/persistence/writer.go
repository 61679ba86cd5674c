package persistence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"orchestrator/internal/fault"
)

// batchLimit bounds how many requests share one commit: beyond it there is little left to save, and the first of
// the batch would wait for the last.
const batchLimit = 64

var (
	begin     = declare("BEGIN IMMEDIATE")
	commit    = declare("COMMIT")
	rollback  = declare("ROLLBACK")
	savepoint = declare("SAVEPOINT request")
	release   = declare("RELEASE request")
	undo      = declare("ROLLBACK TO request")
)

// writer owns the one connection that writes. Everything queued while a commit is under way shares the next one.
type writer struct {
	db      *sql.DB
	mu      sync.Mutex // held by whoever uses what follows: the writer's goroutine, or a caller that is alone
	conn    *sql.Conn
	tx      *transaction
	memory  bool // the connection is the database: never replace it
	outside bool // the connection is known to be outside of any transaction
	queue   chan *request
	callers atomic.Int64  // with a request that is queued or about to be
	last    atomic.Int64  // the size of the last batch
	closing chan struct{} // closed: take what is queued, then end
	ended   chan struct{}
	commits atomic.Int64 // transactions that changed something, for DataVersion of a store in memory
	search  *time.Timer  // when to add turns to the search index
	waiting bool         // the timer is set
	served  bool         // requests came since the index was last added to
}

// newWriter opens the connection. It cannot serve before prepare, which needs the schema.
func newWriter(ctx context.Context, db *sql.DB, memory bool) (*writer, error) {
	w := &writer{
		db:      db,
		memory:  memory,
		queue:   make(chan *request, 4*batchLimit),
		closing: make(chan struct{}),
		ended:   make(chan struct{}),
		search:  time.NewTimer(searchPause),
	}
	w.search.Stop()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w.conn = conn
	return w, nil
}

// prepare prepares all commands; the tables must exist.
func (w *writer) prepare() error {
	return w.conn.Raw(func(c any) error {
		tx, err := prepare(c.(driver.Conn))
		if err == nil {
			w.tx = tx
		}
		return err
	})
}

// writable says so when the file was opened for reading only, as SQLite does of itself where it must: that is
// better known now than at the first result worth keeping.
func (w *writer) writable(path string) error {
	return w.conn.Raw(func(c any) error {
		readOnly, err := c.(interface {
			IsReadOnly(schema string) (bool, error)
		}).IsReadOnly("main")
		if err == nil && readOnly {
			_, hint := kind(sqlite3.SQLITE_READONLY, path)
			err = &Error{Op: "open for writing", Kind: ErrReadOnly, Hint: hint}
		}
		return err
	})
}

// run is the writer's goroutine.
func (w *writer) run() {
	defer close(w.ended)
	batch := make([]*request, 0, batchLimit)
	served := 0
	for first := w.next(); first != nil; first = w.next() {
		w.pause(served)
		served++
		batch = w.gather(append(batch[:0], first))
		w.last.Store(int64(len(batch)))
		w.mu.Lock()
		w.serve(batch)
		w.mu.Unlock()
		clear(batch)
	}
}

// pause lets those who wait to queue their requests do so. Without it the writer and one caller hand a single request
// back and forth: batches stay at one. The callers of the last batch are expected again, but not for long. For a
// caller who is alone it would be waste, but for a look now and then.
func (w *writer) pause(served int) {
	if served%8 == 0 {
		runtime.Gosched()
	}
	for range 4 {
		if int64(len(w.queue))+1 >= w.last.Load() {
			return
		}
		runtime.Gosched()
	}
}

// next waits for a request; nil means that the writer is to end. Meanwhile it makes turns searchable.
func (w *writer) next() *request {
	for {
		select {
		case r := <-w.queue:
			return r
		case <-w.closing:
			select {
			case r := <-w.queue:
				return r
			default:
				return nil
			}
		case <-w.search.C:
			if !w.mu.TryLock() { // a lone caller writes; waiting for him would keep us from the queue and from our end
				w.search.Reset(searchPause)
				continue
			}
			w.makeSearchable()
			w.mu.Unlock()
		}
	}
}

// gather adds to a batch what is queued already.
func (w *writer) gather(batch []*request) []*request {
	for len(batch) < batchLimit {
		select {
		case r := <-w.queue:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// serve does the requests in order, the writes between two bare uses in one transaction. The caller holds mu.
func (w *writer) serve(batch []*request) {
	defer w.scheduleSearch()
	for len(batch) > 0 {
		if r := batch[0]; r.use != nil {
			if r.claim() {
				w.outside = false // who knows what is done with it
				r.answer(r.use(w.conn))
			}
			batch = batch[1:]
			continue
		}
		n := 1
		for n < len(batch) && batch[n].use == nil {
			n++
		}
		w.write(batch[:n])
		batch = batch[n:]
	}
}

// scheduleSearch sees to it that new turns become searchable when it is quiet.
func (w *writer) scheduleSearch() {
	w.served = true
	if w.tx.unsearched && !w.waiting {
		w.search.Reset(searchPause)
		w.waiting = true
	}
}

// write does the requests in one transaction, and replaces a connection that is no good any more.
func (w *writer) write(batch []*request) {
	err := raw(w.conn, func(any) error { return w.transact(batch) })
	// Inside a transaction still, or broken: a fresh connection is neither.
	stuck := code(err) == sqlite3.SQLITE_ERROR || gone(err)
	if stuck && !w.memory {
		if err = w.replace(); err == nil {
			err = raw(w.conn, func(any) error { return w.transact(batch) })
		}
	}
	if err == nil {
		return
	}
	for _, r := range batch {
		if r.claim() {
			r.answer(err)
		}
	}
}

// raw runs f with a connection to itself. What f returns is kept from database/sql, which would throw the connection
// away on some errors, and with it a database in memory.
func raw(conn *sql.Conn, f func(c any) error) (err error) {
	unusable := conn.Raw(func(c any) error {
		err = f(c)
		return nil
	})
	if unusable != nil {
		return unusable
	}
	return err
}

// transact does the requests in one transaction and answers them. Its error says that the transaction did not begin:
// none of them was touched.
func (w *writer) transact(batch []*request) error {
	w.outside = false
	if _, err := w.tx.exec(begin); err != nil {
		return err
	}
	// Claimed only now: waiting for another process's lock counts as not started.
	live := batch[:0]
	for _, r := range batch {
		if r.claim() {
			live = append(live, r)
		}
	}
	err := w.attempt(live)
	if err != nil {
		// An error here means that SQLite has rolled back already; a transaction that stays open all the same
		// is found by the next BEGIN.
		_, failed := w.tx.exec(rollback)
		w.outside = failed == nil
	}
	for _, r := range live {
		if err != nil {
			r.err = err
		}
		r.answer(r.err)
	}
	return nil
}

// attempt does the requests and commits. Its error is that of all of them, and nothing is stored; otherwise each has
// its own.
func (w *writer) attempt(live []*request) error {
	done := 0
	for _, r := range live {
		alone := len(live) == 1
		if !alone {
			if _, err := w.tx.exec(savepoint); err != nil {
				return err
			}
		}
		err := r.write(w.tx)
		switch {
		case err == nil:
			done++
		case !own(err):
			return err
		case alone:
			r.err = err
		default:
			r.err = err
			if _, err := w.tx.exec(undo); err != nil {
				return err
			}
		}
		if !alone {
			if _, err := w.tx.exec(release); err != nil {
				return err
			}
		}
	}
	if done == 0 {
		_, err := w.tx.exec(rollback)
		w.outside = err == nil
		return err
	}
	fault.Point("store.commit.before")
	if _, err := w.tx.exec(commit); err != nil {
		return err
	}
	fault.Point("store.commit.after")
	w.outside = true
	w.commits.Add(1)
	return nil
}

// serveOne does a request of one statement without BEGIN and COMMIT around it: SQLite makes a transaction of it by
// itself, which begins with the lock for writing and waits for that as BEGIN IMMEDIATE does, but costs a tenth less. Its
// caller is alone and cannot be cancelled, since this cannot tell waiting from writing. The caller holds mu. It returns
// false when nothing was done because the request must be served as all others are: inside of a transaction that was
// left open the statement would not be committed, and a connection that is lost has to be replaced.
func (w *writer) serveOne(r *request) (done bool) {
	if !r.one || !w.outside {
		return false
	}
	defer w.scheduleSearch()
	w.outside = false
	fault.Point("store.commit.before")
	w.tx.single = true
	err := raw(w.conn, func(any) error { return r.write(w.tx) })
	w.tx.single = false
	fault.Point("store.commit.after")
	if gone(err) || errors.Is(err, errSeveral) {
		return false
	}
	r.claim()
	r.answer(err)
	w.outside = own(err) // nil, too
	if err == nil {
		w.commits.Add(1)
	}
	return true
}

// gone says that the connection is: nothing was done.
func gone(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
}

// close ends the statements and the connection. The caller holds mu.
func (w *writer) close() error {
	err := w.conn.Raw(func(any) error { return w.tx.close() })
	return errors.Join(err, w.conn.Close())
}

// replace throws the connection away and prepares another.
func (w *writer) replace() error {
	// It is beyond repair: only its end matters, not what it still complains about.
	_ = w.conn.Raw(func(any) error {
		_ = w.tx.close()
		return driver.ErrBadConn
	})
	conn, err := w.db.Conn(context.Background())
	if err != nil {
		return fmt.Errorf("reconnect: %w", err)
	}
	w.conn = conn
	unsearched := w.tx.unsearched
	if err := w.prepare(); err != nil {
		return errors.Join(err, conn.Close()) // a closed one is replaced when it is next needed
	}
	w.tx.unsearched = unsearched
	return nil
}
