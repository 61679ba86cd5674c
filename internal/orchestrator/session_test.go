package orchestrator_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

func TestSessionsIDIsStoredWhenItIsKnown(t *testing.T) {
	for _, chooses := range []bool{false, true} {
		r := newRig(t)
		release := filepath.Join(r.data, "release")
		s := newScripted(t, func(string, int) string {
			return print(said{Session: "told-1"}) + "until test -e '" + release + "'; do sleep 0.02; done\n" + end(provider.Result{Summary: "done"})
		})
		s.chooses = chooses
		if !chooses {
			s.script = func(string, int) string {
				return "until test -e '" + release + "'; do sleep 0.02; done\n" + end(provider.Result{Summary: "done"})
			}
		}
		r.agents(s, &scheduler.Task{ID: "a"})
		_, wait := r.begin()
		want := map[bool]string{false: "chosen-1", true: "told-1"}[chooses]
		r.until("the session is stored while its turn runs", func() bool {
			got, err := r.store.GetSession(r.ctx, r.run.ID, "a")
			return err == nil && got.SessionID == want && got.Attempt == 1 && got.Provider == "scripted"
		})
		writeFile(t, release, "")
		if state := wait(); state != scheduler.RunCompleted {
			t.Errorf("state %s: %s", state, r.task("a").Error)
		}
	}
}

func TestConversationIsStoredAsItStreams(t *testing.T) {
	r := newRig(t)
	release := filepath.Join(r.data, "release")
	s := newScripted(t, func(string, int) string {
		return text("I begin.") + print(said{Tool: "Edit", Input: `{"file_path":"/x/made.txt"}`, Output: "ok"}) + "echo made > made.txt\n" +
			"until test -e '" + release + "'; do sleep 0.02; done\n" + text("I end.") + end(provider.Result{Summary: "All is done."})
	})
	r.agents(s, &scheduler.Task{ID: "a", WritesFiles: []string{"made.txt"}})
	_, wait := r.begin()
	r.until("the first words are stored while the turn runs", func() bool { return len(r.history("a")) == 4 })
	r.until("what it does is told", func() bool {
		return slices.ContainsFunc(r.events(), func(e event.Event) bool { return e.Kind == event.TaskActivity && e.Message == "Edit made.txt" })
	})
	writeFile(t, release, "")
	if state := wait(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	want := []string{"user: Do a.", "assistant: I begin.", `tool: Edit {"file_path":"/x/made.txt"}`, "tool: Edit result: ok", "assistant: I end."}
	if got := r.history("a"); !slices.Equal(got, want) {
		t.Errorf("conversation\n%q\nwant\n%q", got, want)
	}
	if res := r.task("a").Result; res == nil || *res != "All is done." {
		t.Errorf("result %v", res)
	}
	if r.merged("made.txt") != "made" {
		t.Error("its work is not merged")
	}
}

func TestBigOutputNeitherBlocksTheAgentNorFloodsTheEvents(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(string, int) string {
		return "i=0; while [ $i -lt 3000 ]; do printf '{\"text\":\"line %d\"}\\n' $i; i=$((i+1)); done\n" + end(provider.Result{Summary: "done"})
	})
	r.agents(s, &scheduler.Task{ID: "a"})
	began := time.Now()
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s", state)
	}
	if got := r.history("a"); len(got) != 3001 || got[3000] != "assistant: line 2999" {
		t.Errorf("%d turns, the last %q", len(got), got[len(got)-1])
	}
	told := 0
	for _, e := range r.events() {
		if e.Kind == event.TaskActivity {
			told++
		}
	}
	if most := int(time.Since(began)/(500*time.Millisecond)) + 1; told > most {
		t.Errorf("%d events about what it does, at most %d are allowed", told, most)
	}
}

