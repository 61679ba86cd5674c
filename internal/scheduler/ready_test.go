package scheduler

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var crowdedWrites = [][]string{
	nil, {"**"}, {"s/**"}, {"s/a", "m"}, {"s/b", "m"}, {"s/a"}, {"s/b"}, {"s/c", "d/x"}, {"d/x"}, {"d/y", "s/d"}, {"d/*"}, {"e", "s/d"}, {"e"}, {"d/y"},
}

// TestReadyTasksObeyTheFiles holds readyTasks against plain definitions while tasks become eligible, are canceled,
// end, and change their priority, with as many slots as wanted.
func TestReadyTasksObeyTheFiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 16).Draw(t, "tasks")
		tasks, paths := make([]*Task, n), make([]float64, n)
		for i := range tasks {
			tasks[i] = &Task{ID: TaskID(fmt.Sprint(i)), WritesFiles: rapid.SampledFrom(crowdedWrites).Draw(t, "writes")}
			paths[i] = float64(rapid.IntRange(0, 9).Draw(t, "path"))
		}
		r := newReadyTasks(tasks, paths)
		const (
			idle = iota
			waits
			runs
		)
		state := make([]int, n)
		in := func(want int) (is []int32) {
			for i := range state {
				if state[i] == want {
					is = append(is, int32(i))
				}
			}
			return is
		}
		clash := func(a, b int32) bool { return Overlap(tasks[a].WritesFiles, tasks[b].WritesFiles) }
		for range rapid.IntRange(1, 40).Draw(t, "rounds") {
			for range rapid.IntRange(1, 3).Draw(t, "changes") {
				switch k := rapid.IntRange(0, 9).Draw(t, "change"); {
				case k <= 4 && len(in(idle)) > 0:
					i := rapid.SampledFrom(in(idle)).Draw(t, "eligible")
					state[i] = waits
					r.add(i)
				case k <= 6 && len(in(runs)) > 0:
					i := rapid.SampledFrom(in(runs)).Draw(t, "ended")
					state[i] = idle
					r.release(i)
				case k == 7 && len(in(waits)) > 0:
					i := rapid.SampledFrom(in(waits)).Draw(t, "canceled")
					state[i] = idle
					r.remove(i)
				case k == 8:
					for i := range paths {
						paths[i] = float64(rapid.IntRange(0, 9).Draw(t, "path"))
					}
					r.reorder()
				}
			}
			slots := rapid.SampledFrom([]int{1, 2, n}).Draw(t, "slots")
			var startedNow []int32
			var full bool
			r.refill()
			for {
				if full = len(startedNow) == slots; full {
					break
				}
				i, ok := r.next()
				if !ok {
					break
				}
				if state[i] != waits {
					t.Fatalf("task %d started and was not eligible", i)
				}
				for _, other := range in(runs) {
					if clash(i, other) {
						t.Fatalf("tasks %d and %d run together", i, other)
					}
				}
				r.remove(i)
				r.acquire(i)
				state[i] = runs
				startedNow = append(startedNow, i)
			}
			for _, w := range in(waits) {
				behind := slices.ContainsFunc(in(waits), func(o int32) bool { return r.byTask.before(o, w) && clash(o, w) })
				inUse := slices.ContainsFunc(in(runs), func(o int32) bool { return clash(o, w) })
				if !full && !behind && !inUse {
					t.Fatalf("task %d could start: running %v, waiting %v", w, in(runs), in(waits))
				}
				if behind {
					continue
				}
				for _, s := range startedNow {
					if r.byTask.before(w, s) && (clash(w, s) || !inUse) {
						t.Fatalf("task %d overtook %d", s, w)
					}
				}
			}
		}
	})
}
