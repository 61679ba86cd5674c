package persistence_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// prose is a text of about n bytes whose words are as unevenly common as those that people use.
func prose(r *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "w%d ", int(20_000*r.Float64()*r.Float64()*r.Float64()))
	}
	return b.String()
}

// BenchmarkSaveMessage is the cost of a turn of 2 kB, one by one and a hundred at a time. The search index is not part of
// it: see search.go.
func BenchmarkSaveMessage(b *testing.B) {
	for _, batch := range []int{1, 100} {
		b.Run(fmt.Sprintf("by %d", batch), func(b *testing.B) {
			s := testStore(b)
			benchRun(b, s, 1)
			r := rand.New(rand.NewPCG(1, 2))
			turns := make([]persistence.ConversationTurn, batch)
			for i := range turns {
				turns[i] = persistence.ConversationTurn{Role: "assistant", Content: prose(r, 2000), Timestamp: time.Now(), Attempt: 1}
			}
			b.ReportAllocs()
			report := reportCPU(b)
			for b.Loop() {
				if err := s.SaveMessage(b.Context(), "aa", "task-000000", turns...); err != nil {
					b.Fatal(err)
				}
			}
			report()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/turn")
		})
	}
}

// BenchmarkMillionTurns reads and searches a store of a million turns of 200 bytes, of ten tasks. Making it takes a
// minute or two.
func BenchmarkMillionTurns(b *testing.B) {
	if testing.Short() {
		b.Skip("it takes minutes to make so many")
	}
	const turns, tasks, batch = 1_000_000, 10, 500
	s := testStore(b)
	benchRun(b, s, tasks)
	r := rand.New(rand.NewPCG(1, 2))
	id := func(n int) scheduler.TaskID { return scheduler.TaskID(fmt.Sprintf("task-%06d", n)) }
	list := make([]persistence.ConversationTurn, batch)
	for n := 0; n < turns; n += batch {
		for i := range list {
			list[i] = persistence.ConversationTurn{Role: "assistant", Content: fmt.Sprintf("%sturn%d", prose(r, 190), n+i), Timestamp: time.Now(), Attempt: 1}
		}
		if err := s.SaveMessage(b.Context(), "aa", id(n/batch%tasks), list...); err != nil {
			b.Fatal(err)
		}
	}
	began := time.Now()
	search := func(b *testing.B, words string, want int) {
		b.Helper()
		found, err := s.SearchTurns(b.Context(), persistence.TurnQuery{Words: words, Limit: 50})
		if err != nil || len(found) != want {
			b.Fatalf("%d turns with %s, %v", len(found), words, err)
		}
	}
	search(b, "turn999999", 1)
	b.Logf("made searchable in %s", time.Since(began).Round(time.Millisecond))
	for name, after := range map[string]int64{"first page": 0, "page in the middle": turns / 2, "last page": turns - 2*batch} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				page, err := s.HistoryPage(b.Context(), "aa", id(9), after, 100)
				if err != nil || len(page.Turns) != 100 {
					b.Fatal(len(page.Turns), err)
				}
			}
		})
	}
	b.Run("search for a rare word", func(b *testing.B) {
		for b.Loop() {
			search(b, "turn500000", 1)
		}
	})
	b.Run("search for a common word", func(b *testing.B) {
		for b.Loop() {
			search(b, "w0", 50)
		}
	})
	b.Run("search with a turn to add", func(b *testing.B) {
		for b.Loop() {
			if err := s.SaveMessage(b.Context(), "aa", id(0), list[0]); err != nil {
				b.Fatal(err)
			}
			search(b, "turn500000", 1)
		}
	})
}
