package scheduler

import (
	"fmt"
	"strings"
	"time"
)

// Options are the settings of a run. The zero value is one attempt at a time, no hints, a run in full swing.
type Options struct {
	Concurrency int                      // attempts at a time; less than 1 counts as 1
	FailFast    bool                     // the first failure, hard or soft, cancels what has not started
	ByTask      map[TaskID]time.Duration // how long attempts took before, by task
	ByAgent     map[string]time.Duration // and by Task.AgentRole
	Paused      bool                     // an earlier owner was asked to pause
	Canceled    bool                     // an earlier owner was asked to cancel the run; Begin goes on with that
}

// Progress restores what statuses do not say about a task.
type Progress struct {
	Started  int  // attempts ever started; the next has this number plus one
	Spent    int  // how many of them count against Task.Attempts: failed or in conflict, since the last retry
	Held     bool // running, but its attempt waits for a person
	Stopping bool // running, and a person asked to cancel it
	Parked   bool // running, but its attempt waits until a time, or
	Person   bool // with Parked: for a person's word
}

// The texts in Task.Error that say why a task was not run. They are written by this package alone and read back
// by NewState, so that a restored run behaves as the undisturbed one.
const (
	needsText       = "needs "       // + the task at the root: skipped because that one failed hard or was canceled
	canceledText    = "canceled"     // by a person, by name
	runCanceledText = "run canceled" // with the run
	failFastText    = "fail-fast: "  // + the task that failed
)

// State is a run's graph and how far it has come. It is not safe for concurrent use.
//
// A skipped task is either skipped for another one, and then so are its dependents, or it failed itself with mode
// skip, and then its dependents run. Its Error tells them apart: exactly "needs X", with X a task of the run, is
// the former, and an attempt's own error that reads so is stored with "attempt failed: " in front of it.
//
// Fail-fast needs no memory: what has not started is canceled in the step in which a task fails. Tasks that
// run then finish with the attempts that they have left.
type State struct {
	nodes  []node
	index  map[TaskID]int32
	counts [places]int

	concurrency int
	failFast    bool
	begun       bool
	paused      bool
	canceled    bool // the run, and not retried since

	ready     *readyTasks
	due       []int32         // parked and asking tasks that can go on, first come first served
	holds     map[string]bool // agents whose tasks do not start: true = until a person lifts it
	estimates *estimates

	effects []Effect // of the step under way
}

type node struct {
	id      TaskID
	agent   string
	mode    FailureMode
	allowed int
	needs   []int32
	feeds   []int32 // dependents, in plan order

	place   place
	started int
	spent   int
	result  *string
	err     string
	stop    string // while stopping: the error that it gets when it is canceled
	open    int32  // needs that are not settled
	blocked int32  // needs that are settled and stand in its way
	root    int32  // of a task skipped for another one: that one; else -1
	listed  bool   // it is among the ready tasks
	due     bool   // parked or asking, and what it waited for is there
}

// NewState checks the graph and takes over statuses, results and errors; it keeps no reference to tasks. Tasks are
// in plan order. It is an error when two tasks have one id, a dependency does not exist, a status is unknown, or
// there is a cycle, which is named from its smallest id: "a → b → a".
func NewState(tasks []*Task, progress map[TaskID]Progress, o Options) (*State, error) {
	s := &State{
		nodes:       make([]node, len(tasks)),
		index:       make(map[TaskID]int32, len(tasks)),
		concurrency: max(o.Concurrency, 1),
		failFast:    o.FailFast,
		paused:      o.Paused,
		canceled:    o.Canceled,
		holds:       make(map[string]bool),
	}
	for i, t := range tasks {
		if _, twice := s.index[t.ID]; twice {
			return nil, fmt.Errorf("task %s: the id is there twice", t.ID)
		}
		s.index[t.ID] = int32(i)
	}
	for i, t := range tasks {
		if err := s.restore(int32(i), t, progress[t.ID]); err != nil {
			return nil, err
		}
	}
	for i, t := range tasks {
		if err := s.connect(int32(i), t); err != nil {
			return nil, err
		}
	}
	order, err := s.topological(tasks)
	if err != nil {
		return nil, err
	}
	s.estimates = newEstimates(s.nodes, order, o)
	s.ready = newReadyTasks(tasks, s.estimates.paths)
	s.recount()
	return s, nil
}

