// Package view folds a run's events into what a screen shows: the state of the run and of each task, counts,
// elapsed time, what waits for a person, the root cause of a failure and an estimate of the time left. It also
// holds the words, glyphs and formats that every display shares, and the sanitiser for text that others wrote.
//
// A view is a pure fold: the same seed and events give the same view, however they were cut into portions, and
// events that were folded before or are of an unknown kind change nothing. Clocks are arguments. All text in a
// view is safe to print. Standard library, event and scheduler only.
package view

import (
	"slices"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
)

// Seed is what is known of a run before its events: enough to show tasks that have no event yet.
type Seed struct {
	ID          string
	Name        string // the plan's
	Branch      string // integration branch, without refs/heads/
	Base        string // commit id
	BaseRef     string // the branch or revision that Base came from
	Concurrency int    // attempts at a time
	Tasks       []SeedTask
}

// SeedTask is one task of a Seed, in plan order.
type SeedTask struct {
	ID       string
	Name     string
	Agent    string // role; empty for a plain command
	Needs    []string
	Attempts int // allowed in all
}

// Run is the view of a run. Make it with New; read its fields, and change it only through Fold. It is not safe
// for concurrent use.
type Run struct {
	ID          string
	Name        string
	Branch      string
	Base        string
	BaseRef     string
	Concurrency int
	State       scheduler.RunState // empty before the first event
	Reason      string             // why it is paused or waits
	Parts       []string           // of the run's budget that are used up, while it waits for more: cost, tokens, time
	Error       string             // why it ended, when no task says it
	Seq         int64              // of the last event folded
	StartedAt   time.Time
	Tasks       []*Task // in plan order; tasks that the seed lacks come last, in order of appearance
	Notices     []string

	total    int
	removed  int // of Tasks
	byID     map[string]*Task
	active   []*Task // running or waiting for a person, in plan order
	failed   []*Task // in the order in which they failed
	counts   Counts
	done     time.Duration // work of the tasks that are done
	worked   time.Duration // of the stretches of time before since
	since    time.Time     // start of the present stretch; zero while nobody works on the run
	last     time.Time     // of the last event
	finished time.Duration // as the last event says; 0 = it does not
	resumed  bool
}

// New returns the view of a run that had no event yet.
func New(s Seed) *Run {
	r := &Run{
		ID: SanitizeLine(s.ID), Name: SanitizeLine(s.Name), Branch: SanitizeLine(s.Branch),
		Base: SanitizeLine(s.Base), BaseRef: SanitizeLine(s.BaseRef), Concurrency: s.Concurrency,
		byID: make(map[string]*Task, len(s.Tasks)),
	}
	for _, t := range s.Tasks {
		task := r.add(t.ID)
		task.Name, task.Agent, task.Attempts = SanitizeLine(t.Name), SanitizeLine(t.Agent), max(t.Attempts, 1)
		for _, need := range t.Needs {
			task.Needs = append(task.Needs, SanitizeLine(need))
		}
	}
	r.measure()
	return r
}

// Task returns a task by its id, or nil.
func (r *Run) Task(id string) *Task { return r.byID[id] }

// Active returns the tasks that run or wait for a person, in plan order. The slice is the view's own.
func (r *Run) Active() []*Task { return r.active }

// Total is the number of tasks, also of those that the view knows nothing else about.
func (r *Run) Total() int { return max(r.total, len(r.Tasks)-r.removed) }

// unknown is how many tasks there are of which nothing else is known.
func (r *Run) unknown() int { return r.Total() - (len(r.Tasks) - r.removed) }

// Elapsed is how long the run was worked on until now, without the time in which it was paused, waited for a
// person or had no living owner.
func (r *Run) Elapsed(now time.Time) time.Duration {
	switch {
	case r.finished > 0:
		return r.finished
	case r.since.IsZero() || now.Before(r.since):
		return r.worked
	}
	return r.worked + now.Sub(r.since)
}

// add returns the task of that id, made if need be.
func (r *Run) add(id string) *Task {
	id = SanitizeLine(id)
	if t := r.byID[id]; t != nil {
		return t
	}
	t := &Task{ID: id, Status: scheduler.TaskPending, Attempts: 1, index: len(r.Tasks), below: 1}
	r.Tasks = append(r.Tasks, t)
	r.byID[id] = t
	r.counts[t.Word()]++
	return t
}

