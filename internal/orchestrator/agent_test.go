package orchestrator_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// scripted is an agent whose turns are shell scripts that print their events as JSON lines. Its sessions are files.
type scripted struct {
	dir     string                                // sessions and messages
	script  func(task string, turn int) string    // turn counts over all sessions of the task: 1, 2, 3 …
	play    func(t provider.Turn) string          // instead of script
	chooses bool                                  // the agent chooses the session's id and tells it
	probe   func(session string) (bool, error)    // nil = is the file there
	finish  func(t provider.Turn, e process.Exit) // called by Finish
	mu      sync.Mutex
	turns   []provider.Turn // that were started
	next    int
}

// said is a line of a scripted agent.
type said struct {
	Session string         `json:"session"`
	Text    string         `json:"text"`
	Tool    string         `json:"tool"`
	Input   string         `json:"input"`
	Output  string         `json:"output"`
	Usage   provider.Usage `json:"usage"`
	End     *provider.Result
}

func newScripted(t *testing.T, script func(task string, turn int) string) *scripted {
	return &scripted{dir: t.TempDir(), script: script}
}

func (*scripted) Name() string { return "scripted" }

func (s *scripted) NewSession() string {
	if s.chooses {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	return fmt.Sprintf("chosen-%d", s.next)
}

func (s *scripted) HasSession(_ context.Context, t provider.Turn) (bool, error) {
	if s.probe != nil {
		return s.probe(t.Session)
	}
	_, err := os.Stat(filepath.Join(s.dir, t.Session))
	return err == nil, nil
}

func (*scripted) Inspect(context.Context, string, []string) (provider.Installed, error) {
	return provider.Installed{}, errors.New("nothing to inspect")
}

func (s *scripted) Turn(ctx context.Context, l provider.Launcher, t provider.Turn) (provider.Result, error) {
	s.mu.Lock()
	s.turns = append(s.turns, t)
	task, n := strings.SplitN(t.ID, ".", 2)[0], 0
	for _, u := range s.turns {
		if strings.HasPrefix(u.ID, task+".") {
			n++
		}
	}
	s.mu.Unlock()
	if t.Resume {
		if _, err := os.Stat(filepath.Join(s.dir, t.Session)); err != nil {
			return provider.Result{Kind: provider.KindSession, Error: "no such session"}, nil
		}
	}
	log, err := os.OpenFile(t.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return provider.Result{}, err
	}
	defer log.Close()
	open := "" // the session exists once the program runs
	if t.Session != "" {
		open = "touch '" + filepath.Join(s.dir, t.Session) + "'\n"
	}
	var script string
	if s.play != nil {
		script = s.play(t)
	} else {
		script = s.script(task, n)
	}
	child, err := l.Launch(ctx, process.Spec{ID: t.ID, Argv: []string{"/bin/sh", "-c", open + script}, Dir: t.Dir, Env: t.Env, Stdout: log, Stderr: log})
	if err != nil {
		return provider.Result{}, err
	}
	d := decoder{t: t, s: s, at: t.Start}
	for {
		w, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		exit, err := child.Wait(w)
		cancel()
		switch {
		case err == nil:
			return s.result(&d, exit)
		case errors.Is(err, process.ErrSupervisorLost):
			return provider.Result{}, err
		case ctx.Err() != nil:
			cause := context.Cause(ctx)
			if _, err := child.Stop(context.WithoutCancel(ctx), t.Grace); err != nil {
				return provider.Result{}, err
			}
			return provider.Result{}, errors.Join(cause, d.read())
		}
		if err := d.read(); err != nil {
			return provider.Result{}, err
		}
	}
}

func (s *scripted) Finish(t provider.Turn, exit process.Exit) (provider.Result, error) {
	if s.finish != nil {
		s.finish(t, exit)
	}
	return s.result(&decoder{t: t, s: s, at: t.Start}, exit)
}

func (s *scripted) result(d *decoder, exit process.Exit) (provider.Result, error) {
	if err := d.read(); err != nil {
		return provider.Result{}, err
	}
	if d.end != nil {
		d.end.Session, d.end.End = d.session, d.at
		if d.end.Usage == (provider.Usage{}) {
			d.end.Usage = d.usage
		}
		return *d.end, nil
	}
	r := provider.Result{Kind: provider.KindFailed, Error: fmt.Sprintf("exit %d without an end", exit.Code), Session: d.session, Usage: d.usage, End: d.at}
	if exit.Signal != "" {
		r.Kind = provider.KindCrashed
	}
	return r, nil
}

// decoder reads whole lines of a log from an offset.
type decoder struct {
	t       provider.Turn
	s       *scripted
	at      int64
	session string
	usage   provider.Usage
	end     *provider.Result
}

func (d *decoder) read() error {
	f, err := os.Open(d.t.Log)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(d.at, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil // the last line is not whole yet
		}
		d.at += int64(len(line))
		if err := d.line(bytes.TrimSpace(line)); err != nil {
			return err
		}
	}
}

