package orchestrator

import (
	"errors"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
)

// RequestPause is the kind of PauseRequest.
const RequestPause = "pause"

// PauseRequest has the owner start nothing new, or, with Off, start tasks again. It holds for that owner only: the next
// one is there because somebody wants the run to go on.
type PauseRequest struct {
	Off bool `json:"off,omitempty"`
}

func (e *Engine) obeyPause(b *batch, c PauseRequest) error {
	if e.stopping {
		return errors.New("the run is being stopped")
	}
	message, in := "nothing new is started, as you wanted; what runs goes on", scheduler.Input(scheduler.Pause{})
	if c.Off {
		message, in = "tasks are started again", scheduler.Unpause{}
	}
	if err := e.step(b, in); err != nil {
		return err
	}
	b.t.Events = append(b.t.Events, e.event(event.Notice, "", 0, event.Detail{Message: message}))
	return nil
}
