package view

import (
	"time"

	"orchestrator/internal/scheduler"
)

// longRun is how long a run must have taken for its end to be news: who started a short one is still looking.
const longRun = 30 * time.Second

// Alert is something that a person wants to be called for.
type Alert struct {
	Task string // that newly waits for the person; empty = it is about the run
	Text string // in a few words
}

// Alerts finds what a person wants to be called for: a task that newly waits for them, and the end of a run that took a
// while. The zero value has seen nothing; what a view knew before the first Look counts as known to the person.
type Alerts struct {
	waits map[string]time.Time // by task, since when
	state scheduler.RunState
	known bool
}

// Look compares the run with what it was at the last call.
func (a *Alerts) Look(r *Run, now time.Time) []Alert {
	var list []Alert
	waits := map[string]time.Time{}
	for _, t := range r.Waits() {
		waits[t.ID] = t.WaitsFrom
		if since, before := a.waits[t.ID]; !before || !since.Equal(t.WaitsFrom) {
			text := t.Reason
			if text == "" && len(t.Paths) > 0 {
				text = "conflict in " + List(t.Paths, 2)
			}
			if text == "" {
				text = "needs you"
			}
			list = append(list, Alert{Task: t.ID, Text: text})
		}
	}
	ended := r.State != a.state && r.State != "" && r.State != scheduler.RunRunning && a.state != ""
	if ended && (len(list) == 0 || r.State != scheduler.RunWaiting) && r.Elapsed(now) > longRun {
		list = append(list, Alert{Text: "run " + r.ID + " " + endWord(r.State) + ": " + r.Tally(", ")})
	}
	first := !a.known
	a.waits, a.state, a.known = waits, r.State, true
	if first {
		return nil
	}
	return list
}

func endWord(s scheduler.RunState) string {
	switch s {
	case scheduler.RunCompleted:
		return "is done"
	case scheduler.RunWaiting:
		return "waits for you"
	case scheduler.RunPaused:
		return "is paused"
	case scheduler.RunCanceled:
		return "was cancelled"
	}
	return "has failed"
}
