package orchestrator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/invariants"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

const (
	simRun = "7f3c"
	// mostSteps bounds the durable steps of an owner of one of these small runs.
	mostSteps = 400
	// mostLives bounds how often a run may be resumed before it must be over.
	mostLives = 400
)

// simTask is what a task of a simulation does.
type simTask struct {
	id      scheduler.TaskID
	command string
	takes   time.Duration
	fails   int    // how often its command says no before it says yes
	shared  string // a file that others change too; empty = one of its own
	half    bool   // what it does fits to the other halves only when they are joined
	needs   []scheduler.TaskID
	sends   bool // the person sends its first work back
	denies  bool // the person does not want it to start
}

// write changes the files of a workspace; nil for a task that works in the repository's own folder.
func (t simTask) write(files map[string]string) {
	if files == nil {
		return
	}
	if t.shared != "" {
		lines := append(strings.Fields(files[t.shared]), string(t.id))
		slices.Sort(lines)
		files[t.shared] = strings.Join(slices.Compact(lines), "\n")
		return
	}
	if t.half {
		files["half/"+string(t.id)] = "a half"
		if halves(files) > 1 {
			files["joined"] = "the halves"
		}
		return
	}
	var text strings.Builder
	text.WriteString(t.command + " of " + string(t.id))
	for _, n := range t.needs {
		text.WriteString(" after (" + files["own/"+string(n)] + ")")
	}
	files["own/"+string(t.id)] = text.String()
}

func halves(files map[string]string) (n int) {
	for path := range files {
		if strings.HasPrefix(path, "half/") {
			n++
		}
	}
	return n
}

// Gates of a simulation.
const (
	gateHalves = "the halves are joined"
	gateRun    = "the run's own"
)

// passes says whether a gate passes on the files of a workspace.
func passes(gate string, files map[string]string) bool {
	return gate != gateHalves || halves(files) < 2 || files["joined"] != ""
}

// simTree is the name of the tree that holds some files.
func simTree(files map[string]string) string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "%q %q ", path, files[path])
	}
	return b.String()
}

// simPlan is a random graph.
type simPlan struct {
	tasks       []*scheduler.Task
	does        map[scheduler.TaskID]simTask
	concurrency int
	options     persistence.RunOptions
}

// guarded adds steps that wait for a person, and budgets that are soon used up.
func (p simPlan) guarded(seed uint64) simPlan {
	rng := rand.New(rand.NewPCG(seed, 3))
	p.options.ApproveOf, p.options.BudgetOf = map[scheduler.TaskID][]scheduler.Approval{}, map[scheduler.TaskID]scheduler.Budget{}
	for _, t := range p.tasks {
		does := p.does[t.ID]
		if rng.IntN(3) == 0 {
			p.options.ApproveOf[t.ID] = append(p.options.ApproveOf[t.ID], scheduler.ApproveStart)
			does.denies = rng.IntN(5) == 0
		}
		if rng.IntN(2) == 0 && t.Isolation != scheduler.IsolationNone {
			p.options.ApproveOf[t.ID] = append(p.options.ApproveOf[t.ID], scheduler.ApproveMerge)
			does.sends = rng.IntN(3) == 0
		}
		if rng.IntN(3) == 0 {
			p.options.BudgetOf[t.ID] = scheduler.Budget{Time: time.Duration(1+rng.IntN(30)) * time.Millisecond}
		}
		p.does[t.ID] = does
	}
	if rng.IntN(3) == 0 {
		p.options.Budget.Time = time.Duration(1+rng.IntN(60)) * time.Millisecond
	}
	return p
}

