package scheduler

import (
	"fmt"
	"strings"
)

// Step takes one input and returns what follows from it, in causal order. The slice belongs to the caller.
func (s *State) Step(in Input) []Effect {
	s.effects = nil
	switch in := in.(type) {
	case Begin:
		s.begin()
	case AttemptEnded:
		s.attemptEnded(in)
	case Parked:
		s.park(in)
	case Due:
		s.timeCame(in.Task)
	case Hold:
		s.hold(in)
	case Release:
		s.release(in.Agent)
	case CancelTask:
		s.cancelTask(in.Task)
	case CancelRun:
		s.canceled = true
		s.cancelAll()
	case Retry:
		s.retry(in)
	case Pause:
		s.paused = true
	case Unpause:
		s.paused = false
	case SetConcurrency:
		s.concurrency = max(in.N, 1)
	case Learned:
		if i, ok := s.index[in.Task]; !ok {
			s.refuse(in.Task, "there is no such task")
		} else if s.estimates.learn(s.nodes, i, in.Duration) {
			s.ready.reorder()
		}
	}
	s.dispatch()
	if state := s.quietState(); state != "" {
		s.emit(Quiet{State: state})
	}
	effects := s.effects
	s.effects = nil
	return effects
}

func (s *State) emit(e Effect) { s.effects = append(s.effects, e) }

func (s *State) refuse(id TaskID, format string, args ...any) {
	s.emit(Refused{Task: id, Reason: fmt.Sprintf(format, args...)})
}

func (s *State) begin() {
	s.begun = true
	if s.canceled {
		s.cancelAll()
		return
	}
	for i := range s.nodes {
		s.resettle(int32(i))
	}
}

// move takes a task along an edge of the table, keeps the counts and the ready tasks true, and tells of it. It
// says whether there is such an edge.
func (s *State) move(i int32, on trigger, reason string) bool {
	n := &s.nodes[i]
	next := transitions[n.place][on]
	if !next.ok {
		return false
	}
	from := n.place
	if from == next.place {
		return true
	}
	s.counts[from]--
	s.counts[next.place]++
	n.place = next.place
	if from == eligible {
		s.unlist(i)
	}
	if next.place == eligible {
		s.list(i)
	}
	if from.active() && !next.place.active() {
		s.ready.release(i)
	}
	if next.place.active() && !from.active() {
		s.ready.acquire(i)
	}
	if from.status() != next.place.status() {
		s.emit(Changed{Task: n.id, From: from.status(), To: next.place.status(), Reason: reason, Result: n.result, Error: n.err})
	}
	return true
}

func (s *State) attemptEnded(in AttemptEnded) {
	i, ok := s.index[in.Task]
	if !ok {
		s.refuse(in.Task, "there is no such task")
		return
	}
	n := &s.nodes[i]
	if n.place != running && n.place != stopping && n.place != held && !(n.place == asking && in.Outcome == OutcomeFailed) {
		s.refuse(in.Task, "it has no attempt under way: it is %s", n.place)
		return
	}
	last := in.Final || n.spent+1 >= n.allowed
	if n.place == held { // its attempt counted when it was held
		last = in.Final || n.spent >= n.allowed
	}
	switch in.Outcome {
	case OutcomeSucceeded:
		n.result, n.err = in.Result, ""
		s.move(i, attemptSucceeded, "")
		s.settled(i)
	case OutcomeFailed:
		if in.Rejected {
			s.attemptRejected(i, in.Error)
		} else {
			s.attemptFailed(i, in.Error, last)
		}
	case OutcomeConflict:
		s.attemptConflict(i, in.Error, last)
	case OutcomeInterrupted:
		if n.place == stopping {
			s.attemptCanceled(i, attemptInterrupted)
		} else if s.move(i, attemptInterrupted, "interrupted") {
			s.resettle(i)
		}
	case OutcomeCanceled:
		s.attemptCanceled(i, attemptCanceled)
	default:
		s.refuse(in.Task, "unknown outcome %q", in.Outcome)
	}
}

func (s *State) attemptFailed(i int32, errText string, last bool) {
	n := &s.nodes[i]
	on := attemptFailed
	if last && n.mode == FailSkip {
		on = attemptFailedSkip
	} else if last {
		on = attemptFailedLast
	}
	if n.place == stopping {
		s.attemptCanceled(i, on)
		return
	}
	if n.place != held {
		n.spent++
	}
	n.err = errText
	if !last {
		s.again(i, on)
		return
	}
	if _, ambiguous := s.rootOf(errText); ambiguous && on == attemptFailedSkip {
		n.err = "attempt failed: " + errText
	}
	s.move(i, on, "")
	s.settled(i)
	if on == attemptFailedLast && s.failFast {
		s.cancelWaiting(i)
	}
}

