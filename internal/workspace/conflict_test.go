package workspace

import (
	"slices"
	"testing"
)

func TestConflictLines(t *testing.T) {
	text := []byte("one\n<<<<<<< ours\ntwo\n2\n||||||| base\nbase\n=======\ntheirs\n>>>>>>> theirs\nmid\n" +
		"<<<<<<< ours\n=======\nadded\n>>>>>>> theirs\nend\n=======\n")
	for _, c := range []struct {
		ours bool
		want []LineRange
	}{
		{false, []LineRange{{2, 9}, {11, 14}}},
		{true, []LineRange{{2, 3}, {5, 5}}},
	} {
		if got := conflictLines(text, c.ours); !slices.Equal(got, c.want) {
			t.Errorf("ours %v: %v instead of %v", c.ours, got, c.want)
		}
	}
	if got := conflictLines([]byte("=======\n>>>>>>> x\n"), true); got != nil {
		t.Errorf("a file without a conflict has %v", got)
	}
	if a, b := (LineRange{40, 58}).String(), (LineRange{7, 7}).String(); a != "40-58" || b != "7" {
		t.Errorf("%s, %s", a, b)
	}
}
