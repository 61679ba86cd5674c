package orchestrator

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// waitingEdit is an edit that waits until attempts have ended that it changes or takes away. Until it is made, its
// request is not consumed: another owner would begin with it anew.
type waitingEdit struct {
	id   int64
	r    EditRequest
	list *listing // that it is made for, and no request; nil = a person's
}

// actionEdited marks the events of tasks that an edit puts back: their next attempt begins anew.
const actionEdited = "edited"

// takeEdit begins with an edit. One at a time: another one waits.
func (e *Engine) takeEdit(b *batch, q persistence.Request) {
	if e.edit != nil || e.stopping {
		e.relook = e.edit == nil || e.edit.id != q.ID
		return
	}
	r, err := readEdit(q.Payload)
	if err == nil {
		err = e.compare(r).refusal(e.all())
	}
	if late := lateList(e.run.Options.Lists, r.Options.Lists); err == nil && late != "" {
		err = fmt.Errorf("the list of task %s was made meanwhile: do the same again", late)
	}
	if err != nil {
		b.t.Requests = append(b.t.Requests, persistence.RequestDone{ID: q.ID, Error: err.Error()})
		e.log.Warn("request refused", "request", q.ID, "kind", q.Kind, "error", err)
		return
	}
	e.edit = &waitingEdit{id: q.ID, r: r}
	e.followEdit(b)
}

// all are the tasks that the store has, those included that were removed from the plan.
func (e *Engine) all() []*scheduler.Task {
	tasks := make([]*scheduler.Task, 0, len(e.tasks))
	for _, id := range e.order {
		tasks = append(tasks, e.tasks[id].task)
	}
	for _, id := range e.run.Options.Removed {
		if t := e.tasks[id]; t != nil {
			tasks = append(tasks, t.task)
		}
	}
	return tasks
}

func (e *Engine) compare(r EditRequest) Edit { return compare(e.all(), e.run.Options, r) }

// followEdit makes the edit that waits as soon as nothing runs that it changes, and stops what does.
func (e *Engine) followEdit(b *batch) {
	if e.edit == nil || e.stopping {
		return
	}
	d := e.compare(e.edit.r)
	var stopped []scheduler.TaskID
	for _, id := range d.Stop {
		// One that this very batch starts can only be stopped after it.
		starts := slices.ContainsFunc(b.starts, func(s start) bool { return s.attempt.Task == id })
		if !starts && !e.tasks[id].attempt.Canceling {
			stopped = append(stopped, id)
		}
	}
	if len(stopped) > 0 {
		o := e.run.Options
		o.Stopped = append(slices.Clone(o.Stopped), stopped...)
		e.setOptions(b, o)
		for _, id := range stopped {
			e.must(b, scheduler.CancelTask{Task: id})
		}
		d = e.compare(e.edit.r) // those without a process have ended by now
	}
	if len(d.Stop) == 0 && !e.tidies(d) {
		e.makeEdit(b, d)
	}
}

// tidies says whether the workspace of a task is just being removed that would be worked in again.
func (e *Engine) tidies(d Edit) bool {
	ids := slices.Concat(d.Added, d.Back)
	for _, a := range d.Again {
		ids = append(ids, a.Task)
	}
	return slices.ContainsFunc(ids, func(id scheduler.TaskID) bool { return e.tasks[id] != nil && e.tasks[id].cleaning })
}

func (e *Engine) setOptions(b *batch, o persistence.RunOptions) {
	e.run.Options = o
	b.t.Options = &o
}

// makeEdit makes an edit true in one transition: the new plan, what is put back for it, and what starts.
func (e *Engine) makeEdit(b *batch, d Edit) {
	r := e.edit.r
	list := e.edit.list
	if list == nil {
		b.t.Requests = append(b.t.Requests, persistence.RequestDone{ID: e.edit.id})
	} else {
		b.acks = append(b.acks, list.answer)
	}
	e.edit = nil
	e.refuseListings(b, errPlanMoved)
	progress := map[scheduler.TaskID]scheduler.Progress{}
	for id, t := range e.tasks {
		p, known := e.state.Progress(id)
		if !known {
			p.Started = t.started
		}
		progress[id] = p
	}
	e.takeOptions(b, d, r)
	b.t.Edit = &persistence.PlanEdit{
		Name: r.Name, Description: r.Description, PlanPath: r.PlanPath, Plan: r.Plan, Context: r.Context, Concurrency: e.run.Concurrency,
	}
	e.settled = ""
	b.t.State = scheduler.RunRunning
	e.remove(b, d)
	e.define(b, d, r)
	e.freeze()
	b.t.Events = append(b.t.Events, e.sayMade(d, r, list))
	e.sayEdited(b, d)
	e.putBack(b, d, progress)
	e.rebuild(b, progress)
}