// halted runs an engine until ready, then takes the store's lease and the engine's processes away, as a kill of the
// owner would.
func (r *rig) halted(ready func() bool) {
	r.t.Helper()
	e := r.engine()
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := e.Run(ctx)
		ended <- err
	}()
	r.until("the moment of the kill", ready)
	r.steal()
	e.Stop(true)
	if err := <-ended; err == nil {
		r.t.Fatal("the engine did not notice that it had been replaced")
	}
}

func TestCutOffTurnGoesOnInItsSession(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(_ string, turn int) string {
		if turn == 1 {
			return text("one") + text("two") + "echo half > half.txt\n" + "sleep 300\n"
		}
		return "test -e half.txt && echo whole > half.txt\n" + text("three") + end(provider.Result{Summary: "done"})
	})
	r.agents(s, &scheduler.Task{ID: "a", WritesFiles: []string{"half.txt"}})
	r.halted(func() bool { return len(r.history("a")) == 3 && r.wrote("a", "half.txt") })
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	asks := s.asks("a")
	if len(asks) != 2 || !asks[1].Resume || asks[1].Session != "chosen-1" || asks[0].Resume {
		t.Fatalf("turns %+v", asks)
	}
	for _, want := range []string{"interrupted", "half.txt +1 -0", "do not begin again"} {
		if !strings.Contains(asks[1].Prompt, want) {
			t.Errorf("the second message lacks %q:\n%s", want, asks[1].Prompt)
		}
	}
	if strings.Contains(asks[1].Prompt, "Do a.") {
		t.Error("an agent that has its conversation was told its task again")
	}
	if a := r.attempts("a"); len(a) != 1 || a[0].Work.Cut != 0 || a[0].Work.Turn != 2 {
		t.Errorf("attempts %+v", a)
	}
	if r.merged("half.txt") != "whole" {
		t.Error("the workspace was not kept")
	}
	got := r.history("a")
	if len(got) != 5 || got[1] != "assistant: one" || got[2] != "assistant: two" || got[4] != "assistant: three" {
		t.Errorf("conversation %q", got)
	}
}

func TestEventsThatWereNotStoredAreReadFromTheLogOnce(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(_ string, turn int) string {
		if turn == 1 {
			return text("stored") + "sleep 300\n"
		}
		return end(provider.Result{Summary: "done"})
	})
	r.agents(s, &scheduler.Task{ID: "a"})
	r.halted(func() bool { return len(r.history("a")) == 2 })
	// What the agent wrote in the last moment of its owner is in the log, and nowhere else.
	log, err := os.OpenFile(r.attempts("a")[0].Log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.WriteString(`{"tool":"Bash","input":"{}","output":"late"}` + "\n" + `{"text":"cut o`); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	want := []string{"user: Do a.", "assistant: stored", "tool: Bash {}", "tool: Bash result: late"}
	if got := r.history("a"); len(got) < 4 || !slices.Equal(got[:4], want) || strings.Contains(strings.Join(got[4:], "\n"), "stored") {
		t.Errorf("conversation %q", got)
	}
}

