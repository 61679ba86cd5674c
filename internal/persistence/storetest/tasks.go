package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

var taskCases = []testCase{
	{"a task round-trips without loss", taskRoundTrip},
	{"file names with commas, newlines, quotes and any UTF-8 survive", oddFileNames},
	{"an empty result differs from a missing one", emptyResult},
	{"a 1 MiB prompt survives", longPrompt},
	{"saving twice is an update", saveTwice},
	{"saving replaces the dependencies and leaves none behind", replaceDependencies},
	{"a dependency on a missing task names it and stores nothing", missingDependency},
	{"a task of an unknown run is refused", taskOfUnknownRun},
	{"an unknown status is refused", unknownStatus},
	{"tasks are listed in plan order with their dependencies", listInPlanOrder},
	{"an update keeps the plan order", updateKeepsOrder},
	{"two runs may have a task of the same name", sameNameInTwoRuns},
	{"updating an unknown task is an error", updateUnknown},
	{"a status update stores status, result and error", updateStatus},
	{"deleting a task cascades", deleteTask},
	{"getting or deleting an unknown task is not found", unknownTask},
	{"saving while others list never deadlocks or tears", saveWhileListing},
}

func taskRoundTrip(t *testing.T, s persistence.Store) {
	result := "did it"
	create(t, s, "aa", task("design"), task("model"))
	want := &scheduler.Task{
		ID: "build", Name: "Build the thing", AgentRole: "coder", Prompt: "write it\n", Command: "make",
		DependsOn: []scheduler.TaskID{"model", "design"}, WritesFiles: []string{"cmd/**", "go.mod"},
		Verify: []string{"go test ./...", "go vet ./..."}, FailureMode: scheduler.FailSoft,
		Isolation: scheduler.IsolationWorktree, Attempts: 3, Timeout: 90*time.Second + 1,
		Status: scheduler.TaskFailed, Result: &result, Error: "exit status 1\n\tat line 3",
	}
	wantFull(t, *want)
	must(t, s.SaveTask(t.Context(), "aa", want))
	wantSame(t, "task", getTask(t, s, "aa", "build"), want)
}

func oddFileNames(t *testing.T, s persistence.Store) {
	create(t, s, "aa")
	for i, files := range [][]string{
		{"a,b.txt", "c\nd", `e"f'g`, "h\\i", "", " "},
		{"日本語/ñ.go", "e\u0301", "\u2028\u2029", "<&>", "\x00\x01\x7f", "\U0001F600", "\ufffd"},
		{},
		nil,
	} {
		want := task(scheduler.TaskID(fmt.Sprint("t", i)))
		want.WritesFiles, want.Verify = files, files
		want.Name, want.Error, want.Prompt = strings.Join(files, "|"), strings.Join(files, "\r\n"), strings.Join(files, "\x00")
		must(t, s.SaveTask(t.Context(), "aa", want))
		wantSame(t, "task", getTask(t, s, "aa", want.ID), want)
	}
}

func emptyResult(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("missing"), task("empty"))
	empty := ""
	must(t, s.UpdateTaskStatus(t.Context(), "aa", "empty", scheduler.TaskCompleted, &empty, ""))
	if r := getTask(t, s, "aa", "empty").Result; r == nil || *r != "" {
		t.Errorf("empty result came back as %v", r)
	}
	if r := getTask(t, s, "aa", "missing").Result; r != nil {
		t.Errorf("missing result came back as %q", *r)
	}
}

func longPrompt(t *testing.T, s persistence.Store) {
	want := task("long")
	want.Prompt = strings.Repeat("0123456789abcdé\n", 1<<16)
	create(t, s, "aa", want)
	wantSame(t, "task", getTask(t, s, "aa", "long"), want)
	must(t, s.UpdateTaskStatus(t.Context(), "aa", "long", scheduler.TaskRunning, nil, ""))
	if got := getTask(t, s, "aa", "long"); got.Prompt != want.Prompt {
		t.Error("a status update changed the prompt")
	}
}

