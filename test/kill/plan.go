package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A task's kind says what its command does. All are deterministic: whatever the order of independent tasks and
// however often an attempt is interrupted, the end is the same.
type kind int

const (
	kindOwn    kind = iota // writes a file of its own from the files of what it needs
	kindShared             // adds a line to a file that others change too, kept sorted
	kindCommit             // like kindOwn, and commits by itself
	kindLoud               // like kindOwn, with megabytes of output
	kindStray              // like kindOwn, and leaves a process behind
	kindFlaky              // fails until the ledger has its FAIL line
	kindGate               // its gate fails until the ledger has its FAIL line
	kindFail               // fails always, after changing files
	kindLook               // isolation none: changes nothing
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
	tasks       []task
}

// shared is how many files the tasks of kindShared fight for.
const shared = 2

// newPlan draws a plan of 5 to 15 tasks.
func newPlan(rng *rand.Rand) plan {
	p := plan{concurrency: 2 + rng.IntN(3)}
	for i := range 5 + rng.IntN(11) {
		t := task{
			id:        fmt.Sprintf("t%02d", i),
			kind:      kind(rng.IntN(int(kinds))),
			isolation: pick(rng, "clone", "clone", "worktree"),
			failure:   pick(rng, "hard", "soft", "skip"),
			pause:     rng.IntN(300),
			group:     rng.IntN(shared),
		}
		switch t.kind {
		case kindLook:
			t.isolation = "none"
		case kindFlaky, kindGate:
			// More than one, since a kill between the ledger's line and the store's may spend one in vain.
			t.retry = 2
		case kindFail:
			t.retry = rng.IntN(2)
		}
		for _, earlier := range p.tasks {
			if len(t.needs) < 3 && rng.IntN(len(p.tasks)+2) < 2 {
				t.needs = append(t.needs, earlier.id)
			}
		}
		p.tasks = append(p.tasks, t)
	}
	return p
}

func pick(rng *rand.Rand, words ...string) string {
	return words[rng.IntN(len(words))]
}

// merges says whether a completed task must have exactly one merge commit.
func (t task) merges() bool {
	return t.kind != kindLook && t.kind != kindFail
}

// yaml writes the plan; ledger is the absolute path of the file to which every command reports.
func (p plan) yaml(ledger string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nname: kill\nconcurrency: %d\ntasks:\n", p.concurrency)
	for _, t := range p.tasks {
		fmt.Fprintf(&b, "  %s:\n    isolation: %s\n    on_failure: %s\n", t.id, t.isolation, t.failure)
		if len(t.needs) > 0 {
			fmt.Fprintf(&b, "    needs: [%s]\n", strings.Join(t.needs, ", "))
		}
		if t.retry > 0 {
			fmt.Fprintf(&b, "    retry: %d\n", t.retry)
		}
		if writes := t.writes(); writes != "" {
			fmt.Fprintf(&b, "    writes: [%q]\n", writes)
		}
		block(&b, "run", t.run(ledger))
		if gate := t.gate(ledger); gate != "" {
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
	case kindLook:
		return ""
	case kindShared:
		return fmt.Sprintf("shared/%d.txt", t.group)
	}
	return "own/" + t.id + "/**"
}

// run is the task's shell command.
func (t task) run(ledger string) string {
	var b strings.Builder
	report := func(word string) {
		fmt.Fprintf(&b, "echo \"%s %s $ORC_ATTEMPT\" >> '%s'\n", word, t.id, ledger)
	}
	b.WriteString("set -e\n")
	report("START")
	half := float64(t.pause) / 2000
	fmt.Fprintf(&b, "sleep %.3f\n", half)
	switch t.kind {
	case kindLook:
		b.WriteString("test -f seed.txt\n")
	case kindShared:
		fmt.Fprintf(&b, "mkdir -p shared\n")
		fmt.Fprintf(&b, "{ cat shared/%d.txt 2>/dev/null || true; echo %s; } | sort > shared/.new\n", t.group, t.id)
		fmt.Fprintf(&b, "mv shared/.new shared/%d.txt\n", t.group)
	default:
		fmt.Fprintf(&b, "mkdir -p own/%s\n", t.id)
		fmt.Fprintf(&b, "echo 'work of %s' > own/%s/work.txt\n", t.id, t.id)
		for _, n := range t.needs {
			fmt.Fprintf(&b, "cat own/%s/work.txt >> own/%s/work.txt 2>/dev/null || true\n", n, t.id)
		}
	}
	switch t.kind {
	case kindCommit:
		b.WriteString("git add --all\n")
		b.WriteString("git -c user.name=Worker -c user.email=worker@example.org -c commit.gpgsign=false commit --quiet --message='by the task itself'\n")
		fmt.Fprintf(&b, "echo 'not committed' > own/%s/rest.txt\n", t.id)
	case kindLoud:
		b.WriteString("yes 'a line of output that nobody reads' | head -n 60000\n")
		b.WriteString("head -c 300000 /dev/zero | tr '\\000' x\n")
		b.WriteString("printf '\\377\\376 not UTF-8\\n'\n")
	case kindStray:
		b.WriteString("(setsid sleep 120 >/dev/null 2>&1 &)\n")
		b.WriteString("sleep 120 >/dev/null 2>&1 &\n")
	}
	fmt.Fprintf(&b, "sleep %.3f\n", half)
	switch t.kind {
	case kindFlaky:
		fmt.Fprintf(&b, "grep -q '^FAIL %s ' '%s' || {\n", t.id, ledger)
		report("FAIL")
		b.WriteString("exit 4\n}\n")
	case kindFail:
		report("FAIL")
		b.WriteString("exit 3\n")
	}
	report("END")
	return b.String()
}

// gate is the task's verify command; empty = none.
func (t task) gate(ledger string) string {
	switch t.kind {
	case kindOwn:
		return fmt.Sprintf("grep -qx 'work of %s' own/%s/work.txt\n", t.id, t.id)
	case kindGate:
		return fmt.Sprintf("grep -q '^FAIL %s ' '%s' || { echo \"FAIL %s $ORC_ATTEMPT\" >> '%s'; exit 5; }\n", t.id, ledger, t.id, ledger)
	}
	return ""
}

// find returns the task with the id.
func (p plan) find(id string) (task, bool) {
	i := slices.IndexFunc(p.tasks, func(t task) bool { return t.id == id })
	if i < 0 {
		return task{}, false
	}
	return p.tasks[i], true
}
