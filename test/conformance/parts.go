package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"orchestrator/test/stubmodel"
)

// part is something that every agent does in the one run of a plan.
type part struct {
	name string
	// tasks are the member's tasks of the part; a key "id" names each. The first is the one that is judged.
	tasks func(r *wholeRun, m *member) []map[string]any
	hangs bool // during it the owner is killed
	lost  bool // and every session is gone then
	// fault is the model server's mistake that the part needs.
	fault func(m *member) *stubmodel.Fault
	// judge says what is wrong, besides that the task is not completed.
	judge func(ctx context.Context, r *wholeRun, m *member, e evidence) error
}

// parts of the run, in the order in which an agent gets them.
func parts() []part {
	return []part{
		{name: "run-kill", hangs: true, tasks: killTasks, judge: judgeKill},
		{name: "run-lost", hangs: true, lost: true, tasks: lostTasks, judge: judgeLost},
		{name: "run-ask", tasks: askTasks, judge: judgeAsk},
		{name: "run-unfinished", tasks: unfinishedTasks, fault: unfinishedFault, judge: judgeUnfinished},
		{name: "run-review", tasks: reviewTasks, judge: judgeReview},
		{name: "run-limit", tasks: limitTasks, fault: limitFault, judge: judgeLimit},
		{name: "run-mixed", tasks: mixedTasks, judge: judgeMixed},
	}
}

// prompted is a task whose model follows the script, and then says that the task is done.
func (m *member) prompted(part, word, script string) map[string]any {
	id := m.task(part)
	return map[string]any{
		"id": id, "agent": m.agent.name, "writes": []string{id + "-*.txt"},
		"prompt": fmt.Sprintf("The word is %s. %s [[call orc task_complete {\"summary\":%q}]] [[say all is done]]", m.word(word), script, declared(id)),
	}
}

// word is one that no other agent's prompts have.
func (m *member) word(bird string) string { return bird + "-of-" + m.agent.name }

// declared is what an agent says of its task when it is done.
func declared(task string) string { return task + " is as it should be" }

// hanging is a task whose model holds an answer back in the middle of it.
func (m *member) hanging(part, word string) []map[string]any {
	id := m.task(part)
	script := fmt.Sprintf("[[write %s-1.txt before]] [[hang %s]] [[write %s-2.txt after]]", id, id, id)
	return []map[string]any{m.prompted(part, word, script)}
}

func killTasks(_ *wholeRun, m *member) []map[string]any { return m.hanging("run-kill", "egret") }

func lostTasks(_ *wholeRun, m *member) []map[string]any { return m.hanging("run-lost", "stork") }

// judgeKill: the owner was killed while the model was silent; the session that was there then went on.
func judgeKill(_ context.Context, _ *wholeRun, m *member, e evidence) error {
	var f faults
	had := m.sessions["run-kill"]
	f.check(had != "", "the session was not stored when the owner was killed")
	f.check(e.shown.session() == had, "it went on in session %q instead of %q", e.shown.session(), had)
	f.check(sawAll(e.asked, m.word("egret"), "you were interrupted"), "no request carries both what was before the kill and that there was one")
	f.bothMerged(e, m.task("run-kill"))
	return errors.Join(f...)
}

// bothMerged checks what was written before the kill and after it.
func (f *faults) bothMerged(e evidence, task string) {
	f.merged(e, task+"-1.txt", "before")
	f.merged(e, task+"-2.txt", "after")
}

// judgeLost: the session was gone with the agent's home; a new one was told what the old one had done.
func judgeLost(_ context.Context, _ *wholeRun, m *member, e evidence) error {
	var f faults
	task := m.task("run-lost")
	had := m.sessions["run-lost"]
	f.check(had != "" && e.shown.session() != had, "it went on in session %q, which is gone", had)
	f.check(sawAll(e.asked, m.word("stork"), "An earlier session worked on this task", "I write "+task+"-1.txt.", "+before"),
		"no request carries the task, what was said of it before, and the difference")
	f.bothMerged(e, task)
	return errors.Join(f...)
}

func askTasks(_ *wholeRun, m *member) []map[string]any {
	id := m.task("run-ask")
	script := fmt.Sprintf(`[[call orc ask {"question":"Which colour for %s?","options":["red","blue"]}]] [[write %s-1.txt asked]]`, m.agent.name, id)
	return []map[string]any{m.prompted("run-ask", "heron", script)}
}

