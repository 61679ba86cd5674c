package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"orchestrator/test/stubmodel"
)

// evidence is what a part is judged by.
type evidence struct {
	state  state
	shown  shown
	events events
	asked  []stubmodel.Request // all that the agent asked its model
	file   func(name string) string
}

// shown is what `orc show --json` says of a task.
type shown struct {
	Attempts []struct {
		Session string `json:"session"`
	} `json:"attempts"`
	Conversation []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"conversation"`
}

func (s shown) session() string {
	if len(s.Attempts) == 0 {
		return ""
	}
	return s.Attempts[len(s.Attempts)-1].Session
}

func (s shown) said() string {
	var b strings.Builder
	for _, t := range s.Conversation {
		b.WriteString(t.Role + ": " + t.Content + "\n")
	}
	return b.String()
}

// happening is an event, as far as it is looked at here.
type happening struct {
	Kind  string    `json:"type"`
	Task  string    `json:"task"`
	Time  time.Time `json:"time"`
	Until time.Time `json:"until"`
}

type events []happening

// of are the events of a kind about a task.
func (e events) of(kind, task string) events {
	return slices.DeleteFunc(slices.Clone(e), func(x happening) bool { return x.Kind != kind || x.Task != task })
}

// readEvents reads what the owners printed; a line that a killed one began may be cut off.
func readEvents(path string) (events, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the events: %w", err)
	}
	var list events
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e happening
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			list = append(list, e)
		}
	}
	return list, lines.Err()
}

// judge judges every part of every member.
func (r *wholeRun) judge(ctx context.Context) error {
	e := evidence{}
	if err := r.ask(ctx, &e.state, "status", "--json"); err != nil {
		return err
	}
	var err error
	if e.events, err = readEvents(r.output); err != nil {
		return err
	}
	e.file = func(name string) string {
		text, err := r.Git(ctx, "show", e.state.Run.Branch+":"+name)
		if err != nil {
			return "" // it is not there
		}
		return text
	}
	for _, m := range r.members {
		e.asked = m.model.Requests()
		for _, p := range r.parts {
			id := m.task(p.name)
			e.shown = shown{}
			if err := r.ask(ctx, &e.shown, "show", id, "--json"); err != nil {
				return err
			}
			var f faults
			t := e.state.task(id)
			f.check(t.State == "completed", "task %s is %s: %s", id, t.State, t.Error)
			if t.State == "completed" {
				f.check(t.Attempts == 1, "it took %d attempts", t.Attempts)
				f.check(t.Result != nil && *t.Result == declared(id), "its result is %s", text(t.Result))
				if err := p.judge(ctx, r, m, e); err != nil {
					f = append(f, err)
				}
			}
			m.faults[p.name] = errors.Join(f...)
		}
	}
	return nil
}

func text(s *string) string {
	if s == nil {
		return "none"
	}
	return *s
}

// merged checks a file of the integration branch.
func (f *faults) merged(e evidence, name, want string) {
	got := e.file(name)
	f.check(got == want, "%s is merged as %q", name, got)
}

// lastWords is the end of a file, for a message.
func lastWords(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	const most = 2 << 10
	return strings.TrimSpace(string(b[max(0, len(b)-most):]))
}
