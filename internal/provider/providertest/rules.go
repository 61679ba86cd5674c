package providertest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

func testRuleExit(t *testing.T, s Suite) {
	tr := s.New(t, "killed")
	tr.Script.Kill, tr.Script.Code = false, 0
	if r := s.play(t, tr); r.Kind == "" {
		t.Error("exit 0 without a last event counts as a success")
	}
	for name, kind := range s.Kinds {
		lying := s.New(t, name)
		if lying.Script.Out == "" || lying.Script.Hang {
			continue
		}
		lying.Script.Code = 0
		if r := s.play(t, lying); r.Kind == "" {
			t.Errorf("%s with exit 0 counts as a success, want %q", name, kind)
		}
	}
	if s.Talk != "" {
		return // its program is ended by us when the turn is over: its exit says nothing
	}
	tr = s.New(t, "first")
	tr.Script.Code = 3
	if r := s.play(t, tr); r.Kind != provider.KindFailed {
		t.Errorf("a success with exit 3 counts as %q", r.Kind)
	}
}

func testRuleTrouble(t *testing.T, s Suite) {
	if len(s.Trouble) == 0 {
		t.Fatal("no line of an error that is overcome")
	}
	tr := s.New(t, "first")
	tr.insert(s.Trouble...)
	r := s.play(t, tr)
	wantWell(t, r)
	if len(tr.of(provider.EventRetry))+len(tr.of(provider.EventNotice)) == 0 {
		t.Error("nobody is told of the error")
	}
}

func testRuleClock(t *testing.T, s Suite) {
	late := errors.New("timed out")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, late)
	defer cancel()
	tr := s.New(t, "killed")
	tr.Script.Kill, tr.Script.Hang = false, true
	if _, err := s.try(t, ctx, tr); !errors.Is(err, late) {
		t.Errorf("got %v, want the cause", err)
	}
}

func testRuleTree(t *testing.T, s Suite) {
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	tr := s.New(t, "killed")
	tr.Script.Kill, tr.Script.Hang = false, true
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for t.Context().Err() == nil && ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(tr.Script.Dir, "holding")); err == nil {
				cancel(enough)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	_, err := s.try(t, ctx, tr)
	<-stop
	if !errors.Is(err, enough) {
		t.Fatalf("got %v", err)
	}
	f, err := os.OpenFile(filepath.Join(tr.Script.Dir, "held"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Errorf("a tool in a session of its own is still at work: %v", err)
	}
}

func testRuleKilled(t *testing.T, s Suite) {
	tr := s.New(t, "killed")
	r := s.play(t, tr)
	if s.Talk == "" {
		wantKind(t, r, provider.KindCrashed)
	} else if r.Kind == "" {
		t.Error("a killed turn counts as a success")
	}
	if s.Agent.NewSession() == "" && r.Session != s.Session {
		t.Fatalf("session %q, want %q", r.Session, s.Session)
	}
	if len(tr.of(provider.EventToolCall)) == 0 {
		t.Error("the tool call that was under way is not told")
	}
	next := s.New(t, "second").resume(r.Session)
	next.Session, next.Log, next.ID = s.Session, tr.Log, "a.2"
	next.Before = r.Counters
	wantWell(t, s.play(t, next))
	for _, e := range next.Events {
		if e.Offset <= r.End {
			t.Errorf("an event of the killed turn is told again: %+v", e)
		}
	}
}

func testRuleUsage(t *testing.T, s Suite) {
	first := s.play(t, s.New(t, "first"))
	next := s.New(t, "second").resume(s.Session)
	next.Before = first.Counters
	second := s.play(t, next)
	wantUsage(t, first.Usage, s.First)
	wantUsage(t, second.Usage, s.Second)
	for _, e := range next.of(provider.EventUsage) {
		if e.Usage.Input > s.Second.Input || e.Usage.Output > s.Second.Output {
			t.Errorf("an event counts more than the turn: %+v", e.Usage)
		}
	}
}

func testRulePrompt(t *testing.T, s Suite) {
	tr := s.New(t, "first")
	tr.Turn.Prompt = "-x --help please"
	wantWell(t, s.play(t, tr))
	wantPrompt(t, s, tr)
	for _, a := range tr.Given.Argv {
		if strings.Contains(a, tr.Turn.Prompt) {
			t.Errorf("the prompt is an argument: %q", tr.Given.Argv)
		}
	}
}

func testRuleLongLine(t *testing.T, s Suite) {
	tr := s.New(t, "first")
	long := strings.Repeat("long line ", 1<<20-1000)
	if s.Talk != "" {
		long = long[:9<<20] // its protocol takes no more than 10 MiB
	}
	tr.insert(s.Say(long))
	wantWell(t, s.play(t, tr))
	for _, e := range tr.of(provider.EventText) {
		if strings.Contains(e.Text, long) {
			return
		}
	}
	t.Error("the long line is lost")
}

func testRuleOneWriter(t *testing.T, s Suite) {
	tr := s.New(t, "killed").resume(s.Session)
	tr.Script.Kill, tr.Script.Hang = false, true
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	keep := tr.Sink
	var second error
	tried := false
	tr.Sink = func(e provider.Event) error {
		if !tried {
			tried = true
			other := s.New(t, "second").resume(s.Session)
			_, second = s.try(t, t.Context(), other)
			cancel()
		}
		return keep(e)
	}
	if _, err := s.try(t, ctx, tr); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if !errors.Is(second, stream.ErrBusy) {
		t.Errorf("a second turn beside the first: %v", second)
	}
}

func testRuleFolder(t *testing.T, s Suite) {
	tr := s.New(t, "first").resume(s.Session)
	tr.prepare(t)
	s.Plant(t, stream.Get(tr.Env, "HOME"), tr.Dir, s.Session)
	tr.Dir = t.TempDir()
	has, err := s.Agent.HasSession(t.Context(), tr.Turn)
	if err != nil || has == s.CWDBound {
		t.Errorf("from another folder: %v, %v; bound to its folder: %v", has, err, s.CWDBound)
	}
}

func testRuleLitter(t *testing.T, s Suite) {
	for name, is := range map[string]bool{
		"mt2.txt.tmp.11519.dedeed462a84": true, "a/b.go.tmp.7.0a1b2c": true, "notes.tmp": false, "a.tmp.7.go": false, s.Edited: false,
	} {
		if provider.Litter(name) != is {
			t.Errorf("%s is litter: %v", name, !is)
		}
	}
	tr := s.New(t, "first")
	s.play(t, tr)
	for _, e := range tr.of(provider.EventEdit) {
		for _, p := range e.Paths {
			if provider.Litter(p) {
				t.Errorf("litter is told as work: %s", p)
			}
		}
	}
}

func testRuleEnvironment(t *testing.T, s Suite) {
	t.Setenv("LEAKED_SECRET", "of the orchestrator")
	tr := s.New(t, "first")
	s.play(t, tr)
	have := map[string]bool{}
	for _, e := range tr.Given.Env {
		have[e] = true
		if strings.HasPrefix(e, "LEAKED_SECRET=") {
			t.Error("the program got the orchestrator's own environment")
		}
	}
	for _, e := range tr.Env {
		if !have[e] {
			t.Errorf("%q did not reach the program", e)
		}
	}
	if tr.Given.Dir != tr.Dir {
		t.Errorf("works in %s, want %s", tr.Given.Dir, tr.Dir)
	}
}
