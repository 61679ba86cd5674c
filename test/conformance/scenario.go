package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"orchestrator/internal/provider"
	"orchestrator/test/stubmodel"
)

// scenario is one thing that every agent must do.
type scenario struct {
	name string
	play func(ctx context.Context, s *site) error
}

func scenarios() []scenario {
	return []scenario{
		{"inspect", inspect},
		{"turns", turns},
		{"kill", killed},
		{"cancel", canceled},
		{"unknown", unknown},
		{"prompt", prompt},
		{"read-only", readOnly},
		{"plan", planned},
		{"words", ordinaryWords},
		{"retry", retried},
		{"mid-stream", midStream},
		{"auth", failure(stubmodel.Fault{Kind: stubmodel.FaultStatus, Status: 401}, provider.KindAuth)},
		{"limit", failure(stubmodel.Fault{Kind: stubmodel.FaultStatus, Status: 429, RetryAfter: "1"}, provider.KindLimit)},
		{"overload", failure(stubmodel.Fault{Kind: stubmodel.FaultStatus, Status: 529}, provider.KindTransient)},
		{"credit", failure(stubmodel.Fault{Kind: stubmodel.FaultCredit}, provider.KindQuota)},
		{"context", failure(stubmodel.Fault{Kind: stubmodel.FaultContext}, provider.KindContext)},
		{"model", failure(stubmodel.Fault{Kind: stubmodel.FaultStatus, Status: 404}, provider.KindModel)},
		{"refused", refused},
	}
}

// faults collects what is wrong.
type faults []error

func (f *faults) check(good bool, format string, args ...any) {
	if !good {
		*f = append(*f, fmt.Errorf(format, args...))
	}
}

// well checks a turn that had to succeed.
func (f *faults) well(what string, p played) bool {
	f.check(p.err == nil, "%s: %w", what, p.err)
	f.check(p.Kind == "", "%s: %s: %s", what, p.Kind, p.Error)
	f.check(p.Session != "", "%s: no session", what)
	return p.err == nil && p.Kind == "" && p.Session != ""
}

// turns: a first turn that edits a file, a second in the same session that sees the first, each with its own usage,
// and the same verdict from the log alone.
func turns(ctx context.Context, s *site) error {
	var f faults
	first := s.play(ctx, request{prompt: "The word is heron. [[write first.txt hello]] [[say first done]]"})
	if !f.well("first turn", first) {
		return errors.Join(f...)
	}
	f.check(s.read("first.txt") == "hello\n", "first.txt holds %q", s.read("first.txt"))
	f.check(strings.Contains(first.Summary, "first done"), "the summary is %q", first.Summary)
	f.events(first)
	f.usage("first turn", s.agent, first)
	f.check(answered(first.asked) > 0, "the model was asked nothing")
	f.finish(ctx, s, first)
	second := s.play(ctx, request{
		prompt: "And on. [[write second.txt world]] [[say second done]]", session: first.Session, before: first.Counters,
	})
	if !f.well("second turn", second) {
		return errors.Join(f...)
	}
	f.check(s.read("second.txt") == "world\n", "second.txt holds %q", s.read("second.txt"))
	f.check(second.Session == first.Session, "the second turn is in session %s, the first in %s", second.Session, first.Session)
	f.check(saw(second.asked, "heron"), "the second turn carries nothing of the first")
	f.usage("second turn", s.agent, second)
	f.finish(ctx, s, second)
	return errors.Join(f...)
}

// events checks that what the agent did was told while it did it.
func (f *faults) events(p played) {
	seen := map[provider.EventKind]int{}
	var last provider.Event
	var said strings.Builder
	for i, e := range p.events {
		seen[e.Kind]++
		f.check(i == 0 || e.Offset > last.Offset || e.Offset == last.Offset && e.Index > last.Index,
			"event %s at %d.%d comes after %d.%d", e.Kind, e.Offset, e.Index, last.Offset, last.Index)
		last = e
		if e.Kind == provider.EventText {
			said.WriteString(e.Text)
		}
		if e.Kind == provider.EventSession {
			f.check(e.Session == p.Session, "the event names session %s, the result %s", e.Session, p.Session)
		}
	}
	for _, kind := range []provider.EventKind{provider.EventSession, provider.EventText, provider.EventToolCall, provider.EventToolResult} {
		f.check(seen[kind] > 0, "no event %s", kind)
	}
	f.check(strings.Contains(said.String(), "I write first.txt."), "the texts of the events are %q", said.String())
}

