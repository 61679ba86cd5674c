package tui

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

// typeText presses the keys of a text one by one.
func typeText(m *model, text string) {
	for _, r := range text {
		press(m, string(r))
	}
}

// furnished is a clerk that has something to show in each pane.
func furnished() *clerk {
	return &clerk{
		commands: []Command{
			{At: "12:00:01", Task: "schema", Line: "git read-tree -m -u 2e2c05ce6c31edfec56ef2c6b60522bd91eb7d40", End: "exit 0", Took: "12ms"},
			{At: "12:00:02", Task: "schema", Line: "codex exec --json", End: "start"},
			{At: "12:02:14", Task: "schema", Line: "codex exec --json", End: "exit 1", Took: "2m12s", Failed: true},
			{At: "12:02:15", Task: "oauth-client", Line: "claude -p --output-format stream-json  (in the sandbox)", End: "start"},
		},
		settings: Settings{
			List: []Setting{
				{Key: "concurrency", Value: "5", From: ".orc/config.yaml:2", About: "How many tasks run at a time.", Hides: "instead of 4 (built-in)"},
				{Key: "agents.coder.model", Value: "opus", From: "~/.config/orc/config.yaml:4"},
				{Key: "workflows.reviewed", Value: "the task's agent → reviewer", From: "built-in", Fixed: true},
				{Key: "grace", Value: "10s", From: "built-in", About: "Between asking a process to end and killing it."},
			},
			Places: []string{"your settings, ~/.config/orc/config.yaml", "the project's, .orc/config.yaml"},
		},
		agents: []Agent{
			{Role: "coder", Who: "claude opus", State: "2.1.0 logged in", Ready: true},
			{Role: "tester", Who: "codex", State: "codex is not installed: npm install -g codex"},
		},
	}
}

func TestEveryPaneOnScreensOfAllSizes(t *testing.T) {
	for _, pane := range []struct {
		name string
		keys []string
	}{{"settings", []string{","}}, {"commands", []string{"L"}}, {"palette", []string{":", "r", "e", "t"}}, {"help", []string{"?", "t", "r", "y"}}} {
		for _, size := range [][2]int{{120, 40}, {80, 24}, {40, 8}, {24, 7}, {20, 6}} {
			m := opened(furnished(), size[0], size[1], midway()...)
			press(m, pane.keys...)
			text := seen(t, m)
			if size[0] >= 80 {
				golden(t, "pane-"+pane.name+"-"+sizeName(size)+".golden", text)
			}
		}
	}
}

func sizeName(size [2]int) string {
	return map[[2]int]string{{120, 40}: "120x40", {80, 24}: "80x24"}[size]
}

func TestPanesOfTheDeskWithoutUnicode(t *testing.T) {
	for _, keys := range [][]string{{","}, {"L"}, {":"}, {"?"}, {"p"}, {",", "enter", "9", "enter", "w"}} {
		m := modelOf(Options{Helm: furnished(), Lanes: picture}, 120, 30, midway()...)
		press(m, "u")
		press(m, keys...)
		for _, r := range seen(t, m) {
			if r > 0x7e {
				t.Fatalf("%q after %v in\n%s", r, keys, seen(t, m))
			}
		}
	}
}

func TestSettingsAreWrittenToTheFileThatIsChosen(t *testing.T) {
	c := furnished()
	m := opened(c, 120, 40, midway()...)
	press(m, ",", "enter", "backspace", "8", "enter")
	if s := seen(t, m); !strings.Contains(s, "not written") || !strings.Contains(s, "8 ") || !strings.Contains(s, "1 not written") {
		t.Fatalf("the value is not marked in\n%s", s)
	}
	press(m, "G", "enter")
	typeText(m, "x")
	press(m, "enter", "w")
	if s := seen(t, m); !strings.Contains(s, "2  the project's, .orc/config.yaml") {
		t.Fatalf("the files are not offered in\n%s", s)
	}
	press(m, "2")
	if want := []string{"save 1 [{concurrency 8} {grace 10sx}]"}; !reflect.DeepEqual(c.lines, want) {
		t.Errorf("asked for %q, want %q", c.lines, want)
	}
	if s := seen(t, m); !strings.Contains(s, "written: 2 values, to the project's") || len(m.panes.settings.edits) != 0 {
		t.Errorf("nothing is said of it in\n%s", s)
	}
}

func TestARefusedSettingSaysWhyWhereItStands(t *testing.T) {
	c := furnished()
	c.refused = map[string]string{"grace": "cannot be \x1b[31mx (a length of time)"}
	m := opened(c, 120, 40, midway()...)
	press(m, ",", "enter", "8", "enter", "G", "enter", "x", "enter", "g", "w", "1")
	s := seen(t, m)
	if !strings.Contains(s, ">") || !strings.Contains(s, "grace: cannot be x (a length of time)") || !strings.Contains(s, "refused") || !strings.Contains(s, "nothing was written") {
		t.Fatalf("no reason in\n%s", s)
	}
	if x, _ := m.panes.settings.current(); x.Key != "grace" || len(m.panes.settings.edits) != 2 {
		t.Errorf("at %s, with %v", x.Key, m.panes.settings.edits)
	}
	press(m, "u")
	if s := seen(t, m); strings.Contains(s, "refused") || len(m.panes.settings.edits) != 1 {
		t.Errorf("u does not take it back:\n%s", s)
	}
	c.refused, c.err = nil, errors.New("disk full")
	press(m, "w", "1")
	if s := seen(t, m); !strings.Contains(s, "nothing was written: disk full") || len(m.panes.settings.edits) != 1 {
		t.Errorf("what was typed is gone, or the error is:\n%s", s)
	}
}

