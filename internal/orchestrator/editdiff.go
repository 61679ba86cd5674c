package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// RequestEdit is the kind of an EditRequest.
const RequestEdit = "edit"

// EditRequest gives a run a new plan, checked and compiled. The owner consumes it in the transition that makes it true.
type EditRequest struct {
	Name, Description string
	PlanPath          string // absolute
	Plan              string // the whole text
	Context           string
	Concurrency       int // attempts at a time; 0 = as before
	Tasks             []*scheduler.Task
	// Options are those that come from the plan: Agents, Setup, Setups, StrictWrites, FreshSessions, Items, Lists,
	// Questions, QuestionsOf, Approve, ApproveOf, Workflows, WorkflowOf, Merge, and BudgetOf of tasks
	// that have none yet. The others stay as they are.
	Options persistence.RunOptions
}

// Edit is what a new plan means for a run.
type Edit struct {
	Added   []scheduler.TaskID
	Removed []scheduler.TaskID
	Changed []EditedTask       // of which the plan says something else
	Again   []EditedTask       // had run, or run now, and run again
	Back    []scheduler.TaskID // were not run because of others, and can run now
	Stop    []scheduler.TaskID // of Removed and Again: run now; they are stopped, and their work is saved
	Kept    []scheduler.TaskID // completed, and not touched
}

// EditedTask is a task with what is different about it.
type EditedTask struct {
	Task scheduler.TaskID
	Keys []string // of the plan file
	Why  string   // it runs again
}

// Empty says that no task is different.
func (d Edit) Empty() bool {
	return len(d.Added)+len(d.Removed)+len(d.Changed)+len(d.Again)+len(d.Back) == 0
}

// What a change of a key means for a task that has run: work that is done is done again only where the key says what
// the work is; an attempt under way would not notice any of the others either.
var (
	keysOfWork    = []string{"prompt", "run", "verify", "needs", "for_each"}
	keysOfAttempt = []string{"prompt", "run", "verify", "needs", "for_each", "agent", "isolation", "writes", "workspace", "workflow"}
)

// removedText is the error of a task that the plan does not have any more.
const removedText = "removed from the plan"

// PreviewEdit says what a new plan would mean for a run as it is now. The error says what cannot be done.
func PreviewEdit(ctx context.Context, store persistence.Store, run scheduler.RunID, r EditRequest) (Edit, error) {
	now, err := store.GetRun(ctx, run)
	if err != nil {
		return Edit{}, fmt.Errorf("load run: %w", err)
	}
	tasks, err := store.ListTasks(ctx, run)
	if err != nil {
		return Edit{}, fmt.Errorf("load tasks: %w", err)
	}
	d := compare(tasks, now.Options, r)
	return d, d.refusal(tasks)
}

// refusal says what of an edit cannot be done.
func (d Edit) refusal(tasks []*scheduler.Task) error {
	for _, c := range d.Changed {
		i := slices.IndexFunc(tasks, func(t *scheduler.Task) bool { return t.ID == c.Task })
		if tasks[i].Status == scheduler.TaskRunning && slices.Contains(c.Keys, "isolation") {
			return fmt.Errorf("task %s is running, so its `isolation` cannot change: wait for its end, or cancel it first (orc cancel %s)", c.Task, c.Task)
		}
	}
	return nil
}

// comparison is a run held against a new plan.
type comparison struct {
	Edit
	old    map[scheduler.TaskID]*scheduler.Task
	new    map[scheduler.TaskID]*scheduler.Task
	feeds  map[scheduler.TaskID][]scheduler.TaskID // dependents, by the new plan
	before persistence.RunOptions
	keys   map[scheduler.TaskID][]string
	again  map[scheduler.TaskID]string // why
}

