// Package persistence keeps every run, task state, attempt, agent session and turn of conversation in a database,
// so that a process killed at any instant loses nothing that was acknowledged.
//
// The store is the truth: a state that it does not hold did not happen. Every change of a run's state is one
// Transition, applied whole or not at all, together with its events, and fenced by the generation of the run's
// lease. Methods add no timeouts of their own: the caller's context rules.
package persistence

import (
	"context"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
)

// Store is the port. Every method is safe for concurrent use. Errors are *Error (see errors.go): Kind answers
// errors.Is against ErrNotFound, ErrConflict, ErrLeaseLost …; what a person can act on carries a hint.
type Store interface {
	Tasks
	Conversations
	Runs
	Leases
	Requests
	Maintenance

	// Apply makes one transition of a run true, with its events, in one transaction. It returns the sequence
	// number of the run's last event. ErrLeaseLost when t.Generation is not the lease's present generation,
	// ErrConflict when a task is not in the state that the change starts from or a request was consumed before;
	// nothing of t is stored then.
	Apply(ctx context.Context, t Transition) (seq int64, err error)
	// Events returns a run's events with Seq > after, in order, at most limit (0 = all).
	Events(ctx context.Context, run scheduler.RunID, after int64, limit int) ([]event.Event, error)
	// DataVersion changes whenever another process, or another connection of this one, has committed. It is
	// cheap (no table is read), so that a client or an owner may look at it every 50 to 100 ms. A commit that
	// changed nothing a method returns may change it, too.
	DataVersion(ctx context.Context) (int64, error)
	// Close waits for what is under way, then releases the database. Idempotent.
	Close() error
}

// Tasks stores the graph.
type Tasks interface {
	// SaveTask inserts or updates a task and replaces its dependencies, in one transaction. Idempotent. The run
	// must exist. A dependency on a task that does not exist is an error that names it; nothing is stored then.
	SaveTask(ctx context.Context, run scheduler.RunID, t *scheduler.Task) error
	// GetTask returns the whole task. ErrNotFound.
	GetTask(ctx context.Context, run scheduler.RunID, id scheduler.TaskID) (*scheduler.Task, error)
	// UpdateTaskStatus sets status, result (nil = none) and error text. ErrNotFound for an unknown task.
	UpdateTaskStatus(ctx context.Context, run scheduler.RunID, id scheduler.TaskID, status scheduler.TaskStatus, result *string, errText string) error
	// ListTasks returns all tasks of a run with their dependencies, in plan order, in a constant number of queries.
	ListTasks(ctx context.Context, run scheduler.RunID) ([]*scheduler.Task, error)
	// DeleteTask removes a task with its dependencies, attempts, sessions and conversation. ErrNotFound. A long
	// conversation goes as with DeleteRun.
	DeleteTask(ctx context.Context, run scheduler.RunID, id scheduler.TaskID) error
}

// Conversations stores the agents' sessions and what was said in them.
type Conversations interface {
	// SaveSession inserts or updates the session of a task's attempt.
	SaveSession(ctx context.Context, s Session) error
	// GetSession returns the latest session of a task. ErrNotFound.
	GetSession(ctx context.Context, run scheduler.RunID, task scheduler.TaskID) (Session, error)
	// SaveMessage appends turns to a task's conversation, in the order given, in one transaction.
	SaveMessage(ctx context.Context, run scheduler.RunID, task scheduler.TaskID, turns ...ConversationTurn) error
	// GetHistory returns a task's turns in the order written. None is an empty slice, not nil.
	GetHistory(ctx context.Context, run scheduler.RunID, task scheduler.TaskID) ([]ConversationTurn, error)
	// HistoryPage returns a part of a task's turns in the order written: those after the turn with the id after
	// (0 = from the first), at most limit (0 = all). Its cost does not grow with what lies before or behind.
	HistoryPage(ctx context.Context, run scheduler.RunID, task scheduler.TaskID, after int64, limit int) (HistoryPage, error)
	// LastTurns returns a task's last turns, at most limit (0 = all), in the order written, and how many came before
	// them. Those are counted, not read.
	LastTurns(ctx context.Context, run scheduler.RunID, task scheduler.TaskID, limit int) (turns []ConversationTurn, before int, err error)
	// SearchTurns finds the turns that q describes, newest first. Every turn that was stored before the call can
	// be found. ErrQuery when q.Words cannot be understood.
	SearchTurns(ctx context.Context, q TurnQuery) ([]FoundTurn, error)
}