// Fold takes the next event in. It returns false when the event changed nothing: it was folded before, belongs
// to another run or is of a kind that this version does not know.
func (r *Run) Fold(e event.Event) bool {
	if (e.Seq != 0 && e.Seq <= r.Seq) || (e.Run != "" && r.ID != "" && e.Run != r.ID) {
		return false
	}
	r.Seq = max(r.Seq, e.Seq)
	known := r.foldRun(e) || r.foldTask(e)
	if known && e.Time.After(r.last) {
		r.last = e.Time
	}
	return known
}

func (r *Run) foldRun(e event.Event) bool {
	switch e.Kind {
	case event.RunStarted:
		r.StartedAt, r.since = e.Time, e.Time
		r.begin(e)
	case event.RunResumed:
		if !r.since.IsZero() && r.last.After(r.since) { // the owner before it vanished after the last event
			r.worked += r.last.Sub(r.since)
		}
		r.since, r.resumed = e.Time, true
		r.begin(e)
	case event.RunEdited:
		if r.since.IsZero() { // it was over, or waited
			r.since = e.Time
		}
		r.total = e.Total
		r.begin(e)
		r.Notices = append(r.Notices, SanitizeLine(e.Message))
	case event.RunPaused:
		r.end(e, scheduler.RunPaused)
	case event.RunWaiting:
		r.end(e, scheduler.RunWaiting)
	case event.RunFinished:
		r.end(e, scheduler.RunFailed)
		if !r.resumed { // else it counts the time in which nobody worked on it
			r.finished = time.Duration(e.DurationMS) * time.Millisecond
		}
	case event.Notice:
		r.Notices = append(r.Notices, SanitizeLine(e.Message))
	default:
		return false
	}
	return true
}

// begin is what RunStarted and RunResumed have in common.
func (r *Run) begin(e event.Event) {
	r.State, r.Reason, r.Error, r.finished, r.Parts = scheduler.RunRunning, "", "", 0, nil
	if e.State != "" {
		r.State = scheduler.RunState(SanitizeLine(e.State))
	}
	setText(&r.ID, e.Run)
	setText(&r.Name, e.Name)
	setText(&r.Branch, e.Branch)
	setText(&r.Base, e.Base)
	if e.Concurrency > 0 {
		r.Concurrency = e.Concurrency
	}
	r.total = max(r.total, e.Total)
}

// end is what the events have in common after which nobody works on the run.
func (r *Run) end(e event.Event, state scheduler.RunState) {
	if !r.since.IsZero() && e.Time.After(r.since) {
		r.worked += e.Time.Sub(r.since)
	}
	r.since = time.Time{}
	r.State, r.Reason, r.Error, r.Parts = state, SanitizeLine(e.Reason), SanitizeLine(e.Error), nil
	for _, part := range e.Options {
		r.Parts = append(r.Parts, SanitizeLine(part))
	}
	if e.State != "" {
		r.State = scheduler.RunState(SanitizeLine(e.State))
	}
}

func setText(to *string, text string) {
	if text != "" {
		*to = SanitizeLine(text)
	}
}

// settle brings what is kept about a task for speed up to date after it changed.
func (r *Run) settle(t *Task, before Word) {
	word := t.Word()
	if word == before {
		return
	}
	r.counts[before]--
	r.counts[word]++
	switch was, is := isActive(before), isActive(word); {
	case was && !is:
		r.active = without(r.active, t)
	case is && !was:
		at, _ := slices.BinarySearchFunc(r.active, t, func(a, b *Task) int { return a.index - b.index })
		r.active = slices.Insert(r.active, at, t)
	}
	switch Failed {
	case before:
		r.failed = without(r.failed, t)
	case word:
		r.failed = append(r.failed, t)
	}
}

func isActive(w Word) bool { return w == Running || w == NeedsYou }

func without(list []*Task, t *Task) []*Task {
	return slices.DeleteFunc(list, func(other *Task) bool { return other == t })
}
