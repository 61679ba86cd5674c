package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

// clerk is a helm that answers from texts and keeps what it was told to do.
type clerk struct {
	mu    sync.Mutex
	text  func(task string, p Page) string
	asks  []Ask
	deeds []Deed
	lines []string // command lines and the like
	err   error

	said     string // of a command line
	failed   bool
	commands []Command
	settings Settings
	agents   []Agent
	refused  map[string]string
}

func (c *clerk) Page(_ context.Context, task string, p Page) (string, error) {
	if c.text != nil {
		return c.text(task, p), c.err
	}
	return fmt.Sprintf("%s of %s", pageNames[p], task), c.err
}

func (c *clerk) Asks(context.Context, string) ([]Ask, error) { return c.asks, c.err }

func (c *clerk) Verbs(task string) []Verb {
	return []Verb{
		{Line: "status 7f3c", About: "what is done"},
		{Line: "retry 7f3c " + task, About: "try it again"},
		{Line: "answer 7f3c " + task, Wants: "ANSWER", About: "answer a question"},
		{Line: "edit 7f3c", About: "change the plan"},
		{Line: "merge 7f3c", About: "bring it into your branch"},
	}
}

func (c *clerk) Perform(_ context.Context, line string) (string, bool) {
	c.note(line)
	return c.said, c.failed
}

func (c *clerk) TakesTerminal(line string) bool { return strings.HasPrefix(line, "edit") }

func (c *clerk) TakeTerminal(_ context.Context, line string) error { c.note(line); return c.err }

func (c *clerk) Open(_ context.Context, task string) error { c.note("open " + task); return c.err }

func (c *clerk) Commands(context.Context) ([]Command, error) { return c.commands, c.err }

func (c *clerk) Settings(context.Context) (Settings, error) { return c.settings, c.err }

func (c *clerk) Agents(context.Context) ([]Agent, error) { return c.agents, c.err }

func (c *clerk) Save(_ context.Context, place int, changes []Change) (map[string]string, error) {
	c.note(fmt.Sprint("save ", place, " ", changes))
	return c.refused, c.err
}

func (c *clerk) note(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line)
}

func (c *clerk) Do(_ context.Context, d Deed) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deeds = append(c.deeds, d)
	return string(d.Kind) + " done", c.err
}

// picture is the graph of seed.
var picture = []Lane{
	{Picture: "○", Task: "schema"},
	{Picture: "├─╮"},
	{Picture: "○ │", Task: "oauth-client"},
	{Picture: "│ ○", Task: "docs"},
	{Picture: "│ ○", Task: "publish-docs"},
	{Picture: "○", Task: "handlers"},
	{Picture: "○", Task: "e2e"},
}

func question(task, text string) event.Event {
	return event.Event{Time: at(8, 24), Kind: event.TaskQuestion, Task: task, Attempt: 1, Detail: event.Detail{Message: text, Question: 7}}
}

// opened is a model whose panes are open.
func opened(c *clerk, width, height int, events ...event.Event) *model {
	m := modelOf(Options{Helm: c, Lanes: picture, Unicode: true}, width, height, events...)
	m.drawn = true
	press(m, "u")
	return m
}

// press types keys and follows all that comes of them, but for ticks.
func press(m *model, keys ...string) {
	for _, k := range keys {
		var msg tea.Msg
		switch k {
		case "enter":
			msg = tea.KeyPressMsg{Code: tea.KeyEnter}
		case "esc":
			msg = tea.KeyPressMsg{Code: tea.KeyEscape}
		case "tab":
			msg = tea.KeyPressMsg{Code: tea.KeyTab}
		case "backspace":
			msg = tea.KeyPressMsg{Code: tea.KeyBackspace}
		default:
			msg = tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
		}
		_, cmd := m.Update(msg)
		settle(m, cmd)
	}
}

func settle(m *model, cmd tea.Cmd) {
	for _, msg := range results(cmd) {
		switch msg.(type) {
		case pageMsg, asksMsg, deedMsg, gridMsg, performedMsg, commandsMsg, settingsMsg, agentsMsg, savedMsg:
			_, next := m.Update(msg)
			settle(m, next)
		}
	}
}