func TestTurnThatEndedUnwatchedIsNotRunAgain(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(string, int) string { return text("said") + "sleep 300\n" })
	r.agents(s, &scheduler.Task{ID: "a"})
	r.halted(func() bool { return len(r.history("a")) == 2 })
	// The log says that the turn came to its end: killing the process afterwards changes nothing.
	log, err := os.OpenFile(r.attempts("a")[0].Log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.WriteString(`{"End":{"Summary":"it had ended"}}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	if n := len(s.asks("a")); n != 1 {
		t.Errorf("%d turns were started", n)
	}
	if res := r.task("a").Result; res == nil || *res != "it had ended" {
		t.Errorf("result %v", res)
	}
}

func TestLostSessionIsHandedOverToANewOne(t *testing.T) {
	for name, probe := range map[string]func(string) (bool, error){
		"the probe says so":     func(string) (bool, error) { return false, nil },
		"the turn finds it out": func(string) (bool, error) { return false, errors.New("nobody can say") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := newScripted(t, func(_ string, turn int) string {
				if turn == 1 {
					return text("I chose the second way.") + "echo half > half.txt\nsleep 300\n"
				}
				return end(provider.Result{Summary: "done"})
			})
			r.agents(s, &scheduler.Task{ID: "a"})
			r.halted(func() bool { return len(r.history("a")) == 2 && r.wrote("a", "half.txt") })
			s.probe = probe
			if err := os.Remove(filepath.Join(s.dir, "chosen-1")); err != nil {
				t.Fatal(err)
			}
			if state := r.finish(); state != scheduler.RunCompleted {
				t.Fatalf("state %s: %s", state, r.task("a").Error)
			}
			asks := s.asks("a")
			last := asks[len(asks)-1]
			if last.Resume || last.Session == "chosen-1" {
				t.Errorf("the last turn %+v", last)
			}
			for _, want := range []string{"Do a.", "I chose the second way.", "+half", "earlier session"} {
				if !strings.Contains(last.Prompt, want) {
					t.Errorf("the new session was not told %q:\n%s", want, last.Prompt)
				}
			}
			if a := r.attempts("a"); len(a) != 1 {
				t.Errorf("%d attempts", len(a))
			}
		})
	}
}

func TestAgentThatIsCutOffAgainAndAgainFails(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(string, int) string { return text("again") + "sleep 300\n" })
	r.agents(s, &scheduler.Task{ID: "a"})
	_, wait := r.begin()
	for n := 1; n <= 11; n++ {
		r.until("a turn runs", func() bool {
			return len(s.asks("a")) == n && strings.Count(strings.Join(r.history("a"), "\n"), "assistant: again") == n
		})
		r.killSupervisor()
	}
	if state := wait(); state != scheduler.RunFailed {
		t.Fatalf("state %s", state)
	}
	if got := r.task("a").Error; got != "cut off 11 times in its work" {
		t.Errorf("error %q", got)
	}
}

func TestStoppedAgentGoesOnInTheSameAttempt(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(_ string, turn int) string {
		if turn == 1 {
			return text("begun") + "sleep 300\n"
		}
		return end(provider.Result{Summary: "done"})
	})
	r.agents(s, &scheduler.Task{ID: "a"})
	e, wait := r.begin()
	r.until("it has begun", func() bool { return len(r.history("a")) == 2 })
	e.Stop(true)
	if state := wait(); state != scheduler.RunPaused {
		t.Fatalf("state %s", state)
	}
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	if a := r.attempts("a"); len(a) != 1 || a[0].Outcome != scheduler.OutcomeSucceeded {
		t.Errorf("attempts %+v", a)
	}
	if asks := s.asks("a"); len(asks) != 2 || asks[1].Session != "chosen-1" || !asks[1].Resume {
		t.Errorf("turns %+v", asks)
	}
}

func TestFailedChecksGoBackToTheSameSession(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(_ string, turn int) string {
		if turn == 1 {
			return "echo wrong > result.txt\n" + end(provider.Result{Summary: "done", Counters: provider.Usage{Input: 10}})
		}
		return "test -e result.txt && echo right > result.txt\n" + end(provider.Result{Summary: "corrected"})
	})
	r.agents(s, &scheduler.Task{ID: "a", Attempts: 2, WritesFiles: []string{"result.txt"}, Verify: []string{"grep right result.txt || { echo it is wrong; exit 3; }"}})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s", state, r.task("a").Error)
	}
	asks := s.asks("a")
	if len(asks) != 2 || !asks[1].Resume || asks[1].Session != asks[0].Session || asks[1].Before.Input != 10 {
		t.Fatalf("turns %+v", asks)
	}
	if !strings.Contains(asks[1].Prompt, "it is wrong") || !strings.Contains(asks[1].Prompt, "exit 3") {
		t.Errorf("the failing output was not told:\n%s", asks[1].Prompt)
	}
	if a := r.attempts("a"); len(a) != 2 || a[0].Saved == "" || a[1].Saved == a[0].Saved {
		t.Errorf("attempts %+v", a)
	}
	if r.merged("result.txt") != "right" {
		t.Error("the corrected work is not merged")
	}
}

func TestAgentThatChangedNothingIsAskedToGoOn(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(_ string, turn int) string {
		work := ""
		if turn == 2 {
			work = "echo now > now.txt\n"
		}
		return work + end(provider.Result{Summary: "now I will"})
	})
	r.agents(s, &scheduler.Task{ID: "a", WritesFiles: []string{"now.txt"}}, &scheduler.Task{ID: "never", WritesFiles: []string{"x"}, Prompt: "p"})
	s.script = func(task string, turn int) string {
		if task == "a" && turn == 2 {
			return "echo now > now.txt\n" + end(provider.Result{Summary: "did"})
		}
		return end(provider.Result{Summary: "now I will"})
	}
	if state := r.finish(); state != scheduler.RunFailed {
		t.Fatalf("state %s", state)
	}
	if got := r.states(); got != "a completed, never failed" {
		t.Errorf("states %s", got)
	}
	if n := len(s.asks("never")); n != 3 {
		t.Errorf("asked %d times", n)
	}
	if got := r.task("never").Error; !strings.Contains(got, "changed no file") {
		t.Errorf("error %q", got)
	}
}

func TestTooLongConversationIsHandedOver(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(string, int) string {
		return text("words") + end(provider.Result{Kind: provider.KindContext, Error: "too long"})
	})
	r.agents(s, &scheduler.Task{ID: "a"})
	if state := r.finish(); state != scheduler.RunFailed {
		t.Fatalf("state %s", state)
	}
	if n := len(s.asks("a")); n != 4 {
		t.Errorf("%d sessions were begun", n)
	}
	if got := r.task("a").Error; !strings.Contains(got, "too long") {
		t.Errorf("error %q", got)
	}
}

func TestUsageIsCountedOncePerTurn(t *testing.T) {
	r := newRig(t)
	used := provider.Usage{Input: 100, Output: 10, Cost: 0.25, Priced: true, Model: "m-1"}
	s := newScripted(t, func(_ string, turn int) string {
		if turn == 1 {
			return print(said{Text: "half", Usage: provider.Usage{Input: 40, Model: "m-1"}}) + "sleep 300\n"
		}
		return print(said{Usage: provider.Usage{Input: 50, Model: "m-1"}}) + end(provider.Result{Summary: "done", Usage: used})
	})
	r.agents(s, &scheduler.Task{ID: "a"})
	r.halted(func() bool { a := r.attempts("a"); return len(a) == 1 && len(a[0].Work.Used) == 1 })
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s", state)
	}
	u := r.attempts("a")[0].Work.Used
	if len(u) != 2 || u[0].Complete || u[0].Input != 40 || !u[1].Complete || u[1].Input != 100 || u[1].Cost != 0.25 || u[1].Model != "m-1" {
		t.Errorf("used %+v", u)
	}
}

func TestUnwatchedExitOfATurnCounts(t *testing.T) {
	r := newRig(t)
	s := newScripted(t, func(string, int) string { return text("said") + "sleep 300\n" })
	var seen []process.Exit
	s.finish = func(_ provider.Turn, e process.Exit) { seen = append(seen, e) }
	r.agents(s, &scheduler.Task{ID: "a"})
	r.halted(func() bool { return len(r.history("a")) == 2 })
	s.script = func(string, int) string { return end(provider.Result{Summary: "done"}) }
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s", state)
	}
	if len(seen) != 1 || !seen[0].Lost && !seen[0].Stopped && seen[0].Signal == "" {
		t.Errorf("exits %+v: a turn that was cut off is finished once, by an exit that says so", seen)
	}
}
