package persistence_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

func (m *model) saveSession(r *rapid.T) {
	id, run := m.draw(r)
	session := m.drawSession(r)
	session.Run = id
	if run == nil || run.find(session.Task) < 0 {
		expect(r, "save session", m.store.SaveSession(r.Context(), session), persistence.ErrNotFound)
		return
	}
	m.wrote(r, "save session", m.store.SaveSession(r.Context(), session), nil)
	run.sessions[attemptKey{session.Task, session.Attempt}] = session
}

func (m *model) drawSession(r *rapid.T) persistence.Session {
	return persistence.Session{
		Task: rapid.SampledFrom(modelTasks).Draw(r, "task"), Attempt: rapid.IntRange(0, 2).Draw(r, "attempt"),
		Provider: "p", SessionID: rapid.String().Draw(r, "session"), UpdatedAt: m.now,
	}
}

func (m *model) saveMessage(r *rapid.T) {
	id, run := m.draw(r)
	task := rapid.SampledFrom(modelTasks).Draw(r, "task")
	turns := make([]persistence.ConversationTurn, rapid.IntRange(0, 3).Draw(r, "turns"))
	for i := range turns {
		turns[i] = m.drawTurn(r)
	}
	err := m.store.SaveMessage(r.Context(), id, task, turns...)
	switch {
	case len(turns) == 0:
		expect(r, "save no message", err, nil)
	case run == nil || run.find(task) < 0:
		expect(r, "save message", err, persistence.ErrNotFound)
	default:
		m.wrote(r, "save message", err, nil)
		run.turns[task] = append(run.turns[task], turns...)
	}
}

func (m *model) drawTurn(r *rapid.T) persistence.ConversationTurn {
	return persistence.ConversationTurn{
		Role: "user", Content: rapid.SampledFrom(modelWords).Draw(r, "word") + " " + rapid.StringMatching(`[A-Z0-9\x00-\x1f\x{e0}-\x{ff}\x{65e5}"*(]*`).Draw(r, "content"), Timestamp: m.now, Attempt: rapid.IntRange(0, 2).Draw(r, "attempt"),
	}
}

func (m *model) drawAttempt(r *rapid.T) persistence.Attempt {
	a := persistence.Attempt{
		Task: rapid.SampledFrom(modelTasks).Draw(r, "task"), Number: rapid.IntRange(1, 2).Draw(r, "number"),
		Phase:   rapid.SampledFrom([]scheduler.Phase{scheduler.PhaseWorking, scheduler.PhaseDone}).Draw(r, "phase"),
		Outcome: rapid.SampledFrom([]scheduler.Outcome{"", scheduler.OutcomeSucceeded, scheduler.OutcomeFailed}).Draw(r, "outcome"),
		Output:  rapid.String().Draw(r, "output"), StartedAt: m.now, Canceling: rapid.Bool().Draw(r, "canceling"), Rejected: rapid.Bool().Draw(r, "rejected"),
	}
	if rapid.Bool().Draw(r, "ended") {
		a.EndedAt = m.now.Add(time.Duration(rapid.IntRange(-1, 50).Draw(r, "took")) * time.Millisecond)
	}
	return a
}