func TestAKeyCanBeAddedAndAFixedOneCannotBeChanged(t *testing.T) {
	c := furnished()
	m := opened(c, 120, 40, midway()...)
	press(m, ",", "+")
	typeText(m, "agents.tester.model")
	press(m, "enter")
	typeText(m, "haiku")
	press(m, "enter", "w", "1")
	if want := []string{"save 0 [{agents.tester.model haiku}]"}; !reflect.DeepEqual(c.lines, want) {
		t.Errorf("asked for %q, want %q", c.lines, want)
	}
	press(m, "/")
	typeText(m, "reviewed")
	press(m, "enter", "enter")
	if m.panes.settings.typing != "" || !strings.Contains(m.notice, "config edit") {
		t.Errorf("a workflow is edited as one value: %q", m.notice)
	}
	press(m, "w")
	if !strings.Contains(m.notice, "nothing was changed") {
		t.Errorf("said %q", m.notice)
	}
	press(m, "esc", "esc")
	if m.panes.focus != onList {
		t.Error("esc takes the filter away, then goes back to the list")
	}
}

func TestPaletteFindsCompletesAndRuns(t *testing.T) {
	c := furnished()
	c.said = "Run 7f3c tries oauth-client again."
	m := opened(c, 120, 30, midway()...)
	press(m, ":")
	typeText(m, "rtry")
	press(m, "enter")
	if want := []string{"retry 7f3c oauth-client"}; !reflect.DeepEqual(c.lines, want) {
		t.Fatalf("ran %q, want %q", c.lines, want)
	}
	if s := seen(t, m); m.panes.palette != nil || !strings.Contains(s, c.said) {
		t.Errorf("the outcome is not shown in\n%s", s)
	}
	press(m, ":")
	typeText(m, "answ")
	press(m, "enter")
	if len(c.lines) != 1 {
		t.Fatalf("a command without its words was run: %q", c.lines)
	}
	typeText(m, "2")
	press(m, "enter")
	if want := "answer 7f3c oauth-client 2"; c.lines[len(c.lines)-1] != want {
		t.Errorf("ran %q, want %q", c.lines, want)
	}
	c.said = "one\ntwo \x1b[2Jthree\n"
	press(m, ":")
	typeText(m, "logs --search x")
	press(m, "enter")
	if s := seen(t, m); !strings.Contains(s, "orc logs --search x") || !strings.Contains(s, "│ two three") {
		t.Errorf("what it printed is not shown in\n%s", s)
	}
	press(m, "esc")
	if m.panes.focus != onList {
		t.Error("esc does not go back")
	}
}

func TestPaletteShowsAnErrorWhereTheCommandWasTyped(t *testing.T) {
	c := furnished()
	c.said, c.failed = "error: it is running\nhint: orc cancel it\n", true
	m := opened(c, 80, 24, midway()...)
	press(m, ":")
	typeText(m, "merge")
	press(m, "enter")
	if s := seen(t, m); !strings.Contains(s, ": merge 7f3c_") || !strings.Contains(s, "hint: orc cancel it") {
		t.Fatalf("no error in\n%s", s)
	}
	typeText(m, " --yes")
	if s := seen(t, m); strings.Contains(s, "hint:") {
		t.Errorf("the old error is still there:\n%s", s)
	}
	c.failed = false
	press(m, "enter")
	if want := []string{"merge 7f3c", "merge 7f3c --yes"}; !reflect.DeepEqual(c.lines, want) {
		t.Errorf("ran %q, want %q", c.lines, want)
	}
}

func TestPaletteHasTheActionsOfTheKeys(t *testing.T) {
	c := furnished()
	m := opened(c, 120, 30, midway()...)
	press(m, ":")
	typeText(m, "log of comm")
	press(m, "enter")
	if m.panes.focus != onCommands || len(c.lines) != 0 {
		t.Fatalf("focus %v, ran %q", m.panes.focus, c.lines)
	}
	press(m, "esc", "m")
	if p := m.panes.palette; p == nil || p.found()[0].text != "merge 7f3c" {
		t.Error("m does not offer to merge")
	}
	press(m, "esc", ":", "esc")
	if m.panes.palette != nil {
		t.Error("esc does not close the palette")
	}
}

