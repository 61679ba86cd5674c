package view

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
)

// Task is the view of one task.
type Task struct {
	ID        string
	Name      string
	Agent     string   // role; empty for a plain command
	Needs     []string // empty when the seed does not say
	Status    scheduler.TaskStatus
	Phase     scheduler.Phase // of the running attempt
	Attempt   int             // number of the last attempt; 0 = none yet
	Attempts  int             // allowed in all
	StartedAt time.Time       // of the last attempt
	EndedAt   time.Time       // of the last attempt; zero while it runs
	Duration  time.Duration   // of the last attempt that ended
	WaitsFrom time.Time       // since when a person is asked for
	Wants     string          // what a person is asked for: start, merge, review or budget; empty = an answer, or what to do about a conflict
	Parts     []string        // of a budget that is used up: cost, tokens, time
	Until     time.Time       // when it goes on by itself; zero = it does not wait for a time
	Step      string          // of its workflow, while a later one is under way: "reviewer reviews, round 2"
	Doing     string          // what its agent does, one line; empty = not known
	Files     int             // changed by the saved work
	Additions int
	Deletions int
	Gates     int    // verify commands that passed
	Error     string // one line
	Output    string // the end of the failing output; several lines
	ExitCode  *int
	Reason    string   // why it was skipped or waits
	Paths     []string // in conflict
	Commit    string
	Ref       string // where its work is saved
	Allowed   bool   // its failure does not fail the run by itself

	removed bool // from the plan, before it was done: it is not counted

	index int // in Run.Tasks
	below int // tasks on the longest chain of dependents, itself included
}

// Ran says whether an attempt at the task was ever begun.
func (t *Task) Ran() bool { return t.Attempt > 0 }

// NeedsYou says whether the task waits for a person.
func (t *Task) NeedsYou() bool { return !t.WaitsFrom.IsZero() && !t.Status.Terminal() }

// Waits says whether it waits for something that comes by itself: a time, or another task.
func (t *Task) Waits() bool {
	return t.Phase == scheduler.PhaseWaiting && t.Status == scheduler.TaskRunning && !t.NeedsYou()
}

// Elapsed is how long the present attempt has run, or how long the last one took.
func (t *Task) Elapsed(now time.Time) time.Duration {
	if t.Status == scheduler.TaskRunning && t.EndedAt.IsZero() && !t.StartedAt.IsZero() {
		return max(now.Sub(t.StartedAt), 0)
	}
	return t.Duration
}

// statuses are those that a task has after an event which does not say.
var statuses = map[event.Kind]scheduler.TaskStatus{
	event.TaskEligible:    scheduler.TaskEligible,
	event.TaskStarted:     scheduler.TaskRunning,
	event.TaskPhase:       scheduler.TaskRunning,
	event.TaskActivity:    scheduler.TaskRunning,
	event.TaskWaiting:     scheduler.TaskRunning,
	event.TaskQuestion:    scheduler.TaskRunning,
	event.TaskPassed:      scheduler.TaskRunning,
	event.TaskAnswered:    scheduler.TaskRunning,
	event.TaskReviewed:    scheduler.TaskRunning,
	event.TaskApproval:    scheduler.TaskRunning,
	event.TaskBudget:      scheduler.TaskRunning,
	event.TaskGranted:     scheduler.TaskRunning,
	event.TaskSaved:       "",
	event.TaskRetrying:    scheduler.TaskEligible,
	event.TaskInterrupted: "",
	event.TaskConflict:    "",
	event.TaskCompleted:   scheduler.TaskCompleted,
	event.TaskFailed:      scheduler.TaskFailed,
	event.TaskSkipped:     scheduler.TaskSkipped,
	event.TaskCanceled:    scheduler.TaskCanceled,
	event.TaskReset:       scheduler.TaskPending,
	event.TaskEdited:      "",
}

