package cli

import (
	"fmt"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// runDocument is a run in JSON.
type runDocument struct {
	ID          string             `json:"id"`
	Name        string             `json:"name"`
	Description string             `json:"description"`
	State       scheduler.RunState `json:"state"`
	Interrupted bool               `json:"interrupted"` // it should be going on, and nobody owns it
	Error       string             `json:"error"`
	Branch      string             `json:"branch"`
	Base        string             `json:"base"`     // commit id
	BaseRef     string             `json:"base_ref"` // the branch that it was cut from
	Repository  string             `json:"repository"`
	Plan        string             `json:"plan"` // path
	Concurrency int                `json:"concurrency"`
	CreatedAt   time.Time          `json:"created_at"`
	FinishedAt  *time.Time         `json:"finished_at"`
	DurationMS  int64              `json:"duration_ms"` // since it was created, until it was over or now
	Budget      *budgetDocument    `json:"budget"`      // of the whole run; null = none
	Overspent   string             `json:"overspent"`   // how it is used up; empty = it is not
}

// taskDocument is a task of a run in JSON, with its last attempt.
type taskDocument struct {
	ID          string                `json:"id"`
	Name        string                `json:"name"`
	State       scheduler.TaskStatus  `json:"state"`
	Attempts    int                   `json:"attempts"`     // made
	MaxAttempts int                   `json:"max_attempts"` // allowed
	Agent       string                `json:"agent"`
	Needs       []scheduler.TaskID    `json:"needs"`
	OnFailure   scheduler.FailureMode `json:"on_failure"`
	Error       string                `json:"error"`
	Result      *string               `json:"result"`
	Phase       scheduler.Phase       `json:"phase"` // of the last attempt
	Outcome     scheduler.Outcome     `json:"outcome"`
	ExitCode    *int                  `json:"exit_code"`
	Output      string                `json:"output"` // the end of what explains a failure
	Conflicts   []string              `json:"conflicts"`
	Resolved    bool                  `json:"resolved"`   // they are resolved, and that waits for a yes
	StartedAt   *time.Time            `json:"started_at"` // of the first attempt
	EndedAt     *time.Time            `json:"ended_at"`   // of the last attempt
	DurationMS  int64                 `json:"duration_ms"`
	Files       int                   `json:"files"`
	Additions   int                   `json:"additions"`
	Deletions   int                   `json:"deletions"`
	Commit      string                `json:"commit"` // on the integration branch; empty = nothing merged
	Saved       string                `json:"saved"`  // commit id of the saved work
	SavedRef    string                `json:"saved_ref"`
	Workspace   string                `json:"workspace"` // empty when it is gone
	Isolation   scheduler.Isolation   `json:"isolation"`
	Log         string                `json:"log"`         // path
	Step        string                `json:"step"`        // of its workflow, while a later one is under way: "reviewer reviews, round 2"
	WaitsUntil  *time.Time            `json:"waits_until"` // when a waiting attempt goes on by itself
	WaitsFor    string                `json:"waits_for"`
	Fallback    string                `json:"fallback"`  // who does its work while the account of its agent is held, and until when; empty = that does
	Repairs     string                `json:"repairs"`   // what its merged work was found to have broken; empty once that is over
	Questions   []questionDocument    `json:"questions"` // that wait for an answer
	Wants       persistence.Wish      `json:"wants"`     // of a person: start, merge, review or budget; empty = nothing of these
	Budget      *budgetDocument       `json:"budget"`    // null = none
	Usage       *usageDocument        `json:"usage"`     // of all attempts; null for a command
}

// newRunDocument describes a run.
func newRunDocument(r persistence.Run, interrupted bool, now time.Time) runDocument {
	end := now
	if !r.FinishedAt.IsZero() {
		end = r.FinishedAt
	}
	return runDocument{
		ID: string(r.ID), Name: r.Name, Description: r.Description, State: r.State, Interrupted: interrupted,
		Error: r.Error, Branch: r.Branch, Base: r.Base, BaseRef: r.BaseRef, Repository: r.Repository,
		Plan: r.PlanPath, Concurrency: r.Concurrency, CreatedAt: r.CreatedAt.UTC(), FinishedAt: moment(r.FinishedAt),
		DurationMS: max(0, end.Sub(r.CreatedAt)).Milliseconds(), Budget: newBudgetDocument(r.Options.Budget), Overspent: r.Options.Overspent,
	}
}

// newTaskDocument describes a task by its attempts, in order. live says that an owner works on the run, so that
// an attempt that has not ended is going on now.
func newTaskDocument(t *scheduler.Task, attempts []persistence.Attempt, live bool, now time.Time) taskDocument {
	d := taskDocument{
		ID: string(t.ID), Name: t.Name, State: t.Status, Attempts: len(attempts), MaxAttempts: max(1, t.Attempts),
		Agent: t.AgentRole, Needs: append([]scheduler.TaskID{}, t.DependsOn...), OnFailure: t.FailureMode,
		Error: t.Error, Result: t.Result, Isolation: t.Isolation, Conflicts: []string{}, Questions: []questionDocument{},
	}
	if d.OnFailure == "" {
		d.OnFailure = scheduler.FailHard
	}
	if len(attempts) == 0 {
		return d
	}
	d.Usage = usageOf(attempts...)
	for _, at := range attempts {
		d.DurationMS += worked(at, live, now).Milliseconds()
	}
	last := attempts[len(attempts)-1]
	d.StartedAt, d.EndedAt = moment(attempts[0].StartedAt), moment(last.EndedAt)
	if last.Awaits != "" && last.Phase == scheduler.PhaseWaiting {
		d.WaitsFor = fmt.Sprintf("%s repairs what is merged", last.Awaits)
	}
	if n := len(attempts); n > 1 && attempts[n-2].Broke != nil && last.Outcome == "" {
		d.Repairs = attempts[n-2].Broke.Error
	} else if last.Broke != nil {
		d.Repairs = last.Broke.Error
	}
	if last.Work != nil && last.Work.Wait != "" && last.Phase == scheduler.PhaseWaiting {
		d.WaitsUntil, d.WaitsFor = moment(last.NotBefore), last.Work.Reason
	}
	if d.Wants = last.Asks(); d.Wants == persistence.WishBudget {
		d.WaitsFor = last.Consent.Reason
	} else if d.Wants != "" {
		d.WaitsFor = view.WantsText(string(d.Wants))
		if last.Consent.Reason != "" {
			d.WaitsFor += ": " + last.Consent.Reason
		}
	}
	if t.Status == scheduler.TaskRunning {
		d.Step = presentStep(last)
		if last.Work != nil && last.Work.Fallback != nil {
			d.Fallback = last.Work.Fallback.String()
		}
	}
	d.Questions = append(d.Questions, openQuestions(last)...)
	d.Phase, d.Outcome, d.ExitCode, d.Output = last.Phase, last.Outcome, last.ExitCode, last.Output
	d.Conflicts, d.Resolved = append(d.Conflicts, last.Conflicts...), resolved(last)
	d.Files, d.Additions, d.Deletions = last.Files, last.Additions, last.Deletions
	d.Saved, d.SavedRef, d.Log = last.Saved, last.SavedRef, last.Log
	if last.Isolation != "" {
		d.Isolation = last.Isolation
	}
	if !last.Cleaned {
		d.Workspace = last.Workspace
	}
	if t.Status == scheduler.TaskCompleted {
		d.Commit = last.MergeNew
	}
	return d
}

// worked is how long an attempt took, or has taken until now.
func worked(at persistence.Attempt, live bool, now time.Time) time.Duration {
	switch {
	case at.StartedAt.IsZero():
		return 0
	case !at.EndedAt.IsZero():
		return max(0, at.EndedAt.Sub(at.StartedAt))
	case live:
		return max(0, now.Sub(at.StartedAt))
	}
	return 0
}

// moment is a time in JSON: UTC, or null.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}
