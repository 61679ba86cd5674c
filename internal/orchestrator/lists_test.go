package orchestrator_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/event"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// expandSimply makes a task of each line; what needs the list needs all of them.
func expandSimply(x orchestrator.Expansion) (orchestrator.EditRequest, error) {
	o := x.Run.Options
	list := o.Lists[x.List]
	list.Made, list.Items = true, strings.Fields(x.Text)
	if len(list.Items) > 3 {
		return orchestrator.EditRequest{}, errors.New("more than 3 items")
	}
	o.Lists = maps.Clone(o.Lists)
	o.Lists[x.List], o.Items = list, map[scheduler.TaskID]string{}
	r := orchestrator.EditRequest{Name: x.Run.Name, Plan: x.Run.Plan}
	after := []scheduler.TaskID{x.List}
	for i, item := range list.Items {
		id := x.List + "." + scheduler.TaskID(item)
		o.Items[id] = item
		after = append(after[:i], id)
	}
	for _, t := range x.Tasks {
		if strings.HasPrefix(string(t.ID), string(x.List)+".") {
			continue
		}
		c := *t
		if len(c.DependsOn) > 0 && c.ID != x.List {
			c.DependsOn = after
		}
		if r.Tasks = append(r.Tasks, &c); c.ID != x.List {
			continue
		}
		for _, item := range list.Items {
			id := x.List + "." + scheduler.TaskID(item)
			r.Tasks = append(r.Tasks, &scheduler.Task{
				ID: id, Command: "work " + item, Isolation: scheduler.IsolationClone, Attempts: 1, DependsOn: []scheduler.TaskID{x.List},
				WritesFiles: []string{"own/" + string(id)}, Status: scheduler.TaskPending,
			})
		}
	}
	r.Options = o
	return r, nil
}

// listPlan is a simulation with a list between two tasks.
func listPlan() simPlan {
	task := func(id scheduler.TaskID, needs ...scheduler.TaskID) *scheduler.Task {
		return &scheduler.Task{ID: id, Command: "work", Isolation: scheduler.IsolationClone, Attempts: 1, DependsOn: needs, WritesFiles: []string{"own/" + string(id)}, Status: scheduler.TaskPending}
	}
	p := simPlan{concurrency: 2, tasks: []*scheduler.Task{task("first"), task("m", "first"), task("last", "m")}, does: map[scheduler.TaskID]simTask{}}
	p.tasks[1].WritesFiles = nil
	p.options.Lists = map[scheduler.TaskID]persistence.List{"m": {Run: "work"}}
	for id, needs := range map[scheduler.TaskID][]scheduler.TaskID{"first": nil, "m": nil, "m.a": {"first"}, "m.b": {"first"}, "last": {"m.a", "m.b"}} {
		p.does[id] = simTask{id: id, command: "work", needs: needs}
	}
	return p
}

// TestSimulatedDeathAtEveryStepOfAListEndsAsUndisturbed kills the owner before and after each step that outlives it.
func TestSimulatedDeathAtEveryStepOfAListEndsAsUndisturbed(t *testing.T) {
	t.Parallel()
	for _, printed := range []string{"a\nb\n", ""} {
		end := func(t *testing.T, what string, die func(w *world) func(int) *life) (got simEnd) {
			simulate(t, listPlan(), t.TempDir(), func(t *testing.T, w *world) {
				w.printed = map[scheduler.TaskID]string{"m": printed}
				got = w.finish(t, what, die(w))
				for id, status := range got.States {
					if status != scheduler.TaskCompleted {
						t.Errorf("%s: %s is %s", what, id, status)
					}
				}
				if run, err := w.store.GetRun(t.Context(), simRun); err != nil || !run.Options.Lists["m"].Made {
					t.Errorf("%s: %v %+v", what, err, run.Options.Lists)
				}
			})
			return got
		}
		want := end(t, "undisturbed", func(w *world) func(int) *life { return func(int) *life { return w.newLife(0, false, false) } })
		if got := len(want.States); got != 3+len(strings.Fields(printed)) {
			t.Fatalf("%q makes %d tasks", printed, got)
		}
		if last := want.Files["own/last"]; printed != "" && (!strings.Contains(last, "work of m.a") || !strings.Contains(last, "work of m.b")) {
			t.Fatalf("the last did not wait for the list: %q", last)
		}
		for n, hit := 1, true; hit; n += int(20 / graphs(20)) { // fewer of them where each takes long
			if n > mostSteps {
				t.Fatalf("more than %d steps", mostSteps)
			}
			for _, after := range []bool{false, true} {
				var first *life
				what := fmt.Sprintf("%q, death at step %d (after it: %v)", printed, n, after)
				got := end(t, what, func(w *world) func(int) *life {
					return func(owner int) *life {
						if owner == 1 {
							first = w.newLife(n, after, false)
							return first
						}
						return w.newLife(0, false, false)
					}
				})
				hit = first.hit()
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s ends differently (-undisturbed +this):\n%s", what, diff)
				}
			}
		}
	}
}