// takeOptions takes over what the run keeps beside its tasks.
func (e *Engine) takeOptions(b *batch, d Edit, r EditRequest) {
	o := e.run.Options
	n := r.Options
	o.Agents, o.Setup, o.Setups, o.StrictWrites, o.FreshSessions = n.Agents, n.Setup, n.Setups, n.StrictWrites, n.FreshSessions
	o.Approve, o.ApproveOf = n.Approve, n.ApproveOf
	o.Lists, o.Items, o.Workflows, o.WorkflowOf, o.Merge = n.Lists, n.Items, n.Workflows, n.WorkflowOf, n.Merge
	o.Questions, o.QuestionsOf = n.Questions, n.QuestionsOf
	for id, own := range n.BudgetOf { // what a person has given a task more stays
		if _, has := o.BudgetOf[id]; !has {
			o.BudgetOf = maps.Clone(o.BudgetOf)
			if o.BudgetOf == nil {
				o.BudgetOf = map[scheduler.TaskID]scheduler.Budget{}
			}
			o.BudgetOf[id] = own
		}
	}
	o.Canceled, o.Stopped = false, nil
	o.Removed = slices.DeleteFunc(slices.Clone(o.Removed), func(id scheduler.TaskID) bool { return slices.Contains(d.Added, id) })
	o.Removed = append(o.Removed, d.Removed...)
	e.setOptions(b, o)
	e.run.Name, e.run.Description, e.run.PlanPath, e.run.Plan, e.run.Context = r.Name, r.Description, r.PlanPath, r.Plan, r.Context
	if r.Concurrency > 0 {
		e.run.Concurrency = r.Concurrency
		if e.o.Concurrency == 0 {
			e.slots = r.Concurrency
		}
	}
}

// remove takes tasks out of the graph. What they did stays: completed work is merged, other work is saved.
func (e *Engine) remove(b *batch, d Edit) {
	for _, id := range d.Removed {
		t := e.tasks[id]
		p, _ := e.state.Progress(id)
		t.started = p.Started
		number := 0
		if t.attempt != nil {
			number = t.attempt.Number
		}
		if t.task.Status != scheduler.TaskCompleted {
			e.setStatus(b, t, scheduler.TaskCanceled, removedText)
		}
		b.t.Events = append(b.t.Events, e.event(event.TaskEdited, id, number, event.Detail{
			Status: string(t.task.Status), Action: "removed", Reason: removedText,
		}))
	}
}

func (e *Engine) setStatus(b *batch, t *tracked, to scheduler.TaskStatus, text string) {
	b.change(persistence.TaskChange{Task: t.task.ID, From: t.task.Status, To: to, Error: text})
	t.task.Status, t.task.Result, t.task.Error = to, nil, text
}

// define takes over the tasks of the new plan, in its order, with the states that they are in.
func (e *Engine) define(b *batch, d Edit, r EditRequest) {
	differs := map[scheduler.TaskID]bool{}
	for _, id := range d.Added {
		differs[id] = true
	}
	for _, c := range d.Changed {
		differs[c.Task] = true
	}
	e.order = e.order[:0:0]
	for _, n := range r.Tasks {
		e.order = append(e.order, n.ID)
		t := e.tasks[n.ID]
		if t == nil {
			t = &tracked{task: &scheduler.Task{Status: scheduler.TaskPending}}
			e.tasks[n.ID] = t
		}
		if !differs[n.ID] {
			continue
		}
		// A new value: an attempt that is under way has a copy of the old one, and nobody else keeps it.
		task := *n
		task.Status, task.Result, task.Error = t.task.Status, t.task.Result, t.task.Error
		t.task = &task
		b.t.Edit.Tasks = append(b.t.Edit.Tasks, &task)
	}
}