func TestWhatNeedsTheTerminalGetsIt(t *testing.T) {
	c := furnished()
	m := opened(c, 120, 30, midway()...)
	press(m, ":")
	typeText(m, "edit 7f3c")
	_, cmd := m.Update(tea.KeyPressMsg{Code: tea.KeyEnter})
	if cmd == nil || m.panes.palette != nil {
		t.Fatal("the terminal is not lent")
	}
	if err := (terminalUser{func() error { return c.TakeTerminal(t.Context(), "edit 7f3c") }}).Run(); err != nil {
		t.Fatal(err)
	}
	m.Update(terminalMsg{errors.New("no \x1b[1meditor")})
	if m.notice != "no editor" {
		t.Errorf("said %q", m.notice)
	}
	_, cmd = m.Update(tea.KeyPressMsg{Code: 'o', Text: "o"})
	if cmd == nil {
		t.Error("the workspace is not opened")
	}
}

func TestHelpFindsAKeyAndDoesIt(t *testing.T) {
	m := opened(furnished(), 120, 30, midway()...)
	press(m, "?")
	typeText(m, "started git")
	if s := seen(t, m); !strings.Contains(s, "keys (1)") || strings.Contains(s, "next task") {
		t.Fatalf("it does not filter:\n%s", s)
	}
	press(m, "enter")
	if m.panes.focus != onCommands || m.panes.help != nil {
		t.Error("enter does not do it")
	}
	press(m, "?")
	if s := seen(t, m); strings.Contains(s, "cancel it; its work is kept") || !strings.Contains(s, "copy the command") {
		t.Errorf("keys that are not valid here are shown, or others are not:\n%s", s)
	}
	typeText(m, "zzz")
	press(m, "enter")
	if m.notice == "" || m.panes.help == nil {
		t.Error("nothing is said of a key that there is not")
	}
	press(m, "esc")
	if m.panes.help != nil {
		t.Error("esc does not close it")
	}
}

func TestCommandsFollowTheNewestUntilThePersonMoves(t *testing.T) {
	c := furnished()
	m := opened(c, 120, 30, midway()...)
	press(m, "L")
	if s := seen(t, m); !strings.Contains(s, ">12:02:15") {
		t.Fatalf("the newest is not chosen in\n%s", s)
	}
	press(m, "k")
	c.commands = append(c.commands, Command{At: "12:03:00", Line: "git gc"})
	settle(m, m.refresh())
	if s := seen(t, m); !strings.Contains(s, ">12:02:14") || !strings.Contains(s, "git gc") {
		t.Errorf("it does not stay where the person is\n%s", s)
	}
	press(m, "/")
	typeText(m, "codex exit 1")
	press(m, "enter")
	if s := seen(t, m); !strings.Contains(s, "commands (1)") {
		t.Errorf("the filter leaves\n%s", s)
	}
	_, cmd := m.Update(tea.KeyPressMsg{Code: 'y', Text: "y"})
	if list := results(cmd); len(list) != 1 || !strings.Contains(m.notice, "copied") {
		t.Errorf("%v, %q", list, m.notice)
	}
}

func TestPauseAndGoOnAreDeedsOfTheRun(t *testing.T) {
	c := furnished()
	m := opened(c, 120, 30, midway()...)
	press(m, "p", "1", "p", "2", "p", "3", "esc")
	if want := []Deed{{Kind: Pause}, {Kind: GoOn}}; !reflect.DeepEqual(c.deeds, want) {
		t.Errorf("done %+v, want %+v", c.deeds, want)
	}
}

func TestTabGoesToTheNextQuestion(t *testing.T) {
	c := &clerk{asks: []Ask{{ID: 7, Text: "First?"}, {ID: 8, Text: "Second?", Options: []string{"Yes"}}}}
	m := opened(c, 100, 30, midway()...)
	press(m, "a")
	if s := seen(t, m); !strings.Contains(s, "First?") || !strings.Contains(s, "1 of 2") || !strings.Contains(s, "waiting 4m12s") {
		t.Fatalf("no first question in\n%s", s)
	}
	press(m, "tab", "1")
	if want := []Deed{{Kind: Answer, Task: "oauth-client", Ask: 8, Text: "Yes"}}; !reflect.DeepEqual(c.deeds, want) {
		t.Errorf("done %+v", c.deeds)
	}
}

func TestEnterGivesThePageTheWholeWidth(t *testing.T) {
	m := opened(&clerk{}, 120, 30, midway()...)
	press(m, "enter", "enter")
	if s := seen(t, m); strings.Contains(s, "1 Tasks") || !strings.Contains(s, "attempt 1 of 3") {
		t.Fatalf("the list is still there:\n%s", s)
	}
	press(m, "esc")
	if s := seen(t, m); !strings.Contains(s, "1 Tasks") || m.panes.focus != onPage {
		t.Errorf("esc does not give the list back:\n%s", s)
	}
}

func TestTasksThatAreDoneFoldWhereThereIsNoRoom(t *testing.T) {
	m := opened(&clerk{}, 100, 9, begun(), started("schema", 1), completed("schema"), started("docs", 1), completed("docs"), started("oauth-client", 1))
	press(m, "G")
	if s := seen(t, m); !strings.Contains(s, "✓ 2 done") || strings.Contains(s, "schema") || !strings.Contains(s, "handlers") {
		t.Errorf("they are not folded:\n%s", s)
	}
}
