package view

import (
	"fmt"
	"time"

	"orchestrator/internal/scheduler"
)

// enough is how many tasks must be done before their mean says anything.
const enough = 3

// Left estimates how long the run still takes: the mean of what is done, times the work that is left divided by
// the slots or the longest chain that is left, whichever is more; what waits for a person is left out. False while
// fewer than three tasks are done, and while nothing goes on. It looks at every task.
func (r *Run) Left(now time.Time) (time.Duration, bool) {
	c := r.Counts()
	if r.State != scheduler.RunRunning || c[Done] < enough || c[Running]+c.ToGo() == 0 {
		return 0, false
	}
	mean := r.done / time.Duration(c[Done])
	work := mean * time.Duration(r.unknown())
	var longest time.Duration
	for _, t := range r.Tasks {
		if t.Status.Terminal() || t.NeedsYou() {
			continue
		}
		own := mean
		if t.Status == scheduler.TaskRunning {
			own = max(mean-t.Elapsed(now), 0)
		}
		work += own
		longest = max(longest, own+mean*time.Duration(t.below-1))
	}
	return max(longest, work/time.Duration(max(r.Concurrency, 1))), true
}

// About words an estimate: "about 9 min left".
func About(left time.Duration) string {
	switch {
	case left < 10*time.Second:
		return "nearly done"
	case left < 90*time.Second:
		return fmt.Sprintf("about %d s left", int(left.Round(10*time.Second).Seconds()))
	case left < 90*time.Minute:
		return fmt.Sprintf("about %d min left", int(left.Round(time.Minute).Minutes()))
	}
	left = left.Round(10 * time.Minute)
	return fmt.Sprintf("about %d h %02d min left", int(left.Hours()), int(left.Minutes())%60)
}

// measure finds for each task the longest chain of dependents. Tasks of a cycle, which no checked plan has, keep
// their own length.
func (r *Run) measure() {
	needed := make([]int, len(r.Tasks)) // dependents that are not measured yet
	for _, t := range r.Tasks {
		for _, id := range t.Needs {
			if need := r.byID[id]; need != nil {
				needed[need.index]++
			}
		}
	}
	var ready []*Task
	for _, t := range r.Tasks {
		if needed[t.index] == 0 {
			ready = append(ready, t)
		}
	}
	for len(ready) > 0 {
		t := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, id := range t.Needs {
			need := r.byID[id]
			if need == nil {
				continue
			}
			need.below = max(need.below, t.below+1)
			if needed[need.index]--; needed[need.index] == 0 {
				ready = append(ready, need)
			}
		}
	}
}