// apply makes a transition of random parts, and foresees from the first part that is wrong how it is refused.
func (m *model) apply(r *rapid.T) {
	id, run := m.draw(r)
	generation, present := run.drawGeneration(r)
	t := persistence.Transition{Run: id, Generation: generation, Now: m.now, Events: m.drawEvents(r)}
	t.State = rapid.SampledFrom([]scheduler.RunState{"", scheduler.RunPaused, scheduler.RunFailed}).Draw(r, "state")
	if t.State != "" {
		t.Error = rapid.String().Draw(r, "why")
	}
	if rapid.Bool().Draw(r, "set options") {
		t.Options = &persistence.RunOptions{FailFast: rapid.Bool().Draw(r, "fail fast")}
	}
	var kind error
	refuse := func(wrong bool, as error) {
		if kind == nil && wrong {
			kind = as
		}
	}
	refuse(run == nil, persistence.ErrNotFound)
	refuse(!present, persistence.ErrLeaseLost)
	if run == nil {
		run = &modelRun{} // refused whatever it says
	}
	m.drawChanges(r, run, &t, refuse)
	missing := func(task scheduler.TaskID) { refuse(run.find(task) < 0, persistence.ErrNotFound) }
	if rapid.IntRange(0, 2).Draw(r, "an attempt") == 0 {
		t.Attempts = []persistence.Attempt{m.drawAttempt(r)}
		missing(t.Attempts[0].Task)
	}
	if rapid.IntRange(0, 2).Draw(r, "a session") == 0 {
		t.Sessions = []persistence.Session{m.drawSession(r)}
		missing(t.Sessions[0].Task)
	}
	if rapid.IntRange(0, 2).Draw(r, "a turn") == 0 {
		t.Turns = []persistence.TaskTurn{{Task: rapid.SampledFrom(modelTasks).Draw(r, "turn of"), ConversationTurn: m.drawTurn(r)}}
		missing(t.Turns[0].Task)
	}
	if len(run.requests) > 0 && rapid.Bool().Draw(r, "consume") {
		request := rapid.SampledFrom(run.requests).Draw(r, "request")
		t.Requests = []persistence.RequestDone{{ID: request.ID, Error: rapid.String().Draw(r, "refusal")}}
		refuse(!request.ConsumedAt.IsZero(), persistence.ErrConflict)
	}
	seq, err := m.store.Apply(r.Context(), t)
	expect(r, "apply", err, kind)
	if kind != nil {
		return
	}
	if len(t.Events) > 0 {
		m.commits++
	}
	run.become(t)
	if seq != int64(len(run.events)) {
		r.Fatalf("last event is %d, want %d", seq, len(run.events))
	}
}

// drawChanges adds moves of tasks, most of them from where the task is.
func (m *model) drawChanges(r *rapid.T, run *modelRun, t *persistence.Transition, refuse func(bool, error)) {
	statuses := map[scheduler.TaskID]scheduler.TaskStatus{}
	for _, task := range run.tasks {
		statuses[task.ID] = task.Status
	}
	for range rapid.IntRange(0, 2).Draw(r, "changes") {
		task := rapid.SampledFrom(modelTasks).Draw(r, "task")
		from, known := statuses[task]
		if !known || rapid.IntRange(0, 3).Draw(r, "wrong") == 0 {
			from = rapid.SampledFrom(modelStatuses).Draw(r, "from")
		}
		change := persistence.TaskChange{Task: task, From: from, To: rapid.SampledFrom(modelStatuses).Draw(r, "to"), Error: "e"}
		refuse(!known, persistence.ErrNotFound)
		refuse(from != statuses[task], persistence.ErrConflict)
		statuses[task] = change.To
		t.Tasks = append(t.Tasks, change)
	}
}

// become makes a transition true.
func (run *modelRun) become(t persistence.Transition) {
	if t.State != "" {
		run.run.State, run.run.Error, run.run.FinishedAt = t.State, t.Error, time.Time{}
		if t.State.Terminal() {
			run.run.FinishedAt = t.Now
		}
	}
	if t.Options != nil {
		run.run.Options = *t.Options
	}
	for _, c := range t.Tasks {
		task := run.tasks[run.find(c.Task)]
		task.Status, task.Result, task.Error = c.To, c.Result, c.Error
	}
	for _, a := range t.Attempts {
		a.Run, a.Generation = t.Run, t.Generation
		run.attempts[attemptKey{a.Task, a.Number}] = a
	}
	for _, session := range t.Sessions {
		session.Run = t.Run
		run.sessions[attemptKey{session.Task, session.Attempt}] = session
	}
	for _, turn := range t.Turns {
		run.turns[turn.Task] = append(run.turns[turn.Task], turn.ConversationTurn)
	}
	for _, done := range t.Requests {
		i := slices.IndexFunc(run.requests, func(q persistence.Request) bool { return q.ID == done.ID })
		run.requests[i].ConsumedAt, run.requests[i].Error = t.Now, done.Error
	}
	run.add(t.Run, t.Now, t.Events)
}