// colour is the answer to the member's question.
func (m *member) colour() string { return "azure, said the person to " + m.agent.name }

// judgeAsk: the question reached the person, and the answer the agent.
func judgeAsk(_ context.Context, _ *wholeRun, m *member, e evidence) error {
	var f faults
	f.check(sawAll(e.asked, m.word("heron"), m.colour()), "the answer did not reach the model")
	f.merged(e, m.task("run-ask")+"-1.txt", "asked")
	told := e.shown.said()
	f.check(strings.Contains(told, "Which colour for "+m.agent.name) && strings.Contains(told, m.colour()), "the conversation lacks the question or its answer")
	return errors.Join(f...)
}

const halfSentence = "Now I will write the file."

func unfinishedTasks(_ *wholeRun, m *member) []map[string]any {
	return []map[string]any{m.prompted("run-unfinished", "crane", fmt.Sprintf("[[write %s-1.txt late]]", m.task("run-unfinished")))}
}

func unfinishedFault(m *member) *stubmodel.Fault {
	return &stubmodel.Fault{Kind: stubmodel.FaultLimitText, Text: halfSentence, Count: 1, Match: m.word("crane")}
}

// judgeUnfinished: a turn that ends with a promise is no end; the agent was asked to go on, in its session.
func judgeUnfinished(_ context.Context, _ *wholeRun, m *member, e evidence) error {
	var f faults
	f.check(sawAll(e.asked, m.word("crane"), halfSentence, "You ended your turn"), "the agent was not asked to go on with what it had begun")
	f.merged(e, m.task("run-unfinished")+"-1.txt", "late")
	return errors.Join(f...)
}

// reviewer is who reviews a member's work: another agent where there is one that can be kept to reading.
func (r *wholeRun) reviewer(m *member) *member {
	var found *member
	for _, other := range r.members {
		if !other.agent.loose && (found == nil || found == m) {
			found = other
		}
	}
	return found
}

// quoted is a JSON string that hides the directives in it from the model that reads it, but not from the one that is
// told its value.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is a string
	}
	return strings.NewReplacer("[", `\u005b`, "]", `\u005d`).Replace(string(b))
}

func reviewTasks(r *wholeRun, m *member) []map[string]any {
	id := m.task("run-review")
	t := m.prompted("run-review", "wren", fmt.Sprintf("[[write %s-1.txt half]]", id))
	if r.reviewer(m) != nil {
		t["workflow"] = id
	}
	return []map[string]any{t}
}

// workflow is the member's work, reviewed. The first verdict, given by the tool, brings with it what the member's model
// does about it; later ones are what the reviewer says at the end of its turn.
func (r *wholeRun) workflow(m *member) map[string]any {
	id := m.task("run-review")
	findings := fmt.Sprintf("%s-2.txt is missing. [[write %s-2.txt whole]] [[call orc task_complete {\"summary\":%s}]] [[say it is there now]]\n\nVERDICT: reject",
		id, id, quoted(declared(id)))
	look := fmt.Sprintf("The second word is %s. [[restart]] [[call orc task_complete {\"summary\":%s}]] [[say All is well.\n\nVERDICT: approve]]", m.word("kite"), quoted(findings))
	return map[string]any{"steps": []any{
		map[string]any{"agent": m.agent.name},
		map[string]any{"agent": r.reviewer(m).agent.name, "on_reject": "back", "prompt": look},
	}}
}

// judgeReview: the reviewer rejected the work, the member corrected it in its own session, and the reviewer, in its own,
// approved it.
func judgeReview(_ context.Context, r *wholeRun, m *member, e evidence) error {
	var f faults
	id := m.task("run-review")
	f.merged(e, id+"-1.txt", "half")
	if r.reviewer(m) == nil {
		return errors.Join(f...)
	}
	f.merged(e, id+"-2.txt", "whole")
	f.check(sawAll(e.asked, m.word("wren"), "Your work was reviewed by", id+"-2.txt is missing"), "the findings did not reach the session that did the work")
	f.check(sawAll(r.reviewer(m).model.Requests(), m.word("kite"), "+half", "The work that you reviewed was changed", "+whole"),
		"the reviewer did not go on in its session with what was different")
	f.check(len(e.events.of("task.reviewed", id)) == 2, "there were %d verdicts instead of two", len(e.events.of("task.reviewed", id)))
	return errors.Join(f...)
}

