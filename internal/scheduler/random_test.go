package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var someWrites = [][]string{
	nil, nil, nil, {"src/**"}, {"src/a/**", "go.mod"}, {"src/b/*.go"}, {"src/b/x*"}, {"docs"}, {"docs/a.md"}, {"go.mod"}, {"**/*.md"}, {"web/{a,b}/**", "go.mod"},
}

func drawTasks(t *rapid.T, most int) []*Task {
	n := rapid.IntRange(1, most).Draw(t, "tasks")
	place := rapid.Permutation(seq(n)).Draw(t, "plan order")
	tasks := make([]*Task, n)
	for i := range n {
		task := &Task{
			ID:          TaskID(fmt.Sprintf("t%02d", i)),
			AgentRole:   rapid.SampledFrom([]string{"", "coder", "reviewer"}).Draw(t, "agent"),
			FailureMode: rapid.SampledFrom([]FailureMode{"", FailHard, FailSoft, FailSkip}).Draw(t, "mode"),
			Attempts:    rapid.IntRange(0, 3).Draw(t, "attempts"),
			WritesFiles: rapid.SampledFrom(someWrites).Draw(t, "writes"),
		}
		for from := range i {
			if rapid.IntRange(0, 5).Draw(t, "edge") == 0 {
				task.DependsOn = append(task.DependsOn, TaskID(fmt.Sprintf("t%02d", from)))
			}
		}
		tasks[place[i]] = task
	}
	return tasks
}

func seq(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// TestAnyRunKeepsTheRules drives random graphs with random ends, cancels, retries, pauses and crashes.
func TestAnyRunKeepsTheRules(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tasks := drawTasks(rt, 25)
		o := Options{Concurrency: rapid.IntRange(0, 6).Draw(rt, "concurrency"), FailFast: rapid.Bool().Draw(rt, "fail-fast")}
		r := newReplay(rt, tasks, o)
		var inputs []Input
		var effects [][]Effect
		crashed := false
		do := func(in Input) {
			inputs = append(inputs, in)
			effects = append(effects, r.step(in))
			r.checkRules(rt)
			for _, e := range effects[len(effects)-1] {
				if _, ok := e.(Start); ok && (r.options.Paused || len(r.running()) > max(r.options.Concurrency, 1)) {
					rt.Fatalf("%#v while paused or beyond the limit", e)
				}
			}
		}
		do(Begin{})
		task := func() TaskID { return rapid.SampledFrom(r.tasks).Draw(rt, "task").ID }
		agent := func() string { return rapid.SampledFrom([]string{"coder", "reviewer"}).Draw(rt, "agent") }
		for range rapid.IntRange(0, 60).Draw(rt, "steps") {
			running := r.running()
			switch k := rapid.IntRange(0, 36).Draw(rt, "input"); {
			case k == 0:
				do(CancelTask{task()})
			case k == 1:
				do(Retry{Tasks: []TaskID{task(), task()}, Cascade: rapid.Bool().Draw(rt, "cascade")})
			case k == 2:
				do(Pause{})
			case k == 3:
				do(Unpause{})
			case k == 4:
				do(SetConcurrency{rapid.IntRange(0, 6).Draw(rt, "n")})
			case k == 5:
				do(Learned{Task: task(), Duration: time.Duration(rapid.IntRange(0, 100).Draw(rt, "seconds")) * time.Second})
			case k == 6 && rapid.IntRange(0, 3).Draw(rt, "really") == 0:
				do(CancelRun{})
			case k == 7:
				do(AttemptEnded{Task: task(), Outcome: drawOutcome(rt), Error: "boom"}) // perhaps not running
			case k == 8:
				crashed = true
				r.crash()
				for _, id := range r.running() {
					if rapid.Bool().Draw(rt, "interrupted") {
						do(AttemptEnded{Task: id, Outcome: OutcomeInterrupted})
					}
				}
			case k == 9:
				do(Hold{Agent: agent(), Person: rapid.Bool().Draw(rt, "person")})
			case k == 10:
				do(Release{agent()})
			case k == 11:
				do(Parked{Task: task(), Person: rapid.Bool().Draw(rt, "person")}) // perhaps not running
			case k == 12 && len(running) > 0:
				do(Parked{Task: rapid.SampledFrom(running).Draw(rt, "which"), Person: rapid.Bool().Draw(rt, "person")})
			case k == 14 && len(r.parked) > 0:
				do(Due{rapid.SampledFrom(slices.Sorted(maps.Keys(r.parked))).Draw(rt, "which")})
			case k == 15 && len(r.asking) > 0:
				do(AttemptEnded{Task: rapid.SampledFrom(slices.Sorted(maps.Keys(r.asking))).Draw(rt, "which"), Outcome: OutcomeFailed, Rejected: rapid.Bool().Draw(rt, "rejected"), Error: "no"})
			case k == 13:
				do(Due{task()}) // perhaps not parked
			case len(running) > 0:
				do(AttemptEnded{
					Task: rapid.SampledFrom(running).Draw(rt, "which"), Outcome: drawOutcome(rt), Error: "boom",
					Final: rapid.IntRange(0, 5).Draw(rt, "final") == 0, Rejected: rapid.IntRange(0, 5).Draw(rt, "rejected") == 0,
				})
			}
		}
		do(Unpause{})
		do(Release{"coder"})
		do(Release{"reviewer"})
		for _, task := range r.tasks {
			if _, ok := r.parked[task.ID]; ok {
				do(Due{task.ID})
			}
		}
		for n := 0; r.quiet == ""; n++ {
			if n > 1000 {
				rt.Fatalf("the run does not come to an end: %v", r.statuses())
			}
			do(AttemptEnded{Task: r.running()[0], Outcome: OutcomeSucceeded})
		}
		for _, task := range r.tasks {
			waits := slices.ContainsFunc(task.DependsOn, func(id TaskID) bool { return !r.byID[id].Status.Terminal() })
			if !task.Status.Terminal() && !r.held[task.ID] && !waits {
				rt.Fatalf("quiet as %q, but %s is %s", r.quiet, task.ID, task.Status)
			}
		}
		if !crashed { // a State that never was rebuilt gives the same again
			again := newReplay(rt, tasks, o)
			for i, in := range inputs {
				if diff := cmp.Diff(effects[i], again.step(in)); diff != "" {
					rt.Fatalf("input %d, %#v, the second time (-first +second):\n%s", i, in, diff)
				}
			}
		}
	})
}

