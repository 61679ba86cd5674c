package persistence_test

import (
	"errors"
	"flag"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/persistence/storetest"
	"orchestrator/internal/scheduler"
)

// model is the store as plain maps: what a run's tasks, events, requests and lease must be after the same calls.
type model struct {
	store       persistence.Store
	cancellable persistence.Store // the store again, while writers cannot be cancelled
	now         time.Time
	runs        map[scheduler.RunID]*modelRun
	requests    int64 // ids grow over all runs
	steps       int
	reopen      func() persistence.Store // nil = what is stored does not outlive Close
	dir         string                   // for copies
	copies      int

	version int64 // as last read
	commits int   // since then
}

type modelRun struct {
	run        persistence.Run
	tasks      []*scheduler.Task
	attempts   map[attemptKey]persistence.Attempt
	sessions   map[attemptKey]persistence.Session
	turns      map[scheduler.TaskID][]persistence.ConversationTurn
	events     []event.Event
	requests   []persistence.Request
	generation int64
	owner      string
	expires    time.Time // zero = released
}

type attemptKey struct {
	task   scheduler.TaskID
	number int
}

var (
	modelRuns     = []scheduler.RunID{"aa", "bb"}
	modelTasks    = []scheduler.TaskID{"a", "b", "c", "d"}
	modelStatuses = []scheduler.TaskStatus{scheduler.TaskPending, scheduler.TaskEligible, scheduler.TaskRunning, scheduler.TaskCompleted}
)

func TestTheStoreAgreesWithAPlainModel(t *testing.T) {
	// Under the race detector a sequence takes twenty times as long. What it looks for shows in a few of them, and the
	// many are made without it.
	if checks := flag.Lookup("rapid.checks"); underRace && checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("15"); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := checks.Value.Set(checks.DefValue); err != nil {
				t.Error(err)
			}
		}()
	}
	t.Run("file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "orc.db")
		compareWithModel(t, openStore(t, path), func() persistence.Store { return openStore(t, path) })
	})
	t.Run("memory", func(t *testing.T) { compareWithModel(t, memoryStore(t), nil) })
}

// compareWithModel makes random sequences of calls, of every method of the port.
func compareWithModel(t *testing.T, s persistence.Store, reopen func() persistence.Store) {
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		m := &model{
			store: s, now: time.Unix(1_800_000_000, 0).UTC(), runs: map[scheduler.RunID]*modelRun{}, reopen: reopen, dir: dir, commits: 1,
		}
		// Requests of earlier rounds have used up ids; runs are deleted at the end of each.
		defer func() {
			if s = m.store; m.cancellable != nil {
				s = m.cancellable
			}
			for id := range m.runs {
				if err := s.DeleteRun(t.Context(), id); err != nil {
					r.Fatal(err)
				}
			}
		}()
		actions := map[string]func(*rapid.T){
			"create run": m.createRun, "delete run": m.deleteRun, "save task": m.saveTask, "delete task": m.deleteTask,
			"update task": m.updateTask, "save session": m.saveSession, "save message": m.saveMessage,
			"acquire": m.acquire, "renew": m.renew, "release": m.release, "add request": m.addRequest,
			"apply": m.apply, "data version": m.dataVersion, "check and copy": m.maintain, "other callers": m.otherCallers,
			"": m.check,
		}
		if reopen != nil {
			actions["close and reopen"] = m.closeAndReopen
		}
		r.Repeat(actions)
	})
}

// closeAndReopen ends the process, as it were: everything must be there again.
func (m *model) closeAndReopen(r *rapid.T) {
	expect(r, "close", m.store.Close(), nil)
	m.store, m.cancellable = m.reopen(), nil
	m.version, m.commits = 0, 1 // it counts from anew
}

