package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLinesThatAreMissingAreCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	text := "session x\nt1 line 000000 a\nt1 line 000001 b\nt1 line 000003 c\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := countLines(path, "t1"); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestTheReportFailsWhenSomethingIsLost(t *testing.T) {
	f := flood{tasks: 1, slots: 1, rate: 100, each: time.Second, agents: true}
	m := measured{latencies: []time.Duration{time.Millisecond, 3 * time.Millisecond, 2 * time.Millisecond}, tasks: 1, printed: 100, stored: 100}
	m.owner.samples = []sample{{0, 1 << 10}, {time.Second, 3 << 10}}
	var out strings.Builder
	if err := report(&out, f, m); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"median 2ms", "longest 3ms", "first half 1 MiB, of the second 3 MiB", "100 of 100 lines", "not known"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	m.stored = 99
	if err := report(&out, f, m); err == nil {
		t.Error("a lost line is no error")
	}
}
