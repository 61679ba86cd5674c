package orchestrator_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orchestrator/internal/event"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// checked makes runs of the rig check what their merges make.
func (r *rig) checked(commands ...string) {
	r.options(func(o *persistence.RunOptions) { o.Merge = persistence.Merging{Verify: true, Commands: commands} })
}

// met is a shell command that waits until all of some tasks have come to it.
func (r *rig) met(n int) string {
	at := filepath.Join(r.data, "met")
	return fmt.Sprintf("touch %s.$ORC_TASK; until [ $(ls %s.* | wc -l) -ge %d ]; do sleep 0.02; done; ", at, at, n)
}

// failing lists the commits of the integration branch on which a command fails.
func (r *rig) failing(command string) (bad []string) {
	r.t.Helper()
	dir := filepath.Join(r.data, "look")
	r.git("worktree", "add", "-q", "--detach", dir, "main")
	defer r.git("worktree", "remove", "--force", dir)
	for id := range strings.FieldsSeq(r.git("rev-list", "--first-parent", "--reverse", "main..refs/orc/7f3c/integration")) {
		r.git("-C", dir, "checkout", "-q", id)
		cmd := exec.Command("/bin/sh", "-c", command)
		cmd.Dir, cmd.Env = dir, r.environ
		if cmd.Run() != nil {
			bad = append(bad, r.git("log", "-1", "--format=%s", id))
		}
	}
	return bad
}

// fits is a gate that each half passes alone and that both together pass only when they are joined.
const fits = "! test -e left.txt || ! test -e right.txt || test -e joined.txt || { echo 'the halves are not joined'; exit 7; }"

func TestMergedResultThatBreaksGoesBackToTheSessionOfTheSecond(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(task string, turn int) string {
		if turn > 1 {
			return "test -e left.txt && test -e right.txt && echo joined > joined.txt\n" + end(provider.Result{Summary: "joined"})
		}
		return r.met(2) + "echo " + task + " > " + task + ".txt\n" + end(provider.Result{Summary: "done"})
	})
	r.agents(s,
		&scheduler.Task{ID: "left", Verify: []string{fits}, Attempts: 2, WritesFiles: []string{"left.txt"}},
		&scheduler.Task{ID: "right", Verify: []string{fits}, Attempts: 2, WritesFiles: []string{"right.txt", "joined.txt"}},
	)
	r.checked()
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s, %s", state, r.states(), r.task("left").Error+r.task("right").Error)
	}
	second := scheduler.TaskID("right")
	if len(r.attempts("left")) == 2 {
		second = "left"
	}
	tries := r.attempts(second)
	if len(tries) != 2 || tries[0].Outcome != scheduler.OutcomeFailed || !tries[0].Misfit ||
		tries[0].Error != "verify of the merged result failed: "+fits+": exit 7" || !strings.Contains(tries[0].Output, "not joined") {
		t.Fatalf("attempts of %s: %+v", second, tries)
	}
	if tries[1].Base == tries[0].Base || tries[1].Onto != tries[0].Saved {
		t.Errorf("the second attempt was cut from %s and holds %q", tries[1].Base, tries[1].Onto)
	}
	asks := s.asks(string(second))
	if len(asks) != 2 || !asks[1].Resume || asks[1].Session != asks[0].Session || asks[1].Dir != asks[0].Dir {
		t.Fatalf("turns %+v", asks)
	}
	for _, want := range []string{"verify of the merged result failed", "not joined", "on top of everything that others have had merged"} {
		if !strings.Contains(asks[1].Prompt, want) {
			t.Errorf("the second message lacks %q:\n%s", want, asks[1].Prompt)
		}
	}
	if bad := r.failing(fits); bad != nil {
		t.Errorf("the gate fails after %q", bad)
	}
	if r.merged("joined.txt") != "joined" || r.merged("left.txt") != "left" || r.merged("right.txt") != "right" {
		t.Error("not all of it is merged")
	}
	if r.exists(filepath.Join(r.data, "ws", ".check", string(second))) {
		t.Error("the room of the check is still there")
	}
}