// otherCallers lets those who write next be ones that cannot be cancelled, and then again ones that can.
func (m *model) otherCallers(*rapid.T) {
	if m.cancellable == nil {
		m.store, m.cancellable = storetest.Lasting(m.store), m.store
	} else {
		m.store, m.cancellable = m.cancellable, nil
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

// wrote is expect for a call that commits when it succeeds.
func (m *model) wrote(r *rapid.T, what string, err, kind error) {
	r.Helper()
	expect(r, what, err, kind)
	if kind == nil {
		m.commits++
	}
}

func drawTask(r *rapid.T) *scheduler.Task {
	task := &scheduler.Task{
		ID:          rapid.SampledFrom(modelTasks).Draw(r, "task"),
		Prompt:      rapid.String().Draw(r, "prompt"),
		WritesFiles: rapid.SliceOfN(rapid.String(), 0, 3).Draw(r, "files"),
		Status:      rapid.SampledFrom(modelStatuses).Draw(r, "status"),
		Attempts:    rapid.IntRange(0, 3).Draw(r, "attempts"),
		AgentRole:   rapid.SampledFrom([]string{"", "coder"}).Draw(r, "role"),
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
	created := persistence.Run{
		ID: id, Name: "plan", Repository: "/repo", Plan: rapid.String().Draw(r, "plan"), State: scheduler.RunRunning, CreatedAt: m.now,
	}
	m.wrote(r, "create run", m.store.CreateRun(r.Context(), created, tasks, events...), kind)
	if kind == nil {
		m.runs[id] = &modelRun{
			run: created, tasks: tasks, attempts: map[attemptKey]persistence.Attempt{},
			sessions: map[attemptKey]persistence.Session{}, turns: map[scheduler.TaskID][]persistence.ConversationTurn{},
		}
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
		m.wrote(r, "delete run", m.store.DeleteRun(r.Context(), id), persistence.ErrNotFound)
		return
	}
	m.wrote(r, "delete run", m.store.DeleteRun(r.Context(), id), nil)
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
	m.wrote(r, "save task", m.store.SaveTask(r.Context(), id, task), kind)
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
		m.wrote(r, "delete task", m.store.DeleteTask(r.Context(), id, task), persistence.ErrNotFound)
		return
	}
	m.wrote(r, "delete task", m.store.DeleteTask(r.Context(), id, task), nil)
	run.tasks = slices.Delete(run.tasks, run.find(task), run.find(task)+1)
	maps.DeleteFunc(run.attempts, func(k attemptKey, _ persistence.Attempt) bool { return k.task == task })
	maps.DeleteFunc(run.sessions, func(k attemptKey, _ persistence.Session) bool { return k.task == task })
	delete(run.turns, task)
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
		m.wrote(r, "update task", m.store.UpdateTaskStatus(r.Context(), id, task, status, result, text), persistence.ErrNotFound)
		return
	}
	m.wrote(r, "update task", m.store.UpdateTaskStatus(r.Context(), id, task, status, result, text), nil)
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
	m.wrote(r, "acquire lease", err, kind)
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
		m.wrote(r, "renew", err, persistence.ErrLeaseLost)
		return
	}
	m.wrote(r, "renew", err, nil)
	run.expires = expires
}

func (m *model) release(r *rapid.T) {
	id, run := m.draw(r)
	generation, present := run.drawGeneration(r)
	err := m.store.ReleaseLease(r.Context(), id, generation)
	if !present {
		m.wrote(r, "release", err, persistence.ErrLeaseLost)
		return
	}
	m.wrote(r, "release", err, nil)
	run.expires = time.Time{}
}

func (m *model) addRequest(r *rapid.T) {
	id, run := m.draw(r)
	wanted := persistence.Request{Run: id, Kind: "x", Payload: rapid.String().Draw(r, "payload"), CreatedAt: m.now}
	request, err := m.store.AddRequest(r.Context(), wanted)
	if run == nil {
		m.wrote(r, "add request", err, persistence.ErrNotFound)
		return
	}
	m.wrote(r, "add request", err, nil)
	if request <= m.requests {
		r.Fatalf("request %d came after %d", request, m.requests)
	}
	m.requests, wanted.ID = request, request
	run.requests = append(run.requests, wanted)
}