func drawSimPlan(seed uint64) simPlan {
	rng := rand.New(rand.NewPCG(seed, 0))
	p := simPlan{does: map[scheduler.TaskID]simTask{}, concurrency: 1 + rng.IntN(3)}
	for i := range 2 + rng.IntN(4) {
		id := scheduler.TaskID(fmt.Sprintf("t%d", i))
		t := &scheduler.Task{
			ID: id, Command: "work", Isolation: scheduler.IsolationClone, Attempts: 1 + rng.IntN(3),
			FailureMode: []scheduler.FailureMode{scheduler.FailHard, scheduler.FailSoft, scheduler.FailSkip}[rng.IntN(3)],
			WritesFiles: []string{"own/" + string(id)}, Status: scheduler.TaskPending,
		}
		does := simTask{id: id, command: "work", takes: time.Duration(rng.IntN(40)) * time.Millisecond}
		switch rng.IntN(8) {
		case 0: // once more than what is allowed would do
			does.fails = 1 + rng.IntN(2)
			t.Attempts = does.fails + 2
		case 1:
			does.fails = 1 << 30
		case 2, 3:
			does.shared = "shared"
			t.WritesFiles = []string{"shared"}
		case 4:
			t.Isolation, t.WritesFiles = scheduler.IsolationNone, nil
		case 5, 6: // the first fits, the second has to be done again on top of it
			does.half = true
			t.WritesFiles = []string{"half/" + string(id)}
			t.Attempts, t.Verify = 9, []string{gateHalves} // it may be overtaken by each of the others
		}
		for _, earlier := range p.tasks {
			if rng.IntN(3) == 0 {
				t.DependsOn = append(t.DependsOn, earlier.ID)
			}
		}
		does.needs = t.DependsOn
		p.tasks, p.does[id] = append(p.tasks, t), does
	}
	p.options.Merge.Verify = true
	if rng.IntN(3) == 0 {
		p.options.Merge.Commands = []string{gateRun, gateHalves}
	}
	return p
}

// newWorld stores the plan as a run.
func (p simPlan) newWorld(t *testing.T, folder string) *world {
	t.Helper()
	store, err := persistence.NewMemoryStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		store: store, folder: folder, tasks: p.does, commits: map[string]simCommit{}, refs: map[string]string{},
		folders: map[string]map[string]string{}, failed: map[string]int{},
	}
	base := w.add(simCommit{files: map[string]string{"README": "a repository"}})
	run := persistence.Run{
		ID: simRun, Name: "simulation", Repository: "/repository", State: scheduler.RunRunning, Base: base, BaseRef: "main",
		Branch: "orc/" + simRun, Concurrency: p.concurrency, Mark: "simulation", CreatedAt: time.Now(), Options: p.options,
	}
	if err := store.CreateRun(t.Context(), run, p.tasks); err != nil {
		t.Fatal(err)
	}
	return w
}

// simEnd is what must be the same whatever happened on the way.
type simEnd struct {
	Run    scheduler.RunState
	States map[scheduler.TaskID]scheduler.TaskStatus
	Files  map[string]string
}

// look checks the invariants and returns where the run stands.
func (w *world) look(t *testing.T, what string) simEnd {
	t.Helper()
	f, err := invariants.Gather(context.WithoutCancel(t.Context()), w.store, w.git(simRun), simRun)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for _, b := range invariants.Check(f) {
		t.Errorf("%s: %s", what, b)
	}
	for _, id := range w.chain(simRun) {
		if !passes(gateHalves, w.commits[id].files) {
			t.Errorf("%s: the halves do not fit after %s", what, trailer(w.commits[id].message, "Orc-Task"))
		}
	}
	end := simEnd{Run: f.Run.State, States: map[scheduler.TaskID]scheduler.TaskStatus{}}
	for _, task := range f.Tasks {
		end.States[task.ID] = task.Status
	}
	end.Files = maps.Clone(w.commits[w.refs[simRef(simRun, "integration")]].files)
	if t.Failed() {
		t.FailNow()
	}
	return end
}

