package scheduler

import "slices"

// The bounds that keep a step cheap on plans in which tens of thousands of different patterns all overlap.
const (
	// maxHolds is how many of the waiting patterns, those with the highest priority, reserve their files. One would
	// be enough that no task starves: the first of those that wait is reserved until it starts, then the next.
	maxHolds = 64
	// How many patterns may be parked: freeBudget and taskBudget times the tasks in the whole run, and on top of
	// that roundBudget in every step. When it is used up, the search goes on in the next step where this one
	// stopped. Runs of a few hundred tasks cannot use it up.
	freeBudget  = 1 << 18
	taskBudget  = 8
	roundBudget = 16
)

// files is the exclusion of tasks by what they write. See readyTasks for the idea.
type files struct {
	classes []class
	queues  []queue // by pattern
	before  func(a, b int32) bool

	byClass *rank // of classes, for the queues: by their first task
	byQueue *rank // of patterns, for ready and parked: by the first task of their first class
	ready   heap  // patterns not known to be in use
	parked  heap  // patterns that wait for a class to be released

	busy       []int32 // classes that run
	holds      []int32 // the first maxHolds of parked in order, when holdsValid
	holdsValid bool
	reserved   []int32 // patterns parked for a reservation; stale ones are told by the queue
	budget     int
}

// queue is a pattern and the classes that wait for it. It is in ready or in parked when it has classes.
type queue struct {
	globs    []glob
	classes  heap
	under    int32 // the running class whose release it waits for; -1 = not parked
	reserved bool  // parked because a class of higher priority waits, which waits for under
}

func (f *files) addPattern(pattern string) int32 {
	f.queues = append(f.queues, queue{globs: parseGlobs(pattern), under: -1})
	return int32(len(f.queues) - 1)
}

func (f *files) init(before func(a, b int32) bool, tasks int) {
	f.before = before
	f.byClass = newRank(len(f.classes), func(a, b int32) bool {
		return before(f.classes[a].tasks.top(), f.classes[b].tasks.top())
	})
	f.byQueue = newRank(len(f.queues), func(a, b int32) bool { return before(f.first(a), f.first(b)) })
	for p := range f.queues {
		f.queues[p].classes = heap{order: f.byClass}
	}
	f.ready, f.parked = heap{order: f.byQueue}, heap{order: f.byQueue}
	f.budget = freeBudget + taskBudget*tasks
}

// first returns the first task that waits for a pattern.
func (f *files) first(p int32) int32 { return f.classes[f.queues[p].classes.top()].tasks.top() }

func (f *files) add(c, task int32) {
	k := &f.classes[c]
	k.tasks.push(task)
	switch {
	case k.running > 0: // waits for itself
	case k.queue < 0:
		f.enqueue(c, k.patterns[0])
	case k.tasks.top() == task:
		p := k.queue
		f.queues[p].classes.fix(c)
		f.risen(p, f.queues[p].classes.top() == c)
	}
}

func (f *files) remove(c, task int32) {
	k := &f.classes[c]
	wasFirst := k.tasks.top() == task
	if k.queue < 0 || !wasFirst {
		k.tasks.remove(task)
		return
	}
	p := k.queue
	f.dequeue(c)
	k.tasks.remove(task)
	if k.tasks.len() > 0 {
		f.enqueue(c, p)
	}
}

func (f *files) acquire(c int32) {
	k := &f.classes[c]
	if k.running++; k.running > 1 {
		return
	}
	if k.queue >= 0 {
		f.dequeue(c)
	}
	f.busy = append(f.busy, c)
}

func (f *files) release(c int32) {
	k := &f.classes[c]
	if k.running--; k.running > 0 {
		return
	}
	i := slices.Index(f.busy, c)
	f.busy[i] = f.busy[len(f.busy)-1]
	f.busy = f.busy[:len(f.busy)-1]
	for _, p := range k.parked {
		if f.queues[p].under == c {
			f.unpark(p)
		}
	}
	k.parked = k.parked[:0]
	if k.tasks.len() > 0 {
		f.enqueue(c, k.patterns[0])
	}
}

// enqueue lets a class wait for one of its patterns.
func (f *files) enqueue(c, p int32) {
	q := &f.queues[p]
	f.classes[c].queue = p
	q.classes.push(c)
	if q.classes.len() == 1 {
		f.ready.push(p)
		return
	}
	f.risen(p, q.classes.top() == c)
}

// risen follows a class of a pattern's queue that got a higher priority. A reservation that held the queue back
// says nothing about a new first class.
func (f *files) risen(p int32, isFirst bool) {
	q := &f.queues[p]
	switch {
	case !isFirst:
	case q.under < 0:
		f.ready.fix(p)
	case q.reserved:
		f.parked.fix(p)
		f.unpark(p)
	default:
		f.parked.fix(p)
		f.holdsValid = false
	}
}

