package persistence

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"orchestrator/internal/fault"
)

// fence finds in one query what a transition must know before it writes: whether the run exists, who owns it and
// the last sequence number.
var fence = declare(`SELECT l.generation, (SELECT max(seq) FROM events WHERE run = ?1)
	FROM runs r LEFT JOIN leases l ON l.run = r.id WHERE r.id = ?1`)

// Apply implements Store. A run without a lease has no generation: nobody may change it by a transition. All that
// belongs to the transition is stored under its run and its generation, whatever its parts say.
func (s *SQLiteStore) Apply(ctx context.Context, t Transition) (seq int64, err error) {
	op := "apply transition of run " + string(t.Run)
	facts, err := encodeEvents(t.Events, t.Now)
	if err != nil {
		return 0, wrap(op, err, s.path)
	}
	details, err := encodeAttempts(t.Attempts)
	if err != nil {
		return 0, wrap(op, err, s.path)
	}
	var options []byte
	if t.Options != nil {
		if options, err = json.Marshal(t.Options); err != nil {
			return 0, wrap(op, fmt.Errorf("encode options: %w", err), s.path)
		}
	}
	err = s.apply(ctx, op, func(tx *transaction) error {
		last, err := tx.fence(&t)
		if err != nil {
			return err
		}
		seq = last + int64(len(facts))
		if err := tx.setRun(&t, options); err != nil {
			return err
		}
		if t.Edit != nil {
			if err := tx.edit(t.Run, t.Edit); err != nil {
				return err
			}
		}
		for _, c := range t.Tasks {
			if err := tx.move(t.Run, c); err != nil {
				return err
			}
		}
		for i := range t.Attempts {
			if err := tx.saveAttempt(t.Run, t.Generation, &t.Attempts[i], details[i]); err != nil {
				return err
			}
		}
		for _, session := range t.Sessions {
			if session.UpdatedAt.IsZero() {
				session.UpdatedAt = t.Now
			}
			if err := tx.saveSession(t.Run, session); err != nil {
				return err
			}
		}
		for i := range t.Turns {
			turn := t.Turns[i]
			if turn.Timestamp.IsZero() {
				turn.Timestamp = t.Now
			}
			if err := tx.addTurns(t.Run, turn.Task, []ConversationTurn{turn.ConversationTurn}); err != nil {
				return err
			}
		}
		for _, r := range t.Requests {
			if err := tx.consume(t.Run, r, t.Now); err != nil {
				return err
			}
		}
		return tx.addEvents(t.Run, last, facts)
	})
	if err != nil {
		return 0, err
	}
	return seq, nil
}

// fence returns the run's last sequence number, if the transition's generation still owns the run.
func (tx *transaction) fence(t *Transition) (last int64, err error) {
	found, owned := false, false
	err = tx.rows(fence, func(v []driver.Value) error {
		found = true
		generation, ok := v[0].(int64)
		owned = ok && (generation == t.Generation || fault.Mutant("no-fence"))
		last, _ = v[1].(int64) // NULL before the first event
		return nil
	}, string(t.Run))
	switch {
	case err != nil:
		return 0, err
	case !found:
		return 0, unknownRun(t.Run)
	case !owned:
		return 0, lost(t.Run, t.Generation)
	}
	return last, nil
}

// setRun changes the run's own row where the transition says so.
func (tx *transaction) setRun(t *Transition, options []byte) error {
	if t.State != "" {
		var finished any
		if t.State.Terminal() {
			finished = micros(t.Now)
		}
		if _, err := tx.exec(setState, string(t.State), t.Error, finished, string(t.Run)); err != nil {
			return fmt.Errorf("set state %s: %w", t.State, err)
		}
	}
	if options != nil {
		if _, err := tx.exec(setOptions, string(options), string(t.Run)); err != nil {
			return fmt.Errorf("set options: %w", err)
		}
	}
	return nil
}
