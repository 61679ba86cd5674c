package orchestrator_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// edited draws another plan for the same run: some tasks are gone, some new, some do or need something else.
func (p simPlan) edited(seed uint64) simPlan {
	rng := rand.New(rand.NewPCG(seed, 7))
	next := simPlan{does: map[scheduler.TaskID]simTask{}, concurrency: p.concurrency, options: p.options}
	add := func(t scheduler.Task, does simTask) {
		t.WritesFiles = []string{"own/" + string(t.ID)}
		if does.shared != "" {
			t.WritesFiles = []string{does.shared}
		}
		if does.half {
			t.WritesFiles = []string{"half/" + string(t.ID)}
		}
		if t.Isolation == scheduler.IsolationNone {
			t.WritesFiles = nil
		}
		t.Command, does.needs = does.command, t.DependsOn
		next.tasks, next.does[t.ID] = append(next.tasks, &t), does
	}
	fresh := func(id scheduler.TaskID) {
		t := scheduler.Task{ID: id, Isolation: scheduler.IsolationClone, Attempts: 1, FailureMode: scheduler.FailHard}
		for _, earlier := range next.tasks {
			if rng.IntN(3) == 0 {
				t.DependsOn = append(t.DependsOn, earlier.ID)
			}
		}
		add(t, simTask{id: id, command: "new work", takes: time.Duration(rng.IntN(40)) * time.Millisecond})
	}
	if rng.IntN(3) == 0 {
		fresh("n0")
	}
	for _, old := range p.tasks {
		if rng.IntN(6) == 0 {
			continue
		}
		t, does := *old, p.does[old.ID]
		t.DependsOn = slices.DeleteFunc(slices.Clone(t.DependsOn), func(id scheduler.TaskID) bool { return next.does[id].id == "" })
		switch rng.IntN(8) {
		case 0, 1:
			does.command, does.fails = "other work", 0
			if rng.IntN(4) == 0 {
				does.fails = 1 << 30
			}
		case 2:
			t.FailureMode = []scheduler.FailureMode{scheduler.FailHard, scheduler.FailSoft, scheduler.FailSkip}[rng.IntN(3)]
		case 3:
			for _, earlier := range next.tasks {
				if rng.IntN(2) == 0 && !slices.Contains(t.DependsOn, earlier.ID) {
					t.DependsOn = append(t.DependsOn, earlier.ID)
				}
			}
		case 4:
			if len(t.DependsOn) > 0 {
				t.DependsOn = t.DependsOn[1:]
			}
		case 5:
			t.Attempts, t.Name = t.Attempts+1, "a name"
		}
		add(t, does)
	}
	if len(next.tasks) == 0 || rng.IntN(3) == 0 {
		fresh("n1")
	}
	return next
}

// request is what a client would ask for.
func (p simPlan) request(t *testing.T) persistence.Request {
	t.Helper()
	body, err := json.Marshal(orchestrator.EditRequest{Name: "simulation", Plan: "edited", Tasks: p.tasks, Options: p.options})
	if err != nil {
		t.Fatal(err)
	}
	return persistence.Request{Run: simRun, Kind: orchestrator.RequestEdit, Payload: string(body), CreatedAt: time.Now()}
}

// edit has the plan become another one.
func (w *world) edit(t *testing.T, p simPlan) {
	t.Helper()
	w.mu.Lock()
	w.edited = p.does
	w.mu.Unlock()
	if _, err := w.store.AddRequest(t.Context(), p.request(t)); err != nil {
		t.Fatal(err)
	}
}

// of is what an end says about a plan's tasks: files count where the task and all that it needs are completed, for what
// an earlier plan made stays.
func (e simEnd) of(p simPlan) simEnd {
	end := simEnd{Run: e.Run, States: map[scheduler.TaskID]scheduler.TaskStatus{}, Files: map[string]string{}}
	sound := map[scheduler.TaskID]bool{}
	var shared []string
	for _, t := range p.tasks {
		end.States[t.ID] = e.States[t.ID]
		sound[t.ID] = e.States[t.ID] == scheduler.TaskCompleted
		for _, need := range t.DependsOn {
			sound[t.ID] = sound[t.ID] && sound[need]
		}
		switch does := p.does[t.ID]; {
		case t.Isolation == scheduler.IsolationNone || !sound[t.ID]:
		case does.half:
		case does.shared == "":
			end.Files["own/"+string(t.ID)] = e.Files["own/"+string(t.ID)]
		case slices.Contains(strings.Fields(e.Files[does.shared]), string(t.ID)):
			shared = append(shared, string(t.ID))
		}
	}
	end.Files["shared"] = strings.Join(shared, " ")
	return end
}

