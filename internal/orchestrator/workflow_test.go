package orchestrator_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// reviewed is a workflow of the task's own work and a review.
func reviewed(rounds int) []scheduler.Step {
	return []scheduler.Step{{}, {Agent: "reviewer", Review: true, Rounds: rounds}}
}

func approve() string { return end(provider.Result{Summary: "It is right.\n\nVERDICT: approve"}) }

func reject(why string) string {
	return end(provider.Result{Summary: why + "\n\n**Verdict: reject**"})
}

// verdicts are what reviews of a task came to, in order.
func (r *rig) verdicts(id string) []string {
	var list []string
	for _, e := range r.events() {
		if e.Kind == event.TaskReviewed && e.Task == id {
			list = append(list, e.Agent+" "+e.Action)
		}
	}
	return list
}

func TestRejectedWorkGoesBackToItsOwnSessionUntilItIsApproved(t *testing.T) {
	r := newRig(t)
	r.steps = reviewed(3)
	s := newScripted(t, func(_ string, turn int) string {
		switch turn {
		case 1:
			return "echo one > made.txt\n" + end(provider.Result{Summary: "I made it."})
		case 2:
			return reject("made.txt:1 must say two.")
		case 3:
			return "echo two > made.txt\n" + end(provider.Result{Summary: "It says two now."})
		}
		return approve()
	})
	r.agents(s, &scheduler.Task{ID: "a", Verify: []string{"test -s made.txt; echo gate >> \"$ORC_REPOSITORY/../gates\""}})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	turns := s.asks("a")
	if len(turns) != 4 {
		t.Fatalf("%d turns", len(turns))
	}
	coder, reviewer := turns[0].Session, turns[1].Session
	if turns[2].Session != coder || !turns[2].Resume || turns[3].Session != reviewer || !turns[3].Resume || coder == reviewer {
		t.Errorf("sessions %s %s %s %s: each step has one of its own and goes on with it", coder, reviewer, turns[2].Session, turns[3].Session)
	}
	if turns[1].Permissions != provider.PermitRead || turns[3].Permissions != provider.PermitRead {
		t.Error("a reviewer may do more than read")
	}
	for i, want := range []string{"Do a.", "+one", "must say two", "+two"} {
		if !strings.Contains(turns[i].Prompt, want) {
			t.Errorf("message %d lacks %q:\n%s", i+1, want, turns[i].Prompt)
		}
	}
	if !strings.Contains(turns[1].Prompt, "Do a.") || !strings.Contains(turns[1].Prompt, "I made it.") || strings.Contains(turns[3].Prompt, "README") {
		t.Errorf("the reviewer's messages:\n%s\n%s", turns[1].Prompt, turns[3].Prompt)
	}
	if got := r.verdicts("a"); !slices.Equal(got, []string{"reviewer reject", "reviewer approve"}) {
		t.Errorf("verdicts %q", got)
	}
	if r.merged("made.txt") != "two" {
		t.Errorf("merged %q", r.merged("made.txt"))
	}
	if res := r.task("a").Result; res == nil || *res != "It says two now." {
		t.Errorf("result %v", res)
	}
	gates, err := os.ReadFile(filepath.Join(r.root, "..", "gates"))
	if err != nil || strings.Count(string(gates), "gate") != 2 {
		t.Errorf("gates ran %q (%v): they run after each step that works", gates, err)
	}
	if got, err := r.store.GetSession(r.ctx, r.run.ID, "a"); err != nil || got.SessionID != coder {
		t.Errorf("session of the task %+v, %v", got, err)
	}
	if n := len(r.attempts("a")); n != 1 {
		t.Errorf("%d attempts", n)
	}
}

func TestReviewerThatNeverAgreesFailsTheTaskWhereNobodyIsAskedAndItsWorkIsKept(t *testing.T) {
	r := newRig(t)
	r.questions = "never"
	r.steps = reviewed(2)
	s := newScripted(t, func(_ string, turn int) string {
		if turn%2 == 1 {
			return "echo x >> made.txt\n" + end(provider.Result{Summary: "done"})
		}
		return reject("I do not like it.")
	})
	r.agents(s, &scheduler.Task{ID: "a", Attempts: 3}, &scheduler.Task{ID: "b", DependsOn: []scheduler.TaskID{"a"}, Status: scheduler.TaskPending})
	if state := r.finish(); state != scheduler.RunFailed {
		t.Fatalf("state %s", state)
	}
	if n := len(s.asks("a")); n != 4 {
		t.Errorf("%d turns; at most two rounds, and no further attempt", n)
	}
	if e := r.task("a").Error; !strings.Contains(e, "reviewer rejected the work 2 times: I do not like it.") {
		t.Errorf("error %q", e)
	}
	a := r.attempts("a")[0]
	if a.SavedRef == "" || r.git("show", a.SavedRef+":made.txt") != "x\nx" {
		t.Errorf("saved %q", a.SavedRef)
	}
}

