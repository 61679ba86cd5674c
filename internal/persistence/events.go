package persistence

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
)

var insertEvent = declare(`INSERT INTO events (run, seq, time, kind, task, attempt, detail) VALUES (?, ?, ?, ?, ?, ?, ?)`)

// fact is an event ready to be stored.
type fact struct {
	event  *event.Event
	at     time.Time
	detail string
}

// encodeEvents gives each event its time and its detail as stored.
func encodeEvents(events []event.Event, now time.Time) ([]fact, error) {
	facts := make([]fact, len(events))
	for i := range events {
		e := &events[i]
		text, err := json.Marshal(&e.Detail)
		if err != nil {
			return nil, fmt.Errorf("encode event %s: %w", e.Kind, err)
		}
		facts[i] = fact{event: e, at: e.Time, detail: string(text)}
		if e.Time.IsZero() {
			facts[i].at = now
		}
	}
	return facts, nil
}

// addEvents stores events with the sequence numbers that follow last.
func (tx *transaction) addEvents(run scheduler.RunID, last int64, facts []fact) error {
	for i, f := range facts {
		_, err := tx.exec(insertEvent, string(run), last+int64(i)+1, micros(f.at), string(f.event.Kind), f.event.Task,
			int64(f.event.Attempt), f.detail)
		if err != nil {
			return fmt.Errorf("add event %s: %w", f.event.Kind, err)
		}
	}
	return nil
}

// Events implements Store. An unknown run has no events.
func (s *SQLiteStore) Events(ctx context.Context, run scheduler.RunID, after int64, limit int) (list []event.Event, err error) {
	err = s.read(ctx, "read events of run "+string(run), func(ctx context.Context, q querier) error {
		most := int64(-1)
		if limit > 0 {
			most = int64(limit)
		}
		const text = `SELECT seq, time, run, kind, task, attempt, detail FROM events
			WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?`
		rows, err := q.QueryContext(ctx, text, string(run), after, most)
		list, err = collect(rows, err, scanEvent)
		return err
	})
	return list, err
}

func scanEvent(r scanner) (e event.Event, err error) {
	var at sql.NullInt64
	var detail []byte
	if err := r.Scan(&e.Seq, &at, &e.Run, (*string)(&e.Kind), &e.Task, &e.Attempt, &detail); err != nil {
		return event.Event{}, err
	}
	e.Time = timeOf(at)
	if string(detail) == "{}" {
		return e, nil
	}
	if err := json.Unmarshal(detail, &e.Detail); err != nil {
		return event.Event{}, fmt.Errorf("event %d: decode detail: %w", e.Seq, err)
	}
	return e, nil
}