func drawOutcome(t *rapid.T) Outcome {
	return rapid.SampledFrom([]Outcome{
		OutcomeSucceeded, OutcomeSucceeded, OutcomeSucceeded, OutcomeFailed, OutcomeFailed,
		OutcomeInterrupted, OutcomeCanceled, OutcomeConflict,
	}).Draw(t, "outcome")
}

// checkRules looks at what is true between any two steps.
func (r *replay) checkRules(t *rapid.T) {
	s := r.state
	active := r.running()
	limit := max(r.options.Concurrency, 1)
	if n := s.counts[running] + s.counts[stopping]; n != len(active) {
		t.Fatalf("%d run, %d are known to", n, len(active))
	}
	files := slices.Clone(active)
	for _, task := range r.tasks {
		if _, ok := r.parked[task.ID]; ok {
			files = append(files, task.ID)
		}
	}
	for i, a := range files {
		for _, b := range files[:i] {
			if Overlap(r.byID[a].WritesFiles, r.byID[b].WritesFiles) {
				t.Fatalf("%s and %s run together and write the same files", a, b)
			}
		}
	}
	var waiting []*Task
	for _, task := range r.tasks {
		open, at := 0, false
		for _, id := range task.DependsOn {
			i := s.index[id]
			if !s.nodes[i].place.settled() {
				open++
			} else if s.blocks(i) {
				at = true
			}
		}
		switch task.Status {
		case TaskPending:
			if open == 0 || at {
				t.Fatalf("%s is pending with %d open dependencies, blocked %v", task.ID, open, at)
			}
		case TaskEligible:
			if open > 0 || at {
				t.Fatalf("%s is eligible with %d open dependencies, blocked %v", task.ID, open, at)
			}
			if _, onHold := r.holds[task.AgentRole]; !onHold {
				waiting = append(waiting, task)
			}
		}
	}
	if r.quiet == "" && len(active) == 0 && !r.options.Paused && s.begun && !r.goesOnByItself() {
		t.Fatalf("nothing runs, nothing goes on by itself, and the run is not quiet: %v", r.statuses())
	}
	if r.quiet == RunWaiting && r.goesOnByItself() {
		t.Fatalf("the run waits for a person, and yet something goes on by itself: %v", r.statuses())
	}
	if r.options.Paused || len(active) >= limit {
		return
	}
	// With a free slot, each eligible task waits for files of a running one, or of an eligible one before it.
	slices.SortFunc(waiting, func(a, b *Task) int {
		if s.ready.byTask.before(s.index[a.ID], s.index[b.ID]) {
			return -1
		}
		return 1
	})
	for i, task := range waiting {
		waits := slices.ContainsFunc(files, func(id TaskID) bool { return Overlap(task.WritesFiles, r.byID[id].WritesFiles) }) ||
			slices.ContainsFunc(waiting[:i], func(w *Task) bool { return Overlap(task.WritesFiles, w.WritesFiles) })
		if !waits {
			t.Fatalf("%s could start and does not; running %v", task.ID, active)
		}
	}
}

