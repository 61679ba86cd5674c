package persistence_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// model is the store as plain maps: what a run's tasks, events, requests and lease must be after the same calls.
type model struct {
	store    persistence.Store
	now      time.Time
	runs     map[scheduler.RunID]*modelRun
	requests int64 // ids grow over all runs
	steps    int
}

type modelRun struct {
	tasks      []*scheduler.Task
	events     []event.Event
	pending    []int64
	consumed   []int64
	generation int64
	owner      string
	expires    time.Time // zero = released
}

var (
	modelRuns     = []scheduler.RunID{"aa", "bb"}
	modelTasks    = []scheduler.TaskID{"a", "b", "c", "d"}
	modelStatuses = []scheduler.TaskStatus{scheduler.TaskPending, scheduler.TaskEligible, scheduler.TaskRunning, scheduler.TaskCompleted}
)

func TestTheStoreAgreesWithAPlainModel(t *testing.T) {
	for name, open := range map[string]func(t testing.TB) *persistence.SQLiteStore{"file": testStore, "memory": memoryStore} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			rapid.Check(t, func(r *rapid.T) {
				m := &model{store: s, now: time.Unix(1_800_000_000, 0).UTC(), runs: map[scheduler.RunID]*modelRun{}}
				// Requests of earlier rounds have used up ids; runs are deleted at the end of each.
				defer func() {
					for id := range m.runs {
						if err := s.DeleteRun(t.Context(), id); err != nil {
							r.Fatal(err)
						}
					}
				}()
				r.Repeat(map[string]func(*rapid.T){
					"create run": m.createRun, "delete run": m.deleteRun, "save task": m.saveTask, "delete task": m.deleteTask,
					"update task": m.updateTask, "acquire": m.acquire, "renew": m.renew, "release": m.release,
					"add request": m.addRequest, "apply": m.apply, "": m.check,
				})
			})
		})
	}
}

func (m *model) draw(r *rapid.T) (scheduler.RunID, *modelRun) {
	id := rapid.SampledFrom(modelRuns).Draw(r, "run")
	return id, m.runs[id]
}

// expect compares an error with the kind that the model foresees.
func expect(r *rapid.T, what string, err, kind error) {
	r.Helper()
	if (kind == nil) != (err == nil) || !errors.Is(err, kind) {
		r.Fatalf("%s: got error %v, want %v", what, err, kind)
	}
}

func drawTask(r *rapid.T) *scheduler.Task {
	task := &scheduler.Task{
		ID:          rapid.SampledFrom(modelTasks).Draw(r, "task"),
		Prompt:      rapid.String().Draw(r, "prompt"),
		WritesFiles: rapid.SliceOfN(rapid.String(), 0, 3).Draw(r, "files"),
		Status:      rapid.SampledFrom(modelStatuses).Draw(r, "status"),
		Attempts:    rapid.IntRange(0, 3).Draw(r, "attempts"),
	}
	if needs := rapid.SliceOfNDistinct(rapid.SampledFrom(modelTasks), 0, 3, rapid.ID).Draw(r, "needs"); len(needs) > 0 {
		task.DependsOn = needs
	}
	return task
}

func (m *model) createRun(r *rapid.T) {
	id, run := m.draw(r)
	tasks := rapid.SliceOfNDistinct(rapid.Custom(drawTask), 0, 3, func(t *scheduler.Task) scheduler.TaskID { return t.ID }).Draw(r, "tasks")
	var kind error
	for _, t := range tasks {
		for _, need := range t.DependsOn {
			if !slices.ContainsFunc(tasks, func(t *scheduler.Task) bool { return t.ID == need }) {
				kind = persistence.ErrNotFound
			}
		}
	}
	if kind == nil && run != nil {
		kind = persistence.ErrConflict
	}
	events := m.drawEvents(r)
	expect(r, "create run", m.store.CreateRun(r.Context(), persistence.Run{ID: id, State: scheduler.RunRunning, CreatedAt: m.now}, tasks, events...), kind)
	if kind == nil {
		m.runs[id] = &modelRun{tasks: tasks}
		m.runs[id].add(id, m.now, events)
	}
}

func (m *model) drawEvents(r *rapid.T) []event.Event {
	n := rapid.IntRange(0, 3).Draw(r, "events")
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{Kind: event.Notice, Task: "a", Detail: event.Detail{Message: rapid.String().Draw(r, "message")}}
	}
	return events
}

func (run *modelRun) add(id scheduler.RunID, now time.Time, events []event.Event) {
	for _, e := range events {
		e.Seq, e.Run, e.Time = int64(len(run.events)+1), string(id), now
		run.events = append(run.events, e)
	}
}

func (run *modelRun) find(id scheduler.TaskID) int {
	return slices.IndexFunc(run.tasks, func(t *scheduler.Task) bool { return t.ID == id })
}

