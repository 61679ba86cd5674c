// Package event says what happened in a run, as immutable facts. The store gives each its sequence number inside
// the transaction that made it true; everything that can be seen of a run is a fold over its events. Pure:
// standard library only.
package event

import "time"

// Schema is the version of the JSON form of an Event.
const Schema = 1

// Kind says what an event is about. The words are part of the NDJSON format.
type Kind string

// The kinds of events.
const (
	RunStarted  Kind = "run.started"  // Name, Branch, Base, Total, Concurrency
	RunResumed  Kind = "run.resumed"  // by a new owner; Counts
	RunPaused   Kind = "run.paused"   // stopped in good order; Reason
	RunWaiting  Kind = "run.waiting"  // nothing can go on until a person decides: Reason; Wants budget, with Options, when the run's is used up
	RunFinished Kind = "run.finished" // State is completed, failed or canceled; Counts
	RunEdited   Kind = "run.edited"   // its plan was edited: Name, Message, Total, Concurrency; the State is running

	TaskEligible    Kind = "task.eligible"    // dependencies settled
	TaskStarted     Kind = "task.started"     // attempt Attempt of Attempts begins; Agent
	TaskPhase       Kind = "task.phase"       // Phase of the running attempt changed
	TaskActivity    Kind = "task.activity"    // what its agent does right now: Message; at most two per second
	TaskWaiting     Kind = "task.waiting"     // the attempt goes on by itself, at Until if that is known: Reason; spends nothing
	TaskQuestion    Kind = "task.question"    // its agent asks: Question, Message, Options; By is the role that is asked before the person; empty = the person is asked, Reason is why that role is not
	TaskPassed      Kind = "task.passed"      // the role By does not answer, and the person is asked: Question, Message, Options, Reason
	TaskAnswered    Kind = "task.answered"    // its question is answered: Question, Message; By is person, or the role of an agent
	TaskApproval    Kind = "task.approval"    // the attempt waits for a person's yes to Wants: start, merge or review
	TaskBudget      Kind = "task.budget"      // the attempt waits for more budget: Reason; Options are the parts that are used up
	TaskGranted     Kind = "task.granted"     // a person has given what the attempt wants: Wants is start, merge, review or budget
	TaskReviewed    Kind = "task.reviewed"    // an agent judged the work: Agent, Action is approve or reject, Message, Step, Round
	TaskSaved       Kind = "task.saved"       // its work is committed: Ref, Commit, Files, Additions, Deletions
	TaskRetrying    Kind = "task.retrying"    // an attempt failed (Error, Output) and another follows
	TaskInterrupted Kind = "task.interrupted" // its owner went away; Action says what happens with it
	TaskConflict    Kind = "task.conflict"    // could not be merged: Paths; waits for a person
	TaskCompleted   Kind = "task.completed"   // Commit (if merged), Files, Additions, Deletions, Duration
	TaskFailed      Kind = "task.failed"      // Error, Output
	TaskSkipped     Kind = "task.skipped"     // Reason, e.g. "needs docs"
	TaskCanceled    Kind = "task.canceled"
	TaskReset       Kind = "task.reset"  // an explicit retry, or an edit of the plan, put it back; Status
	TaskEdited      Kind = "task.edited" // the plan says something else of it: Status, Action (added, changed, removed), Reason, Name, Agent, Attempts

	Notice Kind = "notice" // Message: something a person should know, not a state
)

// Event is one fact. Fields that do not belong to its kind are empty and absent from the JSON.
type Event struct {
	Seq     int64     `json:"seq"`            // 1, 2, 3 … per run without a gap; given by the store
	Time    time.Time `json:"time"`           // UTC
	Run     string    `json:"run"`            //
	Kind    Kind      `json:"type"`           //
	Task    string    `json:"task,omitempty"` //
	Attempt int       `json:"attempt,omitempty"`
	Detail
}

// Detail holds what only some kinds say. It is stored as one JSON object.
type Detail struct {
	Name        string         `json:"name,omitempty"`
	Status      string         `json:"status,omitempty"` // of the task after this event
	State       string         `json:"state,omitempty"`  // of the run after this event
	Phase       string         `json:"phase,omitempty"`
	Agent       string         `json:"agent,omitempty"`
	Attempts    int            `json:"attempts,omitempty"` // allowed in all
	Reason      string         `json:"reason,omitempty"`
	Action      string         `json:"action,omitempty"`
	Error       string         `json:"error,omitempty"`
	Output      string         `json:"output,omitempty"` // the end of the failing output, at most a few lines
	Message     string         `json:"message,omitempty"`
	ExitCode    *int           `json:"exit_code,omitempty"`
	Branch      string         `json:"branch,omitempty"`
	Base        string         `json:"base,omitempty"`   // commit id
	Commit      string         `json:"commit,omitempty"` // commit id
	Ref         string         `json:"ref,omitempty"`
	Paths       []string       `json:"paths,omitempty"`
	Files       int            `json:"files,omitempty"`
	Additions   int            `json:"additions,omitempty"`
	Deletions   int            `json:"deletions,omitempty"`
	Gates       int            `json:"gates,omitempty"`    // verify commands that passed
	Question    int64          `json:"question,omitempty"` // its id
	Options     []string       `json:"options,omitempty"`
	By          string         `json:"by,omitempty"`       // who answers, or is to
	Wants       string         `json:"wants,omitempty"`    // of a person: start, merge, review or budget
	Rejected    bool           `json:"rejected,omitempty"` // a person did not want the work of the attempt that failed
	Step        int            `json:"step,omitempty"`     // of the task's workflow, from 1
	Round       int            `json:"round,omitempty"`    // of reviews, from 1
	Until       time.Time      `json:"until,omitzero"`
	DurationMS  int64          `json:"duration_ms,omitempty"` // of the attempt or the run, milliseconds
	Total       int            `json:"total,omitempty"`
	Concurrency int            `json:"concurrency,omitempty"`
	Counts      map[string]int `json:"counts,omitempty"`  // tasks by status
	Allowed     bool           `json:"allowed,omitempty"` // a failure that does not fail the run by itself
}