// sayEdited tells of each task what the plan says differently now.
func (e *Engine) sayEdited(b *batch, d Edit) {
	say := func(id scheduler.TaskID, action, reason string) {
		t := e.tasks[id]
		number := 0
		if t.attempt != nil {
			number = t.attempt.Number
		}
		b.t.Events = append(b.t.Events, e.event(event.TaskEdited, id, number, event.Detail{
			Status: string(t.task.Status), Action: action, Reason: reason, Name: t.task.Name, Agent: t.task.AgentRole, Attempts: max(t.task.Attempts, 1),
		}))
	}
	for _, id := range d.Added {
		say(id, "added", "")
	}
	for _, c := range d.Changed {
		if !slices.Contains(d.Added, c.Task) {
			say(c.Task, "changed", strings.Join(c.Keys, ", "))
		}
	}
}

// putBack makes pending what runs again, or can run now, with all its attempts to spend. The next attempt begins anew:
// what an agent was told before is not the plan any more.
func (e *Engine) putBack(b *batch, d Edit, progress map[scheduler.TaskID]scheduler.Progress) {
	back := func(id scheduler.TaskID, why string) {
		t := e.tasks[id]
		if s := t.task.Status; !s.Terminal() {
			return
		}
		number := 0
		if t.attempt != nil {
			number = t.attempt.Number
		}
		t.note, t.failure, t.startable = "", nil, false
		e.setStatus(b, t, scheduler.TaskPending, "")
		b.t.Events = append(b.t.Events, e.event(event.TaskReset, id, number, event.Detail{
			Status: string(scheduler.TaskPending), Action: actionEdited, Reason: why,
		}))
		progress[id] = scheduler.Progress{Started: progress[id].Started}
	}
	for _, a := range d.Again {
		back(a.Task, "plan edited: "+a.Why)
	}
	for _, id := range d.Back {
		back(id, "plan edited")
	}
	for _, id := range d.Added {
		if e.tasks[id].task.Status != scheduler.TaskCompleted {
			back(id, "plan edited: it is there again")
		}
	}
}

// rebuild makes the graph anew of what is there, and lets start what can.
func (e *Engine) rebuild(b *batch, progress map[scheduler.TaskID]scheduler.Progress) {
	tasks := make([]*scheduler.Task, len(e.order))
	for i, id := range e.order {
		tasks[i] = e.tasks[id].task
	}
	state, err := scheduler.NewState(tasks, progress, e.graphOptions())
	if err != nil { // the checker has seen to that: a request of another program's
		e.trouble = fmt.Errorf("build the graph of the edited plan: %w", err)
		e.beginStop(b, false)
		return
	}
	e.state = state
	for _, name := range e.heldNames() {
		h := e.holds[name]
		h.roles = e.covered(&h) // the plan may have other agents now
		e.holds[name] = h
		e.rehold(b, h.roles)
	}
	e.must(b, scheduler.Begin{})
	for _, id := range e.order {
		if _, waits := e.parked[id]; progress[id].Parked && !waits && !e.awaiting[id] && !asks(e.tasks[id].attempt) {
			e.must(b, scheduler.Due{Task: id}) // its time had come already
		}
	}
}

// graphOptions are those of the run as it is now.
func (e *Engine) graphOptions() scheduler.Options {
	return scheduler.Options{
		Concurrency: e.slots, FailFast: e.run.Options.FailFast, Canceled: e.run.Options.Canceled,
		ByTask: e.durations.ByTask, ByAgent: e.durations.ByAgent,
	}
}

// String counts what an edit changes.
func (d Edit) String() string {
	var parts []string
	for _, c := range []struct {
		n    int
		what string
	}{
		{len(d.Added), "added"}, {len(d.Removed), "removed"}, {len(d.Changed), "changed"}, {len(d.Again), "again"}, {len(d.Kept), "kept"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if len(parts) == 0 {
		return "no task is different"
	}
	return strings.Join(parts, ", ")
}
