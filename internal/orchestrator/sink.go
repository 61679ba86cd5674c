package orchestrator

import (
	"encoding/json"
	"path"
	"strings"
	"sync"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
)

const (
	sinkEvents     = 512                    // events that may wait to be stored
	sinkBytes      = 4 << 20                // and bytes of text in them
	turnKept       = 16 << 10               // bytes of one tool's input or output in the conversation
	activityPeriod = 500 * time.Millisecond // between two events about what a task's agent does
	activityLength = 120                    // characters
)

// sink brings the events of one turn into the store. Those that are waiting while a transition is under way share the
// next one. Each transition stores the key of its last event too, so that a turn that is read again after a crash
// adds only what is missing. A session's id is durable when take returns; anything else soon after, and it is in the
// log until then.
type sink struct {
	t *talk

	mu      sync.Mutex
	changed sync.Cond
	queue   []provider.Event
	bytes   int
	busy    bool  // a transition is under way
	closed  bool  // nothing more comes
	err     error // why nothing can be stored any more

	// Of the caller of take.
	offset int64
	index  int
	seen   bool

	// Of the writer.
	doing string    // what the agent does, not said yet
	said  string    // what was said last
	at    time.Time // when
	timer *time.Timer
	done  chan struct{}
}

// newSink starts the writer. Until close it is the only one that touches the attempt.
func newSink(t *talk) *sink {
	s := &sink{t: t, offset: t.w.Offset, index: t.w.Index, seen: t.w.Events > 0, done: make(chan struct{})}
	s.changed.L = &s.mu
	s.timer = time.AfterFunc(time.Hour, func() {
		s.mu.Lock() // the writer is waiting then, not about to
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	go s.write()
	return s
}

// take is the provider.Sink.
func (s *sink) take(e provider.Event) error {
	if s.seen && (e.Offset < s.offset || e.Offset == s.offset && e.Index <= s.index) {
		return nil // stored by an earlier owner
	}
	s.offset, s.index, s.seen = e.Offset, e.Index, true
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && (len(s.queue) >= sinkEvents || s.bytes > sinkBytes) {
		s.changed.Wait()
	}
	if s.err != nil {
		return s.err
	}
	s.queue = append(s.queue, e)
	s.bytes += len(e.Text) + len(e.Input)
	s.changed.Broadcast()
	for e.Kind == provider.EventSession && s.err == nil && (len(s.queue) > 0 || s.busy) {
		s.changed.Wait()
	}
	return s.err
}

// close waits until everything is stored, and gives the attempt back to its goroutine.
func (s *sink) close() error {
	s.mu.Lock()
	s.closed = true
	s.changed.Broadcast()
	s.mu.Unlock()
	<-s.done
	s.timer.Stop()
	return s.err
}

// write stores what waits, again and again.
func (s *sink) write() {
	defer close(s.done)
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for len(s.queue) == 0 && !s.closed && !s.activityDue() {
			s.changed.Wait()
		}
		if s.err != nil || s.closed && len(s.queue) == 0 {
			return
		}
		list := s.queue
		s.queue, s.bytes, s.busy = nil, 0, true
		s.mu.Unlock()
		err := s.store(list)
		s.mu.Lock()
		s.busy, s.err = false, err
		s.changed.Broadcast()
	}
}

// activityDue says whether it is time to say what the agent does; if not yet, the timer wakes the writer then.
func (s *sink) activityDue() bool {
	if s.doing == "" || s.doing == s.said {
		return false
	}
	wait := activityPeriod - time.Since(s.at)
	if wait <= 0 {
		return true
	}
	s.timer.Reset(wait)
	return false
}

// store makes events durable in one transition.
func (s *sink) store(list []provider.Event) error {
	at, w, e := s.t.at, s.t.w, s.t.at.e
	p := progress{}
	for i := range list {
		ev := &list[i]
		// Before anything is cut off: half a secret would not be known as one.
		ev.Text, ev.Input = e.redacted(ev.Text), e.redacted(ev.Input)
		w.Offset, w.Index = ev.Offset, ev.Index
		w.Events++
		switch ev.Kind {
		case provider.EventSession:
			w.Session = ev.Session
			p.sessions = s.t.sessions()
		case provider.EventUsage:
			w.Use(persistence.TurnUsage{Turn: w.Turn, Model: ev.Usage.Model, Usage: fromProvider(ev.Usage)})
		}
		if role, text := turnOf(ev); text != "" {
			p.turns = append(p.turns, e.turn(at.a.Task, at.a.Number, role, text))
		}
		if doing := ActivityOf(ev); doing != "" {
			s.doing = e.redacted(doing)
		}
	}
	if s.activityDue() {
		s.said, s.at = s.doing, time.Now()
		p.events = append(p.events, e.event(event.TaskActivity, at.a.Task, at.a.Number, event.Detail{Message: s.said}))
	}
	if len(list) == 0 && len(p.events) == 0 {
		return nil
	}
	p.attempt = at.a
	return e.report(p)
}

// turnOf is what an event adds to the conversation.
func turnOf(e *provider.Event) (role, text string) {
	switch e.Kind {
	case provider.EventText:
		return "assistant", e.Text
	case provider.EventToolCall:
		return "tool", strings.TrimSpace(e.Tool + " " + clip(e.Input, turnKept))
	case provider.EventToolResult:
		word := "result"
		if e.Failed {
			word = "failed"
		}
		return "tool", strings.TrimSpace(e.Tool + " " + word + ": " + clip(e.Text, turnKept))
	case provider.EventEdit:
		return "tool", "changed " + strings.Join(e.Paths, ", ")
	case provider.EventRetry, provider.EventNotice:
		return "system", e.Text
	}
	return "", ""
}

// ActivityOf says in a few words what an agent does; empty when the event does not tell.
func ActivityOf(e *provider.Event) string {
	text := ""
	switch e.Kind {
	case provider.EventText:
		text, _, _ = strings.Cut(strings.TrimSpace(e.Text), "\n")
	case provider.EventToolCall:
		text = e.Tool + " " + argument(e.Input)
	case provider.EventEdit:
		names := make([]string, 0, len(e.Paths))
		for _, p := range e.Paths {
			names = append(names, path.Base(p))
		}
		text = "Edit " + strings.Join(names, ", ")
	case provider.EventRetry:
		text = "waits for its model: " + e.Text
	}
	text = oneLine(text)
	if r := []rune(text); len(r) > activityLength {
		text = string(r[:activityLength-1]) + "…"
	}
	return text
}

// arguments of tools that tell most, the most telling first.
var telling = []string{"file_path", "path", "filePath", "absolute_path", "command", "cmd", "pattern", "query", "url", "description", "question", "message"}

// argument is the part of a tool's input that says what it is about.
func argument(input string) string {
	var m map[string]any
	if json.Unmarshal([]byte(input), &m) != nil {
		return ""
	}
	for i, name := range telling {
		switch v := m[name].(type) {
		case string:
			if i < 4 {
				return path.Base(v)
			}
			return v
		case []any:
			words := make([]string, 0, len(v))
			for _, x := range v {
				if s, ok := x.(string); ok {
					words = append(words, s)
				}
			}
			return strings.Join(words, " ")
		}
	}
	return ""
}