// foldTask folds an event about a task; false = the kind is unknown.
func (r *Run) foldTask(e event.Event) bool {
	status, known := statuses[e.Kind]
	if !known || e.Task == "" {
		return false
	}
	t := r.add(e.Task)
	before := t.Word()
	if t.removed { // it is back
		t.removed = false
		r.removed--
		r.counts[before]++
	}
	if t.Status == scheduler.TaskCompleted {
		r.done -= t.Duration
	}
	if e.Status != "" {
		status = scheduler.TaskStatus(SanitizeLine(e.Status))
	}
	if status != "" {
		t.Status = status
	}
	if e.Attempt > 0 {
		t.Attempt = e.Attempt
	}
	if e.Attempts > 0 {
		t.Attempts = e.Attempts
	}
	setText(&t.Name, e.Name)
	if e.Step == 0 { // else it is the agent of a step of its workflow
		setText(&t.Agent, e.Agent)
	}
	t.change(e)
	if t.Status == scheduler.TaskCompleted {
		r.done += t.Duration
	}
	r.settle(t, before)
	if e.Kind == event.TaskEdited && e.Action == "removed" && t.Status != scheduler.TaskCompleted {
		t.removed = true
		r.removed++
		r.counts[t.Word()]--
	}
	return true
}

// change is what each kind means for the task, other than its status.
func (t *Task) change(e event.Event) {
	if e.Kind != event.TaskActivity {
		t.Wants, t.Parts = "", nil
	}
	switch e.Kind {
	case event.TaskApproval, event.TaskBudget:
		t.wants(e)
	case event.TaskGranted:
		t.WaitsFrom, t.Reason = time.Time{}, ""
	case event.TaskActivity:
		t.Doing = SanitizeLine(e.Message)
	case event.TaskWaiting:
		t.Phase, t.Reason, t.Until, t.Doing = scheduler.PhaseWaiting, SanitizeLine(e.Reason), e.Until, ""
	case event.TaskQuestion, event.TaskPassed:
		t.asks(e)
	case event.TaskAnswered:
		t.WaitsFrom, t.Reason, t.Doing = time.Time{}, "", ""
	case event.TaskStarted:
		t.Phase, t.StartedAt, t.EndedAt, t.WaitsFrom = scheduler.PhasePreparing, e.Time, time.Time{}, time.Time{}
		t.Reason, t.Paths, t.Allowed, t.Until, t.Doing, t.Step = "", nil, false, time.Time{}, "", ""
		t.Files, t.Additions, t.Deletions = 0, 0, 0 // what this attempt saves is counted anew
		setText((*string)(&t.Phase), e.Phase)
	case event.TaskPhase:
		t.Phase, t.Reason, t.WaitsFrom = scheduler.Phase(SanitizeLine(e.Phase)), SanitizeLine(e.Reason), time.Time{}
		t.Until, t.Doing, t.Step = time.Time{}, "", stepText(e)
	case event.TaskReviewed: // what follows says more
	case event.TaskSaved:
		t.saved(e)
	case event.TaskConflict:
		t.Phase, t.WaitsFrom, t.Paths = scheduler.PhaseWaiting, e.Time, nil
		for _, path := range e.Paths {
			t.Paths = append(t.Paths, SanitizeLine(path))
		}
		t.Reason, t.Error = SanitizeLine(e.Reason), SanitizeLine(e.Error)
		t.saved(e)
	case event.TaskRetrying, event.TaskInterrupted:
		t.ended(e)
		t.blame(e)
	case event.TaskCompleted:
		t.ended(e)
		t.saved(e)
		t.Error, t.Output, t.ExitCode, t.Reason, t.Paths, t.Allowed = "", "", nil, "", nil, false
	case event.TaskFailed, event.TaskSkipped, event.TaskCanceled:
		t.ended(e)
		t.saved(e)
		t.blame(e)
		t.Reason, t.Allowed = SanitizeLine(e.Reason), e.Allowed
	case event.TaskEdited:
		if t.Status.Terminal() {
			t.Reason = SanitizeLine(e.Reason)
		}
	case event.TaskReset:
		t.Phase, t.WaitsFrom = "", time.Time{}
		t.Error, t.Output, t.ExitCode, t.Reason, t.Paths, t.Allowed = "", "", nil, SanitizeLine(e.Reason), nil, false
	}
}

