package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// This binary plays the program's own works, as the program does.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && works[os.Args[1]] != nil {
		if err := dispatch(context.Background(), comparison{}, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func prepared(t *testing.T) *comparison {
	t.Helper()
	c := &comparison{dir: t.TempDir(), rounds: 1, scale: 1}
	var err error
	if c.self, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryWorkDoesAsManyOperationsAsItIsAsked(t *testing.T) {
	c := prepared(t)
	for name := range works {
		tasks := many
		if len(name) >= 4 && name[:4] == "load" {
			tasks = 2 * batch
		}
		s, err := c.do(t.Context(), store(name), tasks, 2*batch)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.ops != 2*batch || s.cpu < 0 || s.wall <= 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestTheCProgramDoesTheSameWorks(t *testing.T) {
	c := prepared(t)
	var err error
	if c.compiler, err = exec.LookPath("cc"); err != nil {
		t.Skip("no C compiler")
	}
	if _, err := os.Stat("/usr/include/sqlite3.h"); err != nil {
		t.Skip("no header of SQLite")
	}
	if err := c.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"status", "save", "turns", "batches", "load"} {
		tasks := many
		if name == "load" {
			tasks = 2 * batch
		}
		s, err := c.do(t.Context(), inC(name), tasks, 2*batch)
		if err != nil || s.ops != 2*batch || s.wall <= 0 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	if c.version == "" {
		t.Error("the version of SQLite is unknown")
	}
}

func TestADuelSaysWhetherItsGoalIsMet(t *testing.T) {
	atLeast, atMost := duel{what: "w", goal: 2}, duel{what: "w", goal: 1.2, atMost: true}
	for _, c := range []struct {
		d     duel
		ratio float64
		want  string
	}{
		{atLeast, 2, "w\t3.0 µs\t1.5 µs\t2.00\t≥ 2\tmet\t"},
		{atLeast, 1.99, "w\t3.0 µs\t1.5 µs\t1.99\t≥ 2\tmissed\t"},
		{atMost, 1.2, "w\t3.0 µs\t1.5 µs\t1.20\t≤ 1.2\tmet\t"},
		{atMost, 1.21, "w\t3.0 µs\t1.5 µs\t1.21\t≤ 1.2\tmissed\t"},
		{duel{what: "w"}, 1, "w\t3.0 µs\t1.5 µs\t1.00\t\t\t"},
	} {
		if got := c.d.line(3000, 1500, c.ratio); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	s := sample{ops: 2, cpu: 4 * time.Microsecond, wall: 6 * time.Microsecond}
	if s.cpuPerOp() != 2000 || s.wallPerOp() != 3000 || times(6, 3) != 2 || fraction(6, 3) != 0.5 {
		t.Error("wrong arithmetic")
	}
}

func TestEveryDuelIsBetweenKnownWorks(t *testing.T) {
	for _, d := range duels {
		for _, who := range []contestant{d.floor, d.ours} {
			if works[who.work] == nil {
				t.Errorf("%s: no work %q", d.what, who.work)
			}
		}
	}
}