// listRig is a run whose list is what a command prints in a workspace with the work of the first task.
func listRig(t *testing.T, command string) *rig {
	r := newRig(t)
	first := &scheduler.Task{ID: "first", Command: "mkdir pkg && touch pkg/a pkg/b", Attempts: 1}
	m := &scheduler.Task{ID: "m", Command: command, Attempts: 1, DependsOn: []scheduler.TaskID{"first"}, Status: scheduler.TaskPending}
	last := &scheduler.Task{ID: "last", Command: "cat done-a done-b > all", Attempts: 1, DependsOn: []scheduler.TaskID{"m"}, Status: scheduler.TaskPending}
	bin := filepath.Join(r.data, "work") // what the tasks of the list are: work ITEM
	if err := os.WriteFile(bin, []byte("#!/bin/sh\necho $1 > done-$1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, v := range r.environ {
		if strings.HasPrefix(v, "PATH=") {
			r.environ[i] = v + ":" + r.data
		}
	}
	r.create(first, m, last)
	r.options(func(o *persistence.RunOptions) {
		o.Lists = map[scheduler.TaskID]persistence.List{"m": {Run: command}}
	})
	return r
}

func TestAListIsMadeOfMergedWorkBeforeWhatNeedsIt(t *testing.T) {
	t.Parallel()
	r := listRig(t, "echo noise >&2; cat ../../list 2>/dev/null || ls pkg")
	if state := r.finish(); state != scheduler.RunCompleted || r.merged("all") != "a\nb" {
		t.Fatalf("%s: %s", state, r.states())
	}
	made := slices.ContainsFunc(r.events(), func(e event.Event) bool {
		return e.Kind == event.RunEdited && strings.HasPrefix(e.Detail.Message, "list of m made: 2 items (2 added")
	})
	if result := r.task("m").Result; !made || result == nil || *result != "list made: 2 items: a, b" {
		t.Errorf("%v, the list's task says %v", made, result)
	}

	// A plan that was read before the list was made is refused: it would take the list away.
	r.request(orchestrator.RequestEdit, orchestrator.EditRequest{
		Name: "test", Tasks: []*scheduler.Task{r.task("first"), r.task("m")},
		Options: persistence.RunOptions{Lists: map[scheduler.TaskID]persistence.List{"m": {Run: r.task("m").Command}}},
	})
	if state := r.finish(); state != scheduler.RunCompleted || len(r.removed()) > 0 || len(r.attempts("m")) != 1 {
		t.Errorf("%s: %s, removed are %v", state, r.states(), r.removed())
	}

	// Another list: what is gone from it is removed, and what needs it waits for what is new.
	if err := os.WriteFile(filepath.Join(r.data, "list"), []byte("b\nc\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.request(orchestrator.RequestRetry, orchestrator.RetryRequest{Tasks: []scheduler.TaskID{"m"}, Cascade: true})
	if state := r.finish(); state != scheduler.RunCompleted || r.task("m.c").Status != scheduler.TaskCompleted {
		t.Fatalf("%s: %s", state, r.states())
	}
	if fmt.Sprint(r.removed()) != "[m.a]" {
		t.Errorf("removed are %v", r.removed())
	}
}

// removed are the tasks that the run's plan does not have any more.
func (r *rig) removed() []scheduler.TaskID {
	r.t.Helper()
	run, err := r.store.GetRun(r.ctx, r.run.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return run.Options.Removed
}

// TestSimulatedEditBesideAListKeepsBoth edits the run at any moment around the one at which its list is made. A person
// whose plan does not know the list yet is refused, and asks again.
func TestSimulatedEditBesideAListKeepsBoth(t *testing.T) {
	t.Parallel()
	refused := 0
	for later := time.Duration(0); later < 2*time.Second; later += 2 * time.Second / time.Duration(graphs(50)) {
		p := listPlan()
		for id, does := range p.does {
			does.takes = 200 * time.Millisecond // longer than an owner takes to look for requests
			p.does[id] = does
		}
		p.does["late"] = simTask{id: "late", command: "work", takes: 200 * time.Millisecond}
		what := fmt.Sprintf("edited after %v", later)
		simulate(t, p, t.TempDir(), func(t *testing.T, w *world) {
			w.printed = map[scheduler.TaskID]string{"m": "a b"}
			read := w.withLate(t)
			asked := make(chan int64, 1)
			go func() {
				time.Sleep(later)
				id, err := w.store.AddRequest(t.Context(), read)
				if err != nil {
					t.Error(err)
				}
				asked <- id
			}()
			if err := w.own(t, w.newLife(0, false, false), "live"); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			id := <-asked
			end := w.through(t, what, func(int) *life { return w.newLife(0, false, false) })
			done, err := w.store.GetRequest(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if done.Error != "" {
				if refused++; !strings.Contains(done.Error, "the list of task m was made meanwhile") {
					t.Errorf("%s: refused: %s", what, done.Error)
				}
				if _, err := w.store.AddRequest(t.Context(), w.withLate(t)); err != nil {
					t.Fatal(err)
				}
				end = w.through(t, what, func(int) *life { return w.newLife(0, false, false) })
			}
			for _, id := range []scheduler.TaskID{"first", "m", "m.a", "m.b", "last", "late"} {
				if end.States[id] != scheduler.TaskCompleted {
					t.Errorf("%s: %s is %q", what, id, end.States[id])
				}
			}
			run, err := w.store.GetRun(t.Context(), simRun)
			if err != nil || len(run.Options.Removed) > 0 {
				t.Errorf("%s: %v, removed are %v", what, err, run.Options.Removed)
			}
		})
	}
	if refused == 0 {
		t.Error("no edit ever came after the list")
	}
}

// withLate asks for the run as it is now with one task more.
func (w *world) withLate(t *testing.T) persistence.Request {
	t.Helper()
	run, err := w.store.GetRun(t.Context(), simRun)
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := w.store.ListTasks(t.Context(), simRun)
	if err != nil {
		t.Fatal(err)
	}
	tasks = append(tasks, &scheduler.Task{ID: "late", Command: "work", Isolation: scheduler.IsolationClone, Attempts: 1, WritesFiles: []string{"own/late"}})
	return simPlan{tasks: tasks, options: run.Options}.request(t)
}

func TestAListThatCannotBeUsedFailsItsTask(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"echo a b c d":              "its list cannot be used: more than 3 items",
		"echo a; echo new > file":   "the command of a list must not change files; it changed file",
		"echo a; exit 3":            "exit 3",
		"head -c 1048577 /dev/zero": "its list cannot be used: its command printed more than 1 MiB",
	} {
		r := listRig(t, command)
		state := r.finish()
		if m, last := r.task("m"), r.task("last"); state != scheduler.RunFailed || m.Error != want || last.Status != scheduler.TaskSkipped {
			t.Errorf("%s: %s, %s: %s", command, state, r.states(), m.Error)
		}
	}
}