func TestMergedResultThatBreaksFailsATaskWithoutAttempts(t *testing.T) {
	r := newRig(t)
	r.create(
		&scheduler.Task{ID: "left", Verify: []string{fits}, Command: r.met(2) + "echo left > left.txt"},
		&scheduler.Task{ID: "right", Verify: []string{fits}, Command: r.met(2) + "echo right > right.txt"},
	)
	r.checked()
	if state := r.finish(); state != scheduler.RunFailed {
		t.Fatalf("state %s: %s", state, r.states())
	}
	failed := scheduler.TaskID("left")
	if r.task("left").Status == scheduler.TaskCompleted {
		failed = "right"
	}
	if got := r.task(failed); got.Status != scheduler.TaskFailed || got.Error != "verify of the merged result failed: "+fits+": exit 7" {
		t.Errorf("%s: %s %q", failed, got.Status, got.Error)
	}
	if r.git("show", "refs/orc/7f3c/task/"+string(failed)+"/1:"+string(failed)+".txt") != string(failed) {
		t.Error("its work is not saved")
	}
	if bad := r.failing(fits); bad != nil {
		t.Errorf("the gate fails after %q", bad)
	}
}

func TestCommandDoesItAgainOnTopOfWhatItDidNotFit(t *testing.T) {
	r := newRig(t)
	do := func(id string) string {
		return "[ $ORC_ATTEMPT != 1 ] || { " + r.met(2) + "}; echo " + id + " > " + id + ".txt; test -e left.txt && test -e right.txt && echo joined > joined.txt; true"
	}
	r.create(
		&scheduler.Task{ID: "left", Verify: []string{fits}, Command: do("left"), Attempts: 2},
		&scheduler.Task{ID: "right", Verify: []string{fits}, Command: do("right"), Attempts: 2},
	)
	r.checked()
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if bad := r.failing(fits); bad != nil || r.merged("joined.txt") != "joined" {
		t.Errorf("the gate fails after %q", bad)
	}
}

func TestUncheckedMergeIsNotHeldUp(t *testing.T) {
	r := newRig(t)
	r.create(
		&scheduler.Task{ID: "left", Verify: []string{fits}, Command: r.met(2) + "echo left > left.txt"},
		&scheduler.Task{ID: "right", Verify: []string{fits}, Command: r.met(2) + "echo right > right.txt"},
	)
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if bad := r.failing(fits); len(bad) != 1 {
		t.Errorf("the gate fails after %q", bad)
	}
}

func TestGatesOfThePlanAreRunOnEveryMergedResult(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{ID: "a", Command: "echo bad > bad.txt"})
	r.checked("! test -e bad.txt")
	if state := r.finish(); state != scheduler.RunFailed {
		t.Fatalf("state %s", state)
	}
	if got := r.task("a").Error; got != "verify of the merged result failed: ! test -e bad.txt: exit 1" {
		t.Errorf("error %q", got)
	}
	if bad := r.failing("! test -e bad.txt"); bad != nil {
		t.Errorf("the gate fails after %q", bad)
	}
}

func TestBaseThatFailsIsSaid(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{ID: "a", Command: "echo a > a.txt"})
	r.checked("test -e missing.txt")
	r.finish()
	if got := r.task("a").Error; !strings.HasSuffix(got, "; it fails on the commit that the run began from too") {
		t.Errorf("error %q", got)
	}
}

// lateFinders are three tasks: guard brings a gate, vandal breaks it right after that without anybody seeing it, since
// its base had not moved, and late, which began before both, finds out.
func lateFinders(r *rig, vandal *scheduler.Task) []*scheduler.Task {
	vandal.ID, vandal.DependsOn, vandal.WritesFiles = "vandal", []scheduler.TaskID{"guard"}, []string{"broken.txt", "fixed.txt"}
	return []*scheduler.Task{
		{
			ID: "guard", Command: "until test -e " + filepath.Join(r.data, "late") + "; do sleep 0.02; done; echo guard > guard.txt",
			Verify: []string{guarded}, WritesFiles: []string{"guard.txt"},
		},
		vandal,
		{ID: "late", WritesFiles: []string{"late.txt"}, Attempts: 3},
		{ID: "end", Command: "cat late.txt guard.txt broken.txt > end.txt", DependsOn: []scheduler.TaskID{"late", "vandal"}},
	}
}

