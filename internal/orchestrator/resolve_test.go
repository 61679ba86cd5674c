package orchestrator_test

import (
	"strings"
	"testing"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// rivals are two tasks that change one line, whose conflicts go where the word says, and a resolver that does as its
// script says.
func rivals(r *rig, onConflict string, script func(turn int) string) *scripted {
	s := newScripted(r.t, func(_ string, turn int) string { return script(turn) })
	do := func(word string) string {
		return r.met(2) + "sed -i 's/two/" + word + "/' shared.txt; echo " + word + " is done"
	}
	r.agents(s,
		&scheduler.Task{ID: "left", Command: do("left"), Verify: []string{"! grep -q bad shared.txt"}},
		&scheduler.Task{ID: "right", Command: do("right"), Verify: []string{"grep -q one shared.txt"}},
		&scheduler.Task{ID: "after", Command: "cat shared.txt", DependsOn: []scheduler.TaskID{"left", "right"}},
	)
	r.options(func(o *persistence.RunOptions) {
		o.Merge.OnConflict = onConflict
		o.Agents[persistence.ResolverRole] = persistence.Agent{Provider: "scripted", Account: "mine"}
	})
	return s
}

const both = "printf 'one\\nleft and right\\nthree\\n' > shared.txt\n"

func (r *rig) loser() scheduler.TaskID {
	if len(r.attempts("left")) > 1 {
		return "left"
	}
	return "right"
}

func TestResolverBringsConflictingWorkIn(t *testing.T) {
	r := newRig(t)
	s := rivals(r, "agent", func(turn int) string {
		if turn == 1 { // markers are left: it is asked to go on
			return "grep -q '<<<<<<<' shared.txt && git status | grep -q 'both modified' && git rev-parse -q --verify MERGE_HEAD\n" + end(provider.Result{Summary: "I looked"})
		}
		return both + end(provider.Result{Summary: "both are in"})
	})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("state %s: %s: %s", state, r.states(), r.task(r.loser()).Error)
	}
	if got := r.merged("shared.txt"); got != "one\nleft and right\nthree" {
		t.Errorf("shared.txt %q", got)
	}
	tries := r.attempts(r.loser())
	if len(tries) != 2 || !tries[0].Handed || tries[1].Resolve == nil || tries[1].Resolve.Attempt != 1 || len(tries[1].Resolve.With) != 1 {
		t.Fatalf("attempts %+v", tries)
	}
	if parents := r.git("log", "-1", "--format=%P", tries[1].Saved); !strings.Contains(parents, tries[0].Saved) {
		t.Errorf("the resolution has the parents %s, the work is %s", parents, tries[0].Saved)
	}
	asks := s.asks(string(r.loser()))
	for _, want := range []string{
		"- shared.txt: around 2 of what is merged (changed by", "## Task left, whose work", "## Task right, whose work", "is brought in", "is merged already", "is done",
	} {
		if !strings.Contains(asks[0].Prompt, want) {
			t.Errorf("the resolver was not told %q:\n%s", want, asks[0].Prompt)
		}
	}
	if len(asks) != 2 || !strings.Contains(asks[1].Prompt, "conflict markers are left in shared.txt") {
		t.Errorf("turns %+v", asks)
	}
	if n := strings.Count(r.git("log", "--first-parent", "--format=%B", "main..orc/7f3c"), "Orc-Task: "); n != 2 {
		t.Errorf("%d merge commits on the first-parent chain", n)
	}
}

func TestResolverThatFailsLeavesTheConflictToAPerson(t *testing.T) {
	for name, script := range map[string]string{
		"with markers": end(provider.Result{Summary: "done"}),
		"at a gate":    "printf 'bad\\n' > shared.txt\n" + end(provider.Result{Summary: "done"}),
		"by itself":    end(provider.Result{Kind: provider.KindFailed, Error: "no idea"}),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			rivals(r, "agent", func(int) string { return script })
			if state := r.finish(); state != scheduler.RunWaiting {
				t.Fatalf("state %s: %s", state, r.states())
			}
			last := r.attempts(r.loser())[1]
			if last.Outcome != scheduler.OutcomeConflict || !strings.Contains(last.Error, "the resolver could not resolve it: ") || len(last.Conflicts) != 1 {
				t.Fatalf("attempt %+v", last)
			}
			r.request(orchestrator.RequestCancel, orchestrator.CancelRequest{Tasks: []scheduler.TaskID{r.loser()}})
			if state := r.finish(); state != scheduler.RunFailed {
				t.Errorf("state %s: %s", state, r.states())
			}
		})
	}
}

