package scheduler

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/states.md anew")

// at builds a run of one task in a place, begun where that does not move it.
func at(t *testing.T, p place, mode FailureMode, attempts int) *State {
	t.Helper()
	task := &Task{ID: "x", Status: p.status(), FailureMode: mode, Attempts: attempts, Error: "as it was"}
	if p == skipped {
		task.FailureMode = FailSkip
	}
	tasks := []*Task{task}
	if p == pending { // something must be in the way, or Begin would settle it
		tasks = append(tasks, &Task{ID: "need", Status: TaskRunning})
		task.DependsOn = []TaskID{"need"}
	}
	// Paused, so that an eligible task stays where it is.
	progress := Progress{Started: 1, Held: p == held, Stopping: p == stopping, Parked: p == parked || p == asking, Person: p == asking}
	if p == held {
		progress.Spent = 1
	}
	s, err := NewState(tasks, map[TaskID]Progress{"x": progress}, Options{Paused: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Step(Begin{})
	if got := s.nodes[0].place; got != p {
		t.Fatalf("the task is %s, want it %s", got, p)
	}
	return s
}

func TestEveryPairOfPlaceAndInputFollowsTheTable(t *testing.T) {
	type row struct {
		name     string
		in       Input
		mode     FailureMode
		attempts int
		on       trigger
		silent   bool // an input that is not about this task: no Refused
	}
	end := func(o Outcome, final bool) Input {
		return AttemptEnded{Task: "x", Outcome: o, Error: "boom", Final: final}
	}
	rows := []row{
		{name: "succeeded", in: end(OutcomeSucceeded, false), on: attemptSucceeded},
		{name: "failed", in: end(OutcomeFailed, false), attempts: 2, on: attemptFailed},
		{name: "failed for good", in: end(OutcomeFailed, true), attempts: 2, on: attemptFailedLast},
		{name: "failed, last", in: end(OutcomeFailed, false), on: attemptFailedLast},
		{name: "failed, last, soft", in: end(OutcomeFailed, false), mode: FailSoft, on: attemptFailedLast},
		{name: "failed, last, skip", in: end(OutcomeFailed, false), mode: FailSkip, on: attemptFailedSkip},
		{name: "interrupted", in: end(OutcomeInterrupted, false), on: attemptInterrupted},
		{name: "canceled", in: end(OutcomeCanceled, false), on: attemptCanceled},
		{name: "conflict", in: end(OutcomeConflict, false), attempts: 2, on: attemptConflict},
		{name: "conflict, last", in: end(OutcomeConflict, false), on: attemptConflictLast},
		{name: "rejected", in: AttemptEnded{Task: "x", Outcome: OutcomeFailed, Rejected: true}, on: attemptRejected},
		{name: "parked", in: Parked{Task: "x"}, on: attemptParked},
		{name: "asks", in: Parked{Task: "x", Person: true}, on: attemptAsks},
		{name: "cancel", in: CancelTask{"x"}, on: cancelAsked},
		{name: "cancel run", in: CancelRun{}, on: runCanceled, silent: true},
		{name: "retry", in: Retry{Tasks: []TaskID{"x"}}, on: retryAsked},
		{name: "retry cascade", in: Retry{Tasks: []TaskID{"x"}, Cascade: true}, on: retryCascaded},
	}
	for p := range places {
		for _, r := range rows {
			t.Run(fmt.Sprintf("%s/%s", p, r.name), func(t *testing.T) {
				s := at(t, p, r.mode, r.attempts)
				effects := s.Step(r.in)
				want := transitions[p][r.on]
				if !want.ok {
					want.place = p
				}
				got := s.nodes[0].place
				if got == eligible && want.place == pending { // what is retried and needs nothing goes on at once
					got = pending
				}
				if got != want.place {
					t.Errorf("it is %s now, want %s", got, want.place)
				}
				refused := slices.ContainsFunc(effects, func(e Effect) bool { _, ok := e.(Refused); return ok })
				if refused == want.ok && !r.silent {
					t.Errorf("refused is %v, the table says %v: %#v", refused, want.ok, effects)
				}
				if refused && slices.ContainsFunc(effects, func(e Effect) bool { _, ok := e.(Changed); return ok }) {
					t.Errorf("refused, and yet something changed: %#v", effects)
				}
			})
		}
		for _, in := range []Input{Begin{}, Pause{}, SetConcurrency{3}, Hold{Agent: "coder"}, Release{Agent: "coder"}, Learned{Task: "x", Duration: 1}} {
			t.Run(fmt.Sprintf("%s/%T", p, in), func(t *testing.T) {
				s := at(t, p, FailHard, 1)
				for _, e := range s.Step(in) {
					if _, ok := e.(Quiet); !ok {
						t.Errorf("effect %#v", e)
					}
				}
				if got := s.nodes[0].place; got != p {
					t.Errorf("it is %s now, want %s", got, p)
				}
			})
		}
	}
}

func TestInputsAboutUnknownTasksAreRefused(t *testing.T) {
	for _, in := range []Input{AttemptEnded{Task: "no", Outcome: OutcomeFailed}, CancelTask{"no"}, Retry{Tasks: []TaskID{"x", "no"}}, Learned{Task: "no"}, Parked{Task: "no"}, Due{"no"}} {
		s := at(t, failed, FailHard, 1)
		effects := s.Step(in)
		if len(effects) != 2 || effects[0] != (Refused{Task: "no", Reason: "there is no such task"}) {
			t.Errorf("%#v: %#v", in, effects)
		}
	}
	s := at(t, running, FailHard, 1)
	if effects := s.Step(AttemptEnded{Task: "x", Outcome: "gone"}); len(effects) != 1 || effects[0] != (Refused{Task: "x", Reason: `unknown outcome "gone"`}) {
		t.Errorf("an unknown outcome: %#v", effects)
	}
}

func TestTheTableHasNoContradiction(t *testing.T) {
	seen := map[[2]int]place{}
	for _, e := range edges {
		for _, from := range e.from {
			key := [2]int{int(from), int(e.on)}
			if other, twice := seen[key]; twice {
				t.Errorf("%s, when %s: to %s and to %s", from, e.on, other, e.to)
			}
			seen[key] = e.to
			if from.settled() && e.on != retryAsked && e.on != retryCascaded {
				t.Errorf("%s is left without a retry, when %s", from, e.on)
			}
		}
	}
}

func TestDocumentOfStatesIsUpToDate(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "states.md")
	want := document()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/states.md is stale; run: go test ./internal/scheduler -run DocumentOfStates -update")
	}
}

