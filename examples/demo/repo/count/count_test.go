package count

import "testing"

func TestWords(t *testing.T) {
	for text, want := range map[string]int{"": 0, "one": 1, " two  words\n": 2} {
		if got := Words(text); got != want {
			t.Errorf("Words(%q) = %d, want %d", text, got, want)
		}
	}
}
