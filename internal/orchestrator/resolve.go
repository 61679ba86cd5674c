package orchestrator

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// What becomes of a conflict; see persistence.Merging.
const (
	onConflictAgent = "agent"
	onConflictAsk   = "ask"
)

// resolverWanted says whether a conflict goes to the resolver now: none of the task's own attempts is left, and the
// attempt was not the resolver's.
func (e *Engine) resolverWanted(t *tracked) bool {
	o := e.options()
	if _, there := o.Agents[persistence.ResolverRole]; !there || o.Merge.OnConflict != onConflictAgent && o.Merge.OnConflict != onConflictAsk {
		return false
	}
	p, ok := e.state.Progress(t.task.ID)
	return ok && t.attempt.Resolve == nil && !t.attempt.Canceling && t.attempt.Saved != "" && p.Spent+1 >= max(t.task.Attempts, 1)
}

// resolution is the conflict that the next attempt of a task is about; nil = it does the task.
func resolution(last *persistence.Attempt) *persistence.Resolution {
	switch {
	case last == nil:
		return nil
	case last.Handed:
		return &persistence.Resolution{Attempt: last.Number, Tip: last.Saved, Base: last.Base, Paths: last.Conflicts}
	case last.Resolve != nil && (last.Outcome == scheduler.OutcomeInterrupted || last.Rejected):
		again := *last.Resolve
		return &again
	}
	return nil
}

// does is what an attempt at a task does: the task itself, or, for the resolver, the conflict of its work.
func (e *Engine) does(task *scheduler.Task, a *persistence.Attempt) *scheduler.Task {
	c := *task
	if a == nil || a.Resolve == nil {
		return &c
	}
	c.AgentRole, c.Command, c.WritesFiles = persistence.ResolverRole, "", nil
	c.Prompt = "Resolve the merge conflict of task " + string(task.ID) + "."
	c.Verify = e.gatesWith(task.Verify, a.Resolve.With)
	return &c
}

// gatesWith are gates, and those of some tasks, each once.
func (e *Engine) gatesWith(gates []string, tasks []scheduler.TaskID) []string {
	all := slices.Clone(gates)
	for _, id := range tasks {
		if t := e.definition(id); t != nil {
			for _, g := range t.Verify {
				if !slices.Contains(all, g) {
					all = append(all, g)
				}
			}
		}
	}
	return all
}

// unresolved turns a failure of the resolver's into the conflict that a person has to decide about, as if there had been
// no resolver.
func unresolved(a *persistence.Attempt) {
	a.Outcome, a.Conflicts = scheduler.OutcomeConflict, a.Resolve.Paths
	a.Error = fmt.Sprintf("merge conflict in %s; the resolver could not resolve it: %s", some(a.Resolve.Paths), a.Error)
}

// takeConflict makes the workspace of an attempt that resolves a conflict: the files of both sides, with the markers, in
// the middle of the merge.
func (at *attempt) takeConflict(ws Workspaces) error {
	a, e := &at.a, at.e
	r := *a.Resolve
	c, err := e.o.Repository.Conflicted(at.ctx, string(a.Run), string(a.Task), a.Number, r.Tip, e.message(a, ""))
	if err != nil {
		return err
	}
	files, err := e.o.Repository.Conflict(at.ctx, string(a.Run), r.Tip, r.Base)
	if err != nil {
		return err
	}
	r.With = nil
	for _, f := range files {
		for _, id := range f.With {
			if id := scheduler.TaskID(id); id != a.Task && !slices.Contains(r.With, id) {
				r.With = append(r.With, id)
			}
		}
	}
	if c.Conflict != nil {
		r.Paths = c.Conflict.Paths
	}
	a.Resolve, a.Base = &r, c.Head
	at.task.Verify = e.gatesWith(at.task.Verify, r.With)
	at.conflict = files
	spec := e.spec(a)
	spec.Base = c.Files
	if err := ws.Take(at.ctx, spec); err != nil {
		return err
	}
	return e.o.Repository.StageConflict(at.ctx, e.spec(a), c)
}

// resolverPrompt is what the resolver is told.
func (at *attempt) resolverPrompt() string {
	a, r := &at.a, at.a.Resolve
	var b strings.Builder
	if at.e.frozen.Load().context != "" {
		fmt.Fprintf(&b, "%s\n\n", strings.TrimSpace(at.e.frozen.Load().context))
	}
	fmt.Fprintf(&b, `Two pieces of work do not fit together: git cannot merge task %s into what is merged already. Your workspace is in
the middle of that merge: HEAD is what is merged, MERGE_HEAD the work of %s, and the files in conflict hold both sides
between conflict markers. Resolve the conflict so that each side still does what its task asks. Leave no markers, and
change nothing that the conflict does not need. You need not commit.

In conflict:

`, a.Task, a.Task)
	for _, p := range r.Paths {
		fmt.Fprintf(&b, "- %s%s\n", p, at.aboutConflict(p))
	}
	at.side(&b, a.Task, "is brought in")
	for _, id := range r.With {
		at.side(&b, id, "is merged already")
	}
	if at.brief.note != "" {
		fmt.Fprintf(&b, "\n## Note\n\n%s\n", at.brief.note)
	}
	return b.String()
}

