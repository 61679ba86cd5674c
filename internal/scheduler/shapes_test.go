package scheduler

import (
	"slices"
	"testing"
)

// thinning is one in how many graphs of n tasks are played.
func thinning(n int) int {
	switch {
	case n == 5 && (underRace || testing.Short()):
		return 509
	case n == 5:
		return 16
	case n == 4 && (underRace || testing.Short()):
		return 17
	}
	return 1
}

// pairsOf lists the dependencies that n tasks in topological order can have.
func pairsOf(n int) (pairs [][2]int) {
	for to := range n {
		for from := range to {
			pairs = append(pairs, [2]int{from, to})
		}
	}
	return pairs
}

// leastOfItsShape says whether no other numbering of the tasks in topological order gives a smaller set of pairs.
func leastOfItsShape(n, graph int) bool {
	pairs := pairsOf(n)
	place := map[[2]int]int{}
	for b, p := range pairs {
		place[p] = b
	}
	least := true
	var try func(number []int)
	try = func(number []int) {
		if len(number) < n {
			for i := range n {
				if !slices.Contains(number, i) {
					try(append(slices.Clone(number), i))
				}
			}
			return
		}
		other := 0
		for b, p := range pairs {
			if graph>>b&1 == 0 {
				continue
			}
			at, ok := place[[2]int{number[p[0]], number[p[1]]}]
			if !ok {
				return // not topological
			}
			other |= 1 << at
		}
		least = least && graph <= other
	}
	try(nil)
	return least
}

// build makes the tasks of a graph, and how their attempts end.
func build(n int, pairs [][2]int, graph, kind int) (tasks []*Task, ends map[TaskID]Outcome) {
	modes := []FailureMode{FailHard, FailSoft, FailSkip}
	tasks, ends = make([]*Task, n), map[TaskID]Outcome{}
	for i := range n {
		id := TaskID(rune('a' + i))
		tasks[i] = &Task{ID: id}
		switch k := kind % 5; k {
		case 0:
			ends[id] = OutcomeSucceeded
		case 1:
			ends[id] = OutcomeConflict
		default:
			ends[id] = OutcomeFailed
			tasks[i].FailureMode = modes[k-2]
		}
		kind /= 5
	}
	for b, p := range pairs {
		if graph>>b&1 == 1 {
			tasks[p[1]].DependsOn = append(tasks[p[1]].DependsOn, tasks[p[0]].ID)
		}
	}
	return tasks, ends
}

// TestShapesAreCounted holds the reduction against the known numbers of acyclic graphs without labels.
func TestShapesAreCounted(t *testing.T) {
	for n, want := range []int{1: 1, 2: 2, 3: 6, 4: 31, 5: 302} {
		shapes := 0
		for graph := range 1 << (n * (n - 1) / 2) {
			if n > 0 && leastOfItsShape(n, graph) {
				shapes++
			}
		}
		if shapes != want {
			t.Errorf("%d shapes of %d tasks, want %d", shapes, n, want)
		}
	}
}
