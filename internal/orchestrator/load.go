package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"orchestrator/internal/event"
	"orchestrator/internal/fault"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// recordedExit is the exit of a command whose owner was gone when it ended.
type recordedExit struct{ process.Exit }

// load reads the run, settles what an earlier owner left, and returns the first batch: what is gone on with and what
// starts.
func (e *Engine) load(ctx context.Context) (*batch, error) {
	for _, dir := range []string{"log", "index", "prompt"} {
		if err := os.MkdirAll(filepath.Join(e.o.Folder, dir), 0o700); err != nil {
			return nil, fmt.Errorf("make the run's folder: %w", err)
		}
	}
	var err error
	if e.run, err = e.o.Store.GetRun(ctx, e.o.Run); err != nil {
		return nil, fmt.Errorf("load run: %w", err)
	}
	tasks, err := e.o.Store.ListTasks(ctx, e.o.Run)
	if err != nil {
		return nil, fmt.Errorf("load tasks: %w", err)
	}
	attempts, err := e.o.Store.ListAttempts(ctx, e.o.Run, "")
	if err != nil {
		return nil, fmt.Errorf("load attempts: %w", err)
	}
	events, err := e.o.Store.Events(ctx, e.o.Run, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("load events: %w", err)
	}
	requests, err := e.o.Store.PendingRequests(ctx, e.o.Run)
	if err != nil {
		return nil, fmt.Errorf("load requests: %w", err)
	}
	if len(events) == 0 {
		e.attempts.Go(e.warmUp)
	}
	if err := e.o.Repository.Sweep(ctx, string(e.o.Run)); err != nil {
		return nil, fmt.Errorf("sweep stale locks: %w", err)
	}
	fault.Point("git.swept")
	fresh, err := e.o.Repository.Begin(ctx, string(e.o.Run), e.run.Branch, e.run.Base)
	if err != nil {
		return nil, err // says all that is needed
	}
	if err := e.plantBugs(ctx, tasks); err != nil {
		return nil, err
	}
	for _, t := range tasks {
		e.tasks[t.ID] = &tracked{task: t}
	}
	tasks = slices.DeleteFunc(tasks, func(t *scheduler.Task) bool { return slices.Contains(e.run.Options.Removed, t.ID) })
	for _, t := range tasks {
		e.order = append(e.order, t.ID)
	}
	e.freeze()
	progress := e.restore(attempts, events)
	e.measure(attempts, events)
	if !fresh || len(attempts) > 0 {
		if err := e.reconcile(ctx, attempts, progress); err != nil {
			return nil, err
		}
	}
	for _, id := range e.run.Options.Removed {
		if t := e.tasks[id]; t != nil {
			t.started = progress[id].Started
		}
	}
	if e.slots = e.o.Concurrency; e.slots == 0 {
		e.slots = e.run.Concurrency
	}
	if e.durations, err = e.o.Store.Durations(ctx, e.run.Repository, e.run.Name); err != nil {
		return nil, fmt.Errorf("load earlier durations: %w", err)
	}
	if e.state, err = scheduler.NewState(tasks, progress, e.graphOptions()); err != nil {
		return nil, fmt.Errorf("build the graph: %w", err)
	}
	return e.begin(ctx, len(events), requests, attempts)
}

// warmUp starts the supervisor beside the rest of the loading. A run that was worked on before is different: the exits
// that the last supervisor wrote down are read first.
func (e *Engine) warmUp() {
	err := e.launchers.fence(e.ctx)
	if err == nil {
		_, err = e.launchers.get(e.ctx)
	}
	if err != nil { // the first start meets the same and says so
		e.log.Debug("supervisor not started ahead", "error", err)
	}
}