// line sends the events of a line; one with a tool's output is two of them.
func (d *decoder) line(line []byte) error {
	var x said
	if !json.Valid(line) {
		return nil // the child was killed in the middle of it
	}
	if err := json.Unmarshal(line, &x); err != nil {
		return err
	}
	var events []provider.Event
	add := func(e provider.Event) {
		e.Offset, e.Index = d.at, len(events)
		events = append(events, e)
	}
	if x.Session != "" {
		d.session = x.Session
		if err := os.WriteFile(filepath.Join(d.s.dir, x.Session), nil, 0o600); err != nil {
			return err
		}
		add(provider.Event{Kind: provider.EventSession, Session: x.Session})
	}
	if x.Text != "" {
		add(provider.Event{Kind: provider.EventText, Text: x.Text})
	}
	if x.Tool != "" {
		add(provider.Event{Kind: provider.EventToolCall, Tool: x.Tool, Input: x.Input})
		add(provider.Event{Kind: provider.EventToolResult, Tool: x.Tool, Text: x.Output})
	}
	if x.Usage != (provider.Usage{}) {
		d.usage = x.Usage
		add(provider.Event{Kind: provider.EventUsage, Usage: x.Usage})
	}
	if x.End != nil {
		d.end = x.End
	}
	if d.t.Sink == nil {
		return nil
	}
	for _, e := range events {
		if err := d.t.Sink(e); err != nil {
			return err
		}
	}
	return nil
}

// print is a shell command that prints a line of the agent's.
func print(x said) string {
	b, err := json.Marshal(x)
	if err != nil {
		panic(err)
	}
	return "printf '%s\\n' '" + string(b) + "'\n"
}

func text(s string) string { return print(said{Text: s}) }

func end(r provider.Result) string { return print(said{End: &r}) }

// asks are the messages that the agent was sent for a task, in order.
func (s *scripted) asks(task string) []provider.Turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []provider.Turn
	for _, t := range s.turns {
		if strings.HasPrefix(t.ID, task+".") {
			list = append(list, t)
		}
	}
	return list
}

// agents makes the rig's engines use a scripted agent for the roles.
func (r *rig) agents(s *scripted, tasks ...*scheduler.Task) {
	r.t.Helper()
	r.agent = s
	for _, t := range tasks {
		if t.Prompt == "" && t.Command == "" {
			t.Prompt = "Do " + string(t.ID) + "."
		}
		if t.AgentRole == "" && t.Command == "" {
			t.AgentRole = "coder"
		}
	}
	r.roles = map[string]persistence.Agent{
		"coder":    {Provider: "scripted", Account: "mine"},
		"reviewer": {Provider: "scripted", Account: "mine"},
		"other":    {Provider: "scripted", Account: "theirs"},
	}
	r.create(tasks...)
}

// history is a task's conversation: "role: content", a line each.
func (r *rig) history(id scheduler.TaskID) []string {
	r.t.Helper()
	turns, err := r.store.GetHistory(r.ctx, r.run.ID, id)
	if err != nil {
		r.t.Fatal(err)
	}
	var list []string
	for _, t := range turns {
		list = append(list, t.Role+": "+strings.TrimSpace(t.Content))
	}
	return list
}

// steal takes the run from its owner.
func (r *rig) steal() {
	r.t.Helper()
	now := time.Now()
	if _, err := r.store.AcquireLease(r.ctx, persistence.Lease{Run: r.run.ID, Owner: "thief", ExpiresAt: now.Add(time.Minute)}, now, true); err != nil {
		r.t.Fatal(err)
	}
}

// serial makes the rig's engines run one attempt at a time.
func (r *rig) serial() { r.one = true }

// clock counts how often an engine asks for the time, which it does whenever it looks for what waits.
func (r *rig) clock() func() time.Time {
	now := r.now
	if now == nil {
		now = time.Now
	}
	return func() time.Time {
		r.looked.Add(1)
		return now()
	}
}

func (r *rig) polls() int64 { return r.looked.Load() }
