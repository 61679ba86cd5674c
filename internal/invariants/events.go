package invariants

import (
	"slices"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
)

// follows says which states may follow one. What is settled is left only by an explicit retry.
var follows = map[scheduler.TaskStatus][]scheduler.TaskStatus{
	scheduler.TaskPending: {scheduler.TaskEligible, scheduler.TaskSkipped, scheduler.TaskCanceled},
	scheduler.TaskEligible: {
		scheduler.TaskEligible, scheduler.TaskRunning, scheduler.TaskPending, scheduler.TaskSkipped, scheduler.TaskCanceled,
	},
	scheduler.TaskRunning: {
		scheduler.TaskRunning, scheduler.TaskEligible, scheduler.TaskPending, scheduler.TaskCompleted,
		scheduler.TaskFailed, scheduler.TaskSkipped, scheduler.TaskCanceled,
	},
}

// fold is what the events say of the run, up to one of them.
type fold struct {
	state     map[scheduler.TaskID]scheduler.TaskStatus
	held      map[scheduler.TaskID]bool   // waits with a conflict: it has no slot and no files
	parked    map[scheduler.TaskID]bool   // waits for a time or a person's word: it has its files and no slot
	own       map[scheduler.TaskID]bool   // skipped by its own failure
	commit    map[scheduler.TaskID]string // what its completion merged
	spent     map[scheduler.TaskID]int
	started   map[key]bool
	slots     int
	owners    int64
	lastState string
}

// checkEvents plays the events and holds what they tell against the rules and against the records.
func (c *checker) checkEvents() {
	f := &fold{
		state: map[scheduler.TaskID]scheduler.TaskStatus{}, held: map[scheduler.TaskID]bool{}, parked: map[scheduler.TaskID]bool{}, own: map[scheduler.TaskID]bool{},
		commit: map[scheduler.TaskID]string{}, spent: map[scheduler.TaskID]int{}, started: map[key]bool{},
	}
	for _, t := range c.Tasks {
		f.state[t.ID] = scheduler.TaskPending
		if len(t.DependsOn) == 0 { // nothing has to happen for it to be so
			f.state[t.ID] = scheduler.TaskEligible
		}
	}
	c.readEdits(f)
	for i, e := range c.Events {
		if e.Seq != int64(i+1) {
			c.broken(Events, "event %d has sequence number %d", i+1, e.Seq)
			return
		}
		if e.Task == "" {
			c.runEvent(f, e)
			continue
		}
		if c.task[scheduler.TaskID(e.Task)] == nil {
			c.broken(Events, "event %d tells of task %s, which there is not", e.Seq, e.Task)
			continue
		}
		c.taskEvent(f, e)
	}
	for _, t := range c.Tasks {
		waits := f.state[t.ID] == scheduler.TaskEligible && t.Status == scheduler.TaskPending && len(c.Events) == 0
		if f.state[t.ID] != t.Status && !waits {
			c.broken(Events, "%s is %s, its events end with %s", t.ID, t.Status, f.state[t.ID])
		}
	}
	for _, a := range c.Attempts {
		if k := (key{a.Task, a.Number}); !f.started[k] {
			c.broken(Events, "%s was started without an event", k)
		}
	}
	if f.owners > c.Owners {
		c.broken(OneWriter, "%d owners began to work, but the lease was given %d times", f.owners, c.Owners)
	}
	// A run is created, and reopened by a retry, without an event of its own; it is running then.
	if f.lastState != "" && f.lastState != string(c.Run.State) && c.Run.State != scheduler.RunRunning {
		c.broken(Events, "the run is %s, its events end with %s", c.Run.State, f.lastState)
	}
}

func (c *checker) runEvent(f *fold, e event.Event) {
	switch e.Kind {
	case event.RunEdited:
		f.slots = e.Concurrency
	case event.RunStarted, event.RunResumed:
		f.owners++
		f.slots = e.Concurrency
		if (e.Kind == event.RunStarted) != (f.owners == 1) {
			c.broken(Events, "event %d is %s, of owner %d", e.Seq, e.Kind, f.owners)
		}
	}
	if e.State != "" {
		f.lastState = e.State
	}
}

