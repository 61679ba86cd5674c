package tui

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

var (
	ctrlC = tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
	keyQ  = tea.KeyPressMsg{Code: 'q', Text: "q"}
)

// results runs a command, and those that it is made of, and returns their messages.
func results(cmd tea.Cmd) []tea.Msg {
	if cmd == nil {
		return nil
	}
	msg := cmd()
	if list := reflect.ValueOf(msg); msg != nil && list.Kind() == reflect.Slice {
		var all []tea.Msg
		for i := range list.Len() {
			all = append(all, results(list.Index(i).Interface().(tea.Cmd))...)
		}
		return all
	}
	return []tea.Msg{msg}
}

func quits(cmd tea.Cmd) bool {
	return slices.ContainsFunc(results(cmd), func(msg tea.Msg) bool { _, ok := msg.(tea.QuitMsg); return ok })
}

func TestCtrlCAsksToStopThenForcesThenLeaves(t *testing.T) {
	var asked []bool
	m := modelOf(Options{Stop: func(force bool) error { asked = append(asked, force); return nil }}, 100, 24, begun(), started("schema", 1))
	_, first := m.Update(ctrlC)
	_, second := m.Update(ctrlC)
	if results(second) != nil {
		t.Error("the second request is made before the first returned")
	}
	for _, msg := range results(first) {
		_, second = m.Update(msg)
	}
	if got := m.View().Content; !strings.Contains(got, "ctrl-c again leaves") {
		t.Errorf("the region is\n%s", got)
	}
	for _, msg := range results(second) {
		m.Update(msg)
	}
	if !cmp.Equal(asked, []bool{false, true}) || m.closing {
		t.Errorf("asked %v, closing %v", asked, m.closing)
	}
	if _, third := m.Update(ctrlC); !quits(third) || m.result != (Result{Left: true, Stops: 3}) {
		t.Errorf("result %+v", m.result)
	}
}

func TestARequestThatFailsIsShown(t *testing.T) {
	m := modelOf(Options{Stop: func(bool) error { return errors.New("database\x1b[2J busy") }}, 100, 24, begun())
	_, cmd := m.Update(ctrlC)
	for _, msg := range results(cmd) {
		m.Update(msg)
	}
	if got := m.View().Content; !strings.Contains(got, "could not be asked to stop: database busy") {
		t.Errorf("the region is\n%s", got)
	}
}

func TestWithoutStopCtrlCLeaves(t *testing.T) {
	m := modelOf(Options{}, 80, 24, begun())
	m.Stop = nil
	if strings.Contains(m.View().Content, "ctrl-c") {
		t.Error("offers what it cannot do")
	}
	if _, cmd := m.Update(ctrlC); !quits(cmd) || !m.result.Left {
		t.Error("does not leave")
	}
}

func TestTheViewEndsWithTheRun(t *testing.T) {
	for kind, left := range map[event.Kind]bool{event.RunFinished: false, event.RunPaused: false, event.RunWaiting: false} {
		m := modelOf(Options{}, 80, 24, begun())
		_, cmd := m.Update(batch{events: []event.Event{{Seq: 50, Run: "7f3c", Kind: kind}}})
		if !quits(cmd) || m.result.Left != left {
			t.Errorf("after %s: %+v", kind, m.result)
		}
	}
}

func TestWhatWasKnownBeforeDoesNotEndTheView(t *testing.T) {
	run := view.New(seed())
	events := numbered(begun(), completed("schema"), event.Event{Time: at(5, 0), Kind: event.RunPaused}, event.Event{Time: at(9, 0), Kind: event.RunResumed})
	for _, e := range events[:3] {
		run.Fold(e)
	}
	m := newModel(Options{Run: run, Now: func() time.Time { return at(10, 0) }})
	m.say()
	headline := len(m.queue)
	if m.Update(batch{events: events}); m.closing || len(m.queue) != headline {
		t.Errorf("closing %v, lines %q", m.closing, m.queue)
	}
}

func TestASourceThatEndsWhileTheRunGoesOnIsLeft(t *testing.T) {
	m := modelOf(Options{}, 80, 24, begun())
	gone := errors.New("owner gone")
	if _, cmd := m.Update(batch{err: gone}); !quits(cmd) || !m.result.Left || !errors.Is(m.err, gone) {
		t.Errorf("%+v %v", m.result, m.err)
	}
}

func TestLinesWaitUntilTheRegionIsDrawnAndForEachOther(t *testing.T) {
	m := modelOf(Options{Unicode: true}, 80, 24)
	_, cmd := m.Update(batch{events: numbered(begun(), completed("schema"))})
	if cmd != nil {
		t.Fatal("prints before the region is drawn")
	}
	_, cmd = m.Update(drawnMsg{})
	first := fmt.Sprint(results(cmd))
	if !strings.Contains(first, "add-oauth") || !strings.Contains(first, "✓ schema") {
		t.Fatalf("first: %s", first)
	}
	if _, cmd = m.Update(batch{events: []event.Event{{Seq: 60, Kind: event.TaskCompleted, Task: "e2e"}}}); cmd != nil {
		t.Fatal("prints while something is being printed")
	}
	_, cmd = m.Update(printedMsg{})
	if second := fmt.Sprint(results(cmd)); !strings.Contains(second, "✓ e2e") || strings.Contains(second, "schema") {
		t.Errorf("second: %s", second)
	}
	m.Update(keyQ)
	if _, cmd = m.Update(printedMsg{}); !quits(cmd) {
		t.Error("does not quit after the last line")
	}
}

