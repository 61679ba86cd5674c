package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

var searchCases = []testCase{
	{"every turn that was stored can be found at once", searchAtOnce},
	{"words are looked for as they are", searchWords},
	{"words that cannot be understood are an error that says why", searchMistakes},
	{"a search is of a run, a repository or all, newest first", searchScope},
	{"a snippet shows where the words are", searchSnippet},
	{"what was deleted is not found", searchDeleted},
	{"turns beyond one portion are found", searchMany},
}

// say stores one turn for each text.
func say(t *testing.T, s persistence.Store, run scheduler.RunID, id scheduler.TaskID, texts ...string) {
	t.Helper()
	for i, text := range texts {
		must(t, s.SaveMessage(t.Context(), run, id, persistence.ConversationTurn{
			Role: "assistant", Content: text, Timestamp: at.Add(time.Duration(i) * time.Second), Attempt: 1,
		}))
	}
}

// search returns the snippets of what is found, newest first.
func search(t *testing.T, s persistence.Store, q persistence.TurnQuery) []string {
	t.Helper()
	found, err := s.SearchTurns(t.Context(), q)
	if err != nil {
		t.Fatalf("search %q: %v", q.Words, err)
	}
	list := []string{}
	for _, f := range found {
		list = append(list, f.Snippet)
	}
	return list
}

func searchAtOnce(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	for i := range 5 {
		say(t, s, "aa", "a", fmt.Sprint("word", i))
		wantSame(t, "found", search(t, s, persistence.TurnQuery{Words: fmt.Sprint("word", i)}), []string{fmt.Sprint("word", i)})
	}
	_, err := s.Apply(t.Context(), persistence.Transition{
		Run: "aa", Generation: own(t, s, "aa"), Now: at,
		Turns: []persistence.TaskTurn{{Task: "a", ConversationTurn: persistence.ConversationTurn{Role: "tool", Content: "by a transition", Attempt: 3}}},
	})
	must(t, err)
	found, err := s.SearchTurns(t.Context(), persistence.TurnQuery{Words: "transition"})
	must(t, err)
	wantSame(t, "found", found, []persistence.FoundTurn{{
		Run: "aa", Task: "a", Attempt: 3, Role: "tool", Timestamp: at, Snippet: "by a transition", Matches: []persistence.Span{{Begin: 5, End: 15}},
	}})
}

func searchWords(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	texts := []string{
		"the migration failed", "migrations fail often", "naïve Ärger", "max_retries-count: 3", "content: x OR y", "日本 and more", "near NEAR(near) \"quoted\"",
	}
	say(t, s, "aa", "a", texts...)
	for words, want := range map[string][]int{
		"migration":                  {0},
		"MIGRATION Failed":           {0},
		"failed migration":           {0},
		`"failed migration"`:         {},
		`"migration failed"`:         {0},
		"migr*":                      {1, 0},
		`"migration fai"*`:           {0},
		"naive arger":                {2},
		"max_retries":                {3},
		"retries-count":              {3},
		"-count":                     {3},
		"count: 3":                   {3},
		"content:x":                  {4},
		"x or y":                     {4},
		"often OR often OR 3":        {3, 1},
		"migration OR naive":         {2, 0},
		"naive OR often fail":        {2, 1},
		"fail* NOT often":            {0},
		"NOT often fail*":            {0},
		"fail* AND often":            {1},
		"日本":                         {5},
		"NEAR(near)":                 {6},
		"quoted)":                    {6},
		"(((near":                    {6},
		"near ^ + -- {} * ' ; ~":     {6},
		"the\x00migration":           {0},
		"DROP TABLE":                 {},
		strings.Repeat("near ", 200): {6},
	} {
		expected := []string{}
		for _, i := range want {
			expected = append(expected, texts[i])
		}
		wantSame(t, fmt.Sprintf("found by %.40q", words), search(t, s, persistence.TurnQuery{Words: words}), expected)
	}
}

func searchMistakes(t *testing.T, s persistence.Store) {
	for words, why := range map[string]string{
		"":                           "no word",
		"  ++ (*) ":                  "no word",
		`say "hello`:                 "not closed",
		"OR":                         "OR needs",
		"a OR":                       "OR needs",
		"OR a":                       "OR needs",
		"a OR OR b":                  "OR needs",
		"a NOT":                      "NOT needs",
		"NOT a":                      "NOT needs",
		"a OR NOT b":                 "NOT needs",
		"a AND NOT b":                "AND needs",
		"a NOT ++":                   "NOT needs",
		strings.Repeat("long ", 201): "too long",
	} {
		_, err := s.SearchTurns(t.Context(), persistence.TurnQuery{Words: words})
		wantIs(t, err, persistence.ErrQuery)
		var e *persistence.Error
		if !strings.Contains(err.Error(), why) || !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("%q: %v does not say %q, or has no hint", words, err, why)
		}
	}
}

