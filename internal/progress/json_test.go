package progress

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/event"
)

func TestEachJSONLineIsTheEventWithItsSchema(t *testing.T) {
	var out bytes.Buffer
	events := story(false)
	d := NewJSON(&out, 0)
	d.Tick(time.Now())
	show(t, d, events)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != len(events) {
		t.Fatalf("%d lines for %d events", len(lines), len(events))
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, `{"schema":1,"seq":`) {
			t.Fatalf("line %d: %s", i+1, line)
		}
		var back event.Event
		if err := json.Unmarshal([]byte(line), &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(events[i], back); diff != "" {
			t.Errorf("line %d (-event +line)\n%s", i+1, diff)
		}
	}
}

func TestJSONEscapesWhatATerminalObeysAndLosesNothing(t *testing.T) {
	const text = "a\x1b[1m\u009b\u202e\u200d\U000e0041\x7f<&>\u2028\u00e9語\U0001f600"
	var out bytes.Buffer
	show(t, NewJSON(&out, 0), []event.Event{{Seq: 1, Kind: event.Notice, Detail: event.Detail{Message: text}}})
	if want := `"a\u001b[1m\u009b\u202e\u200d\udb40\udc41\u007f<&>\u2028é語😀"`; !strings.Contains(out.String(), want) {
		t.Errorf("%s lacks %s", out.String(), want)
	}
	var back event.Event
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back.Message != text {
		t.Errorf("back: %q, %v", back.Message, err)
	}
}

func TestJSONLeavesOutWhatWasSeen(t *testing.T) {
	var out bytes.Buffer
	events := story(false)
	show(t, NewJSON(&out, 20), append(events, events...))
	if got := strings.Count(out.String(), "\n"); got != len(events)-20 {
		t.Errorf("%d lines", got)
	}
}