// asks is what an agent waits to be answered, by the person or by another agent.
func (t *Task) asks(e event.Event) {
	question := SanitizeLine(e.Message)
	if e.Kind == event.TaskQuestion && e.By != "" {
		t.Doing = "asks " + SanitizeLine(e.By) + ": " + question
		return
	}
	t.WaitsFrom, t.Reason, t.Doing = e.Time, question, ""
	if e.Reason != "" {
		t.Reason += " (" + SanitizeLine(e.Reason) + ")"
	}
}

// wants is what an attempt that waits for a person asks for.
func (t *Task) wants(e event.Event) {
	t.Phase, t.WaitsFrom, t.Paths, t.Doing = scheduler.PhaseWaiting, e.Time, nil, ""
	t.Wants, t.Reason = SanitizeLine(e.Wants), SanitizeLine(e.Reason)
	for _, part := range e.Options {
		t.Parts = append(t.Parts, SanitizeLine(part))
	}
	if e.Kind == event.TaskApproval {
		t.Reason = WantsText(t.Wants)
		if e.Reason != "" {
			t.Reason += ": " + SanitizeLine(e.Reason)
		}
	}
	t.saved(e)
}

// WantsText says what a task waits for that a person has to approve: start, merge or review.
func WantsText(wants string) string {
	switch wants {
	case string(scheduler.ApproveStart):
		return "wants to start (approve: start)"
	case "review":
		return "its reviewer does not agree"
	}
	return "wants to be merged (approve: merge)"
}

// More is how a person gives more of a budget that is used up, as `orc resume --budget` takes it: "cost=+2". of names
// the task; empty = the run.
func More(of string, parts []string) string {
	steps := map[string]string{"cost": "+2", "tokens": "+1000000", "time": "+1h"}
	var list []string
	for _, part := range parts {
		if step, known := steps[part]; known {
			list = append(list, part+"="+step)
		}
	}
	text := strings.Join(list, ",")
	if of != "" {
		text = of + ":" + text
	}
	return text
}

// stepText says which step of a workflow an attempt has entered.
func stepText(e event.Event) string {
	switch {
	case e.Step == 0:
		return ""
	case e.Action == "review":
		return fmt.Sprintf("%s reviews, round %d", SanitizeLine(e.Agent), e.Round)
	case e.Step == 1:
		return "" // it is back at its own work
	}
	return SanitizeLine(e.Agent) + " works on it"
}

// ended closes the present attempt, if there is one.
func (t *Task) ended(e event.Event) {
	t.Phase, t.WaitsFrom, t.Until, t.Doing, t.Step = "", time.Time{}, time.Time{}, "", ""
	open := !t.StartedAt.IsZero() && t.EndedAt.IsZero()
	if open {
		t.EndedAt = e.Time
		t.Duration = max(e.Time.Sub(t.StartedAt), 0)
	}
	if e.DurationMS > 0 {
		t.Duration = time.Duration(e.DurationMS) * time.Millisecond
	}
}

// saved takes over what an event says about the task's work.
func (t *Task) saved(e event.Event) {
	setText(&t.Commit, e.Commit)
	setText(&t.Ref, e.Ref)
	if e.Files+e.Additions+e.Deletions > 0 {
		t.Files, t.Additions, t.Deletions = e.Files, e.Additions, e.Deletions
	}
	if e.Gates > 0 {
		t.Gates = e.Gates
	}
}

// blame takes over what an event says about a failure.
func (t *Task) blame(e event.Event) {
	t.Error = SanitizeLine(e.Error)
	t.Output = strings.Trim(Sanitize(e.Output), "\n")
	t.ExitCode = e.ExitCode
}

// Why says in one line why the task failed, with the exit code where the error does not name it.
func (t *Task) Why() string {
	switch {
	case t.ExitCode == nil || strings.Contains(t.Error, "exit"):
		return cmp.Or(t.Error, "no reason given")
	case t.Error == "":
		return fmt.Sprintf("exit %d", *t.ExitCode)
	}
	return fmt.Sprintf("%s (exit %d)", t.Error, *t.ExitCode)
}
