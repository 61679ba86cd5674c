package main

import (
	"fmt"
	"strings"
)

// Words of the ledger: "WORD task attempt".
const (
	wordStart   = "START"   // the command runs
	wordWrote   = "WROTE"   // its file is written
	wordEnd     = "END"     // it is about to end with success
	wordFail    = "FAIL"    // it is about to fail
	wordOverlap = "OVERLAP" // another process lives that must not
	wordMissing = "MISSING" // the work of a task that it needs is not there
)

// script is a task's shell command.
func (p plan) script(t task, s *site) string {
	var b strings.Builder
	report := func(word string) string {
		return fmt.Sprintf("echo \"%s %s $ORC_ATTEMPT\" >> '%s'", word, t.id, s.ledger)
	}
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	// The kernel drops the lock with the last process that inherited it, daemons included. Where there is no
	// flock(1), only the ledger tells of two at a time.
	hold := func(fd int, name string) {
		line("exec %d>'%s'", fd, s.lock(name))
		line("if command -v flock >/dev/null; then flock -n %d || %s; fi", fd, report(wordOverlap))
	}
	line("set -e")
	line("%s", report(wordStart))
	hold(9, t.id)
	if t.kind == kindShared {
		hold(8, fmt.Sprintf("shared-%d", t.group))
	}
	p.checkNeeds(t, line, report)
	half := float64(t.pause) / 2000
	line("sleep %.3f", half)
	t.change(line)
	if t.file() != "" {
		line("%s", report(wordWrote))
	}
	t.behave(line)
	line("sleep %.3f", half)
	switch t.kind {
	case kindFlaky:
		line("grep -q '^FAIL %s ' '%s' || {\n%s\nexit 4\n}", t.id, s.ledger, report(wordFail))
	case kindFail:
		line("%s\nexit 3", report(wordFail))
	}
	line("%s", report(wordEnd))
	return b.String()
}

// checkNeeds reports what should be in the workspace and is not. Tasks that work in the user's checkout see none of it.
func (p plan) checkNeeds(t task, line func(string, ...any), report func(string) string) {
	if t.isolation == "none" {
		return
	}
	for _, id := range t.needs {
		// In a wild plan a command may be killed, so that its task fails softly: then its file may be missing.
		if need, ok := p.find(id); ok && need.succeeds() && !p.wild {
			line("test -f %s || %s", need.file(), report(wordMissing))
		}
	}
}

// change is what the command does to the workspace.
func (t task) change(line func(string, ...any)) {
	switch t.kind {
	case kindLook:
		line("test -f seed.txt")
	case kindShared:
		line("mkdir -p shared")
		line("{ cat %s 2>/dev/null || true; echo %s; } | sort > shared/.new", t.file(), t.id)
		line("mv shared/.new %s", t.file())
	case kindHalf:
		line("mkdir -p half")
		line("echo 'half of %s' > %s", t.id, t.file())
		line("if [ $(ls %s*.txt | wc -l) -gt 1 ]; then echo joined > %s; fi", halves, joined)
	case kindClash:
		line("echo 'line of %s' >> clash.txt", t.id)
	default:
		line("mkdir -p own/%s", t.id)
		line("echo 'work of %s' > own/%s/work.txt", t.id, t.id)
		for _, n := range t.needs {
			line("cat own/%s/work.txt >> own/%s/work.txt 2>/dev/null || true", n, t.id)
		}
	}
}

// behave is what the command does otherwise.
func (t task) behave(line func(string, ...any)) {
	switch t.kind {
	case kindCommit:
		line("git add --all")
		line("git -c user.name=Worker -c user.email=worker@example.org -c commit.gpgsign=false commit --quiet --message='by the task itself'")
		line("echo 'not committed' > own/%s/rest.txt", t.id)
	case kindLoud:
		line("yes 'a line of output that nobody reads' | head -n 60000")
		line("head -c 300000 /dev/zero | tr '\\000' x")
		line("printf '\\377\\376 not UTF-8\\n'")
	case kindStray:
		line("(setsid sleep 120 >/dev/null 2>&1 &)")
		line("(trap '' TERM HUP INT; sleep 120 >/dev/null 2>&1 &)")
		line("sleep 120 >/dev/null 2>&1 &")
	case kindHang:
		line("trap '' TERM HUP INT")
		line("while :; do sleep 5 || true; done")
	}
}

// gate is the task's verify command; empty = none.
func (t task) gate(s *site) string {
	switch t.kind {
	case kindOwn:
		return fmt.Sprintf("grep -qx 'work of %s' own/%s/work.txt\n", t.id, t.id)
	case kindHalf:
		return fmt.Sprintf("[ $(ls %s*.txt | wc -l) -lt 2 ] || test -f %s\n", halves, joined)
	case kindGate:
		return fmt.Sprintf("grep -q '^FAIL %s ' '%s' || { echo \"FAIL %s $ORC_ATTEMPT\" >> '%s'; exit 5; }\n", t.id, s.ledger, t.id, s.ledger)
	}
	return ""
}
