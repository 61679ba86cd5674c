package storetest

import (
	"context"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// lasting is a store whose writing callers cannot be cancelled, as those of the engine cannot. A store may serve them
// in another way, and must do the same for them.
type lasting struct{ persistence.Store }

// Lasting returns the store for callers that cannot be cancelled.
func Lasting(s persistence.Store) persistence.Store { return lasting{s} }

func (s lasting) Apply(ctx context.Context, t persistence.Transition) (int64, error) {
	return s.Store.Apply(context.WithoutCancel(ctx), t)
}

func (s lasting) SaveTask(ctx context.Context, run scheduler.RunID, t *scheduler.Task) error {
	return s.Store.SaveTask(context.WithoutCancel(ctx), run, t)
}

func (s lasting) UpdateTaskStatus(ctx context.Context, run scheduler.RunID, id scheduler.TaskID, status scheduler.TaskStatus, result *string, errText string) error {
	return s.Store.UpdateTaskStatus(context.WithoutCancel(ctx), run, id, status, result, errText)
}

func (s lasting) DeleteTask(ctx context.Context, run scheduler.RunID, id scheduler.TaskID) error {
	return s.Store.DeleteTask(context.WithoutCancel(ctx), run, id)
}

func (s lasting) SaveSession(ctx context.Context, session persistence.Session) error {
	return s.Store.SaveSession(context.WithoutCancel(ctx), session)
}

func (s lasting) SaveMessage(ctx context.Context, run scheduler.RunID, task scheduler.TaskID, turns ...persistence.ConversationTurn) error {
	return s.Store.SaveMessage(context.WithoutCancel(ctx), run, task, turns...)
}

func (s lasting) CreateRun(ctx context.Context, r persistence.Run, tasks []*scheduler.Task, events ...event.Event) error {
	return s.Store.CreateRun(context.WithoutCancel(ctx), r, tasks, events...)
}

func (s lasting) DeleteRun(ctx context.Context, id scheduler.RunID) error {
	return s.Store.DeleteRun(context.WithoutCancel(ctx), id)
}

func (s lasting) AcquireLease(ctx context.Context, l persistence.Lease, now time.Time, force bool) (int64, error) {
	return s.Store.AcquireLease(context.WithoutCancel(ctx), l, now, force)
}

func (s lasting) RenewLease(ctx context.Context, run scheduler.RunID, generation int64, now, expires time.Time) error {
	return s.Store.RenewLease(context.WithoutCancel(ctx), run, generation, now, expires)
}

func (s lasting) ReleaseLease(ctx context.Context, run scheduler.RunID, generation int64) error {
	return s.Store.ReleaseLease(context.WithoutCancel(ctx), run, generation)
}

func (s lasting) AddRequest(ctx context.Context, r persistence.Request) (int64, error) {
	return s.Store.AddRequest(context.WithoutCancel(ctx), r)
}
