package view

import (
	"strings"

	"orchestrator/internal/scheduler"
)

// Failures returns the tasks that failed: those that fail the run first, then the allowed ones, each in the order
// in which they failed. The first is the root cause.
func (r *Run) Failures() []*Task {
	hard := make([]*Task, 0, len(r.failed))
	var allowed []*Task
	for _, t := range r.failed {
		if t.Allowed {
			allowed = append(allowed, t)
		} else {
			hard = append(hard, t)
		}
	}
	return append(hard, allowed...)
}

// Waits returns the tasks that wait for a person, in plan order.
func (r *Run) Waits() []*Task {
	var waits []*Task
	for _, t := range r.active {
		if t.NeedsYou() {
			waits = append(waits, t)
		}
	}
	return waits
}

// Roots says for each task that was skipped without having run because of which failed task that is. Tasks whose
// reason cannot be told are absent.
func (r *Run) Roots() map[*Task]*Task {
	roots := make(map[*Task]*Task)
	for _, t := range r.Tasks {
		r.root(t, roots, make(map[*Task]bool))
	}
	for t, root := range roots {
		if root == nil {
			delete(roots, t)
		}
	}
	return roots
}

// root finds the failed or cancelled task that t was skipped for, and remembers it; nil = none. The path keeps it
// from going round in circles, should needs do so.
func (r *Run) root(t *Task, known map[*Task]*Task, path map[*Task]bool) *Task {
	if t.Status != scheduler.TaskSkipped || t.Ran() || path[t] {
		return nil
	}
	if root, ok := known[t]; ok {
		return root
	}
	path[t] = true
	defer delete(path, t)
	needs := t.Needs
	if len(needs) == 0 {
		needs = reasonNeeds(t.Reason)
	}
	for _, id := range needs {
		need := r.byID[id]
		if need == nil {
			continue
		}
		if (need.Status == scheduler.TaskFailed && !need.Allowed) || need.Status == scheduler.TaskCanceled {
			known[t] = need
			return need
		}
		if root := r.root(need, known, path); root != nil {
			known[t] = root
			return root
		}
	}
	known[t] = nil
	return nil
}

// reasonNeeds reads the ids out of a reason such as "needs docs" or "needs docs, api".
func reasonNeeds(reason string) []string {
	list, ok := strings.CutPrefix(reason, "needs ")
	if !ok {
		return nil
	}
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// NotRun returns the tasks that were skipped because of a failed one, in plan order.
func (r *Run) NotRun(cause *Task) []*Task {
	roots := r.Roots()
	var skipped []*Task
	for _, t := range r.Tasks {
		if roots[t] == cause && roots[t] != nil {
			skipped = append(skipped, t)
		}
	}
	return skipped
}