// Runs stores runs and their attempts.
type Runs interface {
	// CreateRun stores a run with its tasks and first events in one transaction. ErrConflict when the id is taken.
	CreateRun(ctx context.Context, r Run, tasks []*scheduler.Task, events ...event.Event) error
	// GetRun returns a run. ErrNotFound.
	GetRun(ctx context.Context, id scheduler.RunID) (Run, error)
	// ListRuns returns runs, newest first.
	ListRuns(ctx context.Context, f RunFilter) ([]Run, error)
	// CountRun says how much is stored of a run. ErrNotFound.
	CountRun(ctx context.Context, id scheduler.RunID) (RunCounts, error)
	// DeleteRun removes a run and everything that belongs to it. ErrNotFound. A long conversation goes first, in
	// portions, so that others can write meanwhile; a call that is cut off there is completed by the next one.
	DeleteRun(ctx context.Context, id scheduler.RunID) error
	// ListAttempts returns the attempts of one task, or of the whole run when task is empty, by task in plan
	// order and number.
	ListAttempts(ctx context.Context, run scheduler.RunID, task scheduler.TaskID) ([]Attempt, error)
	// Durations returns how long successful attempts took in earlier runs of the same plan name in the same
	// repository: the mean by task id and by agent role. Used to order eligible tasks.
	Durations(ctx context.Context, repository, plan string) (Durations, error)
}

// Leases say who owns a run.
type Leases interface {
	// AcquireLease makes l.Owner the owner of the run and returns the new generation, one above the last. It
	// is ErrConflict while another owner's lease has not expired at now, unless force is set (the caller has
	// proof that the other owner is dead).
	AcquireLease(ctx context.Context, l Lease, now time.Time, force bool) (generation int64, err error)
	// RenewLease moves the expiry. ErrLeaseLost when the generation is not the present one.
	RenewLease(ctx context.Context, run scheduler.RunID, generation int64, now, expires time.Time) error
	// ReleaseLease ends the lease at once, keeping the generation. ErrLeaseLost as above.
	ReleaseLease(ctx context.Context, run scheduler.RunID, generation int64) error
	// GetLease returns the last lease of a run, live or not. ErrNotFound when it never had one.
	GetLease(ctx context.Context, run scheduler.RunID) (Lease, error)
}

// Requests are what clients ask of a run's owner. They are consumed in order, exactly once, by Apply.
type Requests interface {
	// AddRequest stores a request and returns its id, which grows.
	AddRequest(ctx context.Context, r Request) (id int64, err error)
	// PendingRequests returns a run's unconsumed requests in order.
	PendingRequests(ctx context.Context, run scheduler.RunID) ([]Request, error)
	// GetRequest returns a request, consumed or not. ErrNotFound.
	GetRequest(ctx context.Context, id int64) (Request, error)
}

// Maintenance is what a person does to the database as a whole.
type Maintenance interface {
	// Check reads the whole database and says whether it is sound: ErrCorrupt with the first findings when not.
	Check(ctx context.Context) error
	// Backup writes a copy of the database, as of one commit, to a file that does not exist yet (ErrConflict if
	// it does).
	Backup(ctx context.Context, file string) error
}

