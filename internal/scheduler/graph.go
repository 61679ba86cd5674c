package scheduler

import (
	"slices"
	"strings"
)

// Order returns ids so that each comes after everything it needs; among those that could come next the one that
// is first in ids comes first. Needs that are not in ids count as met. ok is false when there is a cycle; the
// order then holds only what is neither on a cycle nor behind one.
func Order(ids []TaskID, needs map[TaskID][]TaskID) (order []TaskID, ok bool) {
	index := make(map[TaskID]int32, len(ids))
	for i, id := range ids {
		index[id] = int32(i)
	}
	open := make([]int, len(ids))
	feeds := make([][]int32, len(ids))
	for i, id := range ids {
		for _, need := range needs[id] {
			if j, known := index[need]; known {
				feeds[j] = append(feeds[j], int32(i))
				open[i]++
			}
		}
	}
	next := heap{order: newRank(len(ids), func(a, b int32) bool { return a < b })}
	for i := range ids {
		if open[i] == 0 {
			next.push(int32(i))
		}
	}
	order = make([]TaskID, 0, len(ids))
	for next.len() > 0 {
		i := next.top()
		next.remove(i)
		order = append(order, ids[i])
		for _, d := range feeds[i] {
			if open[d]--; open[d] == 0 {
				next.push(d)
			}
		}
	}
	return order, len(order) == len(ids)
}

// FindCycle returns the tasks of a cycle, each needing the next and the last needing the first, beginning with
// the smallest id among them; nil when there is none. The same graph gives the same cycle whatever the order of
// ids. Needs that are not in ids are ignored.
func FindCycle(ids []TaskID, needs map[TaskID][]TaskID) []TaskID {
	const (
		unseen = iota
		onPath
		cleared
	)
	known := make(map[TaskID]int, len(ids))
	for _, id := range ids {
		known[id] = unseen
	}
	sorted := slices.Clone(ids)
	slices.Sort(sorted)

	// A stack of our own: a chain of 100,000 tasks must not be a recursion of that depth.
	type visit struct {
		id   TaskID
		next int
	}
	for _, start := range sorted {
		if known[start] != unseen {
			continue
		}
		path := []visit{{id: start}}
		known[start] = onPath
		for len(path) > 0 {
			at := &path[len(path)-1]
			if at.next == len(needs[at.id]) {
				known[at.id] = cleared
				path = path[:len(path)-1]
				continue
			}
			need := needs[at.id][at.next]
			at.next++
			state, ok := known[need]
			switch {
			case !ok || state == cleared:
			case state == unseen:
				known[need] = onPath
				path = append(path, visit{id: need})
			default:
				from := slices.IndexFunc(path, func(v visit) bool { return v.id == need })
				cycle := make([]TaskID, 0, len(path)-from)
				for _, v := range path[from:] {
					cycle = append(cycle, v.id)
				}
				return fromSmallest(cycle)
			}
		}
	}
	return nil
}

func fromSmallest(cycle []TaskID) []TaskID {
	at := slices.Index(cycle, slices.Min(cycle))
	return append(slices.Clone(cycle[at:]), cycle[:at]...)
}

// CycleText writes a cycle for people, closed: "a → b → a".
func CycleText(cycle []TaskID) string {
	if len(cycle) == 0 {
		return ""
	}
	var b strings.Builder
	for _, id := range cycle {
		b.WriteString(string(id))
		b.WriteString(" → ")
	}
	b.WriteString(string(cycle[0]))
	return b.String()
}
