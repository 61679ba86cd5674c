package orchestrator

import (
	"fmt"
	"slices"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// blame says that the merged work is broken, and by whom: a gate fails on the head without the task that found it.
type blame struct {
	red     redGate
	culprit scheduler.TaskID
	number  int // of the culprit's attempt
}

// misfit decides about a merged result that fails. The attempt itself is at fault, unless the gate fails without it too.
func (at *attempt) misfit(m workspace.Merge, red redGate, tasks []scheduler.TaskID) (*ended, error) {
	about := ""
	if at.othersGate(red.gate, tasks) {
		without, err := at.tryGates(m.Old, []string{red.gate}, tasks)
		if err != nil {
			return nil, err
		}
		if without != nil {
			culprit, err := at.findCulprit(m.Old, red.gate, tasks)
			if err != nil {
				return nil, err
			}
			if culprit != nil && culprit.Task != string(at.a.Task) {
				return &ended{blame: &blame{red: red, culprit: scheduler.TaskID(culprit.Task), number: culprit.Number}}, nil
			}
			if culprit == nil {
				about = "; it fails on the commit that the run began from too"
			}
		}
	}
	end := at.misfits(red, about)
	return &end, nil
}

// misfits fails the attempt for what the merged result does. An agent gets its work back on top of what is merged.
func (at *attempt) misfits(red redGate, about string) ended {
	a := &at.a
	a.Misfit, a.ExitCode, a.Output, a.MergeOld, a.MergeNew = true, red.code, red.output, "", ""
	return at.failed(red.text+about, false)
}

// othersGate says whether a gate is not the attempt's own alone: the plan's, or of a task that is merged.
func (at *attempt) othersGate(gate string, tasks []scheduler.TaskID) bool {
	if gate == "" {
		return false
	}
	return slices.Contains(at.e.options().Merge.Commands, gate) ||
		slices.ContainsFunc(tasks, func(id scheduler.TaskID) bool { return id != at.a.Task && at.e.hasGate(id, gate) })
}

func (e *Engine) hasGate(id scheduler.TaskID, gate string) bool {
	t := e.definition(id)
	return t != nil && slices.Contains(t.Verify, gate)
}

// findCulprit finds the first merge since which a gate fails, up to a head on which it does. nil = it failed before all
// of them. A task's own gate means nothing before that task was merged.
func (at *attempt) findCulprit(head, gate string, tasks []scheduler.TaskID) (*workspace.MergedWork, error) {
	e := at.e
	merges, err := e.o.Repository.Merges(e.ctx, string(at.a.Run))
	if err != nil {
		return nil, err
	}
	merges = upTo(merges, head)
	good := -1 // index of a merge on which it passes, or before the first that counts
	if slices.Contains(e.options().Merge.Commands, gate) {
		if !slices.ContainsFunc(merges, func(m workspace.MergedWork) bool { return e.passed.has(m.Commit, gate) }) {
			red, err := at.tryGates(e.run.Base, []string{gate}, tasks)
			if err != nil || red != nil {
				return nil, err
			}
		}
	} else {
		good = slices.IndexFunc(merges, func(m workspace.MergedWork) bool { return e.hasGate(scheduler.TaskID(m.Task), gate) }) - 1
	}
	for i := len(merges) - 1; i > good; i-- {
		if e.passed.has(merges[i].Commit, gate) {
			good = i
		}
	}
	bad := len(merges) - 1
	for bad-good > 1 {
		mid := good + (bad-good)/2
		red, err := at.tryGates(merges[mid].Commit, []string{gate}, tasks)
		if err != nil {
			return nil, err
		}
		if red == nil {
			good = mid
		} else {
			bad = mid
		}
	}
	if bad < 0 {
		return nil, nil
	}
	return &merges[bad], nil
}

// takeBlame answers an attempt that found the merged work broken by another task: that task is sent back to its own
// session, and the attempt waits for the repaired head. Not taken when nobody repairs it: then the attempt has failed, as
// it is in t now, and final says whether for good.
func (e *Engine) takeBlame(b *batch, t *tracked, bl *blame) (taken, final bool) {
	c := e.tasks[bl.culprit]
	if c != nil {
		b.t.Events = append(b.t.Events, e.event(event.Notice, bl.culprit, bl.number, event.Detail{
			Message: fmt.Sprintf("broke what is merged, as task %s found: %s", t.task.ID, oneLine(bl.red.text)), Output: excerpt(bl.red.output),
		}))
	}
	why := e.irreparable(t, c)
	if why == "" && !c.underWay() {
		why = e.sendBack(b, t, c, bl)
	}
	if why == "" {
		e.await(b, t, bl)
		return true, false
	}
	a := t.attempt
	a.Outcome, a.Output, a.ExitCode = scheduler.OutcomeFailed, lastBytes(bl.red.output, outputKept), bl.red.code
	a.MergeOld, a.MergeNew = "", ""
	a.Error = fmt.Sprintf("%s; it fails without this task too, since %s (attempt %d) was merged: %s", bl.red.text, bl.culprit, bl.number, why)
	a.Misfit = why == overlaps
	return false, !a.Misfit
}

const overlaps = "both write the same files, so it is this task's to repair"

// underWay says whether something is about to happen with a task without a person: an attempt, or the end of one.
func (t *tracked) underWay() bool { return t.cleaning || !t.task.Status.Terminal() && !held(t) }

// irreparable says why a task is not waited for to repair what it broke; empty = it is.
func (e *Engine) irreparable(t, c *tracked) string {
	switch {
	case c == nil:
		return "it is no task of this run any more"
	case e.dependsOn(c.task.ID, t.task.ID):
		return "it needs this task"
	case scheduler.Overlap(c.task.WritesFiles, t.task.WritesFiles):
		return overlaps
	case t.stuck:
		return "only a person can bring its repair on"
	case c.underWay():
		return ""
	case c.repaired && c.task.Status == scheduler.TaskFailed:
		return "it was sent back and could not repair it: " + c.task.Error
	case c.repaired:
		return "it was sent back once already"
	case c.task.Status != scheduler.TaskCompleted:
		return fmt.Sprintf("it is %s", c.task.Status)
	case e.newWork(c.task) == nil:
		return "it is a command, which cannot repair it"
	}
	return ""
}

// dependsOn says whether a task needs another, directly or not.
func (e *Engine) dependsOn(id, other scheduler.TaskID) bool {
	seen := map[scheduler.TaskID]bool{id: true}
	for queue := []scheduler.TaskID{id}; len(queue) > 0; queue = queue[1:] {
		for _, need := range e.tasks[queue[0]].task.DependsOn {
			if need == other {
				return true
			}
			if !seen[need] {
				seen[need] = true
				queue = append(queue, need)
			}
		}
	}
	return false
}

// sendBack puts a completed task back to repair what it broke, once. What depends on it and has run stays as it is.
func (e *Engine) sendBack(b *batch, t, c *tracked, bl *blame) (why string) {
	last, before := c.attempt, c.failure
	last.Broke = &persistence.Breakage{
		Found: t.task.ID, Error: "once merged, it broke what is merged: " + bl.red.text, Output: lastBytes(bl.red.output, outputKept),
	}
	c.remember()
	if err := e.step(b, scheduler.Retry{Tasks: []scheduler.TaskID{c.task.ID}, Alone: true}); err != nil {
		last.Broke, c.failure, c.repaired = nil, before, false
		return err.Error()
	}
	b.record(*last)
	return ""
}