func (at *attempt) aboutConflict(path string) string {
	i := slices.IndexFunc(at.conflict, func(f workspace.ConflictFile) bool { return f.Path == path })
	if i < 0 {
		return ""
	}
	f := at.conflict[i]
	text := ""
	if len(f.Lines) > 0 {
		parts := make([]string, len(f.Lines))
		for n, l := range f.Lines {
			parts[n] = l.String()
		}
		text = ": around " + strings.Join(parts, ", ") + " of what is merged"
	}
	if len(f.With) > 0 {
		text += " (changed by " + strings.Join(f.With, ", ") + " too)"
	}
	return text
}

// side tells the resolver of one of the tasks in conflict.
func (at *attempt) side(b *strings.Builder, id scheduler.TaskID, what string) {
	t := at.e.definition(id)
	if t == nil {
		return
	}
	fmt.Fprintf(b, "\n## Task %s, whose work %s\n\n", id, what)
	if t.Prompt != "" {
		fmt.Fprintf(b, "%s\n", strings.TrimSpace(t.Prompt))
	} else {
		fmt.Fprintf(b, "It is the command\n\n%s\n", lines(t.Command, "    "))
	}
	if said := strings.TrimSpace(at.brief.said[id]); said != "" {
		fmt.Fprintf(b, "\nWhat it said in the end:\n\n%s\n", lines(clip(said, toldTurn), "    "))
	}
}

// markers lists the files in which a resolver has left conflict markers.
func (at *attempt) markers() ([]string, error) {
	if at.a.Resolve == nil {
		return nil, nil
	}
	tree, err := at.e.o.Repository.Look(at.ctx, at.e.spec(&at.a))
	if err != nil {
		return nil, err
	}
	return at.e.o.Repository.Markers(at.ctx, tree, at.a.Resolve.Paths)
}

// markersLeft asks a resolver to go on that left conflict markers.
func (t *talk) markersLeft(r *provider.Result) (*message, error) {
	left, err := t.at.markers()
	if err != nil || left == nil {
		return nil, err
	}
	return t.nudge(r, "It left conflict markers in "+some(left), "You ended your turn, but conflict markers are left in "+some(left)+". Resolve these too.")
}

// withhold ends an attempt whose resolution a person wants to see before it counts.
func (at *attempt) withhold() *ended {
	a := &at.a
	done := *a.Resolve
	done.Done = true
	a.Resolve, a.Conflicts = &done, done.Paths
	a.Outcome, a.Error = scheduler.OutcomeConflict, "the conflict in "+some(done.Paths)+" is resolved and waits for your yes"
	return &ended{final: true}
}

// AcceptRequest puts resolutions of conflicts into force that wait for a person. Tasks empty = all of them.
type AcceptRequest struct {
	Tasks []scheduler.TaskID `json:"tasks,omitempty"`
}

// obeyAccept lets attempts go on with their merge that waited for a person's yes.
func (e *Engine) obeyAccept(b *batch, c AcceptRequest) error {
	tasks := c.Tasks
	for _, id := range tasks {
		if err := e.known(id); err != nil {
			return err
		}
		if !e.tasks[id].waitsForYes() {
			return fmt.Errorf("task %s has no resolved conflict that waits", id)
		}
	}
	if len(tasks) == 0 {
		for _, id := range e.order {
			if e.tasks[id].waitsForYes() {
				tasks = append(tasks, id)
			}
		}
	}
	if len(tasks) == 0 {
		return errors.New("no resolved conflict waits")
	}
	for _, id := range tasks {
		t := e.tasks[id]
		a := t.attempt
		yes := *a.Resolve
		yes.Done, yes.Agreed = false, true
		a.Resolve, a.Phase, a.Outcome, a.Error = &yes, scheduler.PhaseMerging, "", ""
		b.record(*a)
		b.t.Events = append(b.t.Events, e.phaseOf(a))
		b.starts = append(b.starts, start{attempt: *a, from: scheduler.PhaseMerging})
		e.live++
	}
	if e.settled != "" {
		e.settled = ""
		b.t.State = scheduler.RunRunning
	}
	return nil
}

// waitsForYes says whether a task's conflict is resolved and waits for a person.
func (t *tracked) waitsForYes() bool {
	return held(t) && t.attempt.Resolve != nil && t.attempt.Resolve.Done
}

// handOver records that a conflict is the resolver's now.
func (e *Engine) handOver(b *batch, t *tracked) {
	t.attempt.Handed = true
	b.t.Events = append(b.t.Events, e.event(event.Notice, t.task.ID, t.attempt.Number, event.Detail{
		Message: t.attempt.Error + ": it goes to the resolver", Paths: t.attempt.Conflicts,
	}))
}