// seen is what is on the screen, and checks that each line fits.
func seen(t *testing.T, m *model) string {
	t.Helper()
	v := m.View()
	if !v.AltScreen {
		t.Error("the panes are not on a screen of their own")
	}
	text := ansi.Strip(v.Content)
	lines := strings.Split(text, "\n")
	if len(lines) != m.height {
		t.Errorf("%d lines on a screen of %d\n%s", len(lines), m.height, text)
	}
	for _, l := range lines {
		if w := lipgloss.Width(l); w > m.width {
			t.Errorf("%d cells in a line of %d: %q", w, m.width, l)
		}
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

func midway() []event.Event {
	return []event.Event{
		begun(), started("schema", 1), completed("schema"), started("oauth-client", 1), started("docs", 1), failed("docs"), skipped("publish-docs", "docs"),
		question("oauth-client", "Keep /login as the route?"),
	}
}

func TestPanesOnScreensOfAllSizes(t *testing.T) {
	for _, size := range [][2]int{{200, 60}, {120, 40}, {100, 12}, {80, 24}, {40, 8}, {24, 7}} {
		c := &clerk{text: func(task string, p Page) string {
			return strings.Repeat("a line of "+task+" with 日本語 and\ta tab, long enough to be wrapped somewhere on the way to its end\n", 50)
		}}
		m := opened(c, size[0], size[1], midway()...)
		golden(t, fmt.Sprintf("panes-%dx%d.golden", size[0], size[1]), seen(t, m))
		for _, keys := range [][]string{{"2"}, {"3"}, {"?"}, {"esc"}, {"1"}, {"x"}, {"esc"}, {"/", "z"}, {"esc"}} {
			press(m, keys...)
			seen(t, m)
		}
	}
}

func TestPanesWithoutUnicodeHaveNone(t *testing.T) {
	m := modelOf(Options{Helm: &clerk{}, Lanes: picture}, 120, 24, midway()...)
	press(m, "u")
	text := seen(t, m)
	for _, r := range text {
		if r > 0x7e {
			t.Fatalf("%q in\n%s", r, text)
		}
	}
	golden(t, "panes-ascii-120x24.golden", text)
}

func TestPanesBeginAtWhatNeedsThePerson(t *testing.T) {
	c := &clerk{asks: []Ask{{ID: 7, Text: "Keep /login as the route?", Options: []string{"Keep it", "Move it"}}}}
	m := opened(c, 120, 30, midway()...)
	if m.panes.selected != "oauth-client" {
		t.Fatalf("selected %s", m.panes.selected)
	}
	press(m, "a")
	if s := seen(t, m); !strings.Contains(s, "2  Move it") || !strings.Contains(s, "oauth-client asks") {
		t.Fatalf("no question in\n%s", s)
	}
	press(m, "2")
	if len(c.deeds) != 1 || c.deeds[0] != (Deed{Kind: Answer, Task: "oauth-client", Ask: 7, Text: "Move it"}) {
		t.Errorf("done %+v", c.deeds)
	}
	if s := seen(t, m); !strings.Contains(s, "answer done") {
		t.Errorf("nothing is said of it:\n%s", s)
	}
}

func TestAConflictIsDecidedInThePanes(t *testing.T) {
	conflict := event.Event{Time: at(3, 0), Kind: event.TaskConflict, Task: "oauth-client", Attempt: 1, Detail: event.Detail{Paths: []string{"x.txt"}}}
	c := &clerk{}
	m := opened(c, 120, 30, append(midway()[:4], conflict)...)
	press(m, "a")
	if s := seen(t, m); !strings.Contains(s, "oauth-client is in conflict") || !strings.Contains(s, "changed x.txt") {
		t.Fatalf("no question in\n%s", s)
	}
	press(m, "1")
	press(m, "a", "2", "m", "enter")
	press(m, "a", "3")
	want := []Deed{{Kind: Retry, Task: "oauth-client"}, {Kind: Retry, Task: "oauth-client", Text: "m"}, {Kind: Cancel, Task: "oauth-client"}}
	if !slices.Equal(c.deeds, want) {
		t.Errorf("done %+v, want %+v", c.deeds, want)
	}
}

func TestAnswersInOnesOwnWords(t *testing.T) {
	c := &clerk{asks: []Ask{{ID: 7, Text: "Which?", Options: []string{"Keep it"}}}}
	m := opened(c, 100, 30, midway()...)
	press(m, "a", "t", "q", "n", "x", "backspace")
	m.Update(tea.PasteMsg{Content: " pasted\nwords"})
	press(m, "enter")
	if len(c.deeds) != 1 || c.deeds[0].Text != "qnpasted words" {
		t.Errorf("done %+v", c.deeds)
	}
	press(m, "a", "esc")
	if m.panes.dialog != nil || len(c.deeds) != 1 {
		t.Error("esc has done something")
	}
}

func TestWhatWantsAYesCanBeRejectedWithAReason(t *testing.T) {
	c := &clerk{asks: []Ask{{Text: "It wants to be merged.", Yes: true}}}
	m := opened(c, 100, 30, midway()...)
	press(m, "a", "n", "n", "o", "enter")
	press(m, "a", "y")
	want := []Deed{{Kind: Reject, Task: "oauth-client", Text: "no"}, {Kind: Approve, Task: "oauth-client"}}
	if len(c.deeds) != 2 || c.deeds[0] != want[0] || c.deeds[1] != want[1] {
		t.Errorf("done %+v, want %+v", c.deeds, want)
	}
}

func TestNothingIsDoneToATaskWithoutAYes(t *testing.T) {
	c := &clerk{}
	m := opened(c, 100, 30, midway()...)
	press(m, "x", "n", "r", "esc")
	if len(c.deeds) != 0 {
		t.Fatalf("done %+v", c.deeds)
	}
	press(m, "x", "y", "r", "y", "R", "h", "i", "enter")
	var kinds []string
	for _, d := range c.deeds {
		kinds = append(kinds, string(d.Kind)+" "+d.Task+" "+d.Text)
	}
	if got := strings.Join(kinds, ", "); got != "cancel oauth-client , retry oauth-client , retry oauth-client hi" {
		t.Errorf("done %s", got)
	}
}

func TestMovingReadsThePageOfTheTask(t *testing.T) {
	m := opened(&clerk{}, 120, 30, midway()...)
	press(m, "g")
	if s := seen(t, m); !strings.Contains(s, "Conversation of schema") {
		t.Errorf("no page of schema in\n%s", s)
	}
	press(m, "j", "j", "l", "l")
	if s := seen(t, m); m.panes.selected != "docs" || !strings.Contains(s, "Diff of docs") {
		t.Errorf("no diff of docs in\n%s", s)
	}
	press(m, "N")
	if m.panes.selected != "oauth-client" {
		t.Errorf("before it, %s needs the person", m.panes.selected)
	}
	press(m, "G", "h", "h")
	if s := seen(t, m); m.panes.selected != "e2e" || !strings.Contains(s, "Conversation of e2e") {
		t.Errorf("no conversation of e2e in\n%s", s)
	}
}

func TestFilterLeavesTasksByStateAgentAndName(t *testing.T) {
	m := opened(&clerk{}, 120, 30, midway()...)
	for filter, want := range map[string]string{
		"fail": "docs", "@codex": "schema e2e", "@claude hand": "handlers", "needs you": "", "DOCS": "docs publish-docs", "done": "schema",
	} {
		var left []string
		for _, task := range m.Run.Tasks {
			if matches(task, filter) {
				left = append(left, task.ID)
			}
		}
		if got := strings.Join(left, " "); filter != "needs you" && got != want {
			t.Errorf("%q leaves %q, want %q", filter, got, want)
		}
	}
	press(m, "/", "d", "o", "n", "e", "enter")
	if m.panes.selected != "schema" || strings.Contains(seen(t, m), "handlers") {
		t.Errorf("the filter leaves\n%s", seen(t, m))
	}
	press(m, "esc")
	if !strings.Contains(seen(t, m), "handlers") {
		t.Error("esc does not take the filter away")
	}
}

func TestPageFollowsItsEndUntilItIsScrolled(t *testing.T) {
	n := 100
	c := &clerk{text: func(string, Page) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "line %d\n", i)
		}
		return b.String()
	}}
	m := opened(c, 120, 20, midway()...)
	if s := seen(t, m); !strings.Contains(s, "line 99") {
		t.Fatalf("the end is not in sight\n%s", s)
	}
	press(m, "enter", "k", "k")
	seen(t, m)
	n = 200
	settle(m, m.read())
	if s := seen(t, m); strings.Contains(s, "line 199") || !strings.Contains(s, "line 97") {
		t.Errorf("it does not stay where the person reads\n%s", s)
	}
	press(m, "G")
	if s := seen(t, m); !strings.Contains(s, "line 199") {
		t.Errorf("the end is not in sight again\n%s", s)
	}
}

