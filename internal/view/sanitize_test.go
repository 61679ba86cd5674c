package view

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSanitizeKeepsTextAndRemovesWhatATerminalWouldObey(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":                  {"go test ./...\nok\n", "go test ./...\nok\n"},
		"empty":                  {"", ""},
		"colours":                {"\x1b[1;31mFAIL\x1b[0m TestX", "FAIL TestX"},
		"colon parameters":       {"\x1b[38:2::1:2:3mx", "x"},
		"cursor moves":           {"a\x1b[2J\x1b[10;10Hb\x1b[?25l", "ab"},
		"title, BEL":             {"a\x1b]0;pwned\x07b", "ab"},
		"title, ST":              {"a\x1b]0;pwned\x1b\\b", "ab"},
		"title, C1":              {"a\u009d0;pwned\u009cb", "ab"},
		"clipboard":              {"\x1b]52;c;ZXZpbA==\x07ok", "ok"},
		"hyperlink":              {"\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\", "text"},
		"DCS":                    {"a\x1bP1$r0m\x1b\\b", "ab"},
		"APC":                    {"a\x1b_Gf=100;AAAA\x1b\\b", "ab"},
		"PM and SOS":             {"a\x1b^x\x1b\\b\x1bXy\x1b\\c", "abc"},
		"C1 CSI":                 {"a\u009b31mb", "ab"},
		"unterminated string":    {"a\x1b]0;hidden\nshown", "a\nshown"},
		"unterminated CSI":       {"a\x1b[12\nb", "a\nb"},
		"cut off":                {"a\x1b[", "a"},
		"lone ESC":               {"a\x1b", "a"},
		"character set":          {"a\x1b(0b", "ab"},
		"save cursor":            {"a\x1b7b\x1b8c", "abc"},
		"reset":                  {"a\x1bcb", "ab"},
		"raw C1 byte":            {"a\x9b31mb", "a\ufffd31mb"},
		"bells and backspaces":   {"a\a\b\b\x00\x7fb", "ab"},
		"invalid UTF-8":          {"a\xff\xfeb", "a\ufffd\ufffdb"},
		"cut-off rune":           {"a\xe2\x82", "a\ufffd\ufffd"},
		"Windows line ends":      {"a\r\nb\r\n", "a\nb\n"},
		"progress bar":           {"10%\r50%\r100%\ndone", "100%\ndone"},
		"return at the end":      {"100%\r", "100%"},
		"return before a colour": {"old\r\x1b[Knew", "new"},
		"tabs":                   {"a\tb\n\tc", "a       b\n        c"},
		"bidi":                   {"a\u202eevil\u202c\u2066b\u2069\u200f", "aevilb"},
		"tags":                   {"a\U000e0041\U000e0042\U000e007fb", "ab"},
		"smuggled bytes":         {"a\U000e0100\U000e01efb", "ab"},
		"invisible":              {"a\u200b\ufeff\u2060\u00adb", "ab"},
		"joiners":                {"👩\u200d💻 نمی\u200cخواهم", "👩\u200d💻 نمی\u200cخواهم"},
		"line separators":        {"a\u2028b\u2029c", "a b c"},
		"zalgo":                  {"a" + strings.Repeat("\u0301", 50) + "b", "a" + strings.Repeat("\u0301", maxCombining) + "b"},
		"joiners without end":    {"a" + strings.Repeat("\u200d", 50) + "b", "a" + strings.Repeat("\u200d", maxCombining) + "b"},
		"wide":                   {"日本語 ok", "日本語 ok"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Sanitize(c.in); got != c.want {
				t.Errorf("Sanitize(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestSanitizeLineIsOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"a\nb\n\nc\n":  "a b c",
		"a  \t":        "a",
		"\n":           "",
		"\x1b[1mx\r\n": "x",
	} {
		if got := SanitizeLine(in); got != want {
			t.Errorf("SanitizeLine(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzSanitize(f *testing.F) {
	for _, s := range []string{"a\x1b[31mb", "\x1b]0;t\x07", "\u009b1m", "a\rb\tc", "\x1bP\x1b\\", "\xff", "\u202e", "\x1b\x1b[[m", "\x1b]\xc2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Sanitize(s)
		if !utf8.ValidString(got) {
			t.Fatalf("Sanitize(%q) = %q is not UTF-8", s, got)
		}
		for _, r := range got {
			if (unicode.IsControl(r) && r != '\n') || unicode.Is(unicode.Bidi_Control, r) || (r >= 0xe0000 && r <= 0xe007f) {
				t.Fatalf("Sanitize(%q) = %q has %U", s, got, r)
			}
		}
		if again := Sanitize(got); again != got {
			t.Fatalf("Sanitize(%q) = %q, and again %q", s, got, again)
		}
		if line := SanitizeLine(s); strings.ContainsRune(line, '\n') {
			t.Fatalf("SanitizeLine(%q) = %q has lines", s, line)
		}
	})
}
