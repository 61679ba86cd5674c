package orchestrator

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/provider"
)

// watched is a watch whose clock the test moves; over says why it ended the turn.
func watched(late bool) (w *stallWatch, at func(time.Duration), over func() string) {
	began := time.Unix(1_000_000, 0)
	now := began
	ctx, cancel := context.WithCancelCause(context.Background())
	w = &stallWatch{
		quiet: 10 * time.Minute, tool: time.Hour, late: late, end: cancel, now: func() time.Time { return now }, last: now,
		open: map[string]openTool{}, timer: time.NewTimer(time.Hour),
	}
	at = func(d time.Duration) { now = began.Add(d); w.look() }
	over = func() string {
		stall := (*stalledError)(nil)
		if errors.As(context.Cause(ctx), &stall) {
			return stall.toAgent()
		}
		return ""
	}
	return w, at, over
}

func TestAnAgentOfWhichNothingIsHeardStalls(t *testing.T) {
	w, at, over := watched(false)
	at(9 * time.Minute)
	w.saw(&provider.Event{Kind: provider.EventText})
	if at(18 * time.Minute); over() != "" {
		t.Errorf("nine minutes after it spoke: %s", over())
	}
	if at(19 * time.Minute); over() != "nothing was heard of you for 10m0s" {
		t.Errorf("ten minutes after it spoke: %q", over())
	}
}

func TestAnAgentThatWaitsForASlowAndSilentToolIsLeftAlone(t *testing.T) {
	w, at, over := watched(false)
	w.saw(&provider.Event{Kind: provider.EventToolCall, Call: "1", Tool: "Bash"})
	w.saw(&provider.Event{Kind: provider.EventToolCall, Call: "2", Tool: "Read"})
	w.saw(&provider.Event{Kind: provider.EventToolResult, Call: "2", Tool: "Read"})
	if at(59 * time.Minute); over() != "" {
		t.Fatalf("with a tool at work: %s", over())
	}
	w.saw(&provider.Event{Kind: provider.EventToolResult, Call: "1", Tool: "Bash"})
	if at(68 * time.Minute); over() != "" {
		t.Errorf("nine minutes after the tool: %s", over())
	}
	if at(69 * time.Minute); over() == "" {
		t.Error("ten minutes after the tool it is still left alone")
	}
}

func TestAToolThatIsAtWorkForTooLongStalls(t *testing.T) {
	w, at, over := watched(false)
	w.saw(&provider.Event{Kind: provider.EventToolCall, Tool: "Bash"})
	at(30 * time.Minute)
	w.saw(&provider.Event{Kind: provider.EventText}) // it speaks; the tool is at work all the same
	if at(time.Hour); over() != "your tool Bash did not end within 1h0m0s" {
		t.Errorf("after an hour: %q", over())
	}
}

func TestAnAgentThatWaitsForAPersonOrItsModelIsLeftAlone(t *testing.T) {
	for _, name := range []string{"mcp__orc__ask", "orc.ask", "orc__ask"} {
		w, at, over := watched(false)
		w.saw(&provider.Event{Kind: provider.EventToolCall, Call: "1", Tool: name})
		if at(100 * time.Hour); over() != "" {
			t.Errorf("%s: %s", name, over())
		}
	}
	w, at, over := watched(false)
	w.saw(&provider.Event{Kind: provider.EventRetry, RetryAt: w.now().Add(2 * time.Hour)})
	if at(2*time.Hour + 9*time.Minute); over() != "" {
		t.Errorf("it said that it waits: %s", over())
	}
	if at(2*time.Hour + 10*time.Minute); over() == "" {
		t.Error("it said that it waits, and did not come back")
	}
}

func TestAnAgentThatTellsOfToolsLateHasTheTimeOfATool(t *testing.T) {
	_, at, over := watched(true)
	if at(59 * time.Minute); over() != "" {
		t.Errorf("its silence may be a tool: %s", over())
	}
	if at(time.Hour); !strings.HasPrefix(over(), "nothing was heard") {
		t.Errorf("after an hour: %q", over())
	}
}
