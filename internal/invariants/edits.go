package invariants

import (
	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
)

// edit is the last edit of the plan that changed a task.
type edit struct {
	seq     int64
	attempt int // the last one before it
}

// readEdits finds the edits of the plan. What a task was before is not kept, so that what happened until then cannot be
// held against what it is now; it may have needed nothing, too.
func (c *checker) readEdits(f *fold) {
	for _, e := range c.Events {
		if id := scheduler.TaskID(e.Task); e.Kind == event.TaskEdited {
			c.edits[id] = edit{seq: e.Seq, attempt: e.Attempt}
			f.state[id] = scheduler.TaskEligible
		}
	}
}

// before says whether an event is of a time in which a task may have been another one.
func (c *checker) before(e event.Event, id scheduler.TaskID) bool { return e.Seq < c.edits[id].seq }

// mayBeEdited says whether a task can have been in one state and be told to be in another when the plan is edited: it
// is where it was, or was removed. Of one that did not run yet nobody had told whether it waited.
func mayBeEdited(from, to scheduler.TaskStatus) bool {
	waits := func(s scheduler.TaskStatus) bool { return s == scheduler.TaskPending || s == scheduler.TaskEligible }
	return from == to || waits(from) && waits(to) ||
		to == scheduler.TaskCanceled && from != scheduler.TaskRunning && from != scheduler.TaskCompleted
}
