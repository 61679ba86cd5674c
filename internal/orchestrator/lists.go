package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// Expansion is a run with a list that a task of it has made.
type Expansion struct {
	Run   persistence.Run   // its plan and options as attempts see them
	Tasks []*scheduler.Task // what the plan says of its tasks, in order
	List  scheduler.TaskID  // the task that has made the list
	Text  string            // what its command printed
}

// maxList is how many bytes the command of a list may print.
const maxList = 1 << 20

// errPlanMoved says that an edit came first: what is to be made of a list is found out anew.
var errPlanMoved = errors.New("the plan was edited meanwhile")

// listing hands the loop a list, as the plan that the run has with its tasks.
type listing struct {
	task   scheduler.TaskID
	on     *frozen // what it was made of
	r      EditRequest
	answer chan error // gets nil when the tasks are there
}

func (listing) isInput() {}

// outOf is the file of the standard output of an attempt that makes a list; empty = it makes none.
func (e *Engine) outOf(a *persistence.Attempt) string {
	if !makesList(*e.options(), a.Task) {
		return ""
	}
	return a.Log + ".list"
}

// listed makes the tasks of the list that the attempt's command has printed, if it was to make one. They are there before
// the attempt goes on to its end, so that nothing that needs them can start too early. Not nil = the attempt ended with it.
func (at *attempt) listed() *ended {
	e, id := at.e, at.a.Task
	out := e.outOf(&at.a)
	if out == "" {
		return nil
	}
	text, failure, err := readList(out)
	if err != nil {
		return new(at.end(err, "read its list"))
	}
	for failure == "" {
		f := e.frozen.Load()
		r, err := e.o.Expand(f.expansion(id, text))
		if err != nil {
			failure = err.Error()
			break
		}
		if err = at.hand(listing{task: id, on: f, r: r, answer: make(chan error, 1)}); err == nil {
			at.result = new(listResult(r.Options.Lists[id].Items))
			return nil
		} else if !errors.Is(err, errPlanMoved) {
			return new(at.end(err, "make the tasks of its list"))
		}
	}
	return new(at.failed("its list cannot be used: "+failure, false))
}

// readList reads what the command of a list printed.
func readList(path string) (text, failure string, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) { // a power cut took it
		return "", "what its command printed is gone", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("open the list: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxList+1))
	if err != nil {
		return "", "", fmt.Errorf("read the list: %w", err)
	}
	if len(b) > maxList {
		return "", fmt.Sprintf("its command printed more than %d MiB", maxList>>20), nil
	}
	return string(b), "", nil
}

// listResult is what dependents are told of a list.
func listResult(items []string) string {
	if len(items) == 0 {
		return "list made: no items"
	}
	return fmt.Sprintf("list made: %s: %s", itemCount(items), some(items))
}

func itemCount(items []string) string {
	if len(items) == 1 {
		return "1 item"
	}
	return fmt.Sprintf("%d items", len(items))
}

func (f *frozen) expansion(list scheduler.TaskID, text string) Expansion {
	x := Expansion{Run: f.run, List: list, Text: text}
	x.Run.Options = f.options
	for _, id := range f.order {
		t := f.tasks[id] // the loop is changing its status
		x.Tasks = append(x.Tasks, &scheduler.Task{
			ID: t.ID, Name: t.Name, AgentRole: t.AgentRole, Prompt: t.Prompt, Command: t.Command, DependsOn: t.DependsOn,
			WritesFiles: t.WritesFiles, Verify: t.Verify, FailureMode: t.FailureMode, Isolation: t.Isolation, Attempts: t.Attempts,
			Timeout: t.Timeout,
		})
	}
	return x
}

// hand gives the loop a list and waits until its tasks are there, the attempt is to end, or another edit came first.
func (at *attempt) hand(in listing) error {
	at.e.tell(in)
	select {
	case err := <-in.answer:
		return err
	case <-at.ctx.Done():
		return context.Cause(at.ctx)
	}
}

// takeListing makes the edit that a list means, after one that waits.
func (e *Engine) takeListing(b *batch, in listing) {
	canceled := e.run.Options.Canceled || e.tasks[in.task].attempt.Canceling || e.failedFast()
	switch {
	case canceled:
		in.refuse(b, errCanceled)
	case e.stopping:
		in.refuse(b, errStopped)
	case e.edit != nil:
		e.listings = append(e.listings, in)
	case in.on != e.frozen.Load():
		in.refuse(b, errPlanMoved)
	case e.compare(in.r).Empty() && maps.EqualFunc(e.run.Options.Lists, in.r.Options.Lists, sameList):
		in.refuse(b, nil) // an earlier owner has made it
	default:
		e.edit = &waitingEdit{r: in.r, list: &in}
		e.followEdit(b)
	}
}

// failedFast says whether a failure keeps everything from starting that has not.
func (e *Engine) failedFast() bool {
	return e.run.Options.FailFast && slices.ContainsFunc(e.order, func(id scheduler.TaskID) bool {
		return e.tasks[id].task.Status == scheduler.TaskFailed
	})
}

func sameList(a, b persistence.List) bool {
	return a.Run == b.Run && a.Prompt == b.Prompt && a.Made == b.Made && slices.Equal(a.Items, b.Items)
}

// refuse answers a list without an edit; nil = none is needed.
func (l *listing) refuse(b *batch, err error) {
	b.after = append(b.after, func() { l.answer <- err })
}

// dropListing forgets the list of an attempt that has ended.
func (e *Engine) dropListing(id scheduler.TaskID) {
	e.listings = slices.DeleteFunc(e.listings, func(l listing) bool { return l.task == id })
	if e.edit != nil && e.edit.list != nil && e.edit.list.task == id {
		e.edit = nil
	}
}

// refuseListings answers the lists that wait for another edit.
func (e *Engine) refuseListings(b *batch, err error) {
	for i := range e.listings {
		e.listings[i].refuse(b, err)
	}
	e.listings = nil
}

// stopListings ends the waiting of lists in a run that is being stopped.
func (e *Engine) stopListings(b *batch) {
	e.refuseListings(b, errStopped)
	if e.edit != nil && e.edit.list != nil {
		e.edit.list.refuse(b, errStopped)
		e.edit = nil
	}
}

// lateList says which list a new plan does not know that was made after it was read; empty = it knows them all.
func lateList(now, read map[scheduler.TaskID]persistence.List) scheduler.TaskID {
	for id, l := range read {
		if made := now[id]; made.Made && made.Run == l.Run && !(l.Made && slices.Equal(made.Items, l.Items)) {
			return id
		}
	}
	return ""
}

// sayMade is the event of an edit: of a person's, or of a list.
func (e *Engine) sayMade(d Edit, r EditRequest, list *listing) event.Event {
	message := "the plan was edited: " + d.String()
	if list != nil {
		items := r.Options.Lists[list.task].Items
		message = fmt.Sprintf("list of %s made: %s (%s)", list.task, itemCount(items), d)
	}
	return e.event(event.RunEdited, "", 0, event.Detail{
		Name: r.Name, Message: message, Total: len(e.order), Concurrency: e.slots, State: string(scheduler.RunRunning), Counts: e.counts(),
	})
}
