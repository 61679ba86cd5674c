package tui

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

// hostileTexts are texts as an agent, a command or a plan may write them, by accident or not.
var hostileTexts = []string{
	"\x1b[2J\x1b[H\x1b]0;owned\a\x1b]52;c;cm0gLXJm\a gone",
	"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x1bP1;2q\x1b\\ \x9b31m \u009b31m \u0090x\u009c",
	"\u202eevil\u202c \u2066a\u2069 \u200bzero \ufeff \U000e0041\U000e007f",
	"a\x00b\x07c\x08d\x7fe\vf\f \r over \r\n next\ttab\t\ttab",
	"e\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A",
	"日本語の長い行がここに続きますがどこかで折り返されなければなりません日本語の長い行",
	"👩‍👩‍👧‍👦 🇩🇪🇯🇵 👍🏽 ❤️ 1️⃣ ☎️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ™️ ⚠️",
	"नमस्ते क्षत्रिय ตัวอย่าง 각 각 العربية עברית",
	strings.Repeat("x", 5000) + strings.Repeat("日", 3000),
	"\xff\xfe invalid \xc3( \xe2\x82",
	strings.Repeat("\n", 300) + "end",
	"",
	"\u2028line\u2029paragraph\u0085next",
	"\u200d\u200d\u200d \ufe0f\ufe0f \u0301start",
}

// hostileClerk says the same text everywhere.
func hostileClerk(text string) *clerk {
	return &clerk{
		text: func(string, Page) string { return text },
		asks: []Ask{{ID: 1, Text: text, Options: []string{text, "b"}}, {Text: text, Yes: true}},
		said: text, failed: true,
		commands: []Command{{At: text, Task: text, Line: text, End: text, Took: text}, {Line: text, Failed: true}},
		settings: Settings{
			List:   []Setting{{Key: text, Value: text, From: text, About: text, Hides: text}, {Key: "grace", Value: "x"}},
			Places: []string{text, text},
		},
		agents:  []Agent{{Role: text, Who: text, State: text}},
		refused: map[string]string{"grace": text},
	}
}

// hostileRun is a run all of whose texts are of that kind.
func hostileRun(text string) (view.Seed, []event.Event) {
	s := view.Seed{ID: "7f3c", Name: text, Branch: text, Tasks: []view.SeedTask{
		{ID: "one", Name: text, Agent: text}, {ID: text + "2", Agent: text, Needs: []string{"one"}}, {ID: "three", Agent: text},
	}}
	fail := failed("three")
	fail.Error, fail.Output = text, text
	doing := event.Event{Time: at(3, 0), Kind: event.TaskActivity, Task: "one", Attempt: 1, Detail: event.Detail{Message: text}}
	return s, []event.Event{begun(), started("one", 1), doing, started("three", 1), fail, started(text+"2", 1), question(text+"2", text), {Kind: event.Notice, Detail: event.Detail{Message: text}}}
}

// inspect fails the test when something on the screen is not harmless, or is not where it belongs.
func inspect(t *testing.T, m *model, where string) {
	t.Helper()
	content := m.View().Content
	lines := strings.Split(content, "\n")
	if len(lines) != m.height {
		t.Fatalf("%s: %d lines on a screen of %d", where, len(lines), m.height)
	}
	for i, l := range lines {
		if ansi.Strip(l) != l {
			t.Fatalf("%s: escape sequences, though there are no colours: %q", where, l)
		}
		for _, r := range l {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u200d' || r == '\ufe0f' || r == '\u200b' {
				t.Fatalf("%s: %q in %q", where, r, l)
			}
		}
		byCell, byCluster, wc := cells(l), lipgloss.Width(l), ansi.StringWidthWc(l)
		if strings.ContainsFunc(l, disputed) {
			byCell, wc = m.width, m.width
		}
		if byCell != m.width || byCluster != m.width || wc != m.width {
			t.Fatalf("%s: line %d has %d cells (%d by clusters, %d by characters) on a screen of %d: %q", where, i, byCell, byCluster, wc, m.width, l)
		}
		if i > 0 && i < len(lines)-1 {
			if _, last := utf8.DecodeLastRuneInString(l); last == 0 || !strings.ContainsAny(l[len(l)-last:], "│╮╯") {
				t.Fatalf("%s: line %d does not end with the frame: %q", where, i, l)
			}
		}
	}
}

// disputed says of a character that its width beside others is not agreed upon, and that a text cannot be read without it:
// vowels of Indic scripts, letters that Korean syllables are made of.
func disputed(r rune) bool {
	return unicode.Is(unicode.Mc, r) || r >= 0x1100 && r <= 0x11ff || r >= 0xd7b0 && r <= 0xd7ff
}

// visits are the ways into every view.
var visits = [][]string{
	nil,
	{"h"},
	{"l", "l"},
	{"enter"},
	{"enter", "enter"},
	{"esc", "esc", "3"},
	{"1", "a"},
	{"tab"},
	{"t", "z"},
	{"esc", ",", "enter", "z", "enter"},
	{"w"},
	{"1"},
	{"esc", "L", "k"},
	{"esc", ":"},
	{"x", "enter"},
	{"esc", "esc", "?"},
	{"esc", "/", "n"},
	{"esc", "x"},
	{"y"},
}

func roam(t *testing.T, text string, width, height int) {
	t.Helper()
	s, events := hostileRun(text)
	c := hostileClerk(text)
	m := modelOf(Options{Helm: c, Run: view.New(s), Unicode: true}, width, height, events...)
	m.drawn = true
	press(m, "u")
	for _, keys := range visits {
		press(m, keys...)
		inspect(t, m, strings.Join(keys, " "))
	}
}

func TestNoTextBreaksTheFrame(t *testing.T) {
	for _, text := range hostileTexts {
		for _, size := range [][2]int{{120, 24}, {61, 11}, {24, 7}} {
			roam(t, text, size[0], size[1])
		}
	}
}

func FuzzNoTextBreaksTheFrame(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add(text, uint8(80), uint8(24))
	}
	f.Fuzz(func(t *testing.T, text string, width, height uint8) {
		roam(t, head(text, 2<<10), // longer ones take time and show nothing else
			smallest+int(width)%120, lowest+int(height)%40)
	})
}

func TestWhatIsCopiedIsHarmlessWhereItIsPasted(t *testing.T) {
	c := &clerk{text: func(string, Page) string { return "a\x1b[2J\u202eb\nc" }}
	m := opened(c, 120, 24, midway()...)
	list := results(m.copy())
	if len(list) != 1 || fmt.Sprint(list[0]) != "ab\nc" {
		t.Errorf("copied %q", list)
	}
}
