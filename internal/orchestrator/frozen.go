package orchestrator

import (
	"maps"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// frozen is the plan as attempts read it: their goroutines look at it while the loop may be making an edit, so that it
// never changes; an edit puts another one in its place. Of a task only what the plan says is read, never its status.
type frozen struct {
	run     persistence.Run // its plan; its options are those below
	options persistence.RunOptions
	context string
	order   []scheduler.TaskID
	tasks   map[scheduler.TaskID]*scheduler.Task // those included that were removed
}

// freeze makes the present plan the one that attempts read. Called by the loop only.
func (e *Engine) freeze() {
	f := &frozen{run: e.run, options: e.run.Options, context: e.run.Context, order: e.order, tasks: make(map[scheduler.TaskID]*scheduler.Task, len(e.tasks))}
	f.options.Agents = maps.Clone(f.options.Agents)
	for id, t := range e.tasks {
		f.tasks[id] = t.task
	}
	e.frozen.Store(f)
}

// options are the run's, but for what is no part of its plan: whether it is canceled, and what was removed.
func (e *Engine) options() *persistence.RunOptions { return &e.frozen.Load().options }

// definition is what the plan says of a task; nil = there is none.
func (e *Engine) definition(id scheduler.TaskID) *scheduler.Task { return e.frozen.Load().tasks[id] }