func TestAPageThatCannotBeReadSaysWhy(t *testing.T) {
	m := opened(&clerk{err: errors.New("disk \x1b[31mgone")}, 120, 20, midway()...)
	if s := m.View().Content; !strings.Contains(s, "disk gone") {
		t.Errorf("no reason in\n%s", s)
	}
}

func TestTheRunsEndDoesNotCloseThePanes(t *testing.T) {
	m := opened(&clerk{}, 120, 20, midway()...)
	_, cmd := m.Update(batch{events: []event.Event{{Seq: 99, Kind: event.RunFinished, Time: at(9, 0), Detail: event.Detail{State: "failed"}}}, err: io.EOF})
	if quits(cmd) || !strings.Contains(seen(t, m), "the run has failed") {
		t.Fatalf("the panes are gone:\n%s", m.View().Content)
	}
	_, cmd = m.Update(tea.KeyPressMsg{Code: 's', Text: "s"})
	if !quits(cmd) {
		t.Error("leaving them does not end the view of a run that is over")
	}
}

func TestLeavingThePanesAfterTheEndIsNotLeavingTheRun(t *testing.T) {
	for over, want := range map[bool]bool{false: true, true: false} {
		m := opened(&clerk{}, 120, 20, midway()...)
		if over {
			m.Update(batch{events: []event.Event{{Seq: 99, Kind: event.RunFinished, Time: at(9, 0), Detail: event.Detail{State: "failed"}}}, err: io.EOF})
		}
		m.Update(tea.KeyPressMsg{Code: 'q', Text: "q"})
		if m.result.Left != want {
			t.Errorf("over %v: left %v, want %v", over, m.result.Left, want)
		}
	}
}

