package cli

import (
	"errors"
	"fmt"
	"os"

	"orchestrator/internal/progress"
	"orchestrator/internal/view"
)

// groupSize is how much of a log's end is shown in its group, in bytes.
const groupSize = 256 << 10

// onGitHub says whether this is a step of GitHub Actions.
func (a *App) onGitHub() bool { return a.Getenv("GITHUB_ACTIONS") == "true" }

// logGroup is the end of a task's log, as it stands.
func (w *watch) logGroup(task string) string {
	end, err := w.app.logEnd(w.run.ID, task, groupSize)
	if err != nil {
		return "the log cannot be read: " + err.Error()
	}
	return end
}

// stepSummary adds the run's page to the summary of the step that this is, if it is one.
func (a *App) stepSummary(run *view.Run) (err error) {
	path := a.Getenv("GITHUB_STEP_SUMMARY")
	if !a.onGitHub() || path == "" {
		return nil
	}
	f, err := os.OpenFile(a.path(path), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the step summary: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return progress.Markdown(f, run, a.Now())
}