// goesOnByItself says whether time alone brings something on: a task parked until then, or one whose agent is on hold.
func (r *replay) goesOnByItself() bool {
	for id := range r.parked {
		if !r.asking[id] {
			return true
		}
	}
	return slices.ContainsFunc(r.tasks, func(t *Task) bool {
		person, onHold := r.holds[t.AgentRole]
		return t.Status == TaskEligible && onHold && !person
	})
}

// TestTasksStartInOrderOfPriority holds every start against the choice that a slow, plain search makes.
func TestTasksStartInOrderOfPriority(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tasks := drawTasks(rt, 40)
		limit := rapid.IntRange(1, 5).Draw(rt, "concurrency")
		byTask := map[TaskID]time.Duration{}
		for _, task := range tasks {
			byTask[task.ID] = time.Duration(rapid.IntRange(1, 9).Draw(rt, "seconds")) * time.Second
		}
		s, err := NewState(tasks, nil, Options{Concurrency: limit, ByTask: byTask})
		if err != nil {
			rt.Fatal(err)
		}
		files := map[TaskID][]string{}
		for _, task := range tasks {
			files[task.ID] = task.WritesFiles
		}
		eligible, running := map[TaskID]bool{}, []TaskID{}
		before := func(a, b TaskID) bool { return s.ready.byTask.before(s.index[a], s.index[b]) }
		for in := Input(Begin{}); ; {
			var starts []TaskID
			for _, e := range s.Step(in) {
				switch e := e.(type) {
				case Changed:
					if e.To == TaskEligible {
						eligible[e.Task] = true
					}
				case Start:
					starts = append(starts, e.Task)
				}
			}
			// The first of those that wait holds its files; nothing behind it may start with them.
			for _, id := range starts {
				for other := range eligible {
					if other == id || !before(other, id) || slices.Contains(starts, other) {
						continue
					}
					busy := slices.ContainsFunc(running, func(x TaskID) bool { return Overlap(files[x], files[other]) }) ||
						slices.ContainsFunc(starts, func(x TaskID) bool { return before(x, other) && Overlap(files[x], files[other]) })
					reserved := false
					for x := range eligible {
						reserved = reserved || before(x, other) && !slices.Contains(starts, x) && Overlap(files[x], files[other])
					}
					if !busy && !reserved {
						rt.Fatalf("%s started before %s, which was free to", id, other)
					}
				}
			}
			for _, id := range starts {
				delete(eligible, id)
				running = append(running, id)
			}
			var first TaskID
			for id := range eligible {
				if first == "" || before(id, first) {
					first = id
				}
			}
			for _, id := range starts {
				if first != "" && before(first, id) && Overlap(files[first], files[id]) {
					rt.Fatalf("%s overtook %s and took its files", id, first)
				}
			}
			if len(running) > limit {
				rt.Fatalf("%d run", len(running))
			}
			if len(running) == 0 {
				break
			}
			which := rapid.IntRange(0, len(running)-1).Draw(rt, "end")
			in = AttemptEnded{Task: running[which], Outcome: OutcomeSucceeded}
			running = slices.Delete(running, which, which+1)
		}
		if n := s.Counts()[TaskCompleted]; n != len(tasks) {
			rt.Fatalf("%d of %d tasks completed", n, len(tasks))
		}
	})
}