// own has one owner work on the run until it ends.
func (w *world) own(t *testing.T, l *life, name string) error {
	t.Helper()
	e, err := l.engine(simRun, name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Run(context.WithoutCancel(t.Context()))
	return err
}

// finish resumes the run, each owner dying as die says, until it is over.
func (w *world) finish(t *testing.T, what string, die func(owner int) *life) simEnd {
	t.Helper()
	for owner := 1; owner <= mostLives; owner++ {
		l := die(owner)
		err := w.own(t, l, fmt.Sprintf("owner %d", owner))
		if (err != nil) != l.dead {
			t.Fatalf("%s: owner %d ended with %v", what, owner, err)
		}
		end := w.look(t, what)
		if end.Run.Terminal() {
			return end
		}
		if err == nil && end.Run == scheduler.RunWaiting {
			w.person(t)
			continue
		}
		if err == nil {
			t.Fatalf("%s: owner %d came to an end before the run did", what, owner)
		}
	}
	t.Fatalf("%s: not over after %d owners", what, mostLives)
	return simEnd{}
}

// person answers all that a run waits for, while nobody owns it.
func (w *world) person(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	run, err := w.store.GetRun(ctx, simRun)
	if err != nil {
		t.Fatal(err)
	}
	attempts, err := w.store.ListAttempts(ctx, simRun, "")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(kind string, payload any) {
		body, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.AddRequest(ctx, persistence.Request{Run: simRun, Kind: kind, Payload: string(body), CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
		w.words++
	}
	sent := map[scheduler.TaskID]bool{}
	for _, a := range attempts {
		sent[a.Task] = sent[a.Task] || a.Rejected
	}
	before := w.words
	if run.Options.Overspent != "" {
		ask(orchestrator.RequestBudget, orchestrator.BudgetRequest{Set: scheduler.Budget{Time: time.Hour}})
	}
	for _, a := range attempts {
		no := a.Asks() == persistence.WishMerge && w.tasks[a.Task].sends && !sent[a.Task] || a.Asks() == persistence.WishStart && w.tasks[a.Task].denies
		switch a.Asks() {
		case persistence.WishStart, persistence.WishMerge:
			ask(orchestrator.RequestApprove, orchestrator.ApproveRequest{
				Items: []orchestrator.Approved{{Task: a.Task, Attempt: a.Number, Wants: a.Asks()}}, Reject: no, Reason: "again",
			})
		case persistence.WishBudget:
			ask(orchestrator.RequestBudget, orchestrator.BudgetRequest{Task: a.Task, Set: scheduler.Budget{Time: time.Hour}})
		}
	}
	if w.words == before {
		t.Fatalf("the run waits for nothing: %s", run.Error)
	}
}

// simulate plays f in a bubble with a clock of its own, on a fresh run of the plan.
func simulate(t *testing.T, p simPlan, folder string, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := p.newWorld(t, folder)
		defer func() {
			if err := w.store.Close(); err != nil {
				t.Error(err)
			}
		}()
		f(t, w)
	})
}

// graphs is how many random graphs a test plays. The race detector makes the store in memory ten times slower.
func graphs(most uint64) uint64 {
	if testing.Short() || underRace {
		return most / 10
	}
	return most
}

func (p simPlan) undisturbed(t *testing.T) (end simEnd) {
	simulate(t, p, t.TempDir(), func(t *testing.T, w *world) {
		end = w.finish(t, "undisturbed", func(int) *life { return w.newLife(0, false, false) })
	})
	return end
}

// TestSimulatedDeathAtEveryStepEndsAsUndisturbed kills the owner before and after the first, the second, the third … step
// that outlives it, each in a run of its own, until a run ends without having come so far.
func TestSimulatedDeathAtEveryStepEndsAsUndisturbed(t *testing.T) {
	t.Parallel()
	runs := 0
	for seed := range graphs(20) {
		p := drawSimPlan(seed)
		want := p.undisturbed(t)
		for _, after := range []bool{false, true} {
			for n, hit := 1, true; hit; n++ {
				if n > mostSteps {
					t.Fatalf("graph %d: more than %d steps", seed, mostSteps)
				}
				what := fmt.Sprintf("graph %d, death at step %d (after it: %v)", seed, n, after)
				simulate(t, p, t.TempDir(), func(t *testing.T, w *world) {
					var first *life
					got := w.finish(t, what, func(owner int) *life {
						if owner == 1 {
							first = w.newLife(n, after, false)
							return first
						}
						return w.newLife(0, false, false)
					})
					hit = first.hit()
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("%s ends differently (-undisturbed +this):\n%s", what, diff)
					}
				})
				runs++
			}
		}
	}
	t.Logf("%d runs", runs)
}

