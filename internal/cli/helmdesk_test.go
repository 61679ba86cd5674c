package cli

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"orchestrator/internal/persistence"
	"orchestrator/internal/redact"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/tui"
)

// atTheHelm gives use what the panes have of a stored run.
func (f *fixture) atTheHelm(run persistence.Run, use func(context.Context, *helm)) {
	f.t.Helper()
	if err := f.app.prepare(); err != nil {
		f.t.Fatal(err)
	}
	f.store(func(ctx context.Context, st persistence.Store) error {
		use(ctx, &helm{w: &watch{app: f.app, store: st, run: run}})
		return nil
	})
}

// helmed is a fixture with a run that has failed.
func helmed(t *testing.T) (*fixture, persistence.Run) {
	f := newFixture(t)
	f.app.globals.color = "auto"
	run := f.seed(seeded{run: persistence.Run{State: scheduler.RunFailed}, tasks: []*scheduler.Task{{ID: "schema", Command: "true", Status: scheduler.TaskFailed}}})
	return f, run
}

func TestThePaletteHasEveryCommandThatMakesSenseForARun(t *testing.T) {
	f, run := helmed(t)
	f.atTheHelm(run, func(_ context.Context, d *helm) {
		offered := map[string]bool{}
		app := d.quiet(&bounded{})
		for _, v := range d.Verbs("schema") {
			cmd, _, err := d.command(v.Line)
			if err != nil {
				t.Errorf("%s: %v", v.Line, err)
				continue
			}
			if v.About == "" {
				t.Errorf("%s is not explained", v.Line)
			}
			offered[cmd.Name()] = true
		}
		for _, c := range newRoot(&app).Commands() {
			steers := c.GroupID == groupWatch || c.GroupID == groupSteer || c.GroupID == groupFinish
			if steers && c.Name() != "ui" && !offered[c.Name()] {
				t.Errorf("orc %s is not offered", c.Name())
			}
		}
		for _, v := range d.Verbs("") {
			if strings.Contains(v.Line, "  ") || strings.HasSuffix(v.Line, " ") {
				t.Errorf("%q lacks a task", v.Line)
			}
		}
	})
}

func TestThePaletteRunsWhatTheCommandLineRuns(t *testing.T) {
	f, run := helmed(t)
	want := f.must(ExitOK, "status", string(run.ID))
	f.atTheHelm(run, func(ctx context.Context, d *helm) {
		if said, failed := d.Perform(ctx, "orc status "+string(run.ID)); failed || said != want {
			t.Errorf("%v: said\n%s\nwant\n%s", failed, said, want)
		}
		for line, words := range map[string]string{
			"show no-such-task":        "error: ",
			"nonsense":                 `unknown command "nonsense"`,
			"ui":                       "that is not possible here",
			"__owner 7f3c":             "that is not possible here",
			"logs schema -f":           "leave -f out",
			"resume --foreground":      "the run would end with this view",
			"status 'open":             "a quotation mark is open",
			"answer 7f3c schema 'x y'": "its agent asks nothing now",
		} {
			if said, failed := d.Perform(ctx, line); !failed || !strings.Contains(said, words) {
				t.Errorf("%s: %v, %q", line, failed, said)
			}
		}
	})
}

func TestThePaletteNeverOwnsARun(t *testing.T) {
	f, run := helmed(t)
	f.atTheHelm(run, func(_ context.Context, d *helm) {
		for line, want := range map[string]string{
			"resume 7f3c":           "resume 7f3c --detach",
			"run plan.yaml":         "run plan.yaml --detach",
			"resume 7f3c -d":        "resume 7f3c -d",
			"run --dry-run":         "run --dry-run",
			"orc status":            "status",
			`retry a --note "b 'c"`: "retry a --note b 'c",
		} {
			_, words, err := d.command(line)
			if got := strings.Join(words, " "); err != nil || got != want {
				t.Errorf("%s is %q, %v; want %q", line, got, err, want)
			}
		}
		if r := d.quiet(&bounded{}).Resume.(takeover); !r.detach {
			t.Error("a retry would own the run")
		}
		for line, want := range map[string]bool{"edit 7f3c": true, "config edit": true, "merge --edit": true, "merge": false, "nonsense": false} {
			if got := d.TakesTerminal(line); got != want {
				t.Errorf("%s takes the terminal: %v", line, got)
			}
		}
	})
}

func TestLinesAreTakenApartAsAShellDoes(t *testing.T) {
	for line, want := range map[string][]string{
		"":                    nil,
		"  a   b ":            {"a", "b"},
		`a 'b c' "d 'e" f\ g`: {"a", "b c", "d 'e", "f g"},
		`a '' "x\"y"`:         {"a", "", `x"y`},
		`a'b'c`:               {"abc"},
	} {
		if got, err := splitWords(line); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %q, %v", line, got, err)
		}
	}
	for _, line := range []string{`a "b`, `a \`, `'`} {
		if _, err := splitWords(line); err == nil {
			t.Errorf("%s is taken", line)
		}
	}
}