func (c *checker) taskEvent(f *fold, e event.Event) {
	id, to := scheduler.TaskID(e.Task), scheduler.TaskStatus(e.Status)
	from := f.state[id]
	k := key{id, e.Attempt}
	if (e.Phase != "" || to != "") && e.Kind != event.TaskGranted { // a word gives no slot
		delete(f.parked, id)
	}
	switch e.Kind {
	case event.TaskStarted:
		delete(c.reset, id)
		c.startEvent(f, e, id)
	case event.TaskPhase:
		if scheduler.Phase(e.Phase) == scheduler.PhaseWorking {
			c.worked[k] = true
		}
	case event.TaskConflict:
		f.held[id] = true
	case event.TaskWaiting, event.TaskApproval, event.TaskBudget:
		f.parked[id] = true
	case event.TaskRetrying, event.TaskFailed:
		if !e.Rejected {
			f.spent[id]++
		}
	case event.TaskSkipped:
		if f.own[id] = from == scheduler.TaskRunning; f.own[id] {
			f.spent[id]++
		}
	case event.TaskCompleted:
		f.commit[id] = e.Commit
	case event.TaskReset:
		f.spent[id], c.reset[id] = 0, true
	}
	if to == "" { // it tells no state
		return
	}
	if to != scheduler.TaskRunning {
		delete(f.held, id)
	}
	reset := e.Kind == event.TaskReset && to == scheduler.TaskPending
	if !reset && !(e.Kind == event.TaskEdited && mayBeEdited(from, to)) && !slices.Contains(follows[from], to) {
		rule := Events
		if from.Terminal() {
			rule = NoRerun
		}
		c.broken(rule, "event %d (%s) takes %s from %s to %s", e.Seq, e.Kind, id, from, to)
	}
	f.state[id] = to
}

// startEvent checks what must be true at the instant at which an attempt starts.
func (c *checker) startEvent(f *fold, e event.Event, id scheduler.TaskID) {
	k := key{id, e.Attempt}
	if f.started[k] {
		c.broken(NoRerun, "%s started twice", k)
	}
	f.started[k] = true
	if scheduler.Phase(e.Phase) == scheduler.PhaseWorking {
		c.worked[k] = true
	}
	t := c.task[id]
	if c.before(e, id) {
		return // by a plan that is not known any more
	}
	if allowed := max(t.Attempts, 1); f.spent[id] >= allowed && !c.resolves(k) {
		c.broken(Allowance, "%s started although %s had spent all of its %d attempts", k, id, allowed)
	}
	for _, need := range t.DependsOn {
		n := c.task[need]
		switch state := f.state[need]; {
		case c.before(e, need):
		case state == scheduler.TaskCompleted:
			c.checkBase(k, need, f.commit[need])
		case state == scheduler.TaskFailed && n.FailureMode == scheduler.FailSoft:
		case state == scheduler.TaskSkipped && n.FailureMode == scheduler.FailSkip && f.own[need]:
		default:
			c.broken(Needs, "%s started while %s, which it needs, was %s", k, need, state)
		}
	}
	active := 1
	for _, other := range c.Tasks {
		if other.ID == id || f.state[other.ID] != scheduler.TaskRunning || f.held[other.ID] {
			continue
		}
		if !f.parked[other.ID] {
			active++
		}
		if !c.before(e, other.ID) && scheduler.Overlap(t.WritesFiles, other.WritesFiles) {
			c.broken(Exclusion, "%s started while %s ran, which writes the same files", k, other.ID)
		}
	}
	if f.slots > 0 && active > f.slots {
		c.broken(Limit, "%s started as one of %d, with %d slots", k, active, f.slots)
	}
}

// resolves says whether an attempt is the resolver's, which is beside those that the task is allowed.
func (c *checker) resolves(k key) bool {
	a := c.attempt[k]
	return a != nil && a.Resolve != nil
}

// checkBase says whether what a need had merged is in the base of an attempt.
func (c *checker) checkBase(k key, need scheduler.TaskID, merge string) {
	a := c.attempt[k]
	if a == nil || a.Base == "" || merge == "" || c.Missing != "" {
		return
	}
	base, known := c.place[a.Base]
	merged, ours := c.place[merge]
	if !known || !ours || merged > base {
		c.broken(Needs, "the work of %s (%.10s) is not in the base (%.10s) of %s", need, merge, a.Base, k)
	}
}