func saveTwice(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("design"))
	must(t, s.SaveMessage(t.Context(), "aa", "design", persistence.ConversationTurn{Role: "user", Content: "hello"}))
	want := task("build", "design")
	for range 3 {
		must(t, s.SaveTask(t.Context(), "aa", want))
	}
	want.Prompt, want.Status = "changed", scheduler.TaskEligible
	must(t, s.SaveTask(t.Context(), "aa", want))
	must(t, s.SaveTask(t.Context(), "aa", task("design")))
	wantSame(t, "task", getTask(t, s, "aa", "build"), want)
	turns, err := s.GetHistory(t.Context(), "aa", "design")
	must(t, err)
	if len(turns) != 1 {
		t.Errorf("saving again left %d of 1 turns", len(turns))
	}
}

func replaceDependencies(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b"), task("c"))
	for _, needs := range [][]scheduler.TaskID{
		{"a", "b"}, {"b", "a"}, {"c"}, {"a", "b", "c"}, nil, {"b"},
	} {
		must(t, s.SaveTask(t.Context(), "aa", task("d", needs...)))
		wantSame(t, "dependencies", getTask(t, s, "aa", "d").DependsOn, needs)
	}
	must(t, s.SaveTask(t.Context(), "aa", task("d", "a", "c", "a")))
	wantSame(t, "dependencies named twice", getTask(t, s, "aa", "d").DependsOn, []scheduler.TaskID{"a", "c"})
}

func missingDependency(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	create(t, s, "bb", task("ghost"))
	err := s.SaveTask(t.Context(), "aa", task("d", "a", "ghost"))
	wantIs(t, err, persistence.ErrNotFound)
	if !strings.Contains(err.Error(), "ghost") {
		t.Errorf("error %q does not name the missing task", err)
	}
	_, err = s.GetTask(t.Context(), "aa", "d")
	wantIs(t, err, persistence.ErrNotFound)

	want := task("d", "a")
	must(t, s.SaveTask(t.Context(), "aa", want))
	changed := task("d", "ghost")
	changed.Prompt = "half"
	wantIs(t, s.SaveTask(t.Context(), "aa", changed), persistence.ErrNotFound)
	wantSame(t, "task after a refused save", getTask(t, s, "aa", "d"), want)

	err = s.CreateRun(t.Context(), sampleRun("cc"), []*scheduler.Task{task("x", "ghost")})
	wantIs(t, err, persistence.ErrNotFound)
	if !strings.Contains(err.Error(), "ghost") {
		t.Errorf("error %q does not name the missing task", err)
	}
	_, err = s.GetRun(t.Context(), "cc")
	wantIs(t, err, persistence.ErrNotFound)
}

func taskOfUnknownRun(t *testing.T, s persistence.Store) {
	err := s.SaveTask(t.Context(), "nope", task("a"))
	wantIs(t, err, persistence.ErrNotFound)
	if !strings.Contains(err.Error(), "nope") {
		t.Errorf("error %q does not name the run", err)
	}
}

func unknownStatus(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	if err := s.UpdateTaskStatus(t.Context(), "aa", "a", "dancing", nil, ""); err == nil {
		t.Error("status dancing was stored")
	}
	if got := getTask(t, s, "aa", "a").Status; got != scheduler.TaskPending {
		t.Errorf("status is %s", got)
	}
}

func listInPlanOrder(t *testing.T, s persistence.Store) {
	list, err := s.ListTasks(t.Context(), "none")
	must(t, err)
	if len(list) != 0 {
		t.Errorf("an unknown run has %d tasks", len(list))
	}
	// The order of neither names nor dependencies.
	want := []*scheduler.Task{task("zeta", "alpha"), task("alpha"), task("mid", "zeta", "alpha"), task("Beta")}
	create(t, s, "aa", want...)
	create(t, s, "bb", task("zeta"), task("extra"))
	later := task("later", "mid")
	must(t, s.SaveTask(t.Context(), "aa", later))
	list, err = s.ListTasks(t.Context(), "aa")
	must(t, err)
	wantSame(t, "tasks", list, append(want, later))
}

func updateKeepsOrder(t *testing.T, s persistence.Store) {
	want := []*scheduler.Task{task("c"), task("a"), task("b", "c", "a")}
	create(t, s, "aa", want...)
	want[0].Prompt = "changed"
	must(t, s.SaveTask(t.Context(), "aa", want[0]))
	list, err := s.ListTasks(t.Context(), "aa")
	must(t, err)
	wantSame(t, "tasks", list, want)
}