// compare finds out what a new plan means. It is a pure function of what the store holds, so that what a person was
// shown is what the owner does, as far as the run has not gone on meanwhile.
func compare(tasks []*scheduler.Task, options persistence.RunOptions, r EditRequest) Edit {
	c := &comparison{
		old: map[scheduler.TaskID]*scheduler.Task{}, new: map[scheduler.TaskID]*scheduler.Task{}, before: options,
		feeds: map[scheduler.TaskID][]scheduler.TaskID{}, keys: map[scheduler.TaskID][]string{}, again: map[scheduler.TaskID]string{},
	}
	for _, t := range tasks {
		c.old[t.ID] = t
	}
	for _, t := range r.Tasks {
		c.new[t.ID] = t
		for _, need := range t.DependsOn {
			c.feeds[need] = append(c.feeds[need], t.ID)
		}
	}
	for _, t := range r.Tasks {
		c.look(t, r.Options)
	}
	c.follow(r.Tasks)
	for _, t := range r.Tasks {
		if why, ok := c.again[t.ID]; ok {
			c.Again = append(c.Again, EditedTask{Task: t.ID, Keys: c.keys[t.ID], Why: why})
		}
	}
	c.comeBack(r.Tasks)
	c.rest(tasks, r.Tasks)
	return c.Edit
}

// look says what is different about one task of the new plan, and whether it runs again for that.
func (c *comparison) look(t *scheduler.Task, options persistence.RunOptions) {
	was, ok := c.old[t.ID]
	removed := ok && slices.Contains(c.before.Removed, t.ID)
	if !ok || removed && was.Status != scheduler.TaskCompleted {
		c.Added = append(c.Added, t.ID)
		return
	}
	if removed {
		c.Added = append(c.Added, t.ID)
	}
	keys := changedKeys(was, t, c.before, options)
	if len(keys) > 0 {
		c.keys[t.ID] = keys
		c.Changed = append(c.Changed, EditedTask{Task: t.ID, Keys: keys})
	}
	why := "its " + strings.Join(keys, ", ") + " changed"
	switch {
	case was.Status == scheduler.TaskCompleted && meets(keys, keysOfWork),
		was.Status == scheduler.TaskRunning && meets(keys, keysOfAttempt),
		len(keys) > 0 && c.endedItself(was):
		c.again[t.ID] = why
	case slices.Contains(c.before.Stopped, t.ID) && was.Status == scheduler.TaskCanceled:
		c.again[t.ID] = "it was stopped for this edit"
	}
}

// endedItself says whether a task failed or was canceled by name: any change may be meant to repair that.
func (c *comparison) endedItself(t *scheduler.Task) bool {
	_, others := scheduler.NotRun(t, c.known)
	return t.Status.Terminal() && t.Status != scheduler.TaskCompleted && !others
}

func (c *comparison) known(id scheduler.TaskID) bool { return c.old[id] != nil }

func meets(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// follow has run again what was built upon something that runs again. What a person canceled by name stays so.
func (c *comparison) follow(tasks []*scheduler.Task) {
	var queue []scheduler.TaskID
	for _, t := range tasks {
		if _, again := c.again[t.ID]; again {
			queue = append(queue, t.ID)
		}
	}
	seen := map[scheduler.TaskID]bool{}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, id := range c.feeds[queue[0]] {
			t := c.old[id]
			if seen[id] || t == nil {
				continue
			}
			seen[id] = true
			_, others := scheduler.NotRun(t, c.known)
			if _, already := c.again[id]; !already && !others {
				switch t.Status {
				case scheduler.TaskCanceled:
					continue
				case scheduler.TaskCompleted, scheduler.TaskFailed, scheduler.TaskSkipped, scheduler.TaskRunning:
					c.again[id] = fmt.Sprintf("it needs %s, which runs again", queue[0])
				}
			}
			queue = append(queue, id)
		}
	}
}

