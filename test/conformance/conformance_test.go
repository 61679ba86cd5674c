package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/test/rig"
	"orchestrator/test/stubmodel"
)

func TestLockPinsWhatTheListNamesAndNoHost(t *testing.T) {
	var list struct {
		Dependencies, OptionalDependencies map[string]string
	}
	var locked struct {
		Packages map[string]struct {
			Version, Resolved, Integrity string
		}
	}
	for text, v := range map[string]any{string(manifest): &list, string(lockfile): &locked} {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatal(err)
		}
	}
	for _, group := range []map[string]string{list.Dependencies, list.OptionalDependencies} {
		for name, version := range group {
			p := locked.Packages["node_modules/"+name]
			if p.Version != version || !strings.HasPrefix(p.Integrity, "sha512-") {
				t.Errorf("%s %s is locked as %+v", name, version, p)
			}
		}
	}
	for name, p := range locked.Packages {
		if p.Resolved != "" {
			t.Errorf("%s is bound to %s", name, p.Resolved)
		}
	}
	if strings.Contains(string(lockfile)+string(manifest), "://") {
		t.Error("a host is named")
	}
}

func TestEveryAgentIsPinned(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range agents() {
		if seen[a.name] {
			t.Errorf("two agents are called %s", a.name)
		}
		seen[a.name] = true
		if !strings.Contains(string(manifest), `"`+a.version) {
			t.Errorf("%s %s is not in package.json", a.name, a.version)
		}
		for name := range a.skip {
			if err := (options{only: []string{name}}).check(); err != nil {
				t.Errorf("%s skips what there is not: %v", a.name, err)
			}
		}
	}
}

