package orchestrator

import (
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// meter counts what tasks and the run have spent, from the records of attempts and from events alone: those that were
// stored before, and then each as it is stored. So what an earlier owner spent counts, and nothing counts twice. It is
// the loop's own.
type meter struct {
	used  map[attemptKey]scheduler.Budget // what the agents of attempts used
	tasks map[scheduler.TaskID]*expense
	run   expense
	last  time.Time // of the last event
}

// expense is what a task or the run has spent, and the clock of its work.
type expense struct {
	spent scheduler.Budget
	since time.Time // the clock runs from then on; zero = it stands still
	asked int       // questions that its agent waits with
}

func newMeter(attempts []persistence.Attempt, events []event.Event) *meter {
	m := &meter{used: map[attemptKey]scheduler.Budget{}, tasks: map[scheduler.TaskID]*expense{}}
	for i := range attempts {
		m.record(&attempts[i])
	}
	for i := range events {
		m.fold(&events[i])
	}
	return m
}

// record takes in what is stored of an attempt.
func (m *meter) record(a *persistence.Attempt) {
	if a.Work == nil {
		return
	}
	k, now := attemptKey{a.Task, a.Number}, a.Work.Spent()
	more := now.Minus(m.used[k])
	if more.IsZero() {
		return
	}
	m.used[k] = now
	x := m.task(a.Task)
	x.spent, m.run.spent = x.spent.Add(more), m.run.spent.Add(more)
}

func (m *meter) task(id scheduler.TaskID) *expense {
	x := m.tasks[id]
	if x == nil {
		x = &expense{}
		m.tasks[id] = x
	}
	return x
}

// fold takes in a stored event: clocks run while an attempt is at work, and stand still while it waits.
func (m *meter) fold(e *event.Event) {
	if e.Task == "" {
		m.foldRun(e)
	} else {
		m.foldTask(e)
	}
	if e.Time.After(m.last) {
		m.last = e.Time
	}
}

func (m *meter) foldRun(e *event.Event) {
	switch e.Kind {
	case event.RunStarted, event.RunResumed:
		m.stop(m.last) // an owner that died said nothing: it worked until its last word
		m.run.since = e.Time
	case event.RunPaused, event.RunWaiting, event.RunFinished:
		m.stop(e.Time)
	}
}

// stop stands every clock still.
func (m *meter) stop(at time.Time) {
	m.run.pause(at)
	for _, x := range m.tasks {
		x.pause(at)
		x.asked = 0
	}
}

func (m *meter) foldTask(e *event.Event) {
	x := m.task(scheduler.TaskID(e.Task))
	switch e.Kind {
	case event.TaskStarted, event.TaskPhase:
		x.asked = 0
		x.start(e.Time)
		m.run.start(e.Time) // a retry begins to work on a run that was over
	case event.TaskQuestion:
		x.asked++
		x.pause(e.Time)
	case event.TaskAnswered:
		if x.asked = max(x.asked-1, 0); x.asked == 0 {
			x.start(e.Time)
		}
	case event.TaskInterrupted:
		x.pause(e.Time)
		if e.Status == string(scheduler.TaskRunning) { // it goes on
			x.start(e.Time)
		}
	case event.TaskWaiting, event.TaskApproval, event.TaskBudget, event.TaskConflict, event.TaskRetrying, event.TaskCompleted,
		event.TaskFailed, event.TaskSkipped, event.TaskCanceled, event.TaskReset:
		x.pause(e.Time)
	}
}

func (x *expense) start(at time.Time) {
	if x.since.IsZero() {
		x.since = at
	}
}

func (x *expense) pause(at time.Time) {
	if !x.since.IsZero() {
		x.spent.Time += max(at.Sub(x.since), 0)
	}
	x.since = time.Time{}
}

// at is what was spent until now.
func (x *expense) at(now time.Time) scheduler.Budget {
	spent := x.spent
	if !x.since.IsZero() {
		spent.Time += max(now.Sub(x.since), 0)
	}
	return spent
}