// restore finds each task's latest attempt, the note for its next one, and what counts against its allowance.
func (e *Engine) restore(attempts []persistence.Attempt, events []event.Event) map[scheduler.TaskID]scheduler.Progress {
	reset := map[scheduler.TaskID]int{}  // attempts up to this number are forgiven
	edited := map[scheduler.TaskID]int{} // and up to this one were made at another plan
	for _, ev := range events {
		if t := e.tasks[scheduler.TaskID(ev.Task)]; t != nil {
			switch ev.Kind {
			case event.TaskReset:
				reset[t.task.ID], t.note = ev.Attempt, ev.Message
				if ev.Action == actionEdited {
					edited[t.task.ID] = ev.Attempt
				}
			case event.TaskStarted:
				t.note = ""
			}
		}
	}
	progress := map[scheduler.TaskID]scheduler.Progress{}
	for i := range attempts {
		a := &attempts[i]
		t := e.tasks[a.Task]
		if t == nil {
			continue
		}
		p := progress[a.Task]
		p.Started = max(p.Started, a.Number)
		spent := a.Outcome == scheduler.OutcomeFailed || (a.Outcome == scheduler.OutcomeConflict && a.Phase == scheduler.PhaseDone)
		spent = spent && !a.Rejected || a.Outcome == scheduler.OutcomeInterrupted && fault.Mutant("spent-interrupted")
		t.startable = t.startable || a.Consent.Start
		if spent && a.Number > reset[a.Task] {
			p.Spent++
		}
		if t.attempt == nil || a.Number > t.attempt.Number {
			t.before, t.attempt = t.attempt, a
			if a.Number > edited[a.Task] {
				t.remember()
			}
			p.Held, p.Stopping = held(t), a.Canceling && a.EndedAt.IsZero()
			p.Person = asks(a)
			p.Parked = (waits(a) || asks(a)) && !a.Canceling
		}
		progress[a.Task] = p
	}
	return progress
}

// begin is the first batch: the run goes on, interrupted attempts are decided about, requests that came meanwhile
// are obeyed, and what can start starts.
func (e *Engine) begin(ctx context.Context, events int, requests []persistence.Request, attempts []persistence.Attempt) (*batch, error) {
	b := &batch{}
	e.restoreWaits(b, attempts)
	b.t.State = scheduler.RunRunning
	kind := event.RunResumed
	if events == 0 {
		kind = event.RunStarted
	}
	b.t.Events = append(b.t.Events, e.event(kind, "", 0, event.Detail{
		Name: e.run.Name, Branch: e.run.Branch, Base: e.run.Base, Total: len(e.order), Concurrency: e.slots,
		State: string(scheduler.RunRunning), Counts: e.counts(),
	}))
	if err := e.clearChecks(); err != nil {
		return nil, err
	}
	if err := e.recover(ctx, b); err != nil {
		return nil, err
	}
	e.guard(b) // before what was asked for meanwhile has anything start
	for _, r := range requests {
		if r.Kind == RequestStop || r.Kind == RequestPause { // it was meant for an owner that is gone
			b.t.Requests = append(b.t.Requests, persistence.RequestDone{ID: r.ID})
			continue
		}
		e.takeRequest(b, r)
	}
	e.restoreAsking(b)
	if err := e.step(b, scheduler.Begin{}); err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	return b, nil
}

// recover decides about every attempt that an earlier owner left under way. What has a result is gone on with from
// there; what was cut off in the middle of its work is saved and made again.
func (e *Engine) recover(ctx context.Context, b *batch) error {
	exits, err := process.ReadJournal(e.o.Journal)
	if err != nil {
		return fmt.Errorf("read the exit journal: %w", err)
	}
	for _, id := range e.order {
		t := e.tasks[id]
		if t.task.Status == scheduler.TaskCompleted {
			e.cleanLater(b, t.attempt)
		}
		here := t.found != nil && t.attempt != nil && t.found.Number == t.attempt.Number // merged already
		if t.task.Status != scheduler.TaskRunning || held(t) || (waits(t.attempt) || asks(t.attempt) && !here) && !t.attempt.Canceling {
			continue
		}
		a := t.attempt
		if a == nil {
			return fmt.Errorf("task %s is running but has no attempt: the store contradicts itself", id)
		}
		action, why := adoption(a, exits)
		if here {
			action, why = ActionGoOn, mergedAlready
			a.Phase, a.Saved, a.SavedRef = scheduler.PhaseMerging, t.found.Tip, t.pin
			a.Consent.Wants, a.Consent.Merge = "", t.found.Tip
			if a.Base == "" {
				a.Base = t.found.Before
			}
		}
		if action == ActionAgain {
			if err := e.interrupted(ctx, b, t); err != nil {
				return err
			}
			continue
		}
		s := start{attempt: *a, from: a.Phase}
		if x, ok := exits[turnKey(a)]; ok && a.Phase == scheduler.PhaseWorking {
			s.exit = &recordedExit{Exit: x}
		}
		waiting := a.Phase == scheduler.PhaseWorking || a.Phase == scheduler.PhaseWaiting
		if a.Canceling && waiting && (a.Work != nil || awaits(a) || asks(a)) {
			s.from, s.stop = scheduler.PhaseWaiting, errCanceled
		}
		b.t.Events = append(b.t.Events, e.event(event.TaskInterrupted, id, a.Number, event.Detail{
			Status: string(scheduler.TaskRunning), Phase: string(a.Phase), Action: "goes on", Reason: why,
		}))
		if s.stop == nil && (s.exit == nil || !trustworthy(s.exit.Exit)) {
			e.resumeReferrals(b, t, exits)
		}
		a.Generation = e.generation
		s.attempt.Generation = e.generation
		b.record(*a)
		b.starts = append(b.starts, s)
		e.live++
	}
	return nil
}