func sameNameInTwoRuns(t *testing.T, s persistence.Store) {
	one, two := task("build"), task("build")
	one.Prompt, two.Prompt = "one", "two"
	create(t, s, "aa", one)
	create(t, s, "bb", two)
	must(t, s.UpdateTaskStatus(t.Context(), "aa", "build", scheduler.TaskCompleted, nil, ""))
	wantSame(t, "the other run's task", getTask(t, s, "bb", "build"), two)
	must(t, s.DeleteTask(t.Context(), "aa", "build"))
	wantSame(t, "the other run's task", getTask(t, s, "bb", "build"), two)
}

func updateUnknown(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	err := s.UpdateTaskStatus(t.Context(), "aa", "b", scheduler.TaskRunning, nil, "")
	wantIs(t, err, persistence.ErrNotFound)
	if !strings.Contains(err.Error(), "b") {
		t.Errorf("error %q does not name the task", err)
	}
}

func updateStatus(t *testing.T, s persistence.Store) {
	want := task("a")
	create(t, s, "aa", want)
	result := "sum"
	want.Status, want.Result, want.Error = scheduler.TaskFailed, &result, "why"
	must(t, s.UpdateTaskStatus(t.Context(), "aa", "a", want.Status, want.Result, want.Error))
	wantSame(t, "task", getTask(t, s, "aa", "a"), want)
	want.Status, want.Result, want.Error = scheduler.TaskEligible, nil, ""
	must(t, s.UpdateTaskStatus(t.Context(), "aa", "a", want.Status, nil, ""))
	wantSame(t, "task", getTask(t, s, "aa", "a"), want)
}

func deleteTask(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b", "a"), task("c", "b", "a"))
	generation := own(t, s, "aa")
	_, err := s.Apply(t.Context(), persistence.Transition{
		Run: "aa", Generation: generation, Now: at,
		Attempts: []persistence.Attempt{{Task: "a", Number: 1, Phase: scheduler.PhaseWorking}},
		Sessions: []persistence.Session{{Task: "a", Attempt: 1, Provider: "p", SessionID: "s"}},
		Turns:    []persistence.TaskTurn{{Task: "a", ConversationTurn: persistence.ConversationTurn{Role: "user", Content: "x"}}},
	})
	must(t, err)
	must(t, s.DeleteTask(t.Context(), "aa", "a"))
	list, err := s.ListTasks(t.Context(), "aa")
	must(t, err)
	wantSame(t, "tasks that are left", list, []*scheduler.Task{task("b"), task("c", "b")})
	must(t, s.SaveTask(t.Context(), "aa", task("a")))
	attempts, err := s.ListAttempts(t.Context(), "aa", "")
	must(t, err)
	turns, err := s.GetHistory(t.Context(), "aa", "a")
	must(t, err)
	if len(attempts)+len(turns) != 0 {
		t.Errorf("a new task of the name has %d attempts and %d turns", len(attempts), len(turns))
	}
	_, err = s.GetSession(t.Context(), "aa", "a")
	wantIs(t, err, persistence.ErrNotFound)
}

func unknownTask(t *testing.T, s persistence.Store) {
	create(t, s, "aa")
	_, err := s.GetTask(t.Context(), "aa", "x")
	wantIs(t, err, persistence.ErrNotFound)
	wantIs(t, s.DeleteTask(t.Context(), "aa", "x"), persistence.ErrNotFound)
	_, err = s.GetTask(t.Context(), "zz", "x")
	wantIs(t, err, persistence.ErrNotFound)
}

// saveWhileListing re-saves one task with two different sets of dependencies while others list: each list shows
// one of the two whole.
func saveWhileListing(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b"), task("c"), task("d", "a", "b"))
	done := make(chan error)
	for range 4 {
		go func() {
			for range 25 {
				list, err := s.ListTasks(t.Context(), "aa")
				if err != nil {
					done <- err
					return
				}
				needs := fmt.Sprint(list[3].DependsOn)
				if len(list) != 4 || (needs != "[a b]" && needs != "[b c]") {
					done <- fmt.Errorf("torn list: %d tasks, d needs %s", len(list), needs)
					return
				}
			}
			done <- nil
		}()
	}
	go func() {
		for i := range 50 {
			needs := []scheduler.TaskID{"a", "b"}
			if i%2 == 0 {
				needs = []scheduler.TaskID{"b", "c"}
			}
			if err := s.SaveTask(t.Context(), "aa", task("d", needs...)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for range 5 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