// usage compares with what the model said it counted, in this turn alone.
func (f *faults) usage(what string, a agent, p played) {
	n := int64(answered(p.asked))
	if a.last {
		n = min(n, 1)
	}
	cached := p.Usage.Cached == n*stubmodel.CachedTokens || a.last && p.Usage.Cached == 0 // those may not tell it
	f.check(p.Usage.Input == n*stubmodel.InputTokens && p.Usage.Output == n*stubmodel.OutputTokens && cached,
		"%s: %d answers, but usage is %+v", what, n, p.Usage)
}

// finish judges the turn again as after a crash of the owner: from its exit and its log.
func (f *faults) finish(ctx context.Context, s *site, p played) {
	exit, err := s.launcher.exit(ctx)
	if err != nil {
		f.check(false, "%w", err)
		return
	}
	var again []provider.Event
	p.turn.Sink = func(e provider.Event) error {
		again = append(again, e)
		return nil
	}
	r, err := s.agent.driver.Finish(p.turn, exit)
	f.check(err == nil, "judge the log again: %w", err)
	f.check(r.Kind == p.Kind && r.Session == p.Session && r.Usage == p.Usage && r.Summary == p.Summary,
		"from the log alone the turn is %+v, when watched %+v", r, p.Result)
	f.check(len(again) == len(p.events), "from the log alone there are %d events, when watched %d", len(again), len(p.events))
}

// killed: the program is killed while the model answers its first turn, and the session is gone on with.
func killed(ctx context.Context, s *site) error {
	var f faults
	from := len(s.model.Requests())
	running := s.begin(ctx, request{prompt: "The word is egret. [[write before.txt before]] [[hang kill]] [[write after.txt after]] [[say all done]]"})
	if err := s.hang(ctx, from, running); err != nil {
		return err
	}
	if err := s.launcher.kill(); err != nil {
		return err
	}
	p := <-running
	f.check(p.err == nil, "the killed turn: %w", p.err)
	f.check(p.Kind == provider.KindCrashed, "the killed turn is %q: %s", p.Kind, p.Error)
	f.check(p.Session != "", "the killed turn has no session")
	if err := s.strays(ctx); err != nil {
		return err
	}
	if p.Session == "" {
		return errors.Join(f...)
	}
	f.known(ctx, s, p.Session, true)
	again := s.play(ctx, request{prompt: "You were interrupted. Go on. [[write after.txt after]] [[say all done]]", session: p.Session, before: p.Counters})
	f.well("the resumed turn", again)
	f.check(again.Session == p.Session, "resumed in session %s instead of %s", again.Session, p.Session)
	f.check(saw(again.asked, "egret"), "the resumed turn does not carry what was before the kill")
	f.check(saw(again.asked, "You were interrupted."), "the model did not see the prompt of the resumed turn")
	f.check(s.read("before.txt") == "before\n" && s.read("after.txt") == "after\n",
		"before.txt holds %q, after.txt %q", s.read("before.txt"), s.read("after.txt"))
	return errors.Join(f...)
}

// hang waits until the model holds an answer back, unless the turn ends before.
func (s *site) hang(ctx context.Context, from int, running <-chan played) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	hanging := make(chan error, 1)
	go func() { hanging <- s.model.AwaitHang(ctx, from) }()
	select {
	case err := <-hanging:
		return err
	case p := <-running:
		return fmt.Errorf("the turn ended before the model hung: %q %s %v", p.Kind, p.Error, p.err)
	}
}

// known probes a session.
func (f *faults) known(ctx context.Context, s *site, session string, want bool) {
	has, err := s.agent.driver.HasSession(ctx, provider.Turn{
		Dir: s.Repo, Env: s.env, Program: s.program, State: s.path("state"), Session: session,
	})
	f.check(err == nil, "look for session %s: %w", session, err)
	f.check(has == want, "session %s exists: %t, should be %t", session, has, want)
}

var errEnough = errors.New("enough")