// document writes the table for people.
func document() string {
	var b strings.Builder
	b.WriteString(`# States of a task

Written from the table in internal/scheduler/transitions.go by its test; do not edit. To write it anew:
` + "`go test ./internal/scheduler -run DocumentOfStates -update`" + `.

The stored states are pending, eligible, running, completed, failed, skipped and canceled. Four more are running
with something expected of it: **stopping** (a person asked to cancel it), **held** (its work conflicts and waits for a
person, without slot and files), **parked** (its attempt waits until a time, with its files and without a slot) and
**asking** (its attempt waits in the same way, for a person's word: a yes, or more budget). Completed, failed, skipped
and canceled are left only by a retry. What is not in the table does not happen: such an input is refused, and changes
nothing.

`)
	b.WriteString("```mermaid\nstateDiagram-v2\n  [*] --> pending\n")
	drawn := map[string]bool{}
	for _, e := range edges {
		for _, from := range e.from {
			line := fmt.Sprintf("  %s --> %s\n", from, e.to)
			if from != e.to && !drawn[line] {
				drawn[line] = true
				b.WriteString(line)
			}
		}
	}
	b.WriteString("```\n")
	for p := range places {
		fmt.Fprintf(&b, "\n## %s\n\n| when | then | |\n|---|---|---|\n", p)
		for _, e := range edges {
			if slices.Contains(e.from, p) {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", e.on, e.to, e.comments)
			}
		}
	}
	return b.String()
}
