package scheduler

import (
	"slices"
	"strings"
)

// readyTasks holds the eligible tasks and hands them out in order of priority, each only when the files it writes
// are free.
//
// A task may start when what it writes overlaps neither a running task nor a task of higher priority that waits
// for its files: that one's files are reserved, so that a wide task is not overtaken for ever, while tasks that do
// not overlap it pass.
//
// It is made for 100,000 tasks. Tasks with equal lists of writes are one class with one entry. A class waits in the
// queue of one of its patterns. A pattern found to overlap a running class is parked under that class with its
// whole queue and not looked at again until the class is released; so neither many tasks that write the same
// files, nor many lists that share a pattern, cost more than the heap's logarithm each.
type readyTasks struct {
	paths []float64 // priority by task; higher is first, ties in plan order

	free   heap    // tasks that write nothing, by priority
	class  []int32 // by task; -1 = writes nothing
	byTask *rank   // of tasks, for free and for the classes' heaps
	files  files
}

// class is a distinct list of writes.
type class struct {
	patterns []int32
	tasks    heap    // eligible
	running  int     // more than one only when restored so
	queue    int32   // the pattern in whose queue it waits; -1 = none
	parked   []int32 // patterns parked under it while it runs; stale ones are told by the pattern's under
}

func newReadyTasks(tasks []*Task, paths []float64) *readyTasks {
	r := &readyTasks{paths: paths, class: make([]int32, len(tasks))}
	r.byTask = newRank(len(tasks), func(a, b int32) bool {
		return paths[a] > paths[b] || paths[a] == paths[b] && a < b
	})
	r.free = heap{order: r.byTask}

	patterns, classes := make(map[string]int32), make(map[string]int32)
	for i, t := range tasks {
		r.class[i] = -1
		if len(t.WritesFiles) == 0 {
			continue
		}
		writes := slices.Clone(t.WritesFiles)
		slices.Sort(writes)
		writes = slices.Compact(writes)
		key := strings.Join(writes, "\x00")
		c, known := classes[key]
		if !known {
			c = int32(len(r.files.classes))
			classes[key] = c
			ids := make([]int32, 0, len(writes))
			for _, w := range writes {
				p, known := patterns[w]
				if !known {
					p = r.files.addPattern(w)
					patterns[w] = p
				}
				ids = append(ids, p)
			}
			r.files.classes = append(r.files.classes, class{patterns: ids, tasks: heap{order: r.byTask}, queue: -1})
		}
		r.class[i] = c
	}
	r.files.init(r.byTask.before, len(tasks))
	return r
}

// add makes an eligible task known.
func (r *readyTasks) add(task int32) {
	if c := r.class[task]; c < 0 {
		r.free.push(task)
	} else {
		r.files.add(c, task)
	}
}

// remove forgets a task that is no longer eligible.
func (r *readyTasks) remove(task int32) {
	if c := r.class[task]; c < 0 {
		r.free.remove(task)
	} else {
		r.files.remove(c, task)
	}
}

// acquire takes a task's files: it runs.
func (r *readyTasks) acquire(task int32) {
	if c := r.class[task]; c >= 0 {
		r.files.acquire(c)
	}
}

// release gives a task's files back.
func (r *readyTasks) release(task int32) {
	if c := r.class[task]; c >= 0 {
		r.files.release(c)
	}
}

// reorder follows a change of the priorities.
func (r *readyTasks) reorder() {
	r.free.reorder()
	r.files.reorder()
}

// refill begins a round of next.
func (r *readyTasks) refill() { r.files.budget += roundBudget }

// next returns the task to start now. The caller starts it (remove, acquire) before it asks again.
func (r *readyTasks) next() (task int32, ok bool) {
	for {
		task, ok := r.files.candidate()
		if r.free.len() > 0 && (!ok || r.byTask.before(r.free.top(), task)) {
			return r.free.top(), true
		}
		if !ok {
			return 0, false
		}
		if r.files.startable(r.class[task]) {
			return task, true
		}
	}
}
