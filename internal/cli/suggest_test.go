package cli

import (
	"testing"

	"pgregory.net/rapid"
)

func TestClosestFindsWhatWasMeant(t *testing.T) {
	commands := []string{"init", "run", "status", "logs", "show", "diff", "history", "retry", "cancel", "resume", "merge"}
	for word, want := range map[string]string{
		"statsu": "status", "stat": "status", "LOGS": "logs", "mrege": "merge", "historie": "history", "resum": "resume",
		"frobnicate": "", "": "", "x": "", "shw": "show", "log": "logs",
	} {
		if got := closest(word, commands); got != want {
			t.Errorf("%q means %q, want %q", word, got, want)
		}
	}
}

func TestDistanceIsAMetricOnSingleEdits(t *testing.T) {
	letters := rapid.StringMatching(`[a-c]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := letters.Draw(t, "a"), letters.Draw(t, "b")
		d := distance(a, b)
		if d != distance(b, a) {
			t.Fatalf("distance of %q and %q depends on the order", a, b)
		}
		if (d == 0) != (a == b) {
			t.Fatalf("distance of %q and %q is %d", a, b, d)
		}
		if d > max(len(a), len(b)) {
			t.Fatalf("distance of %q and %q is %d, more than replacing everything", a, b, d)
		}
		if e := distance(a, a+"c"); e != 1 {
			t.Fatalf("one more letter is %d away", e)
		}
	})
}