func (m *model) deleteRun(r *rapid.T) {
	id, run := m.draw(r)
	if run == nil {
		expect(r, "delete run", m.store.DeleteRun(r.Context(), id), persistence.ErrNotFound)
		return
	}
	expect(r, "delete run", m.store.DeleteRun(r.Context(), id), nil)
	delete(m.runs, id)
}

func (m *model) saveTask(r *rapid.T) {
	id, run := m.draw(r)
	task := drawTask(r)
	var kind error
	if run == nil {
		kind = persistence.ErrNotFound
	} else {
		for _, need := range task.DependsOn {
			if need != task.ID && run.find(need) < 0 {
				kind = persistence.ErrNotFound
			}
		}
	}
	expect(r, "save task", m.store.SaveTask(r.Context(), id, task), kind)
	switch {
	case kind != nil:
	case run.find(task.ID) < 0:
		run.tasks = append(run.tasks, task)
	default:
		run.tasks[run.find(task.ID)] = task
	}
}

func (m *model) deleteTask(r *rapid.T) {
	id, run := m.draw(r)
	task := rapid.SampledFrom(modelTasks).Draw(r, "task")
	if run == nil || run.find(task) < 0 {
		expect(r, "delete task", m.store.DeleteTask(r.Context(), id, task), persistence.ErrNotFound)
		return
	}
	expect(r, "delete task", m.store.DeleteTask(r.Context(), id, task), nil)
	run.tasks = slices.Delete(run.tasks, run.find(task), run.find(task)+1)
	for _, t := range run.tasks {
		t.DependsOn = slices.DeleteFunc(t.DependsOn, func(need scheduler.TaskID) bool { return need == task })
		if len(t.DependsOn) == 0 {
			t.DependsOn = nil
		}
	}
}

func (m *model) updateTask(r *rapid.T) {
	id, run := m.draw(r)
	task := rapid.SampledFrom(modelTasks).Draw(r, "task")
	status := rapid.SampledFrom(modelStatuses).Draw(r, "status")
	result := rapid.Ptr(rapid.String(), true).Draw(r, "result")
	text := rapid.String().Draw(r, "error")
	if run == nil || run.find(task) < 0 {
		expect(r, "update task", m.store.UpdateTaskStatus(r.Context(), id, task, status, result, text), persistence.ErrNotFound)
		return
	}
	expect(r, "update task", m.store.UpdateTaskStatus(r.Context(), id, task, status, result, text), nil)
	t := run.tasks[run.find(task)]
	t.Status, t.Result, t.Error = status, result, text
}

func (m *model) acquire(r *rapid.T) {
	id, run := m.draw(r)
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 2).Draw(r, "seconds")) * time.Second)
	owner := rapid.SampledFrom([]string{"one", "two"}).Draw(r, "owner")
	force := rapid.Bool().Draw(r, "force")
	expires := m.now.Add(3 * time.Second)
	var kind error
	switch {
	case run == nil:
		kind = persistence.ErrNotFound
	case !force && run.generation > 0 && run.owner != owner && run.expires.After(m.now):
		kind = persistence.ErrConflict
	}
	generation, err := m.store.AcquireLease(r.Context(), persistence.Lease{Run: id, Owner: owner, ExpiresAt: expires}, m.now, force)
	expect(r, "acquire lease", err, kind)
	if kind != nil {
		return
	}
	run.generation, run.owner, run.expires = run.generation+1, owner, expires
	if generation != run.generation {
		r.Fatalf("generation %d, want %d", generation, run.generation)
	}
}

// drawGeneration is the present one, or one too old or too new.
func (run *modelRun) drawGeneration(r *rapid.T) (generation int64, present bool) {
	if run != nil {
		generation = run.generation
	}
	generation += rapid.SampledFrom([]int64{0, 0, 0, -1, 1}).Draw(r, "off by")
	return generation, run != nil && run.generation > 0 && generation == run.generation
}

func (m *model) renew(r *rapid.T) {
	id, run := m.draw(r)
	generation, present := run.drawGeneration(r)
	expires := m.now.Add(5 * time.Second)
	err := m.store.RenewLease(r.Context(), id, generation, m.now, expires)
	if !present || run.expires.IsZero() {
		expect(r, "renew", err, persistence.ErrLeaseLost)
		return
	}
	expect(r, "renew", err, nil)
	run.expires = expires
}

func (m *model) release(r *rapid.T) {
	id, run := m.draw(r)
	generation, present := run.drawGeneration(r)
	err := m.store.ReleaseLease(r.Context(), id, generation)
	if !present {
		expect(r, "release", err, persistence.ErrLeaseLost)
		return
	}
	expect(r, "release", err, nil)
	run.expires = time.Time{}
}