// comeBack finds what was not run because of others that stand in its way no longer.
func (c *comparison) comeBack(tasks []*scheduler.Task) {
	barred := map[scheduler.TaskID]bool{}
	var queue []scheduler.TaskID
	for _, t := range tasks {
		was := c.old[t.ID]
		if was == nil || slices.Contains(c.Added, t.ID) {
			continue
		}
		_, again := c.again[t.ID]
		_, others := scheduler.NotRun(was, c.known)
		as := *was
		as.FailureMode = t.FailureMode
		if !again && !others && scheduler.Blocks(&as, c.known) {
			queue = append(queue, t.ID)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, id := range c.feeds[queue[0]] {
			if !barred[id] {
				barred[id] = true
				queue = append(queue, id)
			}
		}
	}
	for _, t := range tasks {
		was := c.old[t.ID]
		if was == nil || barred[t.ID] || slices.Contains(c.Added, t.ID) {
			continue
		}
		cause, others := scheduler.NotRun(was, c.known)
		if !others {
			continue
		}
		_, again := c.again[cause]
		fast := was.Status == scheduler.TaskCanceled && cause != ""
		if !fast || again || c.new[cause] == nil {
			c.Back = append(c.Back, t.ID)
		}
	}
}

// rest finds what was removed, what has to be stopped, and what stays.
func (c *comparison) rest(old, tasks []*scheduler.Task) {
	stop := func(id scheduler.TaskID) {
		if t := c.old[id]; t != nil && t.Status == scheduler.TaskRunning {
			c.Stop = append(c.Stop, id)
		}
	}
	for _, t := range old {
		if c.new[t.ID] == nil && !slices.Contains(c.before.Removed, t.ID) {
			c.Removed = append(c.Removed, t.ID)
			stop(t.ID)
		}
	}
	for _, t := range tasks {
		_, again := c.again[t.ID]
		if was := c.old[t.ID]; again {
			stop(t.ID)
		} else if was != nil && was.Status == scheduler.TaskCompleted {
			c.Kept = append(c.Kept, t.ID)
		}
	}
}

// changedKeys names the keys of the plan file by which two definitions of a task differ.
func changedKeys(a, b *scheduler.Task, before, after persistence.RunOptions) []string {
	var keys []string
	add := func(key string, same bool) {
		if !same && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	add("name", a.Name == b.Name)
	add("needs", sameSet(a.DependsOn, b.DependsOn))
	add("agent", a.AgentRole == b.AgentRole)
	add("prompt", a.Prompt == b.Prompt)
	add("run", a.Command == b.Command)
	add("writes", sameSet(a.WritesFiles, b.WritesFiles))
	add("verify", slices.Equal(a.Verify, b.Verify))
	add("retry", max(a.Attempts, 1) == max(b.Attempts, 1))
	add("timeout", a.Timeout == b.Timeout)
	add("on_failure", modeOf(a) == modeOf(b))
	add("isolation", a.Isolation == b.Isolation)
	add("retry", slices.Contains(before.FreshSessions, a.ID) == slices.Contains(after.FreshSessions, a.ID))
	add("strict_writes", slices.Contains(before.StrictWrites, a.ID) == slices.Contains(after.StrictWrites, a.ID))
	add("for_each", before.Items[a.ID] == after.Items[a.ID])
	add("for_each", makesList(before, a.ID) == makesList(after, a.ID))
	add("approve", slices.Equal(before.Approvals(a.ID), after.Approvals(a.ID)))
	add("questions", questionsFor(before, a.ID) == questionsFor(after, a.ID))
	add("workflow", reflect.DeepEqual(before.StepsOf(a.ID), after.StepsOf(a.ID)))
	add("workspace", sameSetup(setupFor(before, a.ID), setupFor(after, a.ID)))
	return keys
}

func modeOf(t *scheduler.Task) scheduler.FailureMode {
	if t.FailureMode == "" {
		return scheduler.FailHard
	}
	return t.FailureMode
}

func makesList(o persistence.RunOptions, id scheduler.TaskID) bool {
	_, makes := o.Lists[id]
	return makes
}

func questionsFor(o persistence.RunOptions, id scheduler.TaskID) string {
	if own, ok := o.QuestionsOf[id]; ok {
		return own
	}
	return o.Questions
}

func setupFor(o persistence.RunOptions, id scheduler.TaskID) scheduler.Setup {
	if own, ok := o.Setups[id]; ok {
		return own
	}
	if o.Setup != nil {
		return *o.Setup
	}
	return scheduler.Setup{}
}

func sameSetup(a, b scheduler.Setup) bool {
	return a.Empty() && b.Empty() || reflect.DeepEqual(a, b)
}

func sameSet[T ~string](a, b []T) bool {
	set := func(list []T) map[T]bool {
		m := map[T]bool{}
		for _, v := range list {
			m[v] = true
		}
		return m
	}
	return maps.Equal(set(a), set(b))
}

func readEdit(payload string) (EditRequest, error) {
	var r EditRequest
	if err := json.Unmarshal([]byte(payload), &r); err != nil {
		return r, fmt.Errorf("read the request: %w", err)
	}
	return r, nil
}