func TestTheStreamComesBackWithWhatItMissed(t *testing.T) {
	m := opened(&clerk{}, 120, 20, midway()[:4]...)
	m.queue, m.printing = nil, false
	m.Update(batch{events: []event.Event{{Seq: 50, Kind: event.TaskCompleted, Task: "oauth-client", Attempt: 1, Time: at(9, 0)}}})
	if len(m.queue) != 1 {
		t.Fatalf("%d lines wait", len(m.queue))
	}
	_, cmd := m.Update(tea.KeyPressMsg{Code: 's', Text: "s"})
	if m.panes != nil || m.View().AltScreen {
		t.Fatal("the panes are still there")
	}
	if len(m.queue) != 1 {
		t.Fatal("a line was printed while the screen was another one")
	}
	for _, msg := range results(cmd) {
		m.Update(msg)
	}
	if len(m.queue) != 0 {
		t.Error("the line that was missed is not printed")
	}
}

func TestEveryBindingIsReachableAndSaysWhatItDoes(t *testing.T) {
	for _, f := range []focus{onList, onPage, onGrid} {
		p := &panes{focus: f, filter: "x"}
		taken := map[string]string{}
		for _, b := range bindings {
			if b.does == "" {
				t.Errorf("%s does nothing", b.keys)
			}
			if b.in != nil && !b.in(p) {
				continue
			}
			for k := range strings.FieldsSeq(b.keys) {
				if taken[k] != "" {
					t.Errorf("%s is both %q and %q", k, taken[k], b.does)
				}
				taken[k] = b.does
			}
		}
	}
}

func TestGridShowsAllThatAreAtWork(t *testing.T) {
	run := view.New(view.Seed{ID: "7f3c", Name: "many"})
	events := []event.Event{begun()}
	for i := range 7 {
		events = append(events, started(fmt.Sprintf("task-%d", i), 1))
	}
	c := &clerk{text: func(task string, _ Page) string { return "words of " + task }}
	m := modelOf(Options{Helm: c, Run: run, Unicode: true, Now: func() time.Time { return at12m36 }}, 130, 30, events...)
	press(m, "u", "3")
	s := seen(t, m)
	for i := range 7 {
		if !strings.Contains(s, fmt.Sprintf("words of task-%d", i)) {
			t.Errorf("no tail of task-%d in\n%s", i, s)
		}
	}
	golden(t, "panes-grid-130x30.golden", s)
}
