package view

import (
	"cmp"
	"maps"
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

// Roots says for those of the tasks that were not run because of another one which task that is: the failed or
// cancelled one at the root. Tasks for which that cannot be told are absent; tasks on the way to a root may be
// present without having been asked for.
func (r *Run) Roots(of []*Task) map[*Task]*Task {
	known := make(map[*Task]*Task) // nil = looked for in vain
	for _, t := range of {
		r.root(t, known, make(map[*Task]bool))
	}
	maps.DeleteFunc(known, func(_, root *Task) bool { return root == nil })
	return known
}

// root finds what t was not run for, and remembers it. The path keeps it from going round in circles, should
// needs do so.
func (r *Run) root(t *Task, known map[*Task]*Task, path map[*Task]bool) *Task {
	if root, ok := known[t]; ok || path[t] {
		return root
	}
	path[t] = true
	defer delete(path, t)
	for _, id := range t.blockers() {
		need := r.byID[id]
		if need == nil {
			continue
		}
		root := r.root(need, known, path)
		if root == nil && ((need.Status == scheduler.TaskFailed && !need.Allowed) || need.Status == scheduler.TaskCanceled) {
			root = need
		}
		if root != nil {
			known[t] = root
			return root
		}
	}
	known[t] = nil
	return nil
}

// blockers returns the tasks that may have kept t from being run: the one that its reason names, else all that it
// needs. A task that ran is one whose own failure was recorded as skipped, unless its reason says otherwise.
func (t *Task) blockers() []string {
	if t.Status != scheduler.TaskSkipped && t.Status != scheduler.TaskCanceled {
		return nil
	}
	reason := cmp.Or(t.Reason, t.Error)
	for _, prefix := range []string{"needs ", "fail-fast: "} {
		if id, ok := strings.CutPrefix(reason, prefix); ok {
			return []string{id}
		}
	}
	if t.Ran() || t.Status == scheduler.TaskCanceled {
		return nil
	}
	return t.Needs
}

// NotRun returns the tasks that were not run because of a failed one, in plan order.
func (r *Run) NotRun(cause *Task) []*Task {
	if cause == nil {
		return nil
	}
	roots := r.Roots(r.Tasks)
	var skipped []*Task
	for _, t := range r.Tasks {
		if roots[t] == cause {
			skipped = append(skipped, t)
		}
	}
	return skipped
}