func TestStepsThatWorkFollowOneAnother(t *testing.T) {
	r := newRig(t)
	r.steps = []scheduler.Step{
		{},
		{Agent: "reviewer", Review: true, Rounds: 1},
		{Agent: "other", Prompt: "Write the tests."},
		{Agent: "reviewer", Review: true, Final: true, Prompt: "Look at the tests alone."},
	}
	s := newScripted(t, func(_ string, turn int) string {
		switch turn {
		case 1:
			return "echo code > code.txt\n" + end(provider.Result{Summary: "Code."})
		case 3:
			return "echo tests > tests.txt\n" + end(provider.Result{Summary: "Tests."})
		}
		return approve()
	})
	r.agents(s, &scheduler.Task{ID: "a"})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	turns := s.asks("a")
	if len(turns) != 4 {
		t.Fatalf("%d turns", len(turns))
	}
	if p := turns[2].Prompt; !strings.Contains(p, "Do a.") || !strings.Contains(p, "Write the tests.") || !strings.Contains(p, "Code.") {
		t.Errorf("the third step is told\n%s", p)
	}
	if p := turns[3].Prompt; !strings.Contains(p, "Look at the tests alone.") || turns[3].Session == turns[1].Session {
		t.Errorf("the fourth step is told, in session %s,\n%s", turns[3].Session, p)
	}
	if res := r.task("a").Result; res == nil || *res != "Code.\n\nother: Tests." {
		t.Errorf("result %q", *res)
	}
	if r.merged("code.txt") != "code" || r.merged("tests.txt") != "tests" {
		t.Error("the work of both is not merged")
	}
}

func TestReviewerIsAskedForItsVerdictAndMayNotChangeFiles(t *testing.T) {
	r := newRig(t)
	r.steps = reviewed(3)
	s := newScripted(t, func(_ string, turn int) string {
		switch turn {
		case 1:
			return "echo x > made.txt\n" + end(provider.Result{Summary: "done"})
		case 2:
			return end(provider.Result{Summary: "Looks good to me."})
		case 3:
			return reject("")
		}
		return "echo y > made.txt\n" + approve()
	})
	r.agents(s, &scheduler.Task{ID: "a"})
	if state := r.finish(); state != scheduler.RunFailed {
		t.Fatalf("state %s", state)
	}
	turns := s.asks("a")
	if len(turns) != 4 || !strings.Contains(turns[2].Prompt, "no verdict") || !strings.Contains(turns[3].Prompt, "do not say what") {
		t.Fatalf("%d turns", len(turns))
	}
	if e := r.task("a").Error; !strings.Contains(e, "the review by reviewer failed: it changed files, which a review must not: made.txt") {
		t.Errorf("error %q", e)
	}
	if len(r.verdicts("a")) != 0 {
		t.Error("its verdict counts")
	}
}

func TestReviewGoesOnInItsSessionAfterTheOwnerDied(t *testing.T) {
	r := newRig(t)
	r.steps = reviewed(3)
	s := newScripted(t, func(_ string, turn int) string {
		switch turn {
		case 1:
			return "echo x > made.txt\n" + end(provider.Result{Summary: "done"})
		case 2:
			return text("I am looking.") + "sleep 60\n"
		}
		return approve()
	})
	r.agents(s, &scheduler.Task{ID: "a"})
	r.halted(func() bool {
		return slices.ContainsFunc(r.history("a"), func(l string) bool { return l == "assistant: I am looking." })
	})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	turns := s.asks("a")
	if len(turns) != 3 || turns[2].Session != turns[1].Session || !turns[2].Resume || !strings.Contains(turns[2].Prompt, "interrupted") {
		t.Fatalf("%d turns, sessions %s, %s:\n%s", len(turns), turns[1].Session, turns[len(turns)-1].Session, turns[len(turns)-1].Prompt)
	}
	if r.merged("made.txt") != "x" {
		t.Error("not merged")
	}
}

func TestNoReviewStartsWhileItsAccountIsAtItsLimit(t *testing.T) {
	r := newRig(t)
	r.steps = reviewed(3)
	r.steps[1].Agent = "other"
	clock := time.Now()
	r.now = func() time.Time { return clock }
	s := newScripted(t, func(_ string, turn int) string {
		if turn == 1 {
			return "echo x > $ORC_TASK.txt\n" + end(provider.Result{Summary: "done"})
		}
		return end(provider.Result{Kind: provider.KindQuota, Error: "no money left"})
	})
	r.agents(s, &scheduler.Task{ID: "a"}, &scheduler.Task{ID: "b"}, &scheduler.Task{ID: "c"})
	r.serial()
	if state := r.finish(); state != scheduler.RunFailed {
		t.Fatalf("state %s", state)
	}
	started := 0
	for _, id := range []string{"a", "b", "c"} {
		started += len(s.asks(id)) - 1
		if e := r.task(scheduler.TaskID(id)).Error; !strings.Contains(e, "no money left") {
			t.Errorf("task %s: %s", id, e)
		}
	}
	if started != 1 {
		t.Errorf("%d reviews were started, after the first had said that there is no money left", started)
	}
}