func TestResolutionCountsOnlyWhenAPersonAgrees(t *testing.T) {
	r := newRig(t)
	rivals(r, "ask", func(int) string { return both + end(provider.Result{Summary: "both are in"}) })
	if state := r.finish(); state != scheduler.RunWaiting {
		t.Fatalf("state %s: %s", state, r.states())
	}
	last := r.attempts(r.loser())[1]
	if !last.Resolve.Done || r.git("show", last.SavedRef+":shared.txt") != "one\nleft and right\nthree" {
		t.Fatalf("attempt %+v", last)
	}
	if got := r.merged("shared.txt"); strings.Contains(got, " and ") {
		t.Errorf("it is merged without a yes: %q", got)
	}
	if state := r.finish(); state != scheduler.RunWaiting { // resuming says no yes
		t.Fatalf("resumed: %s: %s", state, r.states())
	}
	r.request(orchestrator.RequestAccept, orchestrator.AcceptRequest{})
	if state := r.finish(); state != scheduler.RunCompleted {
		t.Fatalf("after a yes: %s: %s", state, r.states())
	}
	if got := r.merged("shared.txt"); got != "one\nleft and right\nthree" || r.task("after").Status != scheduler.TaskCompleted {
		t.Errorf("shared.txt %q, %s", got, r.states())
	}
}

func TestYesToNothingIsRefused(t *testing.T) {
	r := newRig(t)
	r.create(&scheduler.Task{ID: "a", Command: "true"})
	id := r.request(orchestrator.RequestAccept, orchestrator.AcceptRequest{})
	r.finish()
	if q, err := r.store.GetRequest(r.ctx, id); err != nil || q.Error != "no resolved conflict waits" {
		t.Errorf("request %+v, %v", q, err)
	}
}

func TestResolutionEndsTheSameAfterACrash(t *testing.T) {
	t.Parallel()
	for n := 20; ; n += 4 * stride() { // after an effect out of four, from about when the two have met
		r := newRig(t)
		rivals(r, "agent", func(int) string { return both + end(provider.Result{Summary: "both are in"}) })
		r.cut = &cut{last: n}
		_, err := r.engine().Run(r.ctx)
		r.cut = nil
		if err == nil {
			return
		}
		if state := r.finish(); state == scheduler.RunCompleted && strings.Contains(r.merged("shared.txt"), " and ") {
			continue
		}
		// One that was cut off in its work may have begun again on top of the other, and then nothing is in conflict.
		if len(r.attempts("left"))+len(r.attempts("right")) < 3 || !strings.HasSuffix(r.states(), "after completed") {
			t.Fatalf("cut off after effect %d: %s", n, r.states())
		}
	}
}

func TestRejectedResolutionGoesBackToTheResolver(t *testing.T) {
	r := newRig(t)
	s := rivals(r, "agent", func(turn int) string {
		if turn == 1 {
			return "printf 'one\\nright\\nthree\\n' > shared.txt\n" + end(provider.Result{Summary: "took one side"})
		}
		return both + end(provider.Result{Summary: "both are in"})
	})
	r.options(func(o *persistence.RunOptions) {
		o.ApproveOf = map[scheduler.TaskID][]scheduler.Approval{"left": {scheduler.ApproveMerge}, "right": {scheduler.ApproveMerge}}
	})
	yes := func() {
		for _, id := range []scheduler.TaskID{"left", "right"} {
			if r.wanting(id, persistence.WishMerge)() {
				r.word(id, "")
			}
		}
		r.finish()
	}
	r.finish()
	yes()
	id := r.loser()
	if !r.wanting(id, persistence.WishMerge)() || r.attempts(id)[1].Resolve == nil {
		t.Fatalf("the resolution does not wait: %+v", r.attempts(id))
	}
	r.word(id, "keep both sides")
	r.finish()
	if asks := s.asks(string(id)); len(asks) != 2 || asks[1].Resume || !strings.Contains(asks[1].Prompt, "keep both sides") {
		t.Fatalf("turns %+v", asks)
	}
	yes()
	if got := r.merged("shared.txt"); got != "one\nleft and right\nthree" || !strings.HasSuffix(r.states(), "after completed") {
		t.Errorf("shared.txt %q, %s", got, r.states())
	}
}
