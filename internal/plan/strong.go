package plan

import (
	"cmp"
	"slices"
)

// strong returns the groups of tasks that all wait for one another (strongly connected components of more than one
// task), ordered by their smallest id.
// Removed pairs of task and need do not count. It keeps its own stack: a chain may be 100,000 long.
func strong(tasks []task, removed map[[2]int32]bool) [][]int32 {
	const unseen = 0
	order := make([]int32, len(tasks)) // of discovery, from 1
	low := make([]int32, len(tasks))
	onStack := make([]bool, len(tasks))
	var stack []int32
	var groups [][]int32
	type visit struct {
		task int32
		next int
	}
	var path []visit
	counter := int32(0)
	enter := func(t int32) {
		counter++
		order[t], low[t] = counter, counter
		onStack[t] = true
		stack = append(stack, t)
		path = append(path, visit{task: t})
	}
	for root := range tasks {
		if order[root] != unseen {
			continue
		}
		enter(int32(root))
		for len(path) > 0 {
			at := &path[len(path)-1]
			deps := tasks[at.task].deps
			if at.next < len(deps) {
				dep := deps[at.next]
				at.next++
				switch {
				case removed[[2]int32{at.task, dep}]:
				case order[dep] == unseen:
					enter(dep)
				case onStack[dep]:
					low[at.task] = min(low[at.task], order[dep])
				}
				continue
			}
			t := at.task
			path = path[:len(path)-1]
			if len(path) > 0 {
				above := path[len(path)-1].task
				low[above] = min(low[above], low[t])
			}
			if low[t] != order[t] {
				continue
			}
			from := len(stack) - 1
			for stack[from] != t {
				from--
			}
			for _, member := range stack[from:] {
				onStack[member] = false
			}
			if len(stack)-from > 1 {
				groups = append(groups, slices.Clone(stack[from:]))
			}
			stack = stack[:from]
		}
	}
	smallest := func(group []int32) string {
		id := tasks[group[0]].id
		for _, t := range group[1:] {
			id = min(id, tasks[t].id)
		}
		return id
	}
	slices.SortFunc(groups, func(a, b []int32) int { return cmp.Compare(smallest(a), smallest(b)) })
	return groups
}