// Run is one execution of a plan in one repository.
type Run struct {
	ID          scheduler.RunID
	Name        string // the plan's name
	Description string
	Repository  string // absolute path of the repository's top folder
	State       scheduler.RunState
	Error       string // why it failed or waits; empty = no error
	Base        string // commit id that the run was cut from
	BaseRef     string // the branch, or the revision as written, that Base came from
	Branch      string // integration branch without refs/heads/, e.g. "orc/7f3c"
	PlanPath    string // absolute; for people
	Plan        string // the plan's text, frozen
	Context     string // put in front of every prompt
	Concurrency int    // attempts at a time
	Options     RunOptions
	Mark        string // random; marks the processes of this run in their environment
	CreatedAt   time.Time
	FinishedAt  time.Time // zero = not over
}

// RunOptions are the settings of a run that are not part of its plan's graph. Stored as one JSON object.
type RunOptions struct {
	FailFast bool `json:"fail_fast,omitempty"`
	Canceled bool `json:"canceled,omitempty"` // a person canceled the run; some of it may still be ending
	// Removed are tasks that the plan does not have any more: what they did stays, and they count for nothing. Stopped
	// are tasks that were canceled for an edit of the plan that waits for their end, and come back with it.
	Removed []scheduler.TaskID `json:"removed,omitempty"`
	Stopped []scheduler.TaskID `json:"stopped,omitempty"`
	// How workspaces are set up: those of the tasks named, and of all others.
	Setups map[scheduler.TaskID]scheduler.Setup `json:"setups,omitempty"`
	Setup  *scheduler.Setup                     `json:"setup,omitempty"`
	Agents map[string]Agent                     `json:"agents,omitempty"` // roles that the plan's tasks use, resolved at the start
	// Pass are names of environment variables that commands get beside the usual ones.
	Pass []string `json:"pass,omitempty"`
	// StrictWrites are the tasks whose attempts fail when they change files outside of what they write.
	StrictWrites []scheduler.TaskID `json:"strict_writes,omitempty"`
	// FreshSessions are the tasks whose next attempt does not go on with the session of the one that failed.
	FreshSessions []scheduler.TaskID `json:"fresh_sessions,omitempty"`
	// Items are what the tasks of a list were made for.
	Items map[scheduler.TaskID]string `json:"items,omitempty"`
	// Lists are the lists that tasks of the run make, by those tasks.
	Lists map[scheduler.TaskID]List `json:"lists,omitempty"`
	// What becomes of questions that agents ask: in the tasks named, and in all others. ask (or empty): they wait for a
	// person. orchestrator: the agent OrchestratorRole is asked first. never: the agent is told to decide by itself. fail:
	// the attempt fails.
	QuestionsOf map[scheduler.TaskID]string `json:"questions_of,omitempty"`
	Questions   string                      `json:"questions,omitempty"`
	// The steps that a person has to say yes to: of the tasks named, and of all others.
	ApproveOf map[scheduler.TaskID][]scheduler.Approval `json:"approve_of,omitempty"`
	Approve   []scheduler.Approval                      `json:"approve,omitempty"`
	// The budgets: of the whole run, of the tasks named, and of each other task. More that a person gives is added here.
	Budget     scheduler.Budget                      `json:"budget,omitzero"`
	BudgetOf   map[scheduler.TaskID]scheduler.Budget `json:"budget_of,omitempty"`
	TaskBudget scheduler.Budget                      `json:"task_budget,omitzero"`
	// Overspent says how the run's budget is used up, so that nothing of it starts; empty = it is not.
	Overspent string `json:"overspent,omitempty"`
	// Limits is what a usage limit means to an attempt. wait (or empty): it goes on when the limit ends. fail: it fails.
	Limits string `json:"limits,omitempty"`
	// Sandbox is what plain commands want of one, as in Agent. SandboxWrites are paths that may be written in every one.
	Sandbox       string   `json:"sandbox,omitempty"`
	SandboxWrites []string `json:"sandbox_writes,omitempty"`
	// Merge says how work is merged into the integration branch.
	Merge Merging `json:"merge,omitzero"`
	// Workflows are the steps of workflows by name, the first being the task's own; WorkflowOf are the tasks that have one.
	Workflows  map[string][]scheduler.Step `json:"workflows,omitempty"`
	WorkflowOf map[scheduler.TaskID]string `json:"workflow_of,omitempty"`
}

