package persistence

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"orchestrator/internal/scheduler"
)

// An attempt is written several times in its life, so the update comes first; an upsert would check all constraints
// twice each time.
var (
	updateAttempt = declare(`UPDATE attempts SET generation = ?, phase = ?, outcome = ?, not_before = ?, started_at = ?,
		ended_at = ?, error = ?, detail = ? WHERE run = ? AND task = ? AND number = ?`)
	insertAttempt = declare(`INSERT INTO attempts
		(generation, phase, outcome, not_before, started_at, ended_at, error, detail, run, task, number)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
)

// attemptDetail is what nobody searches for, stored as one JSON object.
type attemptDetail struct {
	Output    string              `json:"output,omitempty"`
	Workspace string              `json:"workspace,omitempty"`
	Isolation scheduler.Isolation `json:"isolation,omitempty"`
	Log       string              `json:"log,omitempty"`
	Base      string              `json:"base,omitempty"`
	Saved     string              `json:"saved,omitempty"`
	SavedRef  string              `json:"saved_ref,omitempty"`
	MergeOld  string              `json:"merge_old,omitempty"`
	MergeNew  string              `json:"merge_new,omitempty"`
	Conflicts []string            `json:"conflicts,omitempty"`
	Files     int                 `json:"files,omitempty"`
	Additions int                 `json:"additions,omitempty"`
	Deletions int                 `json:"deletions,omitempty"`
	ExitCode  *int                `json:"exit_code,omitempty"`
	Note      string              `json:"note,omitempty"`
	Canceling bool                `json:"canceling,omitempty"`
	Cleaned   bool                `json:"cleaned,omitempty"`
	Work      *Work               `json:"work,omitempty"`
	Consent   Consent             `json:"consent,omitzero"`
	Rejected  bool                `json:"rejected,omitempty"`
	Onto      string              `json:"onto,omitempty"`
	Checked   string              `json:"checked,omitempty"`
	Misfit    bool                `json:"misfit,omitempty"`
	Awaits    scheduler.TaskID    `json:"awaits,omitempty"`
	Broke     *Breakage           `json:"broke,omitempty"`
	Handed    bool                `json:"handed,omitempty"`
	Resolve   *Resolution         `json:"resolve,omitempty"`
}

// encodeAttempts gives each attempt's detail as stored.
func encodeAttempts(list []Attempt) ([]string, error) {
	details := make([]string, len(list))
	for i, a := range list {
		text, err := json.Marshal(attemptDetail{
			Output: a.Output, Workspace: a.Workspace, Isolation: a.Isolation, Log: a.Log, Base: a.Base,
			Saved: a.Saved, SavedRef: a.SavedRef, MergeOld: a.MergeOld, MergeNew: a.MergeNew,
			Conflicts: a.Conflicts, Files: a.Files, Additions: a.Additions, Deletions: a.Deletions,
			ExitCode: a.ExitCode, Note: a.Note, Canceling: a.Canceling, Cleaned: a.Cleaned, Work: a.Work,
			Consent: a.Consent, Rejected: a.Rejected,
			Onto: a.Onto, Checked: a.Checked, Misfit: a.Misfit, Awaits: a.Awaits, Broke: a.Broke, Handed: a.Handed, Resolve: a.Resolve,
		})
		if err != nil {
			return nil, fmt.Errorf("encode attempt %d of %s: %w", a.Number, a.Task, err)
		}
		details[i] = string(text)
	}
	return details, nil
}

// saveAttempt inserts or replaces an attempt of the transition's run.
func (tx *transaction) saveAttempt(run scheduler.RunID, generation int64, a *Attempt, detail string) error {
	values := [...]any{
		generation, string(a.Phase), string(a.Outcome), micros(a.NotBefore), micros(a.StartedAt), micros(a.EndedAt),
		a.Error, detail, string(run), string(a.Task), int64(a.Number),
	}
	n, err := tx.exec(updateAttempt, values[:]...)
	if err == nil && n == 0 {
		_, err = tx.exec(insertAttempt, values[:]...)
	}
	if missingParent(err) {
		return unknownTask(run, a.Task)
	}
	if err != nil {
		return fmt.Errorf("save attempt %d of %s: %w", a.Number, a.Task, err)
	}
	return nil
}

// ListAttempts implements Runs.
func (s *SQLiteStore) ListAttempts(ctx context.Context, run scheduler.RunID, task scheduler.TaskID) (list []Attempt, err error) {
	err = s.read(ctx, "list attempts of run "+string(run), func(ctx context.Context, q querier) error {
		const columns = `SELECT a.run, a.task, a.number, a.generation, a.phase, a.outcome, a.not_before, a.started_at,
			a.ended_at, a.error, a.detail FROM attempts a`
		var rows *sql.Rows
		var err error
		if task != "" {
			rows, err = q.QueryContext(ctx, columns+" WHERE a.run = ? AND a.task = ? ORDER BY a.number", string(run), string(task))
		} else {
			rows, err = q.QueryContext(ctx, columns+` JOIN tasks t ON t.run = a.run AND t.id = a.task
				WHERE a.run = ? ORDER BY t.key, a.number`, string(run))
		}
		list, err = collect(rows, err, scanAttempt)
		return err
	})
	return list, err
}

func scanAttempt(r scanner) (a Attempt, err error) {
	var notBefore, started, ended sql.NullInt64
	var text []byte
	err = r.Scan((*string)(&a.Run), (*string)(&a.Task), &a.Number, &a.Generation, (*string)(&a.Phase),
		(*string)(&a.Outcome), &notBefore, &started, &ended, &a.Error, &text)
	if err != nil {
		return Attempt{}, err
	}
	a.NotBefore, a.StartedAt, a.EndedAt = timeOf(notBefore), timeOf(started), timeOf(ended)
	var d attemptDetail
	if err := json.Unmarshal(text, &d); err != nil {
		return Attempt{}, fmt.Errorf("attempt %d of %s: decode detail: %w", a.Number, a.Task, err)
	}
	a.Output, a.Workspace, a.Isolation, a.Log, a.Base = d.Output, d.Workspace, d.Isolation, d.Log, d.Base
	a.Saved, a.SavedRef, a.MergeOld, a.MergeNew, a.Conflicts = d.Saved, d.SavedRef, d.MergeOld, d.MergeNew, d.Conflicts
	a.Files, a.Additions, a.Deletions, a.ExitCode = d.Files, d.Additions, d.Deletions, d.ExitCode
	a.Note, a.Canceling, a.Cleaned, a.Work = d.Note, d.Canceling, d.Cleaned, d.Work
	a.Consent, a.Rejected = d.Consent, d.Rejected
	a.Onto, a.Checked, a.Misfit, a.Awaits, a.Broke, a.Handed, a.Resolve = d.Onto, d.Checked, d.Misfit, d.Awaits, d.Broke, d.Handed, d.Resolve
	return a, nil
}