// through resumes the run until it is over and nothing is asked of it any more.
func (w *world) through(t *testing.T, what string, die func(owner int) *life) simEnd {
	t.Helper()
	for owner := 1; owner <= mostLives; owner++ {
		l := die(owner)
		err := w.own(t, l, fmt.Sprintf("owner %d", owner))
		if (err != nil) != l.dead {
			t.Fatalf("%s: owner %d ended with %v", what, owner, err)
		}
		end := w.look(t, what)
		pending, perr := w.store.PendingRequests(t.Context(), simRun)
		if perr != nil {
			t.Fatal(perr)
		}
		if end.Run.Terminal() && len(pending) == 0 {
			return end
		}
		if err == nil && end.Run == scheduler.RunWaiting && len(pending) == 0 {
			w.person(t)
		}
	}
	t.Fatalf("%s: not over after %d owners", what, mostLives)
	return simEnd{}
}

func (w *world) wantEdited(t *testing.T, what string, p simPlan, want, got simEnd) {
	t.Helper()
	if diff := cmp.Diff(want, got.of(p)); diff != "" {
		t.Fatalf("%s ends differently (-a fresh run of the new plan +this):\n%s", what, diff)
	}
	r, err := w.store.GetRun(t.Context(), simRun)
	if err != nil || r.Plan != "edited" || len(r.Options.Stopped) > 0 {
		t.Fatalf("%s: %v, the plan is %q, stopped are %v", what, err, r.Plan, r.Options.Stopped)
	}
	for id := range got.States {
		if p.does[id].id == "" && !slices.Contains(r.Options.Removed, id) {
			t.Fatalf("%s: %s is not told to be removed", what, id)
		}
	}
}

// TestSimulatedEditOfAStoppedRunEndsAsAFreshRun lets owners die anywhere, before and after the edit.
func TestSimulatedEditOfAStoppedRunEndsAsAFreshRun(t *testing.T) {
	t.Parallel()
	for seed := range graphs(100) {
		p := drawSimPlan(seed)
		next := p.edited(seed)
		want := next.undisturbed(t).of(next)
		rng := rand.New(rand.NewPCG(seed, 8))
		what := fmt.Sprintf("graph %d", seed)
		simulate(t, p, t.TempDir(), func(t *testing.T, w *world) {
			first := w.newLife(1+rng.IntN(60), rng.IntN(2) == 0, false)
			if err := w.own(t, first, "owner 0"); (err != nil) != first.dead {
				t.Fatalf("%s: %v", what, err)
			}
			w.edit(t, next)
			got := w.through(t, what, func(int) *life { return w.newLife(3+rng.IntN(25), rng.IntN(2) == 0, false) })
			w.wantEdited(t, what, next, want, got)
		})
	}
}

// TestSimulatedDeathAtEveryStepAroundAnEdit kills the owner that makes the edit before and after each of its steps.
func TestSimulatedDeathAtEveryStepAroundAnEdit(t *testing.T) {
	t.Parallel()
	runs := 0
	for seed := range graphs(8) {
		p := drawSimPlan(seed)
		next := p.edited(seed)
		want := next.undisturbed(t).of(next)
		for n, hit := 1, true; hit; n++ {
			what := fmt.Sprintf("graph %d, death at step %d", seed, n)
			simulate(t, p, t.TempDir(), func(t *testing.T, w *world) {
				begun := w.newLife(12+int(seed), true, false)
				if err := w.own(t, begun, "owner 0"); (err != nil) != begun.dead {
					t.Fatalf("%s: %v", what, err)
				}
				w.edit(t, next)
				var dying *life
				got := w.through(t, what, func(owner int) *life {
					if owner == 1 {
						dying = w.newLife(n, n%2 == 0, false)
						return dying
					}
					return w.newLife(0, false, false)
				})
				hit = dying.hit()
				w.wantEdited(t, what, next, want, got)
			})
			runs++
		}
	}
	t.Logf("%d runs", runs)
}

