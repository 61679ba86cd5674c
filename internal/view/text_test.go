package view

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDurationsReadAsPeopleSayThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                        "<1s",
		999 * time.Millisecond:   "<1s",
		time.Second:              "1s",
		59999 * time.Millisecond: "59s",
		92 * time.Second:         "1m32s",
		31*time.Minute + 5e9:     "31m05s",
		62 * time.Minute:         "1h02m",
		30*time.Hour + 5*60*1e9:  "30h05m",
		-3 * time.Second:         "<1s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%d) = %s, want %s", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "00:00", 92 * time.Second: "01:32", 125 * time.Minute: "125:00", -1e9: "00:00"} {
		if got := Clock(d); got != want {
			t.Errorf("Clock(%d) = %s, want %s", d, got, want)
		}
	}
}

func TestEstimatesSayAbout(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                 "nearly done",
		42 * time.Second:  "about 40 s left",
		9 * time.Minute:   "about 9 min left",
		131 * time.Minute: "about 2 h 10 min left",
	} {
		if got := About(d); got != want {
			t.Errorf("About(%s) = %s, want %s", d, got, want)
		}
	}
}

func TestListsAreCut(t *testing.T) {
	if got := List([]string{"a", "b", "c", "d"}, 2); got != "a, b and 2 more" {
		t.Error(got)
	}
	if got := List([]string{"a", "b"}, 2); got != "a, b" {
		t.Error(got)
	}
	if got := LastLines("a\nb\nc\n\n", 2); !cmp.Equal(got, []string{"b", "c"}) {
		t.Error(got)
	}
	if got := LastLines("", 2); got != nil {
		t.Error(got)
	}
}

func TestEachStateHasAGlyphInBothSets(t *testing.T) {
	for _, g := range []*Glyphs{Unicode, ASCII} {
		seen := map[string]bool{}
		for w := range words {
			if g.Of(w) == "" || seen[g.Of(w)] {
				t.Errorf("%s has glyph %q", w, g.Of(w))
			}
			seen[g.Of(w)] = true
		}
	}
}