// List is a list of tasks that a task of the run makes: each line that its command prints stands for one.
type List struct {
	Run    string   `json:"run"`              // the command
	Prompt string   `json:"prompt,omitempty"` // the text of the prompt file of its tasks, as it was when the plan was read
	Made   bool     `json:"made,omitempty"`   // Items is the list, which may be empty
	Items  []string `json:"items,omitempty"`
}

// StepsOf are the steps of a task: those of its workflow, or its own work alone.
func (o *RunOptions) StepsOf(id scheduler.TaskID) []scheduler.Step {
	if steps := o.Workflows[o.WorkflowOf[id]]; len(steps) > 0 {
		return steps
	}
	return []scheduler.Step{{}}
}

// Agent is a role resolved to a way of running it.
type Agent struct {
	Provider string `json:"provider"`
	Command  string `json:"command,omitempty"` // provider command: the shell command that reads the prompt on stdin

	// The rest is for agents with a driver of their own; see provider.Turn.
	Account      string            `json:"account,omitempty"` // the provider's name in the configuration, whose limits it shares
	Program      string            `json:"program,omitempty"`
	Args         []string          `json:"args,omitempty"`
	Model        string            `json:"model,omitempty"`
	Permissions  string            `json:"permissions,omitempty"`
	Instructions string            `json:"instructions,omitempty"`
	Pass         []string          `json:"pass,omitempty"`     // names of environment variables that it gets beside the usual ones
	Set          map[string]string `json:"set,omitempty"`      // environment variables with their values
	Sandbox      string            `json:"sandbox,omitempty"`  // auto, required; empty or off = none
	Fallback     string            `json:"fallback,omitempty"` // the role that does its work while its account is held; empty = none does
}

// RunFilter chooses runs. Zero values choose all.
type RunFilter struct {
	Repository string
	Limit      int
}

// RunCounts says how much is stored of a run.
type RunCounts struct {
	Tasks, Attempts, Turns, Events int
}

// Attempt is one try at a task.
type Attempt struct {
	Run        scheduler.RunID
	Task       scheduler.TaskID
	Number     int   // 1, 2, 3 … per task, never reused
	Generation int64 // of the lease under which it was last written
	Phase      scheduler.Phase
	Outcome    scheduler.Outcome
	Error      string
	Output     string // the end of the output that explains a failure
	Workspace  string // absolute path; empty for isolation none
	Isolation  scheduler.Isolation
	Log        string // absolute path of its output file
	Base       string // commit id that its workspace was cut from
	Saved      string // commit id of the saved work; empty = not saved
	SavedRef   string
	MergeOld   string // integration head before its merge: the recorded intent
	MergeNew   string // integration head after its merge
	Conflicts  []string
	Files      int // changed files, added and deleted lines of the saved work
	Additions  int
	Deletions  int
	ExitCode   *int
	Note       string    // what a person said when asking for this attempt
	Canceling  bool      // a person canceled it; it has not ended yet
	NotBefore  time.Time // when a waiting attempt goes on
	StartedAt  time.Time
	EndedAt    time.Time // zero = not over
	Cleaned    bool      // its workspace is gone
	Work       *Work     // how far its agent has come; nil for a command
	Consent    Consent   // what it wants of a person, and what they said
	Rejected   bool      // it failed because a person did not want its work, which spends no attempt

	Onto    string           // commit of earlier work that its workspace begins with, brought onto Base; empty = none
	Checked string           // tree that passed the gates of the merged result
	Misfit  bool             // its own gates passed, those of the merged result did not
	Awaits  scheduler.TaskID // while it waits: it goes on once that task, which broke the merged work, is repaired
	Handed  bool             // its conflict is the resolver's now: the next attempt is about that
	Resolve *Resolution      // the conflict that it is to resolve, instead of doing its task; nil = none
	Broke   *Breakage        // what was found wrong once it was merged; nil = nothing
}

