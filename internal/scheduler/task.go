// Package scheduler is the domain: what a run, a task and an attempt are, and the rules by which a graph of
// tasks is worked through. It is pure: no clock, no I/O, no goroutine, standard library only. The same inputs in
// the same order always give the same effects, which is what makes a run repeatable after a crash.
package scheduler

import "time"

// TaskID names a task inside its run: lower case, see CheckID.
type TaskID string

// RunID names a run: short lower-case hex, unique in its store.
type RunID string

// TaskStatus is the state of a task. The words are stored and printed as they are.
type TaskStatus string

// The states of a task: pending → eligible → running → completed | failed | skipped | canceled. A running task
// goes back to eligible when its attempt ended and may be tried again; a terminal state is left only by an
// explicit retry.
const (
	TaskPending   TaskStatus = "pending"   // a dependency is not settled yet
	TaskEligible  TaskStatus = "eligible"  // every dependency is settled; waits for a slot or for files
	TaskRunning   TaskStatus = "running"   // an attempt is under way (its phase says where)
	TaskCompleted TaskStatus = "completed" // done, checked and, where it has work to merge, merged
	TaskFailed    TaskStatus = "failed"    // every allowed attempt failed
	TaskSkipped   TaskStatus = "skipped"   // not run because of a failed dependency, or failed with mode skip
	TaskCanceled  TaskStatus = "canceled"  // ended by a person
)

// Terminal says whether the status is left only by an explicit retry.
func (s TaskStatus) Terminal() bool {
	switch s {
	case TaskCompleted, TaskFailed, TaskSkipped, TaskCanceled:
		return true
	}
	return false
}

// FailureMode says what a task's failure means for its dependents and for the run.
type FailureMode string

// The failure modes. The zero value counts as FailHard.
const (
	FailHard FailureMode = "hard" // dependents are skipped, transitively, and the run fails
	FailSoft FailureMode = "soft" // dependents run and are told; the run ends with failures
	FailSkip FailureMode = "skip" // recorded as skipped; counts as success for dependents and for the run
)

// Isolation says where a task's attempts work.
type Isolation string

// The isolations. The zero value means the default of the configuration.
const (
	IsolationClone    Isolation = "clone"    // a private shared clone of the repository
	IsolationWorktree Isolation = "worktree" // a git worktree of the repository
	IsolationNone     Isolation = "none"     // the repository's own folder; nothing is saved or merged
)

// Task is one node of a run's graph, as frozen from the plan, with its state.
type Task struct {
	ID          TaskID
	Name        string        // a title for people; may be empty
	AgentRole   string        // the agent (role) that does it; empty for a plain command
	Prompt      string        // what the agent is asked; empty for a plain command
	Command     string        // the plan's `run`: a shell command instead of an agent
	DependsOn   []TaskID      // in plan order, without duplicates
	WritesFiles []string      // globs, slash-separated, relative to the repository's root
	Verify      []string      // gates: shell commands that must exit 0, in order
	FailureMode FailureMode   // what its failure means
	Isolation   Isolation     // where it works
	Attempts    int           // attempts allowed in all (1 = no retry); 0 counts as 1
	Timeout     time.Duration // per attempt; 0 = none

	Status TaskStatus
	Result *string // the final summary; nil = none yet, "" = an empty one
	Error  string  // why it failed or was skipped; empty = no error
}

// Setup is what a task's workspace gets besides the files of its commit: files that git ignores and the task needs.
type Setup struct {
	Copy    []string `json:"copy,omitempty"`    // files and folders of the user's checkout, slash-separated, copied
	Symlink []string `json:"symlink,omitempty"` // the same, linked to
	Command string   `json:"command,omitempty"` // a shell command that is run in the fresh workspace, before the work
}

// Empty says that nothing is set up.
func (s Setup) Empty() bool { return len(s.Copy)+len(s.Symlink) == 0 && s.Command == "" }

// Step is one step of a workflow: how a task of an agent is worked through. The gates of the task run after each step
// that works.
type Step struct {
	Agent  string `json:"agent,omitempty"`  // the role; empty = the task's own
	Review bool   `json:"review,omitempty"` // it judges the work of the steps before it and changes nothing
	Prompt string `json:"prompt,omitempty"` // what is asked of it besides the task
	Rounds int    `json:"rounds,omitempty"` // of a review: how often it may reject the work in one attempt
	Final  bool   `json:"final,omitempty"`  // of a review: a rejection fails the attempt instead of going back
}

// Phase says where in its life an attempt is.
type Phase string

// The phases of an attempt, in order; waiting may come in between.
const (
	PhasePreparing Phase = "preparing" // the workspace is being made
	PhaseWorking   Phase = "working"   // the command or agent runs
	PhaseVerifying Phase = "verifying" // the gates run
	PhaseSaving    Phase = "saving"    // the workspace is committed to a ref of ours
	PhaseMerging   Phase = "merging"   // the saved work goes into the integration branch
	PhaseWaiting   Phase = "waiting"   // for a person (a conflict, an approval, a budget) or until a time
	PhaseDone      Phase = "done"      // over; Outcome says how
)

// Outcome says how an attempt ended.
type Outcome string

// The outcomes of an attempt. The zero value means that it has not ended.
const (
	OutcomeSucceeded   Outcome = "succeeded"
	OutcomeFailed      Outcome = "failed"      // spends one of the allowed attempts
	OutcomeInterrupted Outcome = "interrupted" // the owner or the machine went away; spends none
	OutcomeCanceled    Outcome = "canceled"
	OutcomeConflict    Outcome = "conflict" // could not be merged; a person decides
)

// RunState is the state of a run.
type RunState string

// The states of a run. Interrupted is none of them: it is what a running run without a live owner is.
const (
	RunRunning   RunState = "running"
	RunWaiting   RunState = "waiting" // nothing can go on until a person decides
	RunPaused    RunState = "paused"  // stopped in good order; resumable
	RunCompleted RunState = "completed"
	RunFailed    RunState = "failed"
	RunCanceled  RunState = "canceled"
)

// Terminal says whether the run is over.
func (s RunState) Terminal() bool {
	return s == RunCompleted || s == RunFailed || s == RunCanceled
}
