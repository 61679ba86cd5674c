package persistence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"orchestrator/internal/scheduler"
)

var (
	upsertSession = declare(`INSERT INTO sessions (run, task, attempt, provider, session_id, updated_at)
		VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (run, task, attempt) DO UPDATE SET provider = excluded.provider,
			session_id = excluded.session_id, updated_at = excluded.updated_at`)
	insertTurn  = declare(insertTurnText)
	insertTurns = declare(insertTurnText + strings.Repeat(", (?, ?, ?, ?, ?, ?)", turnsAtOnce-1))
	deleteTurns = declare(`DELETE FROM conversation_history WHERE key IN
		(SELECT key FROM conversation_history WHERE run = ? LIMIT ?)`)
	deleteTurnsOfTask = declare(`DELETE FROM conversation_history WHERE key IN
		(SELECT key FROM conversation_history WHERE run = ? AND task = ? LIMIT ?)`)
)

const insertTurnText = `INSERT INTO conversation_history (run, task, attempt, timestamp, role, content)
	VALUES (?, ?, ?, ?, ?, ?)`

// turnsAtOnce is how many turns of a long message are added by one statement: a call of the driver costs as much as a
// tenth of a turn.
const turnsAtOnce = 10

// turnPortion is how many turns are removed in one transaction. Each has to be taken out of the search index; together
// that is a tenth of a second's work, which others who write can wait for.
const turnPortion = 500

// SaveSession implements Conversations.
func (s *SQLiteStore) SaveSession(ctx context.Context, session Session) error {
	return s.apply(ctx, "save session of task "+string(session.Task), func(tx *transaction) error {
		return tx.saveSession(session.Run, session)
	})
}

func (tx *transaction) saveSession(run scheduler.RunID, s Session) error {
	_, err := tx.exec(upsertSession, string(run), string(s.Task), int64(s.Attempt), s.Provider, s.SessionID, micros(s.UpdatedAt))
	if missingParent(err) {
		return unknownTask(run, s.Task)
	}
	if err != nil {
		return fmt.Errorf("save session of %s: %w", s.Task, err)
	}
	return nil
}

// GetSession implements Conversations. The latest session is that of the highest attempt.
func (s *SQLiteStore) GetSession(ctx context.Context, run scheduler.RunID, task scheduler.TaskID) (session Session, err error) {
	err = s.read(ctx, "get session of task "+string(task), func(ctx context.Context, q querier) error {
		const text = `SELECT run, task, attempt, provider, session_id, updated_at FROM sessions
			WHERE run = ? AND task = ? ORDER BY attempt DESC LIMIT 1`
		var updated sql.NullInt64
		err := q.QueryRowContext(ctx, text, string(run), string(task)).Scan((*string)(&session.Run),
			(*string)(&session.Task), &session.Attempt, &session.Provider, &session.SessionID, &updated)
		if errors.Is(err, sql.ErrNoRows) {
			return &Error{Op: "find session", Kind: ErrNotFound, Err: fmt.Errorf("task %s of run %s never had one", task, run)}
		}
		session.UpdatedAt = timeOf(updated)
		return err
	})
	return session, err
}

// SaveMessage implements Conversations.
func (s *SQLiteStore) SaveMessage(ctx context.Context, run scheduler.RunID, task scheduler.TaskID, turns ...ConversationTurn) error {
	op := "save message of task " + string(task)
	if len(turns) == 0 {
		return s.read(ctx, op, func(context.Context, querier) error { return nil }) // closed and cancelled are errors still
	}
	return s.apply(ctx, op, func(tx *transaction) error { return tx.addTurns(run, task, turns) })
}

