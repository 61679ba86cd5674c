package invariants

import (
	"slices"
	"testing"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// sound are the facts of a run of two tasks, the second of which needs the first and failed once.
func sound() Facts {
	f := Facts{
		Run: persistence.Run{ID: "7f3c", State: scheduler.RunCompleted, Base: "base", Branch: "orc/7f3c"},
		Tasks: []*scheduler.Task{
			{ID: "a", Command: "do a", Status: scheduler.TaskCompleted, WritesFiles: []string{"src/**"}},
			{ID: "b", Command: "do b", Status: scheduler.TaskCompleted, WritesFiles: []string{"src/b"}, DependsOn: []scheduler.TaskID{"a"}, Attempts: 2},
			{ID: "c", Command: "do c", Status: scheduler.TaskSkipped, FailureMode: scheduler.FailSkip, WritesFiles: []string{"docs"}},
		},
		Owners: 1,
		Merges: []Commit{
			{ID: "m1", Parents: []string{"base", "s1"}, Run: "7f3c", Task: "a", Attempt: 1},
			{ID: "m2", Parents: []string{"m1", "s3"}, Run: "7f3c", Task: "b", Attempt: 2},
		},
		Refs: map[string]string{
			"refs/orc/7f3c/base": "base", "refs/orc/7f3c/integration": "m2", "refs/heads/orc/7f3c": "m1",
			"refs/orc/7f3c/task/a/1": "s1", "refs/orc/7f3c/task/b/1": "s2", "refs/orc/7f3c/task/b/2": "s3", "refs/orc/7f3c/task/c/1": "base",
		},
		Turns: map[scheduler.TaskID][]persistence.ConversationTurn{
			"a": {{Role: "user", Content: "do a", Attempt: 1}, {Role: "assistant", Content: "did", Attempt: 1}},
			"b": {{Role: "user", Content: "do b", Attempt: 1}, {Role: "user", Content: "do b", Attempt: 2}, {Role: "assistant", Attempt: 2}},
			"c": {{Role: "user", Content: "do c", Attempt: 1}},
		},
		There: map[string]bool{},
	}
	attempt := func(task scheduler.TaskID, n int, o scheduler.Outcome, base, saved, old, merged string) {
		f.Attempts = append(f.Attempts, persistence.Attempt{
			Task: task, Number: n, Generation: 1, Phase: scheduler.PhaseDone, Outcome: o, Workspace: "/ws/" + string(task), Isolation: scheduler.IsolationClone,
			Base: base, Saved: saved, SavedRef: "refs/orc/7f3c/task/" + string(task) + "/" + string(rune('0'+n)), MergeOld: old, MergeNew: merged,
			Cleaned: o == scheduler.OutcomeSucceeded,
		})
	}
	attempt("a", 1, scheduler.OutcomeSucceeded, "base", "s1", "base", "m1")
	attempt("b", 1, scheduler.OutcomeFailed, "m1", "s2", "", "")
	attempt("b", 2, scheduler.OutcomeSucceeded, "m1", "s3", "m1", "m2")
	attempt("c", 1, scheduler.OutcomeFailed, "base", "base", "", "")
	tell := func(kind event.Kind, task string, n int, d event.Detail) {
		f.Events = append(f.Events, event.Event{Seq: int64(len(f.Events) + 1), Kind: kind, Task: task, Attempt: n, Detail: d})
	}
	started := func(task string, n int) {
		tell(event.TaskStarted, task, n, event.Detail{Status: "running", Phase: "preparing"})
		tell(event.TaskPhase, task, n, event.Detail{Status: "running", Phase: "working"})
	}
	tell(event.RunStarted, "", 0, event.Detail{State: "running", Concurrency: 2})
	started("a", 1)
	started("c", 1)
	tell(event.TaskSkipped, "c", 1, event.Detail{Status: "skipped"})
	tell(event.TaskCompleted, "a", 1, event.Detail{Status: "completed", Commit: "m1"})
	tell(event.TaskEligible, "b", 0, event.Detail{Status: "eligible"})
	started("b", 1)
	tell(event.TaskRetrying, "b", 1, event.Detail{Status: "eligible"})
	started("b", 2)
	tell(event.TaskCompleted, "b", 2, event.Detail{Status: "completed", Commit: "m2"})
	tell(event.RunFinished, "", 0, event.Detail{State: "completed"})
	return f
}

func TestSoundRunBreaksNothing(t *testing.T) {
	for _, b := range Check(sound()) {
		t.Error(b)
	}
}

func TestFreshRunBreaksNothing(t *testing.T) {
	for _, status := range []scheduler.TaskStatus{scheduler.TaskPending, scheduler.TaskEligible} {
		f := Facts{Run: persistence.Run{ID: "7f3c", State: scheduler.RunRunning, Base: "base"}, Tasks: []*scheduler.Task{{ID: "a", Status: status}}}
		for _, b := range Check(f) {
			t.Errorf("%s: %s", status, b)
		}
	}
}

func TestAttemptThatWaitsForATimeHasNoSlot(t *testing.T) {
	f := sound()
	f.Events[0].Concurrency = 1
	insert(&f, 3, event.Event{Kind: event.TaskWaiting, Task: "a", Attempt: 1, Detail: event.Detail{Phase: "waiting"}})
	if found := Check(f); len(found) > 0 {
		t.Errorf("one runs while another waits: %q", found)
	}
	insert(&f, 4, event.Event{Kind: event.TaskPhase, Task: "a", Attempt: 1, Detail: event.Detail{Status: "running", Phase: "working"}})
	if found := Check(f); len(found) != 1 || found[0].Rule != Limit {
		t.Errorf("both run: %q", found)
	}
}

// insert puts an event behind the n-th and numbers all anew.
func insert(f *Facts, n int, e event.Event) {
	f.Events = slices.Insert(f.Events, n, e)
	for i := range f.Events {
		f.Events[i].Seq = int64(i + 1)
	}
}

func TestWhatIsBrokenIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		rule  Invariant
		spoil func(f *Facts)
	}{
		"completed task starts again": {NoRerun, func(f *Facts) {
			insert(f, len(f.Events), event.Event{Kind: event.TaskStarted, Task: "a", Attempt: 2, Detail: event.Detail{Status: "running"}})
		}},
		"attempt starts twice": {NoRerun, func(f *Facts) {
			insert(f, 3, event.Event{Kind: event.TaskStarted, Task: "a", Attempt: 1, Detail: event.Detail{Status: "running"}})
		}},
		"attempt is missing":       {NoRerun, func(f *Facts) { f.Attempts = slices.Delete(f.Attempts, 1, 2) }},
		"completed without effort": {NoRerun, func(f *Facts) { f.Attempts[0].Outcome = scheduler.OutcomeInterrupted }},
		"started before its need": {Needs, func(f *Facts) {
			insert(f, 5, event.Event{Kind: event.TaskStarted, Task: "b", Attempt: 1, Detail: event.Detail{Status: "running"}})
		}},
		"base without the work of a need": {Needs, func(f *Facts) { f.Attempts[2].Base = "base" }},
		"two that write the same files": {Exclusion, func(f *Facts) {
			f.Tasks[2].WritesFiles = []string{"src/c"}
		}},
		"completed, not merged": {MergedOnce, func(f *Facts) { f.Merges = f.Merges[:1]; f.Refs["refs/orc/7f3c/integration"] = "m1" }},
		"merged twice": {MergedOnce, func(f *Facts) {
			f.Merges = append(f.Merges, Commit{ID: "m3", Parents: []string{"m2", "s3"}, Run: "7f3c", Task: "b", Attempt: 2})
		}},
		"merged, not completed":       {MergedOnce, func(f *Facts) { f.Merges[1].Attempt = 1 }},
		"another merge than recorded": {MergedOnce, func(f *Facts) { f.Attempts[2].MergeNew = "m1" }},
		"somebody else's commit":      {History, func(f *Facts) { f.Merges[1].Parents = []string{"m1"} }},
		"integration beside":          {History, func(f *Facts) { f.Refs["refs/orc/7f3c/integration"] = "m9" }},
		"branch beside":               {History, func(f *Facts) { f.Refs["refs/heads/orc/7f3c"] = "m9" }},
		"pin is gone":                 {NothingLost, func(f *Facts) { delete(f.Refs, "refs/orc/7f3c/task/b/1") }},
		"pin moved":                   {NothingLost, func(f *Facts) { f.Refs["refs/orc/7f3c/task/b/1"] = "s9" }},
		"nothing saved":               {NothingLost, func(f *Facts) { f.Attempts[1].SavedRef, f.Attempts[1].Saved = "", "" }},
		"turn stored twice":           {Turns, func(f *Facts) { f.Turns["a"] = append(f.Turns["a"], f.Turns["a"]...) }},
		"turn lost":                   {Turns, func(f *Facts) { f.Turns["c"] = nil }},
		"turns out of order":          {Turns, func(f *Facts) { slices.Reverse(f.Turns["b"]) }},
		"damaged database":            {Hygiene, func(f *Facts) { f.Unsound = "row 3 missing from index" }},
		"workspace left":              {Hygiene, func(f *Facts) { f.There["/ws/a"] = true }},
		"too many attempts":           {Allowance, func(f *Facts) { f.Tasks[1].Attempts = 1 }},
		"too many at a time":          {Limit, func(f *Facts) { f.Events[0].Concurrency = 1 }},
		"objects are missing":         {NothingLost, func(f *Facts) { f.Missing, f.Merges = "fatal: missing blob", nil }},
		"written without the lease":   {OneWriter, func(f *Facts) { f.Attempts[0].Generation = 2 }},
		"owner without a lease": {OneWriter, func(f *Facts) {
			insert(f, 1, event.Event{Kind: event.RunResumed, Detail: event.Detail{State: "running"}})
		}},
		"gap": {Events, func(f *Facts) { f.Events = slices.Delete(f.Events, 2, 3) }},
		"change without event": {Events, func(f *Facts) {
			f.Events = slices.Delete(f.Events, 7, 8)
			insert(f, 0, f.Events[0])
			f.Events = slices.Delete(f.Events, 0, 1)
			for i := range f.Events {
				f.Events[i].Seq = int64(i + 1)
			}
		}},
		"state that no event tells":     {Events, func(f *Facts) { f.Tasks[2].Status = scheduler.TaskCanceled }},
		"run state that no event tells": {Events, func(f *Facts) { f.Run.State = scheduler.RunFailed }},
	} {
		f := sound()
		c.spoil(&f)
		found := Check(f)
		if !slices.ContainsFunc(found, func(b Broken) bool { return b.Rule == c.rule }) {
			t.Errorf("%s: %s is not found broken, only %q", name, c.rule, found)
		}
	}
}
