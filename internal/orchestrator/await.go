package orchestrator

import (
	"fmt"
	"maps"
	"slices"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// awaits says whether an attempt waits until another task has repaired the merged work.
func awaits(a *persistence.Attempt) bool {
	return a != nil && a.Phase == scheduler.PhaseWaiting && a.Outcome == "" && a.Awaits != ""
}

// await parks an attempt whose work is saved until the task that broke the merged work is through with its repair. It
// spends nothing.
func (e *Engine) await(b *batch, t *tracked, bl *blame) {
	a := t.attempt
	a.Phase, a.Awaits, a.MergeOld, a.MergeNew = scheduler.PhaseWaiting, bl.culprit, "", ""
	b.record(*a)
	b.t.Events = append(b.t.Events,
		e.event(event.Notice, bl.culprit, bl.number, event.Detail{
			Message: fmt.Sprintf("broke what is merged, as task %s found: %s", a.Task, oneLine(bl.red.text)), Output: excerpt(bl.red.output),
		}),
		e.event(event.TaskWaiting, a.Task, a.Number, event.Detail{
			Status: string(scheduler.TaskRunning), Phase: string(scheduler.PhaseWaiting), Reason: awaitText(a),
		}))
	e.awaiting[a.Task] = true
	e.must(b, scheduler.Parked{Task: a.Task})
}

func awaitText(a *persistence.Attempt) string {
	return fmt.Sprintf("until %s has repaired what is merged", a.Awaits)
}

// wakeAwaiting lets attempts go on with their merge whose wait is over, one way or the other. It costs nothing when none
// waits.
func (e *Engine) wakeAwaiting(b *batch) {
	if len(e.awaiting) == 0 || e.stopping {
		return
	}
	quiet := e.live == 0 && len(e.parked) == 0 && len(b.starts) == 0 // nothing comes by itself any more
	for _, id := range slices.Sorted(maps.Keys(e.awaiting)) {
		t := e.tasks[id]
		c := e.tasks[t.attempt.Awaits]
		if quiet && c != nil && c.underWay() && e.wantsWord(c) {
			if !t.shelved { // the run may wait for that person
				t.shelved = true
				e.must(b, scheduler.Parked{Task: id, Person: true})
			}
			continue
		}
		if over := c == nil || !c.underWay(); over || quiet {
			t.stuck = !over
			delete(e.awaiting, id)
			e.must(b, scheduler.Due{Task: id})
		}
	}
}

// wantsWord says whether a task waits for a person's word, or for more budget of the run.
func (e *Engine) wantsWord(t *tracked) bool {
	_, held := e.holds[budgetHold]
	return held || t.task.Status == scheduler.TaskRunning && asks(t.attempt)
}

// mergeAgain starts the attempt of a task again that waited for a repair: its work is done and saved.
func (e *Engine) mergeAgain(b *batch, t *tracked) {
	a := t.attempt
	a.Phase, a.Awaits = scheduler.PhaseMerging, ""
	t.shelved = false
	b.record(*a)
	b.t.Events = append(b.t.Events, e.phaseOf(a))
	b.starts = append(b.starts, start{attempt: *a, from: scheduler.PhaseMerging})
	e.live++
}
