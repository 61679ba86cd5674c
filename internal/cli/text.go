package cli

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"orchestrator/internal/view"
)

// firstLine returns the first line that says something.
func firstLine(s string) string {
	for line := range strings.Lines(view.Sanitize(s)) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}

// span writes a length of time for people.
func span(d time.Duration) string { return view.Duration(d) }

// spanMS is span for milliseconds.
func spanMS(ms int64) string { return span(time.Duration(ms) * time.Millisecond) }

// ago writes how long ago something was, in words.
func ago(now, then time.Time) string {
	d := now.Sub(then)
	switch {
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return view.Plural(int(d.Seconds()), "second") + " ago"
	case d < time.Hour:
		return view.Plural(int(d.Minutes()), "minute") + " ago"
	case d < 48*time.Hour:
		return view.Plural(int(d.Hours()), "hour") + " ago"
	}
	return view.Plural(int(d.Hours())/24, "day") + " ago"
}

// some names the first of many.
func some(names []string) string { return view.List(names, 4*listed) }

// joinCounts writes counts in one line.
func joinCounts(parts []string) string { return strings.Join(parts, " · ") }

// columns says how many columns of a terminal a line takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// runeColumns says how wide a character is: marks that combine take no room, East Asian characters and emoji two.
func runeColumns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Yi),
		r >= 0x3000 && r <= 0x303e, r >= 0xff01 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1f64f, r >= 0x1f680 && r <= 0x1f6ff, r >= 0x1f900 && r <= 0x1faff:
		return 2
	}
	return 1
}

// truncate shortens a line to a number of columns; 0 means any number.
func truncate(s string, most int) string {
	if most <= 0 || columns(s) <= most {
		return s
	}
	used := 0
	for i, r := range s {
		n := runeColumns(r)
		if used+n > most-1 {
			return s[:i] + "…"
		}
		used += n
	}
	return s
}

// runeBoundary returns how many bytes of b are whole characters.
func runeBoundary(b []byte) int {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if utf8.FullRune(b[i:]) {
				return len(b)
			}
			return i
		}
	}
	return len(b)
}
