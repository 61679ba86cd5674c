package cli

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAgoIsAboutRight(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "just now", -time.Minute: "just now", 9 * time.Second: "just now", 10 * time.Second: "10 seconds ago",
		time.Minute: "1 minute ago", 59 * time.Minute: "59 minutes ago", time.Hour: "1 hour ago",
		47 * time.Hour: "47 hours ago", 48 * time.Hour: "2 days ago", 800 * time.Hour: "33 days ago",
	} {
		if got := ago(now, now.Add(-d)); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

func TestTruncateNeverExceedsTheWidth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		most := rapid.IntRange(1, 20).Draw(t, "most")
		if got := truncate(s, most); columns(got) > most {
			t.Fatalf("%q is %d wide, more than %d", got, columns(got), most)
		}
	})
}

func TestColumnsCountsWhatATerminalShows(t *testing.T) {
	for s, want := range map[string]int{"abc": 3, "日本": 4, "e\u0301": 1, "한글": 4, "✓ done": 6, "🚀": 2, "ａ": 2, "a\u200db": 2} {
		if got := columns(s); got != want {
			t.Errorf("%q is %d columns, want %d", s, got, want)
		}
	}
}
