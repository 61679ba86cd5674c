package storefault

import (
	"context"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// Apply implements persistence.Store.
func (s *Store) Apply(ctx context.Context, t persistence.Transition) (int64, error) {
	return write(ctx, s, "Apply", func() (int64, error) { return s.below.Apply(ctx, t) })
}

// Events implements persistence.Store.
func (s *Store) Events(ctx context.Context, run scheduler.RunID, after int64, limit int) ([]event.Event, error) {
	return read(ctx, s, "Events", func() ([]event.Event, error) { return s.below.Events(ctx, run, after, limit) })
}

// DataVersion implements persistence.Store.
func (s *Store) DataVersion(ctx context.Context) (int64, error) {
	return read(ctx, s, "DataVersion", func() (int64, error) { return s.below.DataVersion(ctx) })
}

// Close implements persistence.Store. It always reaches the store below, which must not be left open by a test that
// plays a crash; a fault of Close strikes after it.
func (s *Store) Close() error {
	if err := s.below.Close(); err != nil {
		return err
	}
	f, _ := s.strike("Close", false, After) // the dead complain no more
	switch {
	case f == nil:
		return nil
	case f.Err != nil:
		return f.Err
	}
	return ErrInjected
}

// SaveTask implements persistence.Tasks.
func (s *Store) SaveTask(ctx context.Context, run scheduler.RunID, t *scheduler.Task) error {
	return do(ctx, s, "SaveTask", func() error { return s.below.SaveTask(ctx, run, t) })
}

// GetTask implements persistence.Tasks.
func (s *Store) GetTask(ctx context.Context, run scheduler.RunID, id scheduler.TaskID) (*scheduler.Task, error) {
	return read(ctx, s, "GetTask", func() (*scheduler.Task, error) { return s.below.GetTask(ctx, run, id) })
}

// UpdateTaskStatus implements persistence.Tasks.
func (s *Store) UpdateTaskStatus(ctx context.Context, run scheduler.RunID, id scheduler.TaskID, status scheduler.TaskStatus, result *string, errText string) error {
	return do(ctx, s, "UpdateTaskStatus", func() error {
		return s.below.UpdateTaskStatus(ctx, run, id, status, result, errText)
	})
}

// ListTasks implements persistence.Tasks.
func (s *Store) ListTasks(ctx context.Context, run scheduler.RunID) ([]*scheduler.Task, error) {
	return read(ctx, s, "ListTasks", func() ([]*scheduler.Task, error) { return s.below.ListTasks(ctx, run) })
}

// DeleteTask implements persistence.Tasks.
func (s *Store) DeleteTask(ctx context.Context, run scheduler.RunID, id scheduler.TaskID) error {
	return do(ctx, s, "DeleteTask", func() error { return s.below.DeleteTask(ctx, run, id) })
}

// SaveSession implements persistence.Conversations.
func (s *Store) SaveSession(ctx context.Context, session persistence.Session) error {
	return do(ctx, s, "SaveSession", func() error { return s.below.SaveSession(ctx, session) })
}

// GetSession implements persistence.Conversations.
func (s *Store) GetSession(ctx context.Context, run scheduler.RunID, task scheduler.TaskID) (persistence.Session, error) {
	return read(ctx, s, "GetSession", func() (persistence.Session, error) { return s.below.GetSession(ctx, run, task) })
}

// SaveMessage implements persistence.Conversations.
func (s *Store) SaveMessage(ctx context.Context, run scheduler.RunID, task scheduler.TaskID, turns ...persistence.ConversationTurn) error {
	return do(ctx, s, "SaveMessage", func() error { return s.below.SaveMessage(ctx, run, task, turns...) })
}

// GetHistory implements persistence.Conversations.
func (s *Store) GetHistory(ctx context.Context, run scheduler.RunID, task scheduler.TaskID) ([]persistence.ConversationTurn, error) {
	return read(ctx, s, "GetHistory", func() ([]persistence.ConversationTurn, error) { return s.below.GetHistory(ctx, run, task) })
}

// HistoryPage implements persistence.Conversations.
func (s *Store) HistoryPage(ctx context.Context, run scheduler.RunID, task scheduler.TaskID, after int64, limit int) (persistence.HistoryPage, error) {
	return read(ctx, s, "HistoryPage", func() (persistence.HistoryPage, error) {
		return s.below.HistoryPage(ctx, run, task, after, limit)
	})
}

// LastTurns implements persistence.Conversations.
func (s *Store) LastTurns(ctx context.Context, run scheduler.RunID, task scheduler.TaskID, limit int) (turns []persistence.ConversationTurn, before int, err error) {
	turns, err = read(ctx, s, "LastTurns", func() (turns []persistence.ConversationTurn, err error) {
		turns, before, err = s.below.LastTurns(ctx, run, task, limit)
		return turns, err
	})
	return turns, before, err
}

// SearchTurns implements persistence.Conversations.
func (s *Store) SearchTurns(ctx context.Context, q persistence.TurnQuery) ([]persistence.FoundTurn, error) {
	return read(ctx, s, "SearchTurns", func() ([]persistence.FoundTurn, error) { return s.below.SearchTurns(ctx, q) })
}

// CountRun implements persistence.Runs.
func (s *Store) CountRun(ctx context.Context, id scheduler.RunID) (persistence.RunCounts, error) {
	return read(ctx, s, "CountRun", func() (persistence.RunCounts, error) { return s.below.CountRun(ctx, id) })
}

// Check implements persistence.Maintenance.
func (s *Store) Check(ctx context.Context) error {
	_, err := read(ctx, s, "Check", func() (struct{}, error) { return struct{}{}, s.below.Check(ctx) })
	return err
}

// Backup implements persistence.Maintenance. It counts as reading: nothing of the store changes.
func (s *Store) Backup(ctx context.Context, file string) error {
	_, err := read(ctx, s, "Backup", func() (struct{}, error) { return struct{}{}, s.below.Backup(ctx, file) })
	return err
}

// CreateRun implements persistence.Runs.
func (s *Store) CreateRun(ctx context.Context, r persistence.Run, tasks []*scheduler.Task, events ...event.Event) error {
	return do(ctx, s, "CreateRun", func() error { return s.below.CreateRun(ctx, r, tasks, events...) })
}

// GetRun implements persistence.Runs.
func (s *Store) GetRun(ctx context.Context, id scheduler.RunID) (persistence.Run, error) {
	return read(ctx, s, "GetRun", func() (persistence.Run, error) { return s.below.GetRun(ctx, id) })
}

// ListRuns implements persistence.Runs.
func (s *Store) ListRuns(ctx context.Context, f persistence.RunFilter) ([]persistence.Run, error) {
	return read(ctx, s, "ListRuns", func() ([]persistence.Run, error) { return s.below.ListRuns(ctx, f) })
}

// DeleteRun implements persistence.Runs.
func (s *Store) DeleteRun(ctx context.Context, id scheduler.RunID) error {
	return do(ctx, s, "DeleteRun", func() error { return s.below.DeleteRun(ctx, id) })
}

// ListAttempts implements persistence.Runs.
func (s *Store) ListAttempts(ctx context.Context, run scheduler.RunID, task scheduler.TaskID) ([]persistence.Attempt, error) {
	return read(ctx, s, "ListAttempts", func() ([]persistence.Attempt, error) { return s.below.ListAttempts(ctx, run, task) })
}

// Durations implements persistence.Runs.
func (s *Store) Durations(ctx context.Context, repository, plan string) (persistence.Durations, error) {
	return read(ctx, s, "Durations", func() (persistence.Durations, error) { return s.below.Durations(ctx, repository, plan) })
}

// AcquireLease implements persistence.Leases.
func (s *Store) AcquireLease(ctx context.Context, l persistence.Lease, now time.Time, force bool) (int64, error) {
	return write(ctx, s, "AcquireLease", func() (int64, error) { return s.below.AcquireLease(ctx, l, now, force) })
}

// RenewLease implements persistence.Leases.
func (s *Store) RenewLease(ctx context.Context, run scheduler.RunID, generation int64, now, expires time.Time) error {
	return do(ctx, s, "RenewLease", func() error { return s.below.RenewLease(ctx, run, generation, now, expires) })
}

// ReleaseLease implements persistence.Leases.
func (s *Store) ReleaseLease(ctx context.Context, run scheduler.RunID, generation int64) error {
	return do(ctx, s, "ReleaseLease", func() error { return s.below.ReleaseLease(ctx, run, generation) })
}

// GetLease implements persistence.Leases.
func (s *Store) GetLease(ctx context.Context, run scheduler.RunID) (persistence.Lease, error) {
	return read(ctx, s, "GetLease", func() (persistence.Lease, error) { return s.below.GetLease(ctx, run) })
}

// AddRequest implements persistence.Requests.
func (s *Store) AddRequest(ctx context.Context, r persistence.Request) (int64, error) {
	return write(ctx, s, "AddRequest", func() (int64, error) { return s.below.AddRequest(ctx, r) })
}

// PendingRequests implements persistence.Requests.
func (s *Store) PendingRequests(ctx context.Context, run scheduler.RunID) ([]persistence.Request, error) {
	return read(ctx, s, "PendingRequests", func() ([]persistence.Request, error) { return s.below.PendingRequests(ctx, run) })
}

// GetRequest implements persistence.Requests.
func (s *Store) GetRequest(ctx context.Context, id int64) (persistence.Request, error) {
	return read(ctx, s, "GetRequest", func() (persistence.Request, error) { return s.below.GetRequest(ctx, id) })
}
