package scheduler

import "time"

// Input is something that happened or was asked for: one of Begin, AttemptEnded, Parked, Due, Hold, Release,
// CancelTask, CancelRun, Retry, Pause, Unpause, SetConcurrency, Learned.
type Input interface{ input() }

// Begin starts or resumes the run: what follows from the statuses is settled and tasks start. Nothing starts
// before it. A task restored as running is adopted: it keeps its slot, its files and its attempt without a Start,
// and whoever knows its fate reports it with AttemptEnded.
type Begin struct{}

// AttemptEnded says that the present attempt of a running or held task is over. Of one that waits for a person's word
// it can only have failed.
type AttemptEnded struct {
	Task    TaskID
	Outcome Outcome
	Result  *string // the final summary, with OutcomeSucceeded; nil = none
	Error   string  // why, with OutcomeFailed and OutcomeConflict
	Final   bool    // do not try again, even if attempts are left
	// With OutcomeFailed: a person does not want its work. It spends nothing, and another attempt follows in any case.
	Rejected bool
}

// Parked says that the present attempt of a running task has to wait, until a time or for a person's word. It spends
// nothing, gives its slot back and keeps its files, for it will go on in the same workspace.
type Parked struct {
	Task   TaskID
	Person bool // for a person's word: the run waits when nothing else is left; a task parked until a time may come to that
}

// Due says that what a parked task waited for is there, its time or a person's word: it goes on, by GoOn, as soon as it
// has a slot, before tasks that have not started. A rebuilt State has to be told again.
type Due struct{ Task TaskID }

// Hold keeps tasks of an agent from starting; what runs goes on. A rebuilt State has to be told again.
type Hold struct {
	Agent  string // Task.AgentRole
	Person bool   // until a person lifts it: the run waits when nothing else is left
}

// Release lets tasks of an agent start again.
type Release struct{ Agent string }

// CancelTask ends a task: at once when it has no attempt under way, else through Stop.
type CancelTask struct{ Task TaskID }

// CancelRun ends every task that is not settled and makes the run canceled.
type CancelRun struct{}

// Retry puts failed, skipped, canceled or held tasks back to pending, with all their attempts to spend again.
// Dependents that were skipped for them, or canceled with the run or by fail-fast, come back too; a dependent that
// a person canceled by name does not. It is refused as a whole when a task is unknown, cannot be retried, or has a
// dependency that would only have it skipped again.
type Retry struct {
	Tasks   []TaskID
	Cascade bool // also everything that depends on them, completed or not; completed tasks may then be named too
	Alone   bool // completed tasks may be named, and nothing comes back with them: what has run on their work stays
}

// Pause stops starting tasks; what runs goes on.
type Pause struct{}

// Unpause starts tasks again.
type Unpause struct{}

// SetConcurrency changes how many attempts may run at a time; less than 1 counts as 1. What runs goes on.
type SetConcurrency struct{ N int }

// Learned tells how long a successful attempt of a task took, so that tasks of the same agent are estimated better.
// It changes only the order in which tasks start. Priorities are computed anew when the number of durations
// learned reaches a power of two, about 17 times in a run of 100,000 tasks; that keeps the sum of it small.
type Learned struct {
	Task     TaskID
	Duration time.Duration
}

func (Begin) input()          {}
func (AttemptEnded) input()   {}
func (Parked) input()         {}
func (Due) input()            {}
func (Hold) input()           {}
func (Release) input()        {}
func (CancelTask) input()     {}
func (CancelRun) input()      {}
func (Retry) input()          {}
func (Pause) input()          {}
func (Unpause) input()        {}
func (SetConcurrency) input() {}
func (Learned) input()        {}
