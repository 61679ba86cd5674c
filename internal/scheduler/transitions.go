package scheduler

// place is where a task is: its status, with running split by what is expected of it.
type place uint8

const (
	pending place = iota
	eligible
	running
	stopping // running, and a person asked to cancel it
	held     // running, and its attempt waits for a person; it has no slot and no files
	parked   // running, and its attempt waits until a time; it has its files and no slot
	asking   // running, and its attempt waits for a person's word; it has its files and no slot
	completed
	failed
	skipped
	canceled
	places // how many there are
)

var placeNames = [places]string{"pending", "eligible", "running", "stopping", "held", "parked", "asking", "completed", "failed", "skipped", "canceled"}

func (p place) String() string { return placeNames[p] }

func (p place) settled() bool { return p >= completed }

// active says whether a task in this place takes its files. All but a parked and an asking one take a slot too.
func (p place) active() bool { return p == running || p == stopping || p == parked || p == asking }

func (p place) status() TaskStatus {
	if p == stopping || p == held || p == parked || p == asking {
		return TaskRunning
	}
	return TaskStatus(placeNames[p])
}

// trigger is an input, or what follows from one, with its conditions decided.
type trigger uint8

const (
	needsSettled trigger = iota
	needReopened
	needBlocks
	started
	attemptSucceeded
	attemptFailed
	attemptFailedLast
	attemptFailedSkip
	attemptInterrupted
	attemptCanceled
	attemptConflict
	attemptConflictLast
	attemptRejected
	attemptParked
	attemptAsks
	timeHasCome
	wordGiven
	cancelAsked
	runCanceled
	failedFast
	retryAsked
	retryCascaded
	triggers
)

var triggerNames = [triggers]string{
	needsSettled:        "every dependency is settled and none stands in the way",
	needReopened:        "a dependency is retried",
	needBlocks:          "a dependency failed hard, was canceled, or was skipped for such a one",
	started:             "it has a slot and its files",
	attemptSucceeded:    "its attempt succeeded",
	attemptFailed:       "its attempt failed, attempts are left",
	attemptFailedLast:   "its attempt failed, none is left, mode hard or soft",
	attemptFailedSkip:   "its attempt failed, none is left, mode skip",
	attemptInterrupted:  "its attempt was interrupted",
	attemptCanceled:     "its attempt was canceled",
	attemptConflict:     "its work conflicts, attempts are left",
	attemptConflictLast: "its work conflicts, none is left",
	attemptRejected:     "a person rejects its work",
	attemptParked:       "its attempt has to wait until a time",
	attemptAsks:         "its attempt has to wait for a person's word",
	timeHasCome:         "its time has come and it has a slot",
	wordGiven:           "a person has given their word and it has a slot",
	cancelAsked:         "a person cancels it",
	runCanceled:         "a person cancels the run",
	failedFast:          "another task failed, with fail-fast",
	retryAsked:          "a person retries it",
	retryCascaded:       "a person retries it, or what it depends on, with everything that follows",
}

func (t trigger) String() string { return triggerNames[t] }

// to is the place that a trigger leads to. ok is false for a pair that is not in the table: nothing happens then,
// and an input that a person or the engine gave is answered with Refused.
type to struct {
	place place
	ok    bool
}

// edge is a row of the table of transitions, which is the whole truth about how a task changes: State has no
// other way to change one, and docs/states.md is written from it.
type edge struct {
	on       trigger
	from     []place
	to       place
	comments string
}

var edges = []edge{
	{on: needsSettled, from: []place{pending}, to: eligible},
	{on: needReopened, from: []place{eligible}, to: pending, comments: "it waits again"},
	{on: needBlocks, from: []place{pending, eligible}, to: skipped, comments: "the error names the task at the root: `needs docs`"},
	{on: started, from: []place{eligible}, to: running},

	{on: attemptSucceeded, from: []place{running, stopping, held}, to: completed, comments: "work that is merged counts, even if a cancel came too late; a held task completes once its conflict is resolved"},
	{on: attemptFailed, from: []place{running, held, asking}, to: eligible, comments: "spends one attempt"},
	{on: attemptFailed, from: []place{stopping}, to: canceled},
	{on: attemptFailedLast, from: []place{running, held, asking}, to: failed, comments: "a person may have rejected it"},
	{on: attemptFailedLast, from: []place{stopping}, to: canceled},
	{on: attemptFailedSkip, from: []place{running, held, asking}, to: skipped, comments: "the error is the attempt's; counts as success"},
	{on: attemptFailedSkip, from: []place{stopping}, to: canceled},
	{on: attemptInterrupted, from: []place{running}, to: eligible, comments: "spends nothing"},
	{on: attemptInterrupted, from: []place{stopping}, to: canceled},
	{on: attemptInterrupted, from: []place{held}, to: held, comments: "its work is saved; only a person moves it"},
	{on: attemptCanceled, from: []place{running, stopping, held}, to: canceled},
	{on: attemptRejected, from: []place{running, asking}, to: eligible, comments: "spends nothing: the next attempt is told why"},
	{on: attemptRejected, from: []place{stopping}, to: canceled},
	{on: attemptConflict, from: []place{running}, to: eligible, comments: "spends one attempt; the next is cut from the new head"},
	{on: attemptConflict, from: []place{stopping}, to: canceled},
	{on: attemptConflict, from: []place{held}, to: held},
	{on: attemptConflictLast, from: []place{running}, to: held, comments: "gives its slot and files back"},
	{on: attemptConflictLast, from: []place{stopping}, to: canceled},
	{on: attemptConflictLast, from: []place{held}, to: held},

	{on: attemptParked, from: []place{running}, to: parked, comments: "spends nothing; gives its slot back and keeps its files"},
	{on: attemptParked, from: []place{stopping}, to: stopping, comments: "it is told to stop again"},
	{on: attemptAsks, from: []place{running}, to: asking, comments: "spends nothing; gives its slot back and keeps its files"},
	{on: attemptAsks, from: []place{parked}, to: asking, comments: "only a person can let it go on when its time comes"},
	{on: attemptAsks, from: []place{stopping}, to: stopping, comments: "it is told to stop again"},
	{on: timeHasCome, from: []place{parked}, to: running, comments: "the same attempt goes on"},
	{on: wordGiven, from: []place{asking}, to: running, comments: "the same attempt goes on"},

	{on: cancelAsked, from: []place{pending, eligible, held}, to: canceled},
	{on: cancelAsked, from: []place{running, stopping, parked, asking}, to: stopping, comments: "canceled when the attempt has ended, unless it succeeds"},
	{on: runCanceled, from: []place{pending, eligible, held}, to: canceled},
	{on: runCanceled, from: []place{running, stopping, parked, asking}, to: stopping},
	{on: failedFast, from: []place{pending, eligible}, to: canceled, comments: "what runs goes on"},

	{on: retryAsked, from: []place{failed, skipped, canceled, held}, to: pending, comments: "all its attempts may be spent again"},
	{on: retryCascaded, from: []place{failed, skipped, canceled, held, completed}, to: pending},
}

// transitions is edges, by place and trigger.
var transitions = func() (table [places][triggers]to) {
	for _, e := range edges {
		for _, from := range e.from {
			table[from][e.on] = to{place: e.to, ok: true}
		}
	}
	return table
}()