// lateAgents do late's work, and vandal's by a script.
func lateAgents(r *rig, vandal func(turn int) string) *scripted {
	return newScripted(r.t, func(task string, turn int) string {
		if task != "late" {
			return vandal(turn)
		}
		return "touch " + filepath.Join(r.data, "late") + "; until git -C $ORC_REPOSITORY cat-file -e orc/7f3c:broken.txt 2>/dev/null; do sleep 0.02; done\n" +
			"echo late > late.txt\n" + end(provider.Result{Summary: "late"})
	})
}

const guarded = "! test -e broken.txt || test -e fixed.txt || { echo 'it is broken'; exit 9; }"

func TestTaskThatBrokeTheMergedWorkIsSentBackToItsSession(t *testing.T) {
	r := newRig(t)
	s := lateAgents(r, repentant)
	r.agents(s, lateFinders(r, &scheduler.Task{})...)
	r.checked()
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s: %s", state, r.states(), r.task("late").Error)
	}
	r.repaired(s)
}

// repentant breaks something in its first turn and repairs it in the next.
func repentant(turn int) string {
	if turn > 1 {
		return "test -e broken.txt && echo fixed > fixed.txt\n" + end(provider.Result{Summary: "repaired"})
	}
	return "echo broken > broken.txt\n" + end(provider.Result{Summary: "broken"})
}

// repaired checks that vandal was sent back once and late merged without another attempt.
func (r *rig) repaired(s *scripted) {
	r.t.Helper()
	t := r.t
	broke := r.attempts("vandal")
	if len(broke) != 2 || broke[0].Outcome != scheduler.OutcomeSucceeded || broke[0].Broke == nil || broke[0].Broke.Found != "late" || broke[1].Broke != nil {
		t.Fatalf("attempts of vandal: %+v", broke)
	}
	if late := r.attempts("late"); len(late) != 1 || late[0].Awaits != "" {
		t.Errorf("attempts of late: %+v", late)
	}
	asks := s.asks("vandal")
	last := asks[len(asks)-1]
	if !last.Resume || last.Session != asks[0].Session || last.Dir != asks[0].Dir {
		t.Fatalf("turns %+v", asks)
	}
	for _, want := range []string{"once merged, it broke what is merged", "it is broken", "everything that is merged by now"} {
		if !strings.Contains(last.Prompt, want) {
			t.Errorf("the message lacks %q:\n%s", want, last.Prompt)
		}
	}
	if !slices.ContainsFunc(r.events(), func(e event.Event) bool {
		return e.Kind == event.Notice && e.Task == "vandal" && strings.Contains(e.Message, "broke what is merged, as task late found")
	}) {
		t.Error("nobody is told who broke it")
	}
	if got := r.merged("end.txt"); got != "late\nguard\nbroken" {
		t.Errorf("end.txt %q", got)
	}
	if bad := r.failing(guarded); len(bad) != 1 || bad[0] != "vandal" {
		t.Errorf("the gate fails after %q", bad)
	}
}

func TestCommandThatBrokeTheMergedWorkIsNamed(t *testing.T) {
	r := newRig(t)
	r.agents(lateAgents(r, nil), lateFinders(r, &scheduler.Task{Command: "echo broken > broken.txt"})...)
	r.checked()
	if state := r.finish(); state != scheduler.RunFailed {
		t.Fatalf("state %s: %s", state, r.states())
	}
	want := "verify of the merged result failed: " + guarded + ": exit 9; it fails without this task too, since vandal (attempt 1) was merged: it is a command, which cannot repair it"
	if got := r.task("late").Error; got != want || len(r.attempts("late")) != 1 {
		t.Errorf("error %q after %d attempts", got, len(r.attempts("late")))
	}
}