// TestSimulatedEditOfALiveRunEndsAsAFreshRun edits while an owner works, at any moment, and may kill it then.
func TestSimulatedEditOfALiveRunEndsAsAFreshRun(t *testing.T) {
	t.Parallel()
	for seed := range graphs(100) {
		p := drawSimPlan(seed)
		for id, does := range p.does {
			does.takes *= 10 // longer than an owner takes to look for requests
			p.does[id] = does
		}
		next := p.edited(seed)
		want := next.undisturbed(t).of(next)
		rng := rand.New(rand.NewPCG(seed, 9))
		what := fmt.Sprintf("graph %d", seed)
		simulate(t, p, t.TempDir(), func(t *testing.T, w *world) {
			asked, later := make(chan struct{}), time.Duration(rng.IntN(500))*time.Millisecond
			go func() {
				defer close(asked)
				time.Sleep(later)
				w.edit(t, next)
			}()
			stopAt := rng.IntN(80)
			live := w.newLife(stopAt, rng.IntN(2) == 0, false)
			if err := w.own(t, live, "live"); (err != nil) != live.dead {
				t.Fatalf("%s: %v", what, err)
			}
			<-asked
			got := w.through(t, what, func(int) *life { return w.newLife(0, false, false) })
			w.wantEdited(t, what, next, want, got)
		})
	}
}

// TestAnEditDoesNotRunAgainWhatItDoesNotChange counts attempts.
func TestAnEditDoesNotRunAgainWhatItDoesNotChange(t *testing.T) {
	t.Parallel()
	task := func(id scheduler.TaskID, needs ...scheduler.TaskID) *scheduler.Task {
		return &scheduler.Task{ID: id, Command: "work", Isolation: scheduler.IsolationClone, Attempts: 1, DependsOn: needs, WritesFiles: []string{"own/" + string(id)}, Status: scheduler.TaskPending}
	}
	p := simPlan{concurrency: 2, tasks: []*scheduler.Task{task("a"), task("b", "a"), task("c", "b"), task("d"), task("gone")}, does: map[scheduler.TaskID]simTask{}}
	for _, t := range p.tasks {
		p.does[t.ID] = simTask{id: t.ID, command: "work", needs: t.DependsOn}
	}
	next := simPlan{concurrency: 2, does: maps.Clone(p.does)}
	changed := task("b", "a")
	changed.Command = "other work"
	next.does["b"] = simTask{id: "b", command: "other work", needs: []scheduler.TaskID{"a"}}
	next.does["late"] = simTask{id: "late", command: "work"}
	delete(next.does, "gone")
	named := task("d")
	named.Name = "a name"
	next.tasks = []*scheduler.Task{task("a"), changed, task("c", "b"), named, task("late")}
	simulate(t, p, t.TempDir(), func(t *testing.T, w *world) {
		w.finish(t, "first", func(int) *life { return w.newLife(0, false, false) })
		w.edit(t, next)
		end := w.through(t, "edited", func(int) *life { return w.newLife(0, false, false) })
		attempts, err := w.store.ListAttempts(t.Context(), simRun, "")
		if err != nil {
			t.Fatal(err)
		}
		count := map[scheduler.TaskID]int{}
		for _, a := range attempts {
			count[a.Task]++
		}
		want := map[scheduler.TaskID]int{"a": 1, "b": 2, "c": 2, "d": 1, "gone": 1, "late": 1}
		if diff := cmp.Diff(want, count); diff != "" || end.Run != scheduler.RunCompleted {
			t.Errorf("the run is %s; attempts (-want +got):\n%s", end.Run, diff)
		}
		if end.States["gone"] != scheduler.TaskCompleted || end.Files["own/gone"] == "" {
			t.Errorf("gone is %s; its work is merged and stays: %q", end.States["gone"], end.Files["own/gone"])
		}
	})
}
