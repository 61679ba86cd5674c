package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// newRequest makes a request row; kind and payload are those of package orchestrator.
func (a *App) newRequest(run scheduler.RunID, kind string, payload any) (persistence.Request, error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return persistence.Request{}, fmt.Errorf("write request %s: %w", kind, err)
	}
	return persistence.Request{Run: run, Kind: kind, Payload: string(body), CreatedAt: a.Now().UTC()}, nil
}

// ask hands a request to the run's owner, or takes the run over when nobody owns it. asked is true when an owner
// has the request now and the caller may wait for it.
func (a *App) ask(ctx context.Context, st persistence.Store, run persistence.Run, kind string, payload any) (asked int64, err error) {
	req, err := a.newRequest(run.ID, kind, payload)
	if err != nil {
		return 0, err
	}
	alive, err := a.ownerAlive(ctx, st, run)
	if err != nil {
		return 0, err
	}
	if alive {
		return st.AddRequest(ctx, req)
	}
	return 0, a.Resume.ResumeRun(ctx, run, []persistence.Request{req})
}

// post stores a request for the run's owner, and says whether there is one.
func (a *App) post(ctx context.Context, st persistence.Store, run persistence.Run, kind string, payload any) (id int64, alive bool, err error) {
	req, err := a.newRequest(run.ID, kind, payload)
	if err != nil {
		return 0, false, err
	}
	if id, err = st.AddRequest(ctx, req); err != nil {
		return 0, false, err
	}
	alive, err = a.ownerAlive(ctx, st, run)
	return id, alive, err
}

// hand is post that waits for the owner's word. taken is false when nobody owns the run: the next owner takes it.
func (a *App) hand(ctx context.Context, st persistence.Store, run persistence.Run, kind string, payload any) (taken bool, err error) {
	id, alive, err := a.post(ctx, st, run, kind, payload)
	if err != nil || !alive {
		return false, err
	}
	return true, a.answered(ctx, st, run, id)
}