func (m *model) addRequest(r *rapid.T) {
	id, run := m.draw(r)
	request, err := m.store.AddRequest(r.Context(), persistence.Request{Run: id, Kind: "x", CreatedAt: m.now})
	if run == nil {
		expect(r, "add request", err, persistence.ErrNotFound)
		return
	}
	expect(r, "add request", err, nil)
	if request <= m.requests {
		r.Fatalf("request %d came after %d", request, m.requests)
	}
	m.requests = request
	run.pending = append(run.pending, request)
}

func (m *model) apply(r *rapid.T) {
	id, run := m.draw(r)
	generation, present := run.drawGeneration(r)
	t := persistence.Transition{Run: id, Generation: generation, Now: m.now, Events: m.drawEvents(r)}
	var kind error
	statuses := map[scheduler.TaskID]scheduler.TaskStatus{}
	if run != nil {
		for _, task := range run.tasks {
			statuses[task.ID] = task.Status
		}
	}
	for range rapid.IntRange(0, 2).Draw(r, "changes") {
		task := rapid.SampledFrom(modelTasks).Draw(r, "task")
		from, known := statuses[task]
		if !known || rapid.IntRange(0, 3).Draw(r, "wrong") == 0 {
			from = rapid.SampledFrom(modelStatuses).Draw(r, "from")
		}
		change := persistence.TaskChange{Task: task, From: from, To: rapid.SampledFrom(modelStatuses).Draw(r, "to"), Error: "e"}
		switch {
		case kind != nil:
		case !known:
			kind = persistence.ErrNotFound
		case from != statuses[task]:
			kind = persistence.ErrConflict
		}
		statuses[task] = change.To
		t.Tasks = append(t.Tasks, change)
	}
	if run != nil && len(run.pending)+len(run.consumed) > 0 && rapid.Bool().Draw(r, "consume") {
		request := rapid.SampledFrom(slices.Concat(run.pending, run.consumed)).Draw(r, "request")
		t.Requests = []persistence.RequestDone{{ID: request}}
		if kind == nil && !slices.Contains(run.pending, request) {
			kind = persistence.ErrConflict
		}
	}
	switch {
	case run == nil:
		kind = persistence.ErrNotFound
	case !present:
		kind = persistence.ErrLeaseLost
	}
	seq, err := m.store.Apply(r.Context(), t)
	expect(r, "apply", err, kind)
	if kind != nil {
		return
	}
	for _, c := range t.Tasks {
		task := run.tasks[run.find(c.Task)]
		task.Status, task.Result, task.Error = c.To, c.Result, c.Error
	}
	for _, done := range t.Requests {
		run.pending = slices.DeleteFunc(run.pending, func(id int64) bool { return id == done.ID })
		run.consumed = append(run.consumed, done.ID)
	}
	run.add(id, m.now, t.Events)
	if seq != int64(len(run.events)) {
		r.Fatalf("last event is %d, want %d", seq, len(run.events))
	}
}

// check compares everything that can be read with the model, after every fourth step: reading all of it costs more
// than the step.
func (m *model) check(r *rapid.T) {
	if m.steps++; m.steps%4 != 0 {
		return
	}
	list, err := m.store.ListRuns(r.Context(), persistence.RunFilter{})
	expect(r, "list runs", err, nil)
	var ids []scheduler.RunID
	for _, run := range list {
		ids = append(ids, run.ID)
	}
	slices.Sort(ids)
	same(r, "runs", ids, slices.Sorted(maps.Keys(m.runs)))
	for id, run := range m.runs {
		tasks, err := m.store.ListTasks(r.Context(), id)
		expect(r, "list tasks", err, nil)
		if len(tasks)+len(run.tasks) > 0 {
			same(r, "tasks", tasks, run.tasks)
		}
		events, err := m.store.Events(r.Context(), id, 0, 0)
		expect(r, "events", err, nil)
		same(r, "events", events, run.events)
		requests, err := m.store.PendingRequests(r.Context(), id)
		expect(r, "requests", err, nil)
		var pending []int64
		for _, request := range requests {
			pending = append(pending, request.ID)
		}
		if fmt.Sprint(pending) != fmt.Sprint(run.pending) {
			r.Fatalf("pending requests %v, want %v", pending, run.pending)
		}
		lease, err := m.store.GetLease(r.Context(), id)
		if run.generation == 0 {
			expect(r, "lease", err, persistence.ErrNotFound)
			continue
		}
		expect(r, "lease", err, nil)
		if lease.Generation != run.generation || lease.Owner != run.owner || !lease.ExpiresAt.Equal(run.expires) {
			r.Fatalf("lease %+v, want generation %d, owner %s, expiry %v", lease, run.generation, run.owner, run.expires)
		}
	}
}

func same(r *rapid.T, what string, got, want any) {
	r.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.Fatalf("%s differ (-want +got):\n%s", what, diff)
	}
}