// Session is a provider's resumable conversation.
type Session struct {
	Run       scheduler.RunID
	Task      scheduler.TaskID
	Attempt   int
	Provider  string
	SessionID string // the agent CLI's own session or thread id
	UpdatedAt time.Time
}

// ConversationTurn is one thing said or done in a task's conversation.
type ConversationTurn struct {
	Role      string // user, assistant, tool, system
	Content   string // valid UTF-8
	Timestamp time.Time
	Attempt   int // 0 = not said
}

// HistoryPage is a part of a task's conversation.
type HistoryPage struct {
	Turns []ConversationTurn // in the order written; empty, not nil, when there are no more
	Last  int64              // id of the last turn, after which the next page begins; without turns the one asked for
}

// TurnQuery describes turns to find. Zero values exclude nothing.
type TurnQuery struct {
	Words      string // all of which a turn has; "a phrase", begin*, OR and NOT have a meaning, nothing else has
	Run        scheduler.RunID
	Repository string // absolute path, as in Run.Repository
	Limit      int
}

// FoundTurn is a turn that has the words looked for.
type FoundTurn struct {
	Run       scheduler.RunID
	Task      scheduler.TaskID
	Attempt   int // 0 = not said
	Role      string
	Timestamp time.Time
	Snippet   string // the words and what is around them; … where the turn goes on
	Matches   []Span // where in Snippet the words are
}

// Span is a part of a text, in bytes.
type Span struct{ Begin, End int }

// Durations are mean run times by task id and by agent role.
type Durations struct {
	ByTask  map[scheduler.TaskID]time.Duration
	ByAgent map[string]time.Duration
}

// Lease says which process owns a run.
type Lease struct {
	Run        scheduler.RunID
	Generation int64
	Owner      string // random, one per owner process
	PID        int
	Host       string
	ExpiresAt  time.Time
}

// Request is what a client asks of the owner.
type Request struct {
	ID         int64
	Run        scheduler.RunID
	Kind       string // see package orchestrator
	Payload    string // JSON
	CreatedAt  time.Time
	ConsumedAt time.Time // zero = pending
	Error      string    // why the owner refused it
}

// Transition is one change of a run's state. Zero parts change nothing.
type Transition struct {
	Run        scheduler.RunID
	Generation int64
	Now        time.Time
	State      scheduler.RunState // new state of the run; empty = unchanged
	Error      string             // stored with State
	Options    *RunOptions        // nil = unchanged
	Edit       *PlanEdit          // nil = the plan is unchanged
	Tasks      []TaskChange
	Attempts   []Attempt // inserted, or replaced by (task, number)
	Sessions   []Session
	Turns      []TaskTurn
	Requests   []RequestDone
	Events     []event.Event // Seq and Run are given by the store; a zero Time becomes Now
}

// TaskChange moves a task from one state to another.
type TaskChange struct {
	Task   scheduler.TaskID
	From   scheduler.TaskStatus
	To     scheduler.TaskStatus
	Result *string
	Error  string
}

// TaskTurn is a turn of a task's conversation.
type TaskTurn struct {
	Task scheduler.TaskID
	ConversationTurn
}

// RequestDone consumes a request.
type RequestDone struct {
	ID    int64
	Error string // why it was refused; empty = done
}

// NewSQLiteStore opens the database file at path with the default options, creating it and its folder when they
// do not exist. An empty path means DefaultPath.
func NewSQLiteStore(ctx context.Context, path string) (*SQLiteStore, error) {
	return OpenSQLite(ctx, path, Options{})
}

// NewMemoryStore opens an empty store that no other shares and that is gone at Close.
//
// It is a private ":memory:" database with one connection, which the writer's goroutine lends to readers between
// transactions. Of the other ways to have one, a shared cache is shared by name with the whole process and lets a
// reader block the writer without bound, a "memdb" makes them time out on one another, and a file in a temporary
// folder is left behind by a crash. Here readers and the writer take turns, so nothing can block or time out, no
// file is made, and isolation is by construction.
func NewMemoryStore(ctx context.Context) (*SQLiteStore, error) {
	return openMemory(ctx, Options{})
}
