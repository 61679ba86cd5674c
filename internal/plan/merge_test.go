package plan

import (
	"slices"
	"strings"
	"testing"
)

func TestMergeSaysHowItsResultIsChecked(t *testing.T) {
	for text, want := range map[string]struct {
		verify   bool
		commands []string
		given    bool
	}{
		"":                                 {},
		"merge: {verify: true}\n":          {verify: true, given: true},
		"merge: {verify: false}\n":         {given: true},
		"merge: {verify: []}\n":            {given: true},
		"merge: {verify: make test}\n":     {verify: true, commands: []string{"make test"}, given: true},
		"merge: {verify: [a, 'b && c']}\n": {verify: true, commands: []string{"a", "b && c"}, given: true},
	} {
		p := parse(t, "version: 1\n"+text+"tasks: {a: {run: x}}\n")
		verify, commands, given := p.MergeVerify()
		if verify != want.verify || !slices.Equal(commands, want.commands) || given != want.given {
			t.Errorf("%q: %v %q %v", text, verify, commands, given)
		}
	}
}

func TestMergeSaysWhatBecomesOfConflicts(t *testing.T) {
	for text, want := range map[string]string{"": "", "merge: {on_conflict: ask}\n": "ask", "merge: {verify: true, on_conflict: agent}\n": "agent"} {
		if got := parse(t, "version: 1\n"+text+"tasks: {a: {run: x}}\n").OnConflict(); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	if p, list := Parse("test.yaml", []byte("version: 1\nmerge: {on_conflict: wait}\ntasks: {a: {run: x}}\n"), Options{}); p != nil || len(list) != 1 {
		t.Errorf("%v", list)
	}
}

func TestWordsOfMergeThatAreNotThereAreRefused(t *testing.T) {
	p, list := Parse("test.yaml", []byte("version: 1\nmerge: {style: squash, veryfy: true}\ntasks: {a: {run: x}}\n"), Options{})
	if p != nil || len(list) != 2 || !strings.Contains(list[0].Message, "not supported yet") || !strings.Contains(list[1].Help, "verify") {
		t.Errorf("%v", list)
	}
}