// reconcile asks git what the store does not know, because a power cut took its last transactions: work that is merged
// already is not done again, and no attempt gets a number under which something is saved.
func (e *Engine) reconcile(ctx context.Context, attempts []persistence.Attempt, progress map[scheduler.TaskID]scheduler.Progress) error {
	over := endedOf(attempts)
	saves, err := e.o.Repository.Saves(ctx, string(e.o.Run))
	if err != nil {
		return err
	}
	for _, s := range saves {
		id := scheduler.TaskID(s.Task)
		if p, ok := progress[id]; e.tasks[id] != nil && s.Number > p.Started {
			e.log.Warn("the store does not know of saved work", "task", s.Task, "attempt", s.Number, "known", ok)
			p.Started = s.Number
			progress[id] = p
		}
	}
	merges, err := e.o.Repository.Merges(ctx, string(e.o.Run))
	if err != nil {
		return err
	}
	for _, m := range merges {
		id := scheduler.TaskID(m.Task)
		t := e.tasks[id]
		if t == nil || over[attemptKey{id, m.Number}] || t.task.Status == scheduler.TaskCompleted {
			continue
		}
		t.found, t.pin = &m, pinOf(saves, m)
		if t.attempt == nil || t.attempt.Number < m.Number { // the very attempt follows
			p := progress[id]
			p.Started = m.Number - 1
			progress[id] = p
		} else if asks(t.attempt) { // for what it got: it is no longer parked
			p := progress[id]
			p.Parked, p.Person = false, false
			progress[id] = p
		}
	}
	return nil
}

// interrupted saves what a cut-off attempt left in its workspace and puts the task back.
func (e *Engine) interrupted(ctx context.Context, b *batch, t *tracked) error {
	a := t.attempt
	if a.Phase == scheduler.PhaseWorking && a.Workspace != "" && !fault.Mutant("unsaved-interrupted") {
		kept, err := e.save(ctx, a, "interrupted")
		if errors.Is(err, workspace.ErrNoWorkspace) {
			kept.notices, err = e.gone(a), nil
		}
		if err != nil {
			return fmt.Errorf("save the interrupted work of %s: %w", a.Task, err)
		}
		b.t.Events = append(b.t.Events, kept.notices...)
		fault.Point("recover.saved")
	}
	a.Outcome, a.Phase, a.EndedAt, a.Generation = scheduler.OutcomeInterrupted, scheduler.PhaseDone, e.o.Now(), e.generation
	a.Error = "its owner went away"
	return e.step(b, scheduler.AttemptEnded{Task: a.Task, Outcome: scheduler.OutcomeInterrupted})
}

// pinOf is the ref that keeps what was merged.
func pinOf(saves []workspace.SavedRef, m workspace.MergedWork) string {
	for _, s := range saves {
		if s.Task == m.Task && s.Number == m.Number && !s.Beside {
			return s.Ref
		}
	}
	return ""
}