// addTurns appends turns of a task. Their keys, each one above the last, are their places in the order.
func (tx *transaction) addTurns(run scheduler.RunID, task scheduler.TaskID, turns []ConversationTurn) error {
	tx.unsearched = true
	for len(turns) > 0 {
		c, n := insertTurn, 1
		if len(turns) >= turnsAtOnce {
			c, n = insertTurns, turnsAtOnce
		}
		args := make([]any, 0, 6*turnsAtOnce)
		for i := range n {
			t := &turns[i]
			args = append(args, string(run), string(task), int64(t.Attempt), micros(t.Timestamp), t.Role, t.Content)
		}
		if _, err := tx.exec(c, args...); missingParent(err) {
			return unknownTask(run, task)
		} else if err != nil {
			return fmt.Errorf("save turn of %s: %w", task, err)
		}
		turns = turns[n:]
	}
	return nil
}

// GetHistory implements Conversations.
func (s *SQLiteStore) GetHistory(ctx context.Context, run scheduler.RunID, task scheduler.TaskID) ([]ConversationTurn, error) {
	page, err := s.HistoryPage(ctx, run, task, 0, 0)
	if err != nil {
		return nil, err
	}
	return page.Turns, nil
}

// HistoryPage implements Conversations. The index has the turns of a task in the order of their keys, so that a page
// is found at once wherever it begins.
func (s *SQLiteStore) HistoryPage(ctx context.Context, run scheduler.RunID, task scheduler.TaskID, after int64, limit int) (HistoryPage, error) {
	page := HistoryPage{Last: after}
	err := s.read(ctx, "get history of task "+string(task), func(ctx context.Context, q querier) error {
		most := int64(-1)
		if limit > 0 {
			most = int64(limit)
		}
		const text = `SELECT key, role, content, timestamp, attempt FROM conversation_history
			WHERE run = ? AND task = ? AND key > ? ORDER BY key LIMIT ?`
		rows, err := q.QueryContext(ctx, text, string(run), string(task), after, most)
		page.Turns, err = collect(rows, err, func(r scanner) (ConversationTurn, error) { return scanTurn(r, &page.Last) })
		return err
	})
	if err != nil {
		return HistoryPage{}, err
	}
	if page.Turns == nil {
		page.Turns = []ConversationTurn{}
	}
	return page, nil
}

func scanTurn(r scanner, key *int64) (t ConversationTurn, err error) {
	var at sql.NullInt64
	err = r.Scan(key, &t.Role, &t.Content, &at, &t.Attempt)
	t.Timestamp = timeOf(at)
	return t, err
}

// LastTurns implements Conversations. The index is read from its end, and for the count alone.
func (s *SQLiteStore) LastTurns(ctx context.Context, run scheduler.RunID, task scheduler.TaskID, limit int) (turns []ConversationTurn, before int, err error) {
	err = s.snapshot(ctx, "get the last turns of task "+string(task), func(ctx context.Context, q querier) error {
		most := int64(-1)
		if limit > 0 {
			most = int64(limit)
		}
		const text = `SELECT key, role, content, timestamp, attempt FROM conversation_history
			WHERE run = ? AND task = ? ORDER BY key DESC LIMIT ?`
		rows, err := q.QueryContext(ctx, text, string(run), string(task), most)
		var key int64
		if turns, err = collect(rows, err, func(r scanner) (ConversationTurn, error) { return scanTurn(r, &key) }); err != nil {
			return err
		}
		const count = "SELECT count(*) FROM conversation_history WHERE run = ? AND task = ?"
		return q.QueryRowContext(ctx, count, string(run), string(task)).Scan(&before)
	})
	if err != nil {
		return nil, 0, err
	}
	slices.Reverse(turns)
	if turns == nil {
		turns = []ConversationTurn{}
	}
	return turns, before - len(turns), nil
}

// deleteWithTurns removes something with its turns, portion by portion, and with the last of them the rest.
func (s *SQLiteStore) deleteWithTurns(ctx context.Context, op string, turns func(tx *transaction) (int64, error), rest func(tx *transaction) error) error {
	for {
		var n int64
		err := s.apply(ctx, op, func(tx *transaction) (err error) {
			if n, err = turns(tx); err != nil || n == turnPortion {
				return err
			}
			return rest(tx)
		})
		if err != nil || n < turnPortion {
			return err
		}
	}
}
