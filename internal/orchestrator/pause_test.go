package orchestrator_test

import (
	"path/filepath"
	"testing"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/scheduler"
)

// pausable is a run whose first task ends when a file is there.
func pausable(t *testing.T) (r *rig, began, goOn string) {
	r = newRig(t)
	began, goOn = filepath.Join(r.data, "began"), filepath.Join(r.data, "go-on")
	r.create(
		&scheduler.Task{ID: "a", Command: "touch " + began + "; until test -e " + goOn + "; do sleep 0.02; done", Isolation: scheduler.IsolationNone},
		&scheduler.Task{ID: "b", Command: "true", DependsOn: []scheduler.TaskID{"a"}, Isolation: scheduler.IsolationNone},
	)
	return r, began, goOn
}

// taken waits until the owner has consumed a request.
func (r *rig) taken(id int64) {
	r.t.Helper()
	r.until("the request is taken", func() bool {
		req, err := r.store.GetRequest(r.ctx, id)
		if err != nil {
			r.t.Fatal(err)
		}
		if req.Error != "" {
			r.t.Fatalf("refused: %s", req.Error)
		}
		return !req.ConsumedAt.IsZero()
	})
}

func TestAPausedRunFinishesWhatRunsAndStartsNothing(t *testing.T) {
	r, began, goOn := pausable(t)
	_, wait := r.begin()
	r.until("a runs", func() bool { return r.exists(began) })
	r.taken(r.request(orchestrator.RequestPause, orchestrator.PauseRequest{}))
	writeFile(t, goOn, "")
	if s := wait(); s != scheduler.RunPaused || r.states() != "a completed, b eligible" {
		t.Fatalf("%s: %s", s, r.states())
	}
	// What was asked of an owner that is gone does not hold for the next one.
	r.request(orchestrator.RequestPause, orchestrator.PauseRequest{})
	if s := r.finish(); s != scheduler.RunCompleted || r.states() != "a completed, b completed" {
		t.Fatalf("%s: %s", s, r.states())
	}
}

func TestAPauseCanBeTakenBack(t *testing.T) {
	r, began, goOn := pausable(t)
	_, wait := r.begin()
	r.until("a runs", func() bool { return r.exists(began) })
	r.taken(r.request(orchestrator.RequestPause, orchestrator.PauseRequest{}))
	r.taken(r.request(orchestrator.RequestPause, orchestrator.PauseRequest{Off: true}))
	writeFile(t, goOn, "")
	if s := wait(); s != scheduler.RunCompleted {
		t.Fatalf("%s: %s", s, r.states())
	}
}