func searchScope(t *testing.T, s persistence.Store) {
	for _, id := range []scheduler.RunID{"aa", "bb", "cc"} {
		run := sampleRun(id)
		if id == "cc" {
			run.Repository = "/src/other"
		}
		must(t, s.CreateRun(t.Context(), run, []*scheduler.Task{task("a")}))
		say(t, s, id, "a", "one of "+string(id), "two of "+string(id))
	}
	for _, c := range []struct {
		q    persistence.TurnQuery
		want []string
	}{
		{persistence.TurnQuery{Words: "of"}, []string{"two of cc", "one of cc", "two of bb", "one of bb", "two of aa", "one of aa"}},
		{persistence.TurnQuery{Words: "of", Limit: 3}, []string{"two of cc", "one of cc", "two of bb"}},
		{persistence.TurnQuery{Words: "of", Run: "aa"}, []string{"two of aa", "one of aa"}},
		{persistence.TurnQuery{Words: "of", Run: "aa", Limit: 1}, []string{"two of aa"}},
		{persistence.TurnQuery{Words: "of", Repository: "/src/app"}, []string{"two of bb", "one of bb", "two of aa", "one of aa"}},
		{persistence.TurnQuery{Words: "of", Repository: "/src/other"}, []string{"two of cc", "one of cc"}},
		{persistence.TurnQuery{Words: "of", Repository: "/src/other", Run: "aa"}, []string{}},
		{persistence.TurnQuery{Words: "of", Run: "zz"}, []string{}},
	} {
		wantSame(t, fmt.Sprintf("%+v", c.q), search(t, s, c.q), c.want)
	}
}

func searchSnippet(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	say(t, s, "aa", "a", strings.Repeat("before ", 500)+"a needle, and a Needle"+strings.Repeat(" after", 500), "a\x00b \x1b[31m faden\x1b[0m\r\n日本")
	found, err := s.SearchTurns(t.Context(), persistence.TurnQuery{Words: "needle"})
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("found %+v", found)
	}
	f := found[0]
	if len(f.Snippet) > 300 || !strings.HasPrefix(f.Snippet, "…") || !strings.HasSuffix(f.Snippet, "…") {
		t.Errorf("snippet %q", f.Snippet)
	}
	var matches []string
	for _, m := range f.Matches {
		matches = append(matches, f.Snippet[m.Begin:m.End])
	}
	wantSame(t, "matches", matches, []string{"needle", "Needle"})
	// A snippet may lack what is between a zero byte and a match, never the match.
	if got := search(t, s, persistence.TurnQuery{Words: "faden"}); len(got) != 1 || !strings.Contains(got[0], "faden\x1b[0m") {
		t.Errorf("in text with a zero byte: %q", got)
	}
}

func searchDeleted(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"), task("b"))
	create(t, s, "bb", task("a"))
	say(t, s, "aa", "a", "old one")
	say(t, s, "bb", "a", "old two")
	say(t, s, "aa", "b", "old three")
	wantSame(t, "found", search(t, s, persistence.TurnQuery{Words: "old"}), []string{"old three", "old two", "old one"})
	say(t, s, "aa", "b", "old four") // not looked for before it goes
	must(t, s.DeleteTask(t.Context(), "aa", "b"))
	wantSame(t, "found", search(t, s, persistence.TurnQuery{Words: "old"}), []string{"old two", "old one"})
	must(t, s.DeleteRun(t.Context(), "bb"))
	wantSame(t, "found", search(t, s, persistence.TurnQuery{Words: "old"}), []string{"old one"})
	// What comes now may get the place of what went.
	say(t, s, "aa", "a", "new five")
	wantSame(t, "found", search(t, s, persistence.TurnQuery{Words: "new"}), []string{"new five"})
	wantSame(t, "found", search(t, s, persistence.TurnQuery{Words: "old OR five"}), []string{"new five", "old one"})
	must(t, s.DeleteRun(t.Context(), "aa"))
	create(t, s, "aa", task("a"))
	say(t, s, "aa", "a", "last")
	wantSame(t, "found", search(t, s, persistence.TurnQuery{Words: "last OR old OR new"}), []string{"last"})
	must(t, s.Check(t.Context()))
}

func searchMany(t *testing.T, s persistence.Store) {
	create(t, s, "aa", task("a"))
	turns := make([]persistence.ConversationTurn, 600)
	for i := range turns {
		turns[i] = persistence.ConversationTurn{Role: "user", Content: fmt.Sprint("number ", i, strings.Repeat(" filler", i))}
	}
	turns[300].Content += strings.Repeat(" large", 50_000)
	must(t, s.SaveMessage(t.Context(), "aa", "a", turns...))
	if got := search(t, s, persistence.TurnQuery{Words: "number"}); len(got) != len(turns) {
		t.Errorf("found %d of %d", len(got), len(turns))
	}
	for _, i := range []int{0, 300, 599} {
		if got := search(t, s, persistence.TurnQuery{Words: fmt.Sprintf(`"number %d"`, i)}); len(got) != 1 {
			t.Errorf("turn %d: %q", i, got)
		}
	}
}
