package persistence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"orchestrator/internal/scheduler"
)

var (
	selectLease = declare(`SELECT generation, owner, expires_at, pid, host FROM leases WHERE run = ?`)
	upsertLease = declare(`INSERT INTO leases (run, generation, owner, pid, host, expires_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (run) DO UPDATE SET generation = excluded.generation, owner = excluded.owner, pid = excluded.pid,
			host = excluded.host, expires_at = excluded.expires_at`)
	// A released lease is not revived by a heartbeat that was under way.
	renewLease   = declare(`UPDATE leases SET expires_at = ? WHERE run = ? AND generation = ? AND expires_at IS NOT NULL`)
	releaseLease = declare(`UPDATE leases SET expires_at = NULL WHERE run = ? AND generation = ?`)
)

// AcquireLease implements Leases.
func (s *SQLiteStore) AcquireLease(ctx context.Context, l Lease, now time.Time, force bool) (generation int64, err error) {
	op := "acquire lease of run " + string(l.Run)
	err = s.apply(ctx, op, func(tx *transaction) error {
		var holder Lease
		err := tx.rows(selectLease, func(v []driver.Value) error {
			holder.Generation, holder.Owner = v[0].(int64), v[1].(string)
			if at, ok := v[2].(int64); ok {
				holder.ExpiresAt = time.UnixMicro(at).UTC()
			}
			holder.PID, holder.Host = int(v[3].(int64)), v[4].(string)
			return nil
		}, string(l.Run))
		if err != nil {
			return err
		}
		if !force && holder.Generation > 0 && holder.Owner != l.Owner && holder.ExpiresAt.After(now) {
			return &Error{
				Op: op, Kind: ErrConflict,
				Err: fmt.Errorf("process %d on %s owns it until %s", holder.PID, holder.Host, holder.ExpiresAt.Format(time.RFC3339)),
			}
		}
		generation = holder.Generation + 1
		_, err = tx.exec(upsertLease, string(l.Run), generation, l.Owner, int64(l.PID), l.Host, micros(l.ExpiresAt))
		if missingParent(err) {
			return unknownRun(l.Run)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return generation, nil
}

// RenewLease implements Leases. A lease that expired and that nobody took meanwhile is renewed; a released one is
// lost.
func (s *SQLiteStore) RenewLease(ctx context.Context, run scheduler.RunID, generation int64, _, expires time.Time) error {
	return s.applyOne(ctx, "renew lease of run "+string(run), func() error { return lost(run, generation) },
		renewLease, micros(expires), string(run), generation)
}

// ReleaseLease implements Leases. The lease has no expiry from then on.
func (s *SQLiteStore) ReleaseLease(ctx context.Context, run scheduler.RunID, generation int64) error {
	return s.applyOne(ctx, "release lease of run "+string(run), func() error { return lost(run, generation) },
		releaseLease, string(run), generation)
}

func lost(run scheduler.RunID, generation int64) error {
	return &Error{
		Op: "check lease", Kind: ErrLeaseLost,
		Err:  fmt.Errorf("generation %d of run %s is not the present one", generation, run),
		Hint: "another process owns the run now",
	}
}

// GetLease implements Leases. A released lease has a zero ExpiresAt.
func (s *SQLiteStore) GetLease(ctx context.Context, run scheduler.RunID) (l Lease, err error) {
	err = s.read(ctx, "get lease of run "+string(run), func(ctx context.Context, q querier) error {
		const text = "SELECT run, generation, owner, pid, host, expires_at FROM leases WHERE run = ?"
		var expires sql.NullInt64
		err := q.QueryRowContext(ctx, text, string(run)).Scan((*string)(&l.Run), &l.Generation, &l.Owner, &l.PID, &l.Host, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			return &Error{Op: "find lease", Kind: ErrNotFound, Err: fmt.Errorf("run %s never had an owner", run)}
		}
		l.ExpiresAt = timeOf(expires)
		return err
	})
	return l, err
}
