package persistence_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// same fails the test when got differs from want; no list and an empty one are the same to it.
func same(r *rapid.T, what string, got, want any) {
	r.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		r.Fatalf("%s differ (-want +got):\n%s", what, diff)
	}
}

// get reads something that must be readable.
func get[T any](r *rapid.T, what string, v T, err error) T {
	r.Helper()
	expect(r, what, err, nil)
	return v
}

// dataVersion must have changed if something was committed since it was read last. The search index is added to by
// commits of its own.
func (m *model) dataVersion(r *rapid.T) {
	v, err := m.store.DataVersion(r.Context())
	expect(r, "data version", err, nil)
	if m.version != 0 && m.commits > 0 && v == m.version {
		r.Fatalf("after %d commits the data version is still %d", m.commits, v)
	}
	m.version, m.commits = v, 0
}

// check compares everything that can be read with the model, after every fourth step: reading all of it costs more
// than the step.
func (m *model) check(r *rapid.T) {
	if m.steps++; m.steps%4 == 0 {
		m.compare(r)
	}
}

func (m *model) compare(r *rapid.T) {
	ctx := r.Context()
	var want []persistence.Run
	for _, id := range slices.Sorted(maps.Keys(m.runs)) {
		want = append(want, m.runs[id].run)
	}
	for repository, want := range map[string][]persistence.Run{"": want, "/repo": want, "/other": nil} {
		list, err := m.store.ListRuns(ctx, persistence.RunFilter{Repository: repository})
		got := get(r, "list runs", list, err)
		slices.SortFunc(got, func(a, b persistence.Run) int { return strings.Compare(string(a.ID), string(b.ID)) })
		same(r, "runs", got, want)
	}
	for _, id := range modelRuns {
		run := m.runs[id]
		if run == nil {
			_, err := m.store.GetRun(ctx, id)
			expect(r, "get run", err, persistence.ErrNotFound)
			_, err = m.store.CountRun(ctx, id)
			expect(r, "count run", err, persistence.ErrNotFound)
			continue
		}
		got, err := m.store.GetRun(ctx, id)
		same(r, "run", get(r, "get run", got, err), run.run)
		m.checkTasks(r, id, run)
		m.checkAttempts(r, id, run)
		m.checkEvents(r, id, run)
		m.checkRequests(r, id, run)
		m.checkLease(r, id, run)
		m.checkCounts(r, id, run)
	}
	m.checkDurations(r)
	m.checkSearch(r)
}

func (m *model) checkTasks(r *rapid.T, id scheduler.RunID, run *modelRun) {
	ctx := r.Context()
	list, err := m.store.ListTasks(ctx, id)
	same(r, "tasks", get(r, "list tasks", list, err), run.tasks)
	for _, task := range modelTasks {
		turns, err := m.store.GetHistory(ctx, id, task)
		if get(r, "history", turns, err) == nil {
			r.Fatal("a history is nil")
		}
		same(r, "turns", turns, run.turns[task])
		m.checkPages(r, id, task, run.turns[task])
		session, err := m.store.GetSession(ctx, id, task)
		latest := persistence.Session{Attempt: -1}
		for key, s := range run.sessions {
			if key.task == task && key.number > latest.Attempt {
				latest = s
			}
		}
		if latest.Attempt < 0 {
			expect(r, "get session", err, persistence.ErrNotFound)
		} else {
			same(r, "session", get(r, "get session", session, err), latest)
		}
		got, err := m.store.GetTask(ctx, id, task)
		if i := run.find(task); i < 0 {
			expect(r, "get task", err, persistence.ErrNotFound)
		} else {
			same(r, "task", get(r, "get task", got, err), run.tasks[i])
		}
	}
}

func (m *model) checkAttempts(r *rapid.T, id scheduler.RunID, run *modelRun) {
	var all []persistence.Attempt
	for _, task := range run.tasks {
		var want []persistence.Attempt
		for number := range 3 {
			if a, ok := run.attempts[attemptKey{task.ID, number}]; ok {
				want = append(want, a)
			}
		}
		got, err := m.store.ListAttempts(r.Context(), id, task.ID)
		same(r, "attempts of a task", get(r, "list attempts", got, err), want)
		all = append(all, want...)
	}
	got, err := m.store.ListAttempts(r.Context(), id, "")
	same(r, "attempts", get(r, "list attempts", got, err), all)
}

func (m *model) checkEvents(r *rapid.T, id scheduler.RunID, run *modelRun) {
	all, err := m.store.Events(r.Context(), id, 0, 0)
	same(r, "events", get(r, "events", all, err), run.events)
	after := len(run.events) / 2
	var want []event.Event
	if after < len(run.events) {
		want = run.events[after : after+1]
	}
	page, err := m.store.Events(r.Context(), id, int64(after), 1)
	same(r, "a page of events", get(r, "events", page, err), want)
}

func (m *model) checkRequests(r *rapid.T, id scheduler.RunID, run *modelRun) {
	var pending []persistence.Request
	for _, want := range run.requests {
		got, err := m.store.GetRequest(r.Context(), want.ID)
		same(r, "request", get(r, "get request", got, err), want)
		if want.ConsumedAt.IsZero() {
			pending = append(pending, want)
		}
	}
	got, err := m.store.PendingRequests(r.Context(), id)
	same(r, "pending requests", get(r, "pending requests", got, err), pending)
}

func (m *model) checkLease(r *rapid.T, id scheduler.RunID, run *modelRun) {
	lease, err := m.store.GetLease(r.Context(), id)
	if run.generation == 0 {
		expect(r, "lease", err, persistence.ErrNotFound)
		return
	}
	want := persistence.Lease{Run: id, Generation: run.generation, Owner: run.owner, ExpiresAt: run.expires}
	same(r, "lease", get(r, "lease", lease, err), want)
}

// checkDurations computes the means of successful attempts by task and by agent.
func (m *model) checkDurations(r *rapid.T) {
	byTask, byAgent := map[scheduler.TaskID][]time.Duration{}, map[string][]time.Duration{}
	for _, run := range m.runs {
		for _, a := range run.attempts {
			if a.Outcome == scheduler.OutcomeSucceeded && !a.EndedAt.IsZero() && !a.EndedAt.Before(a.StartedAt) {
				took, role := a.EndedAt.Sub(a.StartedAt), run.tasks[run.find(a.Task)].AgentRole
				byTask[a.Task], byAgent[role] = append(byTask[a.Task], took), append(byAgent[role], took)
			}
		}
	}
	want := persistence.Durations{ByTask: map[scheduler.TaskID]time.Duration{}, ByAgent: map[string]time.Duration{}}
	for id, all := range byTask {
		want.ByTask[id] = mean(all)
	}
	for role, all := range byAgent {
		want.ByAgent[role] = mean(all)
	}
	got, err := m.store.Durations(r.Context(), "/repo", "plan")
	same(r, "durations", get(r, "durations", got, err), want)
}

// mean is rounded down to whole microseconds.
func mean(all []time.Duration) (sum time.Duration) {
	for _, d := range all {
		sum += d
	}
	return (sum / time.Duration(len(all))).Truncate(time.Microsecond)
}
