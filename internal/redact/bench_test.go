package redact

import (
	"strings"
	"testing"
)

// A long line without blanks is what a stream holds back the most of.
func BenchmarkStreamOfOneLongLine(b *testing.B) {
	piece := strings.Repeat("y", 64<<10)
	b.SetBytes(int64(len(piece)))
	s := New([]string{"API_TOKEN=a-value-of-a-token"}).Stream()
	for b.Loop() {
		s.Next(piece)
	}
}
