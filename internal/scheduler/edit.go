package scheduler

import "strings"

// NotRun says why a settled task was not run although nobody meant it: cause is the task for which it was skipped or
// canceled, empty when the whole run was canceled. ok is false for a task that ended by itself, or that a person
// canceled by name. known tells which tasks there are.
func NotRun(t *Task, known func(TaskID) bool) (cause TaskID, ok bool) {
	switch t.Status {
	case TaskSkipped:
		id, skipped := strings.CutPrefix(t.Error, needsText)
		return TaskID(id), skipped && known(TaskID(id))
	case TaskCanceled:
		if t.Error == runCanceledText {
			return "", true
		}
		id, fast := strings.CutPrefix(t.Error, failFastText)
		return TaskID(strings.TrimSuffix(id, " failed")), fast
	}
	return "", false
}

// Blocks says whether a settled task stands in the way of what needs it.
func Blocks(t *Task, known func(TaskID) bool) bool {
	switch t.Status {
	case TaskFailed:
		return t.FailureMode != FailSoft
	case TaskCanceled:
		return true
	case TaskSkipped:
		_, other := NotRun(t, known)
		return other
	}
	return false
}
