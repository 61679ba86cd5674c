package persistence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"
)

// The search index follows the turns. It is made up of all turns up to the one that the table "searchable" names, and
// is brought forward by portions, each with its mark in one transaction: in quiet moments by the writer of a process
// that has written turns (see writer.go), and to the end by whoever searches.
//
// It is not kept in step within the transactions that write turns, neither by a trigger nor by a second statement. The
// driver needs 1.2 µs for each word; with it, a turn of 2 kB costs 450 µs where it costs 49 µs without (100 to a
// transaction; 603 µs for 105 µs one by one), and everybody who waits for a commit would pay for what few ever look
// for. Put off, it is also cheaper, since one portion makes one segment of the index and not one for each commit.

// searchPortion bounds how much text one transaction adds to the index, in bytes: 10 to 30 ms of work, for which a
// write that comes meanwhile has to wait. One turn may exceed it.
const searchPortion = 64 << 10

// portionTurns bounds how many turns one transaction adds to the index.
const portionTurns = 256

// searchPause is how long a writer that is busy leaves the search index alone. One that is not goes on with it at once.
const searchPause = 500 * time.Millisecond

var (
	selectUnsearched = declare(`SELECT key, octet_length(content) FROM conversation_history
		WHERE key > (SELECT last_turn FROM searchable WHERE one = 1) ORDER BY key LIMIT ?`)
	insertSearchable = declare(`INSERT INTO conversation_search (rowid, content)
		SELECT key, content FROM conversation_history WHERE key > (SELECT last_turn FROM searchable WHERE one = 1) AND key <= ?`)
	setSearchable = declare(`UPDATE searchable SET last_turn = ? WHERE one = 1`)
)

// makeSearchable adds the next turns to the search index. It returns whether there may be more.
func (tx *transaction) makeSearchable() (more bool, err error) {
	turns, last, size := 0, int64(0), int64(0)
	err = tx.rows(selectUnsearched, func(v []driver.Value) error {
		bytes := v[1].(int64)
		if turns > 0 && size+bytes > searchPortion {
			more = true
		}
		if !more {
			turns, last, size = turns+1, v[0].(int64), size+bytes
		}
		return nil
	}, int64(portionTurns))
	if err != nil || turns == 0 {
		return false, err
	}
	if _, err := tx.exec(insertSearchable, last); err != nil {
		return false, fmt.Errorf("add turns to the search index: %w", err)
	}
	if _, err := tx.exec(setSearchable, last); err != nil {
		return false, fmt.Errorf("mark turns as searchable: %w", err)
	}
	return more || turns == portionTurns, nil
}

// makeSearchable adds a portion of turns to the search index and sees to it that the next one follows.
func (w *writer) makeSearchable() {
	var more bool
	r := &request{done: make(chan error, 1)}
	r.write = func(tx *transaction) (err error) {
		more, err = tx.makeSearchable()
		return err
	}
	w.write([]*request{r})
	// Nobody asked for it, so that there is nobody to tell that it failed: the turns are stored all the same, and the
	// next search adds them itself and says why it cannot. This goes on after the next turn.
	w.waiting = <-r.done == nil && more
	w.tx.unsearched = false
	if w.waiting {
		pause := time.Duration(0)
		if w.served {
			pause = searchPause
		}
		w.search.Reset(pause)
	}
	w.served = false
}

// The marks of a match in a snippet, as SQLite writes them. Text that has such characters itself may be shown with a
// match too many.
const (
	matchBegin = '\x02'
	matchEnd   = '\x03'
)

// SearchTurns implements Conversations. A word is a run of letters and digits; case and accents make no difference.
func (s *SQLiteStore) SearchTurns(ctx context.Context, query TurnQuery) (list []FoundTurn, err error) {
	const op = "search the conversations"
	match, err := matchOf(query.Words)
	if err != nil {
		return nil, wrap(op, err, s.path)
	}
	if err := s.catchUp(ctx, op); err != nil {
		return nil, err
	}
	limit := int64(-1)
	if query.Limit > 0 {
		limit = int64(query.Limit)
	}
	err = s.read(ctx, op, func(ctx context.Context, q querier) error {
		// CROSS JOIN: the words choose the turns, newest first; the rest is looked up for those.
		const text = `SELECT h.run, h.task, h.attempt, h.role, h.timestamp,
				snippet(conversation_search, 0, char(2), char(3), '…', 24)
			FROM conversation_search CROSS JOIN conversation_history h ON h.key = conversation_search.rowid
				CROSS JOIN runs r ON r.id = h.run
			WHERE conversation_search MATCH ?1 AND (?2 = '' OR h.run = ?2) AND (?3 = '' OR r.repository = ?3)
			ORDER BY conversation_search.rowid DESC LIMIT ?4`
		rows, err := q.QueryContext(ctx, text, match, string(query.Run), query.Repository, limit)
		list, err = collect(rows, err, scanFound)
		return err
	})
	return list, err
}

// catchUp adds to the search index what it lacks now. What others write meanwhile may be left.
func (s *SQLiteStore) catchUp(ctx context.Context, op string) error {
	var last, searchable int64
	err := s.read(ctx, op, func(ctx context.Context, q querier) error {
		const text = `SELECT (SELECT coalesce(max(key), 0) FROM conversation_history), last_turn FROM searchable WHERE one = 1`
		return q.QueryRowContext(ctx, text).Scan(&last, &searchable)
	})
	for more := searchable < last; more && err == nil; {
		err = s.apply(ctx, op, func(tx *transaction) (err error) {
			more, err = tx.makeSearchable()
			return err
		})
	}
	return err
}

func scanFound(r scanner) (t FoundTurn, err error) {
	var at sql.NullInt64
	var marked string
	err = r.Scan((*string)(&t.Run), (*string)(&t.Task), &t.Attempt, &t.Role, &at, &marked)
	t.Timestamp = timeOf(at)
	t.Snippet, t.Matches = unmark(marked)
	return t, err
}

// unmark takes the marks out of a snippet and says where they were.
func unmark(marked string) (text string, matches []Span) {
	var b strings.Builder
	begin := -1
	for _, c := range marked {
		switch {
		case c == matchBegin:
			begin = b.Len()
		case c == matchEnd && begin >= 0:
			matches = append(matches, Span{begin, b.Len()})
			begin = -1
		case c != matchEnd:
			b.WriteRune(c)
		}
	}
	return b.String(), matches
}
