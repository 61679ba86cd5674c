package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// said is a run with a conversation.
func said(f *fixture, texts ...string) {
	f.t.Helper()
	s := seeded{
		tasks:    []*scheduler.Task{{ID: "docs", Command: "x", Status: scheduler.TaskRunning}},
		attempts: []persistence.Attempt{{Task: "docs", Number: 2, Phase: scheduler.PhaseWorking, StartedAt: noon}},
	}
	for i, text := range texts {
		s.turns = append(s.turns, persistence.TaskTurn{Task: "docs", ConversationTurn: persistence.ConversationTurn{
			Role: "assistant", Content: text, Timestamp: noon.Add(time.Duration(i) * time.Minute), Attempt: 2,
		}})
	}
	f.seed(s)
}

func TestSearchShowsWhereTheWordsAre(t *testing.T) {
	f := newFixture(t)
	said(f, "nothing of it", "a \x1b[31m red\x1b[0m\r\nNeedle\nand another needle")
	want := "7f3c docs attempt 2 2026-05-01 12:01:00 assistant\n  a red Needle and another needle\n"
	if got := f.must(ExitOK, "logs", "--search", "needle"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	f.app.Environ = append(f.app.Environ, "ORC_FORCE_TTY=1", "COLUMNS=20")
	want = "  a red \x1b[1mNeedle\x1b[0m and …\n"
	if got := f.must(ExitOK, "logs", "--search", "needle", "--color", "always"); !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want it to end in %q", got, want)
	}
}

func TestSearchAsProgramsReadIt(t *testing.T) {
	f := newFixture(t)
	said(f, "one word", "two words", "three words")
	want := `{"schema":1,"turns":[{"run":"7f3c","task":"docs","attempt":2,"time":"2026-05-01T12:02:00Z","role":"assistant","snippet":"three words"}],"more":true}` + "\n"
	if got := f.must(ExitOK, "logs", "--search", "word*", "--limit", "1", "--json"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := f.must(ExitOK, "logs", "--search", "word*", "--limit", "0", "--jq", ".more, (.turns | length)"); got != "false\n3\n" {
		t.Errorf("all of them: %q", got)
	}
	f.must(ExitOK, "logs", "--search", "word*", "--limit", "1")
	if !strings.Contains(f.err.String(), "There are older ones") {
		t.Errorf("nothing says that there are more: %q", f.err.String())
	}
	f.must(ExitOK, "logs", "--search", "x", "--json=")
	if !strings.Contains(f.out.String(), "turns.snippet\n") {
		t.Errorf("fields: %q", f.out.String())
	}
}

func TestSearchLooksInThisRepositoryUnlessToldOtherwise(t *testing.T) {
	f := newFixture(t)
	said(f, "the words of here")
	f.seed(seeded{
		run:      persistence.Run{ID: "b222", Repository: "/elsewhere"},
		tasks:    []*scheduler.Task{{ID: "far", Command: "x"}},
		attempts: []persistence.Attempt{{Task: "far", Number: 1, Phase: scheduler.PhaseWorking}},
		turns:    []persistence.TaskTurn{{Task: "far", ConversationTurn: persistence.ConversationTurn{Role: "user", Content: "the words of elsewhere"}}},
	})
	for args, want := range map[string]string{"": "docs", "--all": "far docs", "b222": "far", "7f3c": "docs"} {
		got := f.must(ExitOK, append([]string{"logs", "--search", "words", "--jq", `.turns | map(.task) | join(" ")`}, strings.Fields(args)...)...)
		if strings.TrimSpace(got) != want {
			t.Errorf("orc logs --search words %s: got %s, want %s", args, got, want)
		}
	}
	f.app.Dir = t.TempDir() // in no repository
	if got := f.must(ExitOK, "logs", "--search", "words", "--jq", ".turns | length"); got != "2\n" {
		t.Errorf("outside of a repository: %s", got)
	}
}

func TestTheDurabilityThatIsSetReachesTheStore(t *testing.T) {
	f := newFixture(t)
	said(f, "hello")
	var opened []persistence.Options
	open := f.app.OpenStore
	f.app.OpenStore = func(ctx context.Context, path string, o persistence.Options) (persistence.Store, error) {
		opened = append(opened, o)
		return open(ctx, path, o)
	}
	want := func(how, durability string) {
		t.Helper()
		opened = nil
		f.must(ExitOK, "status")
		if len(opened) == 0 || opened[0].Durability != durability {
			t.Errorf("%s: opened with %+v, want durability %s", how, opened, durability)
		}
		if !strings.HasPrefix(opened[0].Program, "orc ") {
			t.Errorf("the program is called %q", opened[0].Program)
		}
	}
	want("nothing said", persistence.DurabilityNormal)
	for _, durability := range []string{persistence.DurabilityFull, persistence.DurabilityNormal} {
		file := filepath.Join(f.repo, ".orc", "config.yaml")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("durability: "+durability+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		want("by the file "+durability, durability)
	}
	f.app.Environ = append(f.app.Environ, "ORC_DURABILITY=full")
	want("by the environment", persistence.DurabilityFull)
}

func TestAnAgeCanBeInDaysAndWeeks(t *testing.T) {
	for text, want := range map[string]time.Duration{"90m": 90 * time.Minute, "1d": 24 * time.Hour, "30d": 720 * time.Hour, "2w": 336 * time.Hour} {
		var a age
		if err := a.Set(text); err != nil || time.Duration(a) != want {
			t.Errorf("%s is %s, %v", text, time.Duration(a), err)
		}
	}
	for _, text := range []string{"", "d", "0d", "-1d", "1.5d", "0s", "-3h", "x", "9999999999d", "3 d"} {
		var a age
		if err := a.Set(text); err == nil {
			t.Errorf("%q is %s", text, fmt.Sprint(time.Duration(a)))
		}
	}
}
