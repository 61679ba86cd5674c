package format

import (
	"strings"
	"testing"
)

func TestTableHasOneLinePerRow(t *testing.T) {
	got := Table([]Row{{"words", 7}, {"lines", 12}})
	if lines := strings.Count(got, "\n"); lines != 2 {
		t.Errorf("%d lines, want 2:\n%s", lines, got)
	}
}