func TestSettingsOfThePanesAreThoseOfTheCommandLine(t *testing.T) {
	f, run := helmed(t)
	path := filepath.Join(f.repo, ".orc", "config.yaml")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	before := "# ours\nconcurrency: 5 # five\nproviders:\n  claude:\n    set: {ACME_TOKEN: letmein-letmein}\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	f.atTheHelm(run, func(ctx context.Context, d *helm) {
		s, err := d.Settings(ctx)
		if err != nil {
			t.Fatal(err)
		}
		byKey := map[string]tui.Setting{}
		for _, x := range s.List {
			byKey[x.Key] = x
		}
		if x := byKey["concurrency"]; x.Value != "5" || !strings.HasSuffix(x.From, "config.yaml:2") || x.Hides != "instead of 4 (built-in)" || x.About == "" || x.Fixed {
			t.Errorf("concurrency is %+v", x)
		}
		if x := byKey["providers.claude.set.ACME_TOKEN"]; x.Value != redact.Mark || !x.Fixed {
			t.Errorf("a secret is shown: %+v", x)
		}
		if len(s.Places) != 3 || !strings.Contains(s.Places[1], ".orc/config.yaml") {
			t.Errorf("places %q", s.Places)
		}

		refused, err := d.Save(ctx, 1, []tui.Change{{Key: "concurrency", Value: "9999"}, {Key: "grace", Value: "5s"}, {Key: "nonsense", Value: "1"}})
		if err != nil || len(refused) != 2 || !strings.Contains(refused["concurrency"], "cannot be `9999`") || !strings.Contains(refused["nonsense"], "there is no setting") {
			t.Errorf("refused %q, %v", refused, err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != before {
			t.Fatalf("written: %q, %v", text, err)
		}
		refused, err = d.Save(ctx, 1, []tui.Change{{Key: "concurrency", Value: "6"}, {Key: "env", Value: "ACME_*, HTTP_PROXY"}})
		if err != nil || len(refused) != 0 {
			t.Fatalf("refused %q, %v", refused, err)
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "# ours\nconcurrency: 6 # five\n") || !strings.Contains(string(text), "env: [ACME_*, HTTP_PROXY]") {
			t.Errorf("%q, %v", text, err)
		}
		memory, err := f.app.trusted()
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := f.app.settingsNow()
		if err != nil {
			t.Fatal(err)
		}
		if len(memory.Unknown(configItems(cfg))) == 0 {
			t.Error("settings that nobody has agreed to are trusted because one of them was changed")
		}
	})
	if f.err.Len() > 0 {
		t.Errorf("the screen was written on: %s", f.err.String())
	}
}

func TestThePanesSayWhatIsWrongWithTheSettings(t *testing.T) {
	f, run := helmed(t)
	path := filepath.Join(f.repo, ".orc", "config.yaml")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("concurency: 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.atTheHelm(run, func(ctx context.Context, d *helm) {
		for name, err := range map[string]error{"settings": second(d.Settings(ctx)), "agents": second(d.Agents(ctx))} {
			if err == nil || !strings.Contains(err.Error(), "concurency") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestTheCommandsOfThePanes(t *testing.T) {
	f, run := helmed(t)
	f.recorded(run.ID, someCommands()...)
	f.atTheHelm(run, func(ctx context.Context, d *helm) {
		list, err := d.Commands(ctx)
		if err != nil || len(list) != 5 {
			t.Fatalf("%v, %v", list, err)
		}
		if want := (tui.Command{At: "12:00:00", Task: "schema", Line: "sh -c make", End: "exit 2", Took: "1m12s", Failed: true}); list[2] != want {
			t.Errorf("got %+v", list[2])
		}
		if list[4].Failed || !strings.Contains(list[3].Line, "[redacted]") {
			t.Errorf("got %+v", list)
		}
	})
}

func TestPausingARunThatNobodyOwns(t *testing.T) {
	f, run := helmed(t)
	f.must(ExitUsage, "pause")
	if got := f.err.String(); !strings.Contains(got, "run 7f3c is over: it is failed") {
		t.Errorf("said %q", got)
	}
	f.seed(seeded{run: persistence.Run{ID: "8888", State: scheduler.RunPaused}, tasks: []*scheduler.Task{{ID: "schema", Command: "true", Status: scheduler.TaskFailed}}})
	f.must(ExitUsage, "pause", "8888")
	if got := f.err.String(); !strings.Contains(got, "nobody works on run 8888 now") || !strings.Contains(got, "hint: orc resume 8888") {
		t.Errorf("said %q", got)
	}
	f.atTheHelm(run, func(ctx context.Context, d *helm) {
		if _, err := d.Do(ctx, tui.Deed{Kind: tui.Pause}); err == nil || !strings.Contains(err.Error(), "is over") {
			t.Errorf("said %v", err)
		}
	})
}
