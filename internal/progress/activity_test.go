package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

func TestPlainSaysWhatAnAgentDoesAndWaitsFor(t *testing.T) {
	var out bytes.Buffer
	p := NewPlain(Options{Out: &out, Run: view.New(seed()), Heartbeat: time.Minute, Tail: func(string) string { return "{a line of the log}" }})
	for _, e := range numbered(
		event.Event{Time: at(0, 0), Kind: event.RunStarted},
		event.Event{Time: at(0, 0), Kind: event.TaskStarted, Task: "schema", Attempt: 1},
		event.Event{Time: at(0, 1), Kind: event.TaskPhase, Task: "schema", Attempt: 1, Detail: event.Detail{Phase: "working"}},
		event.Event{Time: at(0, 30), Kind: event.TaskActivity, Task: "schema", Attempt: 1, Detail: event.Detail{Message: "Edit schema.sql"}},
	) {
		if err := p.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	p.Tick(at(2, 0))
	until := at(60, 0)
	if err := p.Event(event.Event{Seq: 5, Run: "7f3c", Time: at(2, 1), Kind: event.TaskWaiting, Task: "schema", Attempt: 1, Detail: event.Detail{Reason: "limit reached", Until: until}}); err != nil {
		t.Fatal(err)
	}
	p.Tick(at(5, 0))
	clock := until.Local().Format("15:04:05")
	for _, want := range []string{"working  2m00s, last: Edit schema.sql", "waiting  until " + clock + ", limit reached"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	if n := strings.Count(out.String(), "until "+clock); n != 2 {
		t.Errorf("the wait is said %d times, want when it begins and as heartbeat:\n%s", n, out.String())
	}
}