// canceled: the turn is stopped while a command of the agent runs. Nothing stays, and the session goes on.
func canceled(ctx context.Context, s *site) error {
	var f faults
	stop, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The command blocks only once, since some programs put the canceled prompt before the next one.
	const block = "[[run test -e running || { touch running; exec tail -f /dev/null; }]]"
	running := s.begin(stop, request{prompt: "The word is stork. " + block + " [[say the command is over]]", commands: true})
	if err := s.await(ctx, "running", running); err != nil {
		return err
	}
	cancel(errEnough)
	p := <-running
	f.check(errors.Is(p.err, errEnough), "the canceled turn returned %q, %w", p.Kind, p.err)
	if err := s.strays(ctx); err != nil {
		return err
	}
	f.check(p.Session != "", "the canceled turn has no session")
	if p.Session == "" {
		return errors.Join(f...)
	}
	again := s.play(ctx, request{prompt: "Something else. [[say else done]]", session: p.Session, before: p.Counters})
	f.well("the turn after it", again)
	f.check(saw(again.asked, "stork"), "the turn after it does not carry what was before")
	return errors.Join(f...)
}

// inspect: the program is found in the version that is pinned, with the credentials that the environment has.
func inspect(ctx context.Context, s *site) error {
	var f faults
	in, err := s.agent.driver.Inspect(ctx, s.program, s.env)
	f.check(err == nil, "%w", err)
	f.check(in.Path == s.program, "found at %q", in.Path)
	f.check(in.Version == s.agent.version, "version %q, pinned is %q", in.Version, s.agent.version)
	f.check(in.Login != provider.LoginMissing, "the login is %s (%s)", in.Login, in.Fix)
	return errors.Join(f...)
}

// unknown: a session that does not exist is called that, and not begun.
func unknown(ctx context.Context, s *site) error {
	var f faults
	f.known(ctx, s, s.agent.unknown, false)
	p := s.play(ctx, request{prompt: "Go on. [[say on]]", session: s.agent.unknown})
	f.check(p.err == nil, "%w", p.err)
	f.check(p.Kind == provider.KindSession, "the turn is %q: %s", p.Kind, p.Error)
	f.check(len(p.asked) == 0, "the model was asked %d times", len(p.asked))
	return errors.Join(f...)
}

// prompt: a mebibyte that begins with a hyphen arrives whole.
func prompt(ctx context.Context, s *site) error {
	var f faults
	const begin, end = "--help me [[say understood]] ", " last words"
	text := begin + strings.Repeat("é\n", (1<<20-len(begin)-len(end))/3) + end
	p := s.play(ctx, request{prompt: text})
	f.well("the turn", p)
	f.check(strings.Contains(p.Summary, "understood"), "the summary is %q", p.Summary)
	f.check(saw(p.asked, text), "the prompt did not arrive whole")
	return errors.Join(f...)
}

// readOnly: who may only look changes nothing, neither by a tool that writes nor by a command. An agent that cannot be
// kept to looking is not started.
func readOnly(ctx context.Context, s *site) error {
	var f faults
	p := s.play(ctx, request{
		prompt:      "Look. [[write looked.txt no]] [[run echo no > commanded.txt]] [[say looked]]",
		permissions: provider.PermitRead,
	})
	f.check(p.err == nil, "%w", p.err)
	f.check(p.Kind == "" || p.Kind == provider.KindRefused || p.Kind == provider.KindInvalid, "the turn is %q: %s", p.Kind, p.Error)
	f.check((len(p.asked) == 0) == (p.Kind == provider.KindInvalid), "the turn is %q, and the model was asked %d times", p.Kind, len(p.asked))
	f.check(s.read("looked.txt") == "" && s.read("commanded.txt") == "", "it wrote a file")
	return errors.Join(f...)
}

// answered counts the requests that the model answered for the conversation itself.
func answered(asked []stubmodel.Request) int {
	n := 0
	for _, q := range asked {
		if q.API != "other" && !q.Aside && q.Fault == "" {
			n++
		}
	}
	return n
}

// saw says whether a request of the conversation carried the text.
func saw(asked []stubmodel.Request, text string) bool {
	for _, q := range asked {
		if !q.Aside && q.Saw(text) {
			return true
		}
	}
	return false
}
