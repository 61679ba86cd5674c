package scheduler

// Effect is something that follows from an Input, in causal order: one of Changed, Start, GoOn, Stop, Retrying, Held,
// Refused, Quiet. All effects of one Step belong into one transaction of the store.
type Effect interface{ effect() }

// Changed is one edge of the state machine. Result and Error are the task's from now on; store them as they are:
// NewState reads from the Error of a skipped or canceled task why it is so.
type Changed struct {
	Task     TaskID
	From, To TaskStatus
	Reason   string // for people, e.g. "needs docs"; empty when the edge speaks for itself
	Result   *string
	Error    string
}

// Start asks for attempt Number of a task. It follows the Changed that made the task running.
type Start struct {
	Task   TaskID
	Number int // 1, 2, 3 … per task, never reused
}

// GoOn asks to go on with the present attempt of a task that was parked.
type GoOn struct{ Task TaskID }

// Stop asks to end a running attempt, which may be a parked one; AttemptEnded is expected then.
type Stop struct{ Task TaskID }

// Retrying says that a failed attempt is followed by another. It follows the Changed that put the task back.
type Retrying struct {
	Task    TaskID
	Spent   int // attempts that count so far
	Allowed int
	Error   string // of the attempt that failed
}

// Held says that a task's work could not be merged and no attempt is left: it stays running, without slot and
// files, until a person decides (Retry, CancelTask, or AttemptEnded once the conflict is resolved by hand).
type Held struct {
	Task  TaskID
	Error string
}

// Refused says that an input was not followed, and changed nothing.
type Refused struct {
	Task   TaskID // empty when it is not about one task
	Reason string // a full sentence for people, without a full stop
}

// Quiet says that nothing runs and nothing can start: the state that the run is in until the next input. It ends
// the effects of every step after which that is so, also when it was so before.
//
//   - RunCompleted: everything is settled, nothing failed (hard or soft) and nothing was canceled
//   - RunFailed: everything is settled, something failed or was canceled by itself
//   - RunCanceled: everything is settled, and the run was canceled before it had all settled
//   - RunPaused: paused with work left
//   - RunWaiting: held tasks, tasks that wait for a person's word, tasks of agents that a person must release, and
//     nothing but what depends on them or on their files, are left
type Quiet struct{ State RunState }

func (Changed) effect()  {}
func (Start) effect()    {}
func (GoOn) effect()     {}
func (Stop) effect()     {}
func (Retrying) effect() {}
func (Held) effect()     {}
func (Refused) effect()  {}
func (Quiet) effect()    {}