func (s *State) restore(i int32, t *Task, p Progress) error {
	n := &s.nodes[i]
	*n = node{
		id: t.ID, agent: t.AgentRole, mode: t.FailureMode, allowed: max(t.Attempts, 1),
		started: p.Started, spent: p.Spent, result: t.Result, err: t.Error, root: -1,
	}
	switch t.Status {
	case "", TaskPending:
		n.place = pending
	case TaskEligible:
		n.place = eligible
	case TaskRunning:
		n.place = running
		if p.Held {
			n.place = held
		} else if p.Stopping {
			n.place, n.stop = stopping, canceledText // or with the run, which Begin then says again
		} else if p.Parked && p.Person {
			n.place = asking
		} else if p.Parked {
			n.place = parked
		}
	case TaskCompleted:
		n.place = completed
	case TaskFailed:
		n.place = failed
	case TaskCanceled:
		n.place = canceled
	case TaskSkipped:
		n.place = skipped
		if root, ok := s.rootOf(t.Error); ok {
			n.root = root
		} else if t.FailureMode != FailSkip {
			n.root = i // only mode skip skips a task for its own failure; be safe with what is left
		}
	default:
		return fmt.Errorf("task %s: unknown status %q", t.ID, t.Status)
	}
	return nil
}

// connect resolves what a task needs.
func (s *State) connect(i int32, t *Task) error {
	n := &s.nodes[i]
	n.needs = make([]int32, 0, len(t.DependsOn))
	for _, id := range t.DependsOn {
		need, known := s.index[id]
		if !known {
			return fmt.Errorf("task %s: needs %s, which does not exist", t.ID, id)
		}
		n.needs = append(n.needs, need)
		s.nodes[need].feeds = append(s.nodes[need].feeds, i)
	}
	return nil
}

// rootOf reads the task from the error of one that was skipped for it.
func (s *State) rootOf(errText string) (int32, bool) {
	id, ok := strings.CutPrefix(errText, needsText)
	if !ok {
		return -1, false
	}
	i, known := s.index[TaskID(id)]
	return i, known
}

// topological returns the tasks so that each comes after what it needs.
func (s *State) topological(tasks []*Task) ([]int32, error) {
	order := make([]int32, 0, len(s.nodes))
	open := make([]int, len(s.nodes))
	for i := range s.nodes {
		if open[i] = len(s.nodes[i].needs); open[i] == 0 {
			order = append(order, int32(i))
		}
	}
	for at := 0; at < len(order); at++ {
		for _, d := range s.nodes[order[at]].feeds {
			if open[d]--; open[d] == 0 {
				order = append(order, d)
			}
		}
	}
	if len(order) == len(s.nodes) {
		return order, nil
	}
	ids, needs := make([]TaskID, len(tasks)), make(map[TaskID][]TaskID, len(tasks))
	for i, t := range tasks {
		ids[i], needs[t.ID] = t.ID, t.DependsOn
	}
	return nil, fmt.Errorf("dependency cycle: %s", CycleText(FindCycle(ids, needs)))
}

// recount derives from the places what the rest of the state counts.
func (s *State) recount() {
	for i := range s.nodes {
		n := &s.nodes[i]
		s.counts[n.place]++
		for _, need := range n.needs {
			if !s.nodes[need].place.settled() {
				n.open++
			} else if s.blocks(need) {
				n.blocked++
			}
		}
		switch {
		case n.place == eligible:
			s.list(int32(i))
		case n.place.active():
			s.ready.acquire(int32(i))
		}
	}
}

// blocks says whether a settled task stands in the way of its dependents.
func (s *State) blocks(i int32) bool {
	n := &s.nodes[i]
	switch n.place {
	case failed:
		return n.mode != FailSoft
	case canceled:
		return true
	case skipped:
		return n.root >= 0
	}
	return false
}

// Status returns the status of a task; ok is false when there is no such task.
func (s *State) Status(id TaskID) (status TaskStatus, ok bool) {
	i, ok := s.index[id]
	if !ok {
		return "", false
	}
	return s.nodes[i].place.status(), true
}

// Progress returns what NewState would have to be given to restore the task as it is now.
func (s *State) Progress(id TaskID) (p Progress, ok bool) {
	i, ok := s.index[id]
	if !ok {
		return Progress{}, false
	}
	n := &s.nodes[i]
	return Progress{
		Started: n.started, Spent: n.spent, Held: n.place == held, Stopping: n.place == stopping,
		Parked: n.place == parked || n.place == asking, Person: n.place == asking,
	}, true
}

// Counts returns how many tasks have each status; statuses without a task are absent.
func (s *State) Counts() map[TaskStatus]int {
	counts := make(map[TaskStatus]int)
	for p, n := range s.counts {
		if n > 0 {
			counts[place(p).status()] += n
		}
	}
	return counts
}

// FailedDependencies returns the direct dependencies of a task that failed softly, in the order of the plan's
// needs: those that its prompt must be told about. An unknown task has none.
func (s *State) FailedDependencies(id TaskID) []TaskID {
	i, ok := s.index[id]
	if !ok {
		return nil
	}
	var ids []TaskID
	for _, need := range s.nodes[i].needs {
		if n := &s.nodes[need]; n.place == failed && n.mode == FailSoft {
			ids = append(ids, n.id)
		}
	}
	return ids
}