func failed(a persistence.Attempt) bool { return a.Outcome == scheduler.OutcomeFailed }

func TestAReviewedTaskEndsTheSameAfterACrashAtAnyEffect(t *testing.T) {
	for n := 1; ; n += 2 * stride() {
		r := newRig(t)
		r.steps = reviewed(3)
		s := newScripted(t, nil)
		s.play = func(turn provider.Turn) string {
			if turn.Permissions == provider.PermitRead {
				return "if grep -q two made.txt; then\n" + approve() + "else\n" + reject("It must say two.") + "fi\n"
			}
			return "if test -e made.txt; then echo two > made.txt; else echo one > made.txt; fi\n" + end(provider.Result{Summary: "done"})
		}
		r.agents(s, &scheduler.Task{ID: "a", Verify: []string{"test -s made.txt"}})
		r.cut = &cut{last: n}
		_, err := r.engine().Run(r.ctx)
		if err != nil && !errors.Is(err, persistence.ErrLeaseLost) {
			t.Fatalf("cut off after effect %d: %v", n, err)
		}
		r.cut = nil
		if err == nil {
			if n < 20 {
				t.Errorf("only %d effects were counted", n)
			}
			return // it came to its end
		}
		if s := r.finish(); s != scheduler.RunCompleted {
			t.Fatalf("cut off after effect %d: %s, %s", n, s, r.task("a").Error)
		}
		if got := r.merged("made.txt"); got != "two" {
			t.Fatalf("cut off after effect %d: merged %q", n, got)
		}
		if v := r.verdicts("a"); len(v) == 0 || v[len(v)-1] != "reviewer approve" || slices.ContainsFunc(r.attempts("a"), failed) {
			t.Fatalf("cut off after effect %d: verdicts %q, attempts %+v", n, v, r.attempts("a"))
		}
	}
}

// stubborn is a reviewer that approves only what says yes.
func stubborn(s *scripted) {
	s.play = func(turn provider.Turn) string {
		switch {
		case turn.Permissions == provider.PermitRead:
			return "if grep -q yes made.txt; then\n" + approve() + "else\n" + reject("It does not say yes.") + "fi\n"
		case strings.Contains(turn.Prompt, "Say yes, then."):
			return "echo yes >> made.txt\n" + end(provider.Result{Summary: "yes"})
		}
		return "echo no >> made.txt\n" + end(provider.Result{Summary: "no"})
	}
}

func TestReviewThatComesToNoEndWaitsForAPerson(t *testing.T) {
	for _, reject := range []bool{false, true} {
		t.Run(fmt.Sprintf("rejected=%v", reject), func(t *testing.T) {
			r := newRig(t)
			r.steps = reviewed(2)
			s := newScripted(t, nil)
			stubborn(s)
			r.agents(s, &scheduler.Task{ID: "a"}, &scheduler.Task{ID: "b", Command: "true", DependsOn: []scheduler.TaskID{"a"}, Status: scheduler.TaskPending})
			if state := r.finish(); state != scheduler.RunWaiting {
				t.Fatalf("state %s: %s", state, r.task("a").Error)
			}
			a := r.attempts("a")[0]
			if a.Asks() != persistence.WishReview || !strings.Contains(a.Consent.Reason, "reviewer rejects it after 2 rounds: It does not say yes.") {
				t.Fatalf("it waits for %q: %s", a.Asks(), a.Consent.Reason)
			}
			word := orchestrator.ApproveRequest{Items: []orchestrator.Approved{{Task: "a", Attempt: 1, Wants: persistence.WishReview}}}
			if reject {
				word.Reject, word.Reason = true, "Say yes, then."
			}
			r.request(orchestrator.RequestApprove, word) // while nobody owns the run
			if state := r.finish(); state != scheduler.RunCompleted {
				t.Fatalf("state %s: %s", state, r.task("a").Error)
			}
			want, turns := "no\nno", 4
			if reject {
				want, turns = "no\nno\nyes", 6
			}
			if r.merged("made.txt") != want || len(s.asks("a")) != turns || len(r.attempts("a")) != 1 {
				t.Errorf("merged %q after %d turns in %d attempts", r.merged("made.txt"), len(s.asks("a")), len(r.attempts("a")))
			}
			if reject && s.asks("a")[4].Session != s.asks("a")[0].Session {
				t.Error("the person's words did not go to the session that did the work")
			}
		})
	}
}