// limitLasts is how long the account is said to be limited: long enough that what must not start could have.
const limitLasts = 30 * time.Second

func limitTasks(r *wholeRun, m *member) []map[string]any {
	limited := m.prompted("run-limit", "ibis", fmt.Sprintf("[[write %s-1.txt again]]", m.task("run-limit")))
	held := m.prompted("run-held", "robin", fmt.Sprintf("[[write %s-1.txt held]]", m.task("run-held")))
	held["needs"] = []string{m.task("run-gate")}
	gate := map[string]any{ // it waits from the run's beginning on
		"id": m.task("run-gate"), "run": fmt.Sprintf("until test -e '%s'; do sleep 0.2; done", r.gate(m)), "timeout": runPatience.String(),
	}
	return []map[string]any{limited, held, gate}
}

func limitFault(m *member) *stubmodel.Fault {
	return &stubmodel.Fault{Kind: stubmodel.FaultUsage, Lasts: limitLasts, Match: m.word("ibis")}
}

// judgeLimit: the task waited as data until the limit's end, spent no attempt, and nothing else of the account was
// started meanwhile, though it could have been.
func judgeLimit(_ context.Context, _ *wholeRun, m *member, e evidence) error {
	var f faults
	held := e.state.task(m.task("run-held"))
	f.check(held.State == "completed", "the task beside it is %s: %s", held.State, held.Error)
	f.merged(e, m.task("run-limit")+"-1.txt", "again")
	f.merged(e, m.task("run-held")+"-1.txt", "held")
	waits, begun, open := e.events.of("task.waiting", m.task("run-limit")), e.events.of("task.started", held.ID), e.events.of("task.completed", m.task("run-gate"))
	if len(waits) == 0 || len(begun) == 0 || len(open) == 0 {
		f.check(false, "events are missing: it waited %d times, the task beside it began %d times, its gate opened %d times", len(waits), len(begun), len(open))
		return errors.Join(f...)
	}
	f.check(open[0].Time.Before(waits[0].Until), "the machine is too slow to judge: the task beside it could begin only at %s, when the limit had ended at %s", open[0].Time, waits[0].Until)
	for _, w := range waits {
		f.check(w.Time.After(begun[0].Time) || !begun[0].Time.Before(w.Until), "the limit ends at %s, but the task beside it began at %s", w.Until, begun[0].Time)
	}
	if m.agent.saysReset {
		most := limitLasts + m.agent.grain
		left := waits[0].Until.Sub(waits[0].Time)
		f.check(left <= most, "it waits for %s, the limit ends in at most %s", left, most)
	}
	return errors.Join(f...)
}

// ahead are the members, at most two, whose work a member's builds on: with three agents or more, each chain of such
// tasks is the work of three.
func (r *wholeRun) ahead(m *member) []*member {
	i := slices.Index(r.members, m)
	return r.members[max(0, i-2):i]
}

func mixedTasks(r *wholeRun, m *member) []map[string]any {
	id := m.task("run-mixed")
	t := m.prompted("run-mixed", "finch", fmt.Sprintf("[[write %s-1.txt joined]]", id))
	var needs []string
	for _, other := range r.ahead(m) {
		needs = append(needs, other.task("run-mixed"))
	}
	t["needs"] = needs
	return []map[string]any{t}
}

// judgeMixed: what other agents declared of the tasks before was told to the member's.
func judgeMixed(_ context.Context, r *wholeRun, m *member, e evidence) error {
	var f faults
	f.merged(e, m.task("run-mixed")+"-1.txt", "joined")
	for _, other := range r.ahead(m) {
		f.check(sawAll(e.asked, m.word("finch"), declared(other.task("run-mixed"))), "it was not told what %s did before it", other.agent.name)
	}
	return errors.Join(f...)
}

// sawAll says whether one request of the conversation carries all texts.
func sawAll(asked []stubmodel.Request, texts ...string) bool {
	for _, q := range asked {
		all := !q.Aside
		for _, text := range texts {
			all = all && q.Saw(text)
		}
		if all {
			return true
		}
	}
	return false
}
