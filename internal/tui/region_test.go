package tui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", path, diff)
	}
}

// at12m36 is the time at which regions are looked at.
var at12m36 = at(12, 36)

// modelOf is a model that has followed the events, on a terminal of that size.
func modelOf(o Options, width, height int, events ...event.Event) *model {
	if o.Run == nil {
		o.Run = view.New(seed())
	}
	if o.Now == nil {
		o.Now = func() time.Time { return at12m36 }
	}
	if o.In == nil {
		o.In = strings.NewReader("")
	}
	if o.Stop == nil {
		o.Stop = func(bool) error { return nil }
	}
	m := newModel(o)
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	m.Update(batch{events: numbered(events...)})
	return m
}

func numbered(events ...event.Event) []event.Event {
	for i := range events {
		events[i].Seq, events[i].Run = int64(i+1), "7f3c"
	}
	return events
}

func conflict(task string, paths ...string) event.Event {
	return event.Event{Time: at(8, 24), Kind: event.TaskConflict, Task: task, Attempt: 1, Detail: event.Detail{Status: "running", Paths: paths}}
}

// busy is a run with something of everything.
func busy() []event.Event {
	return []event.Event{
		begun(), started("schema", 1), completed("schema"), started("docs", 1), failed("docs"), skipped("publish-docs", "docs"),
		started("oauth-client", 2), started("handlers", 1), conflict("handlers", "internal/http/router.go", "go.mod", "go.sum"),
		started("e2e", 1),
		{Time: at(9, 0), Kind: event.TaskPhase, Task: "e2e", Detail: event.Detail{Phase: "verifying"}},
	}
}

var busyTails = tailsMsg{"oauth-client": "go test ./internal/oauth/...", "e2e": "日本語のとても長い行がここにあり、どの端末でも切られなければならない。" + strings.Repeat("x", 200)}

// screens is the golden form of what a model shows: the lines for the scrollback, then the region.
func screens(m *model) string {
	return strings.Join(m.queue, "\n") + "\n" + m.View().Content + "\n"
}

func TestRegion(t *testing.T) {
	crowd := func() ([]event.Event, view.Seed) {
		s := view.Seed{ID: "7f3c", Concurrency: 64}
		events := []event.Event{begun()}
		for i := range 40 {
			id := fmt.Sprintf("task-with-quite-a-long-name-%02d", i)
			s.Tasks = append(s.Tasks, view.SeedTask{ID: id, Agent: "an-agent-with-a-long-name"})
			events = append(events, started(id, 1))
		}
		return append(events, conflict("task-with-quite-a-long-name-39", "go.mod")), s
	}
	for _, size := range []struct{ width, height int }{{80, 24}, {120, 40}, {40, 8}} {
		name := fmt.Sprintf("%dx%d", size.width, size.height)
		for kind, o := range map[string]Options{"unicode": {Unicode: true, Motion: true}, "ascii": {}} {
			t.Run("busy "+kind+" "+name, func(t *testing.T) {
				m := modelOf(o, size.width, size.height, busy()...)
				m.Update(busyTails)
				m.frame = 2
				golden(t, "busy-"+kind+"-"+name+".golden", screens(m))
			})
		}
		t.Run("crowd "+name, func(t *testing.T) {
			events, s := crowd()
			m := modelOf(Options{Unicode: true, Run: view.New(s)}, size.width, size.height, events...)
			golden(t, "crowd-"+name+".golden", screens(m))
		})
		t.Run("stopping "+name, func(t *testing.T) {
			m := modelOf(Options{Unicode: true}, size.width, size.height, begun(), started("schema", 1))
			m.Update(ctrlC)
			golden(t, "stopping-"+name+".golden", screens(m))
		})
	}
}

func TestTheRegionIsEmptyBeforeTheEnd(t *testing.T) {
	for name, msg := range map[string]tea.Msg{
		"run over":   batch{events: []event.Event{{Seq: 100, Kind: event.RunFinished, Detail: event.Detail{State: "completed"}}}},
		"left":       tea.KeyPressMsg{Code: 'q', Text: "q"},
		"terminated": leaveMsg{},
		"suspended":  tea.KeyPressMsg{Code: 'z', Mod: tea.ModCtrl},
	} {
		t.Run(name, func(t *testing.T) {
			m := modelOf(Options{Unicode: true}, 80, 24, busy()...)
			if m.View().Content == "" {
				t.Fatal("empty from the start")
			}
			m.Update(msg)
			if got := m.View().Content; got != "" {
				t.Errorf("still shows\n%s", got)
			}
		})
	}
}

func TestWithoutColourThereIsNoEscapeAndWithColourOnlyColour(t *testing.T) {
	m := modelOf(Options{Unicode: true}, 80, 24, busy()...)
	bare := screens(m)
	if strings.Contains(bare, "\x1b") {
		t.Errorf("%q", bare)
	}
	m = modelOf(Options{Unicode: true, Color: true}, 80, 24, busy()...)
	colored := screens(m)
	rest := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(colored, "")
	if rest != bare || colored == bare {
		t.Errorf("%q without colours is %q", colored, rest)
	}
}

const hostile = "\x1b]0;owned\x07\x1b[2J\x1b[31m\u202e👩\u200d👩\u200d👧❤️🇩🇪 日本\r\n\tमनीष e\u0301\u0301\u0301\xff\U000e0041"

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(hostile), rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("a語é👧\u200d\ufe0f\u0301\x1b[;m\n\t ")))).Draw(t, "text")
		width := rapid.IntRange(1, 200).Draw(t, "width")
		height := rapid.IntRange(1, 60).Draw(t, "height")
		s := view.Seed{ID: "7f3c", Name: text, Branch: text, Tasks: []view.SeedTask{{ID: "a", Agent: text}, {ID: "b"}, {ID: "c"}, {ID: "d"}, {ID: text}}}
		o := Options{
			Run: view.New(s), Unicode: rapid.Bool().Draw(t, "unicode"), Motion: true,
			Stop: func(bool) error { return fmt.Errorf("%s", text) },
		}
		m := modelOf(o, width, height, begun(),
			event.Event{Time: at(1, 0), Kind: event.TaskStarted, Task: "a", Attempt: 1, Detail: event.Detail{Phase: text, Agent: text}},
			event.Event{Time: at(1, 0), Kind: event.TaskStarted, Task: text, Attempt: 1},
			conflict("b", text, text),
			event.Event{Time: at(1, 0), Kind: event.TaskFailed, Task: "c", Detail: event.Detail{Error: text}},
			event.Event{Time: at(1, 0), Kind: event.TaskSkipped, Task: "d", Detail: event.Detail{Reason: text}},
			event.Event{Time: at(1, 0), Kind: event.Notice, Task: text, Detail: event.Detail{Message: text}},
		)
		m.Update(tailsMsg{"a": view.SanitizeLine(text)})
		m.Update(stopMsg{m.Stop(false)})
		m.queue = append(m.queue, m.headline())
		region := strings.Split(m.View().Content, "\n")
		if len(region) > max(height-2, 1) {
			t.Fatalf("%d lines on a terminal of %d", len(region), height)
		}
		for _, line := range append(region, m.queue[1:]...) { // the first was made before the size was known
			if w := lipgloss.Width(line); w > max(width-1, 0) || strings.Contains(line, "\n") {
				t.Fatalf("%d cells of %d: %q", w, width, line)
			}
			if view.Sanitize(line) != line {
				t.Fatalf("%q has something to remove", line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return r > 0x7e && !o.Unicode }) {
				t.Fatalf("%q is not ASCII", line)
			}
		}
	})
}
