package persistence_test

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// modelWords are what turns say, besides anything else, so that searches find some of them.
var modelWords = []string{"alpha", "beta", "gamma"}

// checkPages reads a conversation by pages and from its end.
func (m *model) checkPages(r *rapid.T, id scheduler.RunID, task scheduler.TaskID, want []persistence.ConversationTurn) {
	size := 1 + m.steps/4%3
	var got []persistence.ConversationTurn
	for after := int64(0); ; {
		page, err := m.store.HistoryPage(r.Context(), id, task, after, size)
		expect(r, "page", err, nil)
		if len(page.Turns) == 0 {
			if page.Turns == nil || page.Last != after {
				r.Fatalf("the page after the last is %#v after %d", page, after)
			}
			break
		}
		if len(page.Turns) > size || page.Last <= after {
			r.Fatalf("a page of %d after %d has %d turns and ends with %d", size, after, len(page.Turns), page.Last)
		}
		got, after = append(got, page.Turns...), page.Last
	}
	same(r, "pages", got, want)
	last, before, err := m.store.LastTurns(r.Context(), id, task, size)
	first := max(0, len(want)-size)
	same(r, "last turns", get(r, "last turns", last, err), want[first:])
	if before != first || last == nil {
		r.Fatalf("%d turns before the last %d of %d", before, len(last), len(want))
	}
}

// checkCounts compares what a run is said to have.
func (m *model) checkCounts(r *rapid.T, id scheduler.RunID, run *modelRun) {
	want := persistence.RunCounts{Tasks: len(run.tasks), Attempts: len(run.attempts), Events: len(run.events)}
	for _, turns := range run.turns {
		want.Turns += len(turns)
	}
	got, err := m.store.CountRun(r.Context(), id)
	same(r, "counts", get(r, "count run", got, err), want)
}

// checkSearch looks for each word everywhere and in each run. What turns say besides may be any text, so the model looks
// for the word as the suite's words are made: lower case, between spaces.
func (m *model) checkSearch(r *rapid.T) {
	for _, word := range modelWords {
		var all []string
		for _, id := range modelRuns {
			var want []string
			if run := m.runs[id]; run != nil {
				for task, turns := range run.turns {
					for _, turn := range turns {
						if strings.HasPrefix(turn.Content, word+" ") {
							want = append(want, fmt.Sprint(id, task, turn.Attempt))
						}
					}
				}
			}
			m.checkFound(r, persistence.TurnQuery{Words: word, Run: id}, want)
			all = append(all, want...)
		}
		m.checkFound(r, persistence.TurnQuery{Words: word}, all)
		m.checkFound(r, persistence.TurnQuery{Words: word, Repository: "/repo"}, all)
		m.checkFound(r, persistence.TurnQuery{Words: word, Repository: "/other"}, nil)
		if len(all) > 1 {
			found, err := m.store.SearchTurns(r.Context(), persistence.TurnQuery{Words: word, Limit: len(all) - 1})
			if len(get(r, "search", found, err)) != len(all)-1 {
				r.Fatalf("a search for %s with a limit of %d found %d", word, len(all)-1, len(found))
			}
		}
	}
}

func (m *model) checkFound(r *rapid.T, q persistence.TurnQuery, want []string) {
	found, err := m.store.SearchTurns(r.Context(), q)
	expect(r, "search", err, nil)
	var got []string
	for _, f := range found {
		got = append(got, fmt.Sprint(f.Run, f.Task, f.Attempt))
	}
	slices.Sort(got)
	slices.Sort(want)
	same(r, fmt.Sprintf("found by %+v", q), got, want)
}

// maintain checks the whole store, and that a copy of it is one.
func (m *model) maintain(r *rapid.T) {
	expect(r, "check", m.store.Check(r.Context()), nil)
	m.copies++
	file := fmt.Sprintf("%s/copy-%d.db", m.dir, m.copies)
	expect(r, "backup", m.store.Backup(r.Context(), file), nil)
	expect(r, "backup to a file that exists", m.store.Backup(r.Context(), file), persistence.ErrConflict)
	s, err := persistence.NewSQLiteStore(r.Context(), file)
	expect(r, "open the copy", err, nil)
	original := m.store
	m.store = s
	defer func() {
		m.store = original
		expect(r, "close the copy", s.Close(), nil)
		expect(r, "remove the copy", os.Remove(file), nil)
	}()
	m.compare(r)
}