// again puts a task whose attempt counted as failed back to where the next attempt comes from.
func (s *State) again(i int32, on trigger) {
	n := &s.nodes[i]
	s.move(i, on, fmt.Sprintf("attempt %d of %d failed", n.spent, n.allowed))
	s.emit(Retrying{Task: n.id, Spent: n.spent, Allowed: n.allowed, Error: n.err})
	s.resettle(i)
}

// attemptRejected puts the task back whatever attempts it has left: it is a person who wants another.
func (s *State) attemptRejected(i int32, errText string) {
	n := &s.nodes[i]
	if n.place == stopping {
		s.attemptCanceled(i, attemptRejected)
		return
	}
	if n.place == held {
		s.refuse(n.id, "its work conflicts: that cannot be rejected")
		return
	}
	n.err = errText
	s.move(i, attemptRejected, "rejected by a person")
	s.emit(Retrying{Task: n.id, Spent: n.spent, Allowed: n.allowed, Error: n.err})
	s.resettle(i)
}

func (s *State) attemptConflict(i int32, errText string, last bool) {
	n := &s.nodes[i]
	switch {
	case n.place == stopping:
		s.attemptCanceled(i, attemptConflictLast)
	case n.place == held:
		n.err = errText
		s.emit(Held{Task: n.id, Error: n.err})
	case last:
		n.spent++
		n.err = errText
		s.move(i, attemptConflictLast, "")
		s.emit(Held{Task: n.id, Error: n.err})
	default:
		n.spent++
		n.err = errText
		s.again(i, attemptConflict)
	}
}

func (s *State) attemptCanceled(i int32, on trigger) {
	n := &s.nodes[i]
	n.err = canceledText
	if n.stop != "" {
		n.err, n.stop = n.stop, ""
	}
	s.move(i, on, n.err)
	s.settled(i)
}

func (s *State) cancelTask(id TaskID) {
	i, ok := s.index[id]
	if !ok {
		s.refuse(id, "there is no such task")
		return
	}
	n := &s.nodes[i]
	switch {
	case n.place.settled():
		s.refuse(id, "it is already %s", n.place)
	case n.place.active():
		n.stop = canceledText
		s.move(i, cancelAsked, "")
		s.emit(Stop{Task: id})
	default:
		n.err = canceledText
		s.move(i, cancelAsked, canceledText)
		s.settled(i)
	}
}

// cancelAll cancels what is not settled, in plan order.
func (s *State) cancelAll() {
	var ended []int32
	for i := range s.nodes {
		n := &s.nodes[i]
		switch {
		case n.place == running, n.place == parked, n.place == asking:
			n.stop = runCanceledText
			s.move(int32(i), runCanceled, "")
			s.emit(Stop{Task: n.id})
		case n.place == stopping:
			n.stop = runCanceledText
			s.emit(Stop{Task: n.id}) // a restored one was perhaps never stopped
		case !n.place.settled():
			n.err = runCanceledText
			s.move(int32(i), runCanceled, runCanceledText)
			ended = append(ended, int32(i))
		}
	}
	for _, i := range ended {
		s.settled(i)
	}
}

// cancelWaiting cancels what has not started because a task failed.
func (s *State) cancelWaiting(cause int32) {
	if s.counts[pending]+s.counts[eligible] == 0 {
		return
	}
	var ended []int32
	text := failFastText + string(s.nodes[cause].id) + " failed"
	for i := range s.nodes {
		if n := &s.nodes[i]; n.place == pending || n.place == eligible {
			n.err = text
			s.move(int32(i), failedFast, text)
			ended = append(ended, int32(i))
		}
	}
	for _, i := range ended {
		s.settled(i)
	}
}

// canceledByName says whether a person canceled just this task.
func (n *node) canceledByName() bool {
	return n.place == canceled && n.err != runCanceledText && !strings.HasPrefix(n.err, failFastText)
}

func (s *State) dispatch() {
	if !s.begun || s.paused {
		return
	}
	s.ready.refill()
	for s.counts[running]+s.counts[stopping] < s.concurrency {
		if s.nextDue() {
			continue
		}
		i, ok := s.ready.next()
		if !ok {
			return
		}
		n := &s.nodes[i]
		n.started++
		s.move(i, started, "")
		s.emit(Start{Task: n.id, Number: n.started})
	}
}

// quietState is empty while something runs or can start.
func (s *State) quietState() RunState {
	open := s.counts[pending] + s.counts[eligible] + s.counts[held] + s.counts[parked] + s.counts[asking]
	switch {
	case !s.begun || s.counts[running]+s.counts[stopping] > 0:
		return ""
	case open > 0 && s.paused:
		return RunPaused
	case s.counts[parked] > 0:
		return ""
	case open > 0 && s.counts[held]+s.counts[asking]+s.counts[eligible] > 0 && s.onlyAPersonCan():
		return RunWaiting
	case open > 0:
		return ""
	case s.canceled && s.counts[canceled] > 0:
		return RunCanceled
	case s.counts[failed]+s.counts[canceled] > 0:
		return RunFailed
	}
	return RunCompleted
}