func TestPortionsOfLinesFitAboveTheRegion(t *testing.T) {
	m := modelOf(Options{}, 80, 24)
	m.drawn = true
	for i := range 100 {
		m.queue = append(m.queue, fmt.Sprint(i))
	}
	_, cmd := m.Update(drawnMsg{})
	total := 0
	for ; cmd != nil; _, cmd = m.Update(printedMsg{}) {
		lines := strings.Count(fmt.Sprint(results(cmd)), "\n") + 1
		if total += lines; lines+m.most() > m.height {
			t.Fatalf("%d lines at once above a region of up to %d on a screen of %d", lines, m.most(), m.height)
		}
	}
	if total < 100 {
		t.Errorf("%d lines", total)
	}
}

func TestAFloodOfFinishedTasksIsCounted(t *testing.T) {
	m := modelOf(Options{Unicode: true}, 80, 24)
	m.say()
	m.queue = nil
	events := []event.Event{begun(), failed("bad")}
	for i := range 500 {
		events = append(events, completed(fmt.Sprintf("t%03d", i)))
	}
	m.Update(batch{events: numbered(events...)})
	if len(m.queue) != 1+1+maxHistory || m.queue[0] != "✓ 480 done" {
		t.Errorf("%d lines: %q", len(m.queue), m.queue)
	}
}

func TestAFailureNamesWhatIsNotRunBecauseOfIt(t *testing.T) {
	m := modelOf(Options{Unicode: true}, 120, 24, begun(), failed("docs"), skipped("publish-docs", "docs"))
	want := "✗ docs          gemini   1m00s  verify failed: make docs-lint (exit 2) → publish-docs not run"
	if got := m.queue[len(m.queue)-1]; got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	m.Update(batch{events: []event.Event{{Seq: 70, Kind: event.TaskSkipped, Task: "e2e", Detail: event.Detail{Reason: "needs docs"}}}})
	if got := m.queue[len(m.queue)-1]; got != "⊘ e2e           codex           skipped: needs docs" {
		t.Errorf("later: %q", got)
	}
}

func TestNothingMovesFastWithoutASpinner(t *testing.T) {
	idle := modelOf(Options{Motion: true}, 80, 24, begun())
	still := modelOf(Options{}, 80, 24, begun(), started("schema", 1))
	moving := modelOf(Options{Motion: true}, 80, 24, begun(), started("schema", 1))
	if idle.pause() != second || still.pause() != second || moving.pause() != frame {
		t.Errorf("idle %s, still %s, moving %s", idle.pause(), still.pause(), moving.pause())
	}
	before := still.View().Content
	still.frame++
	if still.View().Content != before {
		t.Error("moves without motion")
	}
	before = moving.View().Content
	moving.frame++
	if moving.View().Content == before {
		t.Error("does not move")
	}
}

func TestLastLinesAreLookedForOnceASecondForTheTasksInSight(t *testing.T) {
	now := at(12, 0)
	var asked []string
	m := modelOf(Options{
		Now: func() time.Time { return now }, Motion: true,
		Tail: func(task string) string {
			asked = append(asked, task)
			return "\x1b[1mline\x1b[0m " + strings.Repeat("x", 1<<20)
		},
	}, 80, 24, begun(), started("schema", 1))
	cmd := m.renew()
	if got := m.renew(); got != nil {
		t.Error("looks again at once")
	}
	now = now.Add(2 * second)
	m.now = now
	if got := m.renew(); got != nil {
		t.Error("looks again before the last look ended")
	}
	for _, msg := range results(cmd) {
		m.Update(msg)
	}
	if !cmp.Equal(asked, []string{"schema"}) || !strings.HasPrefix(m.tails["schema"], "line xxx") || len(m.tails["schema"]) > maxBytes {
		t.Errorf("asked %v, got %.20q", asked, m.tails["schema"])
	}
	now = now.Add(second)
	m.now = now
	if m.renew() == nil {
		t.Error("does not look again")
	}
}

func TestOtherKeysDoNothing(t *testing.T) {
	m := modelOf(Options{}, 80, 24, begun())
	before := m.View().Content
	for _, key := range []tea.KeyPressMsg{{Code: 'x', Text: "x"}, {Code: tea.KeyEnter}, {Code: tea.KeyEscape}, {Code: 'c', Text: "c"}} {
		if _, cmd := m.Update(key); cmd != nil || m.View().Content != before {
			t.Errorf("%s does something", key)
		}
	}
}

func TestTheBellRingsOnceForWhatNewlyNeedsThePerson(t *testing.T) {
	for _, on := range []bool{true, false} {
		m := modelOf(Options{Bell: on}, 100, 24, begun(), started("schema", 1))
		rings := func(cmd tea.Cmd) int {
			n := 0
			for _, msg := range results(cmd) {
				if raw, ok := msg.(tea.RawMsg); ok && raw.Msg == bell {
					n++
				}
			}
			return n
		}
		m.drawn = true
		_, cmd := m.Update(batch{events: []event.Event{conflict("schema", "go.sum")}})
		if got := rings(cmd); got != map[bool]int{true: 1}[on] {
			t.Errorf("bell %v: it rang %d times", on, got)
		}
		_, cmd = m.Update(batch{})
		if got := rings(cmd); got != 0 {
			t.Errorf("bell %v: it rang again", on)
		}
		bar := m.View().ProgressBar
		if bar == nil || bar.State != tea.ProgressBarWarning {
			t.Errorf("the bar is %+v", bar)
		}
	}
}