func TestUnknownNamesAreRefused(t *testing.T) {
	for _, o := range []options{{agents: []string{"nobody"}}, {only: []string{"nothing"}}} {
		if err := o.check(); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	o := options{agents: []string{"codex"}, only: []string{"turns"}}
	if err := o.check(); err != nil || len(o.chosen()) != 1 {
		t.Errorf("%v, %d agents", err, len(o.chosen()))
	}
}

func TestRunStandsForAllPartsOfTheWholeRun(t *testing.T) {
	o := options{only: spread([]string{"turns", "run"})}
	if err := o.check(); err != nil || len(o.parts()) != len(parts()) || len(o.only) != len(parts())+1 {
		t.Errorf("%v: %v", o.only, err)
	}
	if o.only = []string{"turns"}; len(o.parts()) != 0 {
		t.Error("a part is played that nobody wants")
	}
}

func TestPlanOfTheWholeRunHasAChainForEachAgent(t *testing.T) {
	r := &wholeRun{Site: newRig(t), parts: parts()}
	for _, a := range agents() {
		r.members = append(r.members, &member{site: &site{agent: a}})
	}
	tasks := r.plan()["tasks"].(map[string]any)
	for _, m := range r.members {
		before := ""
		for _, p := range r.parts {
			task, ok := tasks[m.task(p.name)].(map[string]any)
			needs, _ := task["needs"].([]string)
			if !ok || before != "" && !slices.Contains(needs, before) {
				t.Errorf("%s: %v", m.task(p.name), task)
			}
			before = m.task(p.name)
		}
		held := tasks[m.task("run-held")].(map[string]any)["needs"].([]string)
		if !slices.Contains(held, m.task("run-gate")) || slices.Contains(held, m.task("run-limit")) {
			t.Errorf("what is held needs %v", held)
		}
	}
}

func TestEventsOfOneTaskAreFoundBehindALineThatWasCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	text := `{"type":"task.waiting","task":"a","until":"2026-01-01T00:00:00Z"}` + "\n" + `{"type":"task.wai` + "\n" + `{"type":"task.waiting","task":"b"}` + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := readEvents(path)
	if got := all.of("task.waiting", "a"); err != nil || len(all) != 2 || len(got) != 1 || got[0].Until.Year() != 2026 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestReportCountsFaultsAndSkips(t *testing.T) {
	r := &report{agents: []string{"claude", "codex"}, rows: []string{"turns", "kill"}}
	if !r.failed() {
		t.Error("a report of nothing is good")
	}
	r.add(outcome{agent: "claude", scenario: "turns", took: time.Second})
	r.add(outcome{agent: "codex", scenario: "turns", skipped: "not installed"})
	if r.failed() {
		t.Error("failed without a fault")
	}
	r.add(outcome{agent: "claude", scenario: "kill", fault: errors.New("lost")})
	if !r.failed() || r.verdict() != "2 checks, 1 with faults, 1 skipped" {
		t.Error(r.verdict())
	}
	want := "| scenario | claude | codex |\n| --- | --- | --- |\n| turns | ok | – |\n| kill | FAULT |  |\n"
	if got := r.table(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestReportWithOnlySkipsProvesNothing(t *testing.T) {
	r := &report{agents: []string{"claude"}, rows: []string{"turns"}}
	r.add(outcome{agent: "claude", scenario: "turns", skipped: "not installed"})
	if !r.failed() {
		t.Error("nothing ran and nothing failed")
	}
}

func TestUsageThatCountsTheWholeSessionIsAFault(t *testing.T) {
	asked := []stubmodel.Request{{API: "chat"}, {API: "chat", Aside: true}, {API: "chat", Fault: stubmodel.FaultDrop}, {API: "other"}}
	usage := func(n int64) provider.Usage {
		return provider.Usage{Input: n * stubmodel.InputTokens, Cached: n * stubmodel.CachedTokens, Output: n * stubmodel.OutputTokens}
	}
	for n, faulty := range map[int64]bool{1: false, 2: true, 0: true} {
		var f faults
		f.usage("turn", agent{}, played{Result: provider.Result{Usage: usage(n)}, asked: asked})
		if (len(f) > 0) != faulty {
			t.Errorf("%d answers counted where 1 was given: %v", n, f)
		}
	}
}

func TestEventsOutOfOrderAreAFault(t *testing.T) {
	good := []provider.Event{
		{Kind: provider.EventSession, Session: "s", Offset: 10},
		{Kind: provider.EventText, Text: "I write first.txt.", Offset: 10, Index: 1},
		{Kind: provider.EventToolCall, Offset: 20},
		{Kind: provider.EventToolResult, Offset: 30},
	}
	play := func(events ...provider.Event) (f faults) {
		f.events(played{Result: provider.Result{Session: "s"}, events: events})
		return f
	}
	if f := play(good...); len(f) > 0 {
		t.Errorf("good events: %v", f)
	}
	if f := play(good[1], good[0], good[2], good[3]); len(f) != 1 {
		t.Errorf("changed places: %v", f)
	}
	if f := play(append(good, good[3])...); len(f) != 1 {
		t.Errorf("told twice: %v", f)
	}
	if f := play(good[:3]...); len(f) != 1 {
		t.Errorf("no result: %v", f)
	}
}

func newRig(t *testing.T) *rig.Site {
	t.Helper()
	s, err := rig.NewSite(t.Context(), "orc", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestProcessOfTheSiteIsFound(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("there is no /proc to ask")
	}
	s := &site{Site: newRig(t)}
	cmd := s.Command(t.Context(), "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if left := s.living(); len(left) != 1 || !strings.HasSuffix(left[0], "sleep 600") {
		t.Errorf("found %q", left)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if left := s.living(); len(left) != 0 {
		t.Errorf("found %q", left)
	}
}

func TestAgentWhoseProgramIsNotThereIsSkipped(t *testing.T) {
	s := &site{Site: newRig(t), program: filepath.Join(t.TempDir(), "agent")}
	if why := s.missing(t.Context()); why != "not installed" {
		t.Errorf("%q", why)
	}
	if err := os.WriteFile(s.program, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if why := s.missing(t.Context()); why != "" {
		t.Errorf("%q", why)
	}
	s.agent.node = 1000
	if why := s.missing(t.Context()); !strings.HasPrefix(why, "needs node") {
		t.Errorf("%q", why)
	}
}
