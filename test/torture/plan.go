package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A task's kind says what its command does. All but the wild ones are deterministic: whatever the order of
// independent tasks and however often an attempt is interrupted, the end is the same.
type kind int

const (
	kindOwn    kind = iota // writes a file of its own from the files of what it needs
	kindShared             // adds a line to a file that others change too, kept sorted
	kindCommit             // like kindOwn, and commits by itself
	kindLoud               // like kindOwn, with megabytes of output
	kindStray              // like kindOwn, and leaves daemons behind
	kindSlow               // like kindOwn, and takes its time
	kindFlaky              // fails until the ledger has its FAIL line
	kindGate               // its gate fails until the ledger has its FAIL line
	kindFail               // fails always, after changing files
	kindHang               // never ends, and does not listen: its timeout ends it
	kindHalf               // fits to the other halves only when they are joined: both pass, the merge breaks
	kindLook               // isolation none: changes nothing
	kindClash              // adds a line to a file that others change too, without saying so. Wild
	kinds
)

type task struct {
	id        string
	kind      kind
	needs     []string
	isolation string // clone, worktree, none
	failure   string // hard, soft, skip
	retry     int
	pause     int // milliseconds of work
	group     int // which shared file
}

// plan is a random graph of tasks.
type plan struct {
	concurrency int
	wild        bool // conflicts, cancels, killed children: the end depends on the order of things
	dirty       bool // the user has work in the checkout
	tasks       []task
}

// What tasks of kindHalf write, and what joins them.
const (
	halves = "half/"
	joined = "half/joined"
)

// shared is how many files the tasks of kindShared fight for.
const shared = 2

// newPlan draws a plan of 4 to 14 tasks. One in four is wild.
func newPlan(rng *rand.Rand) plan {
	p := plan{concurrency: 2 + rng.IntN(3), wild: rng.IntN(4) == 0, dirty: rng.IntN(2) == 0}
	for i := range 4 + rng.IntN(11) {
		p.tasks = append(p.tasks, p.draw(rng, i))
	}
	return p
}

// smallPlan draws one for the exhaustive mode: few tasks that take no time, and none that a death can make costly.
func smallPlan(rng *rand.Rand) plan {
	p := plan{concurrency: 2, dirty: true}
	for i, k := range []kind{kindOwn, kindFlaky, kindHalf, kindShared, kindCommit, kindHalf, kindGate} {
		t := p.draw(rng, i)
		t.kind, t.pause, t.isolation, t.retry = k, 0, pick(rng, "clone", "worktree"), 0
		switch k {
		case kindFlaky, kindGate:
			t.retry = 2
		case kindHalf:
			t.retry = overtaken
		}
		p.tasks = append(p.tasks, t)
	}
	return p
}

// lasting is the plan with commands that never end by themselves: they outlive an owner for sure.
func (p plan) lasting() plan {
	p.wild = true // nothing is compared
	for i := range p.tasks {
		t := &p.tasks[i]
		t.kind, t.needs, t.failure, t.retry, t.isolation = kindHang, nil, "soft", 0, "clone"
	}
	return p
}

func (p plan) draw(rng *rand.Rand, i int) task {
	t := task{
		id:        fmt.Sprintf("t%02d", i),
		kind:      kind(rng.IntN(int(kinds))),
		isolation: pick(rng, "clone", "clone", "worktree"),
		failure:   pick(rng, "hard", "soft", "skip"),
		pause:     rng.IntN(150),
		group:     rng.IntN(shared),
	}
	if t.kind == kindClash && !p.wild {
		t.kind = kindShared
	}
	switch t.kind {
	case kindLook:
		t.isolation = "none"
	case kindFlaky, kindGate, kindClash:
		// More than one, since a kill between the ledger's line and the store's may spend one in vain.
		t.retry = 2
	case kindFail:
		t.retry = rng.IntN(2)
	case kindHalf:
		t.retry = overtaken
	case kindSlow:
		t.pause = 400 + rng.IntN(600)
	}
	for _, earlier := range p.tasks {
		if len(t.needs) < 3 && rng.IntN(len(p.tasks)+2) < 2 {
			t.needs = append(t.needs, earlier.id)
		}
	}
	return t
}

// overtaken is more often than a half can be overtaken by the others while it is checked.
const overtaken = 20

// checked says whether the plan has merged results checked.
func (p plan) checked() bool {
	return slices.ContainsFunc(p.tasks, func(t task) bool { return t.kind == kindHalf })
}

func pick(rng *rand.Rand, words ...string) string {
	return words[rng.IntN(len(words))]
}

// estimate is a guess of what an undisturbed run takes.
func (p plan) estimate() ending {
	e := ending{took: 300 * time.Millisecond, events: 5}
	for _, t := range p.tasks {
		e.took += time.Duration(t.pause+80) * time.Millisecond / time.Duration(p.concurrency)
		e.events += 7
	}
	return e
}

// file is what the task's command writes; empty = nothing that stays.
func (t task) file() string {
	switch t.kind {
	case kindLook:
		return ""
	case kindShared:
		return fmt.Sprintf("shared/%d.txt", t.group)
	case kindClash:
		return "clash.txt"
	case kindHalf:
		return halves + t.id + ".txt"
	}
	return "own/" + t.id + "/work.txt"
}

// succeeds says whether the task completes when nobody cancels it or kills its command, and has a file then.
func (t task) succeeds() bool {
	switch t.kind {
	case kindLook, kindFail, kindHang:
		return false
	}
	return true
}

// yaml writes the plan of a site.
func (p plan) yaml(s *site) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nname: torture\nconcurrency: %d\n", p.concurrency)
	if p.checked() {
		b.WriteString("merge: {verify: true}\n")
	}
	b.WriteString("tasks:\n")
	for _, t := range p.tasks {
		fmt.Fprintf(&b, "  %s:\n    isolation: %s\n    on_failure: %s\n", t.id, t.isolation, t.failure)
		if len(t.needs) > 0 {
			fmt.Fprintf(&b, "    needs: [%s]\n", strings.Join(t.needs, ", "))
		}
		if t.retry > 0 {
			fmt.Fprintf(&b, "    retry: %d\n", t.retry)
		}
		if t.kind == kindHang {
			b.WriteString("    timeout: 500ms\n")
		}
		if writes := t.writes(); writes != "" {
			fmt.Fprintf(&b, "    writes: [%q]\n", writes)
		}
		block(&b, "run", p.script(t, s))
		if gate := t.gate(s); gate != "" {
			block(&b, "verify", gate)
		}
	}
	return b.String()
}

func block(b *strings.Builder, key, script string) {
	fmt.Fprintf(b, "    %s: |\n", key)
	for line := range strings.Lines(script) {
		b.WriteString("      " + line)
	}
}

func (t task) writes() string {
	switch t.kind {
	case kindLook, kindClash:
		return ""
	case kindShared:
		return t.file()
	case kindHalf:
		return t.file()
	}
	return "own/" + t.id + "/**"
}

// find returns the task with the id.
func (p plan) find(id string) (task, bool) {
	i := slices.IndexFunc(p.tasks, func(t task) bool { return t.id == id })
	if i < 0 {
		return task{}, false
	}
	return p.tasks[i], true
}