// dequeue takes a class out of the queue that it waits in.
func (f *files) dequeue(c int32) {
	p := f.classes[c].queue
	q := &f.queues[p]
	f.classes[c].queue = -1
	isParked := q.under >= 0
	in := &f.ready
	if isParked {
		in = &f.parked
	}
	if q.classes.len() == 1 {
		in.remove(p) // while it still has a first class to compare by
		q.classes.remove(c)
		q.under, q.reserved = -1, false
	} else {
		q.classes.remove(c)
		in.fix(p)
	}
	if isParked { // what it reserved is free
		f.holdsValid = false
		f.wakeReserved()
	}
}

// wakeReserved looks again at what was parked for a reservation.
func (f *files) wakeReserved() {
	for _, p := range f.reserved {
		if q := &f.queues[p]; q.under >= 0 && q.reserved {
			f.unpark(p)
		}
	}
	f.reserved = f.reserved[:0]
}

func (f *files) unpark(p int32) {
	q := &f.queues[p]
	f.parked.remove(p)
	q.under, q.reserved = -1, false
	f.ready.push(p)
	f.holdsValid = false
}

// park lets a pattern wait for a class to be released. Its queue must not be empty.
func (f *files) park(p, under int32, reserved bool) {
	q := &f.queues[p]
	if q.under >= 0 {
		return // it waits already, and is looked at again then
	}
	f.ready.remove(p)
	q.under, q.reserved = under, reserved
	f.parked.push(p)
	f.classes[under].parked = append(f.classes[under].parked, p)
	if reserved {
		if len(f.reserved) > 2*f.parked.len()+maxHolds {
			f.reserved = slices.DeleteFunc(f.reserved, func(p int32) bool { return !f.queues[p].reserved })
		}
		f.reserved = append(f.reserved, p)
	}
	if f.holdsValid {
		at, _ := slices.BinarySearchFunc(f.holds, p, func(a, b int32) int {
			if f.byQueue.before(a, b) {
				return -1
			}
			return 1
		})
		f.holds = slices.Insert(f.holds, at, p)
		f.holds = f.holds[:min(len(f.holds), maxHolds)]
	}
	f.budget--
}

// candidate returns the first task of the patterns that are not parked.
func (f *files) candidate() (task int32, ok bool) {
	if f.ready.len() == 0 || f.budget <= 0 {
		return 0, false
	}
	return f.first(f.ready.top()), true
}

// startable says whether the files of a class, that of the candidate, are free. If not, the pattern that is in use
// is parked, with the class.
func (f *files) startable(c int32) bool {
	k := &f.classes[c]
	for _, p := range k.patterns {
		for _, b := range f.busy {
			if f.overlaps(p, b) {
				f.wait(c, p, b, false)
				return false
			}
		}
	}
	if f.parked.len() == 0 {
		return true
	}
	if !f.holdsValid {
		f.holds, f.holdsValid = f.parked.first(maxHolds), true
	}
	for _, h := range f.holds {
		if !f.before(f.first(h), k.tasks.top()) {
			break
		}
		holder := f.queues[h].classes.top()
		for _, p := range k.patterns {
			if f.overlaps(p, holder) {
				f.wait(c, p, f.queues[h].under, true)
				return false
			}
		}
	}
	return true
}

// wait moves a class to the queue of its pattern p and parks that.
func (f *files) wait(c, p, under int32, reserved bool) {
	if f.classes[c].queue != p {
		f.dequeue(c)
		f.enqueue(c, p)
	}
	f.park(p, under, reserved)
}

// reorder follows a change of the priorities of tasks.
func (f *files) reorder() {
	for c := range f.classes {
		f.classes[c].tasks.reorder()
	}
	for p := range f.queues {
		f.queues[p].classes.reorder()
	}
	f.ready.reorder()
	f.parked.reorder()
	f.holdsValid = false
	f.wakeReserved()
}

// overlaps says whether a pattern overlaps what a class writes.
func (f *files) overlaps(p, c int32) bool {
	for _, q := range f.classes[c].patterns {
		if f.patternsOverlap(p, q) {
			return true
		}
	}
	return false
}

// patternsOverlap is not cached: most answers cost less than a look into a large map (about 20 to 200 ns).
func (f *files) patternsOverlap(p, q int32) bool {
	if p == q {
		return true
	}
	a, b := f.queues[p].globs, f.queues[q].globs
	for i := range a {
		for j := range b {
			if overlap(&a[i], &b[j]) {
				return true
			}
		}
	}
	return false
}