// TestSimulatedDeathAtEveryStepOfARunWithAPersonEndsAsUndisturbed is the same where a person says yes and no, and gives
// more budget.
func TestSimulatedDeathAtEveryStepOfARunWithAPersonEndsAsUndisturbed(t *testing.T) {
	t.Parallel()
	runs, waits := 0, 0
	for seed := range graphs(10) {
		p := drawSimPlan(seed).guarded(seed)
		want := p.undisturbed(t)
		for _, after := range []bool{false, true} {
			for n, hit := 1, true; hit; n++ {
				if n > mostSteps {
					t.Fatalf("graph %d: more than %d steps", seed, mostSteps)
				}
				what := fmt.Sprintf("graph %d, death at step %d (after it: %v)", seed, n, after)
				simulate(t, p, t.TempDir(), func(t *testing.T, w *world) {
					left := n // steps until the death, which may come in a later life: a run that waits has ended its owner
					var last *life
					hit = false
					got := w.finish(t, what, func(int) *life {
						if last != nil && left > 0 {
							left -= last.taken()
							hit = hit || left <= 0
						}
						last = w.newLife(max(left, 0), after, false)
						return last
					})
					hit = hit || last.hit()
					waits += w.words
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("%s ends differently (-undisturbed +this):\n%s", what, diff)
					}
				})
				runs++
			}
		}
	}
	if waits == 0 {
		t.Error("nobody was ever asked")
	}
	t.Logf("%d runs, %d words of a person", runs, waits)
}

// TestSimulatedDeathsInARowEndAsUndisturbed lets every owner die after a few steps.
func TestSimulatedDeathsInARowEndAsUndisturbed(t *testing.T) {
	t.Parallel()
	deaths := 0
	for seed := range graphs(200) {
		p := drawSimPlan(seed)
		want := p.undisturbed(t)
		rng := rand.New(rand.NewPCG(seed, 1))
		what := fmt.Sprintf("graph %d", seed)
		simulate(t, p, t.TempDir(), func(t *testing.T, w *world) {
			got := w.finish(t, what, func(int) *life {
				deaths++
				return w.newLife(3+rng.IntN(25), rng.IntN(2) == 0, false)
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s ends differently (-undisturbed +this):\n%s", what, diff)
			}
		})
	}
	t.Logf("%d owners", deaths)
}

// TestSimulatedOwnerThatWakesUpTooLateChangesNothing freezes an owner at a step, lets another bring the run to its end, and
// wakes the first one up.
func TestSimulatedOwnerThatWakesUpTooLateChangesNothing(t *testing.T) {
	t.Parallel()
	for seed := range graphs(40) {
		p := drawSimPlan(seed)
		want := p.undisturbed(t)
		rng := rand.New(rand.NewPCG(seed, 2))
		for range 6 {
			n, after := 1+rng.IntN(30), rng.IntN(2) == 0
			what := fmt.Sprintf("graph %d, frozen at step %d (after it: %v)", seed, n, after)
			simulate(t, p, t.TempDir(), func(t *testing.T, w *world) { w.wakeUpLate(t, what, want, n, after) })
		}
	}
}

func (w *world) wakeUpLate(t *testing.T, what string, want simEnd, n int, after bool) {
	late := w.newLife(n, after, true)
	ended := make(chan error, 1)
	go func() { ended <- w.own(t, late, "late") }()
	thaw := sync.OnceFunc(func() { close(late.thawed) })
	defer func() { thaw(); synctest.Wait() }()
	select {
	case <-late.frozen:
	case err := <-ended:
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return // it was over before that step
	}
	if err := w.own(t, w.newLife(0, false, false), "next"); err != nil {
		t.Fatalf("%s: the next owner: %v", what, err)
	}
	before := w.look(t, what)
	thaw()
	if err := <-ended; err != nil { // there is none if all that was left to do was to give up the lease
		t.Logf("%s: the first owner ended with: %v", what, err)
	}
	synctest.Wait()
	if diff := cmp.Diff(before, w.look(t, what+", awake")); diff != "" {
		t.Fatalf("%s: the first owner changed the end when it woke up (-before +after):\n%s", what, diff)
	}
	if diff := cmp.Diff(want, before); diff != "" {
		t.Fatalf("%s ends differently (-undisturbed +this):\n%s", what, diff)
	}
}
