package view

import (
	"fmt"
	"strings"

	"orchestrator/internal/scheduler"
)

// Word is what a person is told about a task's state.
type Word int

// The words, in the order in which counts name them.
const (
	Done Word = iota
	Running
	NeedsYou
	Failed
	Skipped
	Cancelled
	Ready
	Waiting
	words // how many there are
)

// String is the word as it is shown.
func (w Word) String() string {
	return [words]string{
		"done", "running", "needs you", "failed", "skipped", "cancelled", "ready", "waiting for needs",
	}[w]
}

// Word says in which state the task is, in the words for people. A state that this version does not know counts
// as waiting.
func (t *Task) Word() Word {
	if t.NeedsYou() {
		return NeedsYou
	}
	switch t.Status {
	case scheduler.TaskCompleted:
		return Done
	case scheduler.TaskRunning:
		return Running
	case scheduler.TaskFailed:
		return Failed
	case scheduler.TaskSkipped:
		return Skipped
	case scheduler.TaskCanceled:
		return Cancelled
	case scheduler.TaskEligible:
		return Ready
	}
	return Waiting
}

// Counts are numbers of tasks by word.
type Counts [words]int

// Counts returns how many tasks are in which state.
func (r *Run) Counts() Counts {
	c := r.counts
	c[Waiting] += r.unknown()
	return c
}

// Open is the number of tasks that are not over.
func (c Counts) Open() int { return c[Running] + c[NeedsYou] + c.ToGo() }

// ToGo is the number of tasks that wait for needs, for a slot or for files.
func (c Counts) ToGo() int { return c[Ready] + c[Waiting] }

// Over is the number of tasks that are over, one way or the other.
func (c Counts) Over() int { return c[Done] + c[Failed] + c[Skipped] + c[Cancelled] }

// Join names what there is, with sep between: "2 done · 1 running · 3 to go".
func (c Counts) Join(sep string) string {
	return c.join(sep, func(w Word, n int) string { return fmt.Sprintf("%d %s", n, w) })
}

func (c Counts) join(sep string, name func(Word, int) string) string {
	var parts []string
	for w := range Ready {
		if c[w] > 0 {
			parts = append(parts, name(w, c[w]))
		}
	}
	if n := c.ToGo(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d to go", n))
	}
	if len(parts) == 0 {
		return "no tasks"
	}
	return strings.Join(parts, sep)
}

// Tally is Counts.Join which also says how many of the failures are allowed: "6 done, 1 failed (allowed)".
func (r *Run) Tally(sep string) string {
	allowed := 0
	for _, t := range r.failed {
		if t.Allowed {
			allowed++
		}
	}
	return r.Counts().join(sep, func(w Word, n int) string {
		if w != Failed {
			return fmt.Sprintf("%d %s", n, w)
		}
		return FailedCount(n, allowed)
	})
}

// FailedCount says how many tasks failed, and how many of those do not fail the run.
func FailedCount(n, allowed int) string {
	switch allowed {
	case 0:
		return fmt.Sprintf("%d failed", n)
	case n:
		return fmt.Sprintf("%d failed (allowed)", n)
	}
	return fmt.Sprintf("%d failed (%d allowed)", n, allowed)
}