func TestTaskThatCannotRepairIsSentBackOnce(t *testing.T) {
	r := newRig(t)
	s := lateAgents(r, func(int) string { return "echo broken >> broken.txt\n" + end(provider.Result{Summary: "done"}) })
	r.agents(s, lateFinders(r, &scheduler.Task{})...)
	r.checked()
	if state := r.finish(); state != scheduler.RunFailed {
		t.Fatalf("state %s: %s", state, r.states())
	}
	if got := r.task("late").Error; !strings.HasSuffix(got, "was merged: it was sent back once already") || len(s.asks("vandal")) != 2 {
		t.Errorf("%s: %q after %d turns of vandal", r.states(), got, len(s.asks("vandal")))
	}
}

func TestTaskThatWaitsForARepairCanBeCanceled(t *testing.T) {
	r := newRig(t)
	release := filepath.Join(r.data, "release")
	s := lateAgents(r, func(turn int) string {
		if turn > 1 {
			return "until test -e " + release + "; do sleep 0.02; done\n" + repentant(turn)
		}
		return repentant(turn)
	})
	r.agents(s, lateFinders(r, &scheduler.Task{})...)
	r.checked()
	_, wait := r.begin()
	r.until("late waits", func() bool { a := r.attempts("late"); return len(a) == 1 && a[0].Awaits == "vandal" })
	r.request(orchestrator.RequestCancel, orchestrator.CancelRequest{Tasks: []scheduler.TaskID{"late"}})
	r.until("late is canceled", func() bool { return r.task("late").Status == scheduler.TaskCanceled })
	writeFile(t, release, "")
	if state := wait(); state != scheduler.RunFailed || r.states() != "guard completed, vandal completed, late canceled, end skipped" {
		t.Errorf("%s: %s", state, r.states())
	}
}

func TestRepairOfMergedWorkEndsTheSameAfterACrash(t *testing.T) {
	t.Parallel()
	for n := 2; ; n += 4 * stride() { // after an effect out of four; all of them take minutes
		r := newRig(t)
		s := lateAgents(r, repentant)
		r.agents(s, lateFinders(r, &scheduler.Task{})...)
		r.checked()
		r.cut = &cut{last: n}
		_, err := r.engine().Run(r.ctx)
		if err == nil {
			if n < 30 {
				t.Errorf("only %d effects were counted", n)
			}
			return
		}
		r.cut = nil
		if state := r.finish(); state != scheduler.RunCompleted {
			t.Fatalf("cut off after effect %d: %s: %s", n, state, r.states())
		}
		if got := r.merged("end.txt"); got != "late\nguard\nbroken" {
			t.Fatalf("cut off after effect %d: end.txt %q", n, got)
		}
		if r.merged("fixed.txt") != "fixed" {
			t.Fatalf("cut off after effect %d: attempts of vandal %+v", n, r.attempts("vandal"))
		}
		if late := r.attempts("late"); late[len(late)-1].Number > 2 { // its first one may have been cut off before it began
			t.Fatalf("cut off after effect %d: attempts of late %+v", n, late)
		}
	}
}

func TestRunWaitsWhenARepairWaitsForAPerson(t *testing.T) {
	r := newRig(t)
	s := lateAgents(r, repentant)
	r.agents(s, lateFinders(r, &scheduler.Task{})...)
	r.checked()
	r.options(func(o *persistence.RunOptions) {
		o.ApproveOf = map[scheduler.TaskID][]scheduler.Approval{"vandal": {scheduler.ApproveMerge}}
	})
	_, wait := r.begin()
	r.until("vandal wants to be merged", r.wanting("vandal", persistence.WishMerge))
	r.word("vandal", "")
	for range 2 { // resumed without a word it waits again
		if state := wait(); state != scheduler.RunWaiting || r.attempts("late")[0].Awaits != "vandal" || !r.wanting("vandal", persistence.WishMerge)() {
			t.Fatalf("state %s: %s", state, r.states())
		}
		_, wait = r.begin()
	}
	r.word("vandal", "")
	if wait() == scheduler.RunWaiting {
		r.finish()
	}
	if got := r.states(); got != "guard completed, vandal completed, late completed, end completed" {
		t.Fatalf("%s: %s", got, r.task("late").Error)
	}
	r.repaired(s)
}
