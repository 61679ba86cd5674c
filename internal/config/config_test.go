package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan"
	"orchestrator/internal/scheduler"
)

// home is a scratch home folder with a project in it.
type home struct {
	t       *testing.T
	options LoadOptions
}

func newHome(t *testing.T) *home {
	t.Helper()
	dir := t.TempDir()
	return &home{t: t, options: LoadOptions{Home: dir, ProjectDir: filepath.Join(dir, "project")}}
}

func (h *home) write(path, text string) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) load() *Config {
	h.t.Helper()
	c, list, err := Load(h.options)
	if err != nil || len(list) > 0 {
		h.t.Fatalf("load: %v %v", err, list)
	}
	return c
}

// wrong loads settings that have errors and returns their headlines, paths shortened.
func (h *home) wrong() []string {
	h.t.Helper()
	c, list, err := Load(h.options)
	if err != nil {
		h.t.Fatal(err)
	}
	if c != nil {
		h.t.Fatal("settings with errors gave a config")
	}
	var lines []string
	for _, d := range list {
		lines = append(lines, strings.ReplaceAll(d.String(), h.options.Home+"/", "~/"))
	}
	return lines
}

func TestDefaultsHoldWithoutAnyFile(t *testing.T) {
	c, list, err := Load(LoadOptions{})
	if err != nil || list != nil {
		t.Fatalf("load: %v %v", err, list)
	}
	want := &Config{
		Concurrency: 4, Isolation: scheduler.IsolationClone, Durability: "normal", Supervision: "auto", Questions: "ask", Limits: "wait", Sandbox: "auto", OnConflict: "stop",
		Agents: map[string]plan.Agent{
			"orchestrator": {Permissions: "read-only"}, "coder": {Permissions: "edit"}, "reviewer": {Permissions: "read-only"}, "tester": {Permissions: "edit"}, "resolver": {Permissions: "edit"},
		},
		Providers: map[string]Provider{"command": {Driver: "command"}}, Env: []string{},
		Workflows:   builtInWorkflows,
		OutputLimit: 256 << 20, Grace: 10 * time.Second, Retention: 720 * time.Hour,
		StallTimeout: 15 * time.Minute, ToolTimeout: 2 * time.Hour, NotifyBell: true,
	}
	settings := c.settings
	c.settings = nil
	if diff := cmp.Diff(want, c, cmp.AllowUnexported(Config{}, plan.Workflow{})); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	for _, s := range settings {
		if s.Value.Origin.String() != "built-in" {
			t.Errorf("%s comes from %s, want built-in", s.Key, s.Value.Origin)
		}
	}
}

func TestHigherLayersWinAndOriginsSayWhatTheyHide(t *testing.T) {
	h := newHome(t)
	h.write(h.options.UserFile(), "version: 1\nconcurrency: 2\nagents:\n  coder: {provider: command, command: user}\n  other:\n    provider: command\n    command: other\n")
	h.write(h.options.ProjectFile(), "concurrency: 3\nagents:\n  coder:\n    command: project\n")
	h.write(h.options.LocalFile(), "# mine\nconcurrency: 5\ngrace: 1m\n")
	h.options.Environ = []string{"ORC_CONCURRENCY=6", "PATH=/bin", "ORC_GRACE=", "ORC_ISOLATION=none", "ORC_CONCURRENCY=7"}
	h.options.Flags = map[string]string{"concurrency": "8"}
	c := h.load()
	if c.Concurrency != 8 || c.Grace != time.Minute || c.Isolation != scheduler.IsolationNone {
		t.Errorf("got %+v", c)
	}
	wantAgents := map[string]plan.Agent{
		"coder": {Provider: "command", Command: "project", Permissions: "edit"}, "other": {Provider: "command", Command: "other"},
		"orchestrator": {Permissions: "read-only"}, "reviewer": {Permissions: "read-only"}, "tester": {Permissions: "edit"}, "resolver": {Permissions: "edit"},
	}
	if diff := cmp.Diff(wantAgents, c.Agents); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"coder", "orchestrator", "other", "resolver", "reviewer", "tester"}, c.AgentNames()); diff != "" {
		t.Error(diff)
	}
	text := func(key string) string {
		s, ok := c.Setting(key)
		if !ok {
			t.Fatalf("no setting %s", key)
		}
		lines := []string{s.Value.Text + " " + s.Value.Origin.String()}
		for _, o := range s.Overridden {
			lines = append(lines, o.Text+" "+o.Origin.String())
		}
		return strings.ReplaceAll(strings.Join(lines, "\n"), h.options.Home+"/", "~/")
	}
	want := "8 --concurrency\n7 $ORC_CONCURRENCY\n5 ~/project/.orc/config.local.yaml:2\n3 ~/project/.orc/config.yaml:1\n2 ~/.config/orc/config.yaml:2\n4 built-in"
	if diff := cmp.Diff(want, text("concurrency")); diff != "" {
		t.Errorf("concurrency (-want +got):\n%s", diff)
	}
	want = "project ~/project/.orc/config.yaml:4\nuser ~/.config/orc/config.yaml:4"
	if diff := cmp.Diff(want, text("agents.coder.command")); diff != "" {
		t.Errorf("agents.coder.command (-want +got):\n%s", diff)
	}
}

func TestEveryMistakeIsNamedWithItsPlace(t *testing.T) {
	h := newHome(t)
	h.write(h.options.UserFile(), "version: 2\nconcurrancy: 2\nui: {}\nconcurrency: 0\nconcurrency: 4\n")
	h.write(h.options.ProjectFile(), "agents:\n  Coder: {provider: command, command: x}\n  half: {command: y}\n  late: {provider: claude, command: z}\n  odd: text\n")
	h.write(h.options.LocalFile(), "output_limit: lots\nisolation: clones\ngrace: 10\n")
	h.options.Environ = []string{"ORC_DURABILITY=always"}
	h.options.Flags = map[string]string{"retention": "-1h", "nonsense": "1"}
	want := []string{
		"environment: error: `ORC_DURABILITY` cannot be `always` [bad-value]",
		"command line: error: `--nonsense` sets no setting [unknown-key]",
		"command line: error: `--retention` cannot be `-1h` [bad-value]",
		"~/.config/orc/config.yaml:1:10: error: version `2` of the settings is not known [bad-version]",
		"~/.config/orc/config.yaml:2:1: error: unknown key `concurrancy` in the settings [unknown-key]",
		"~/.config/orc/config.yaml:3:1: error: `ui` is not supported yet [unsupported-key]",
		"~/.config/orc/config.yaml:4:14: error: `concurrency` cannot be `0` [bad-value]",
		"~/.config/orc/config.yaml:5:1: error: `concurrency` is given twice in the settings [duplicate-key]",
		"~/project/.orc/config.yaml:2:3: error: agent id `Coder` must be lower-case (a-z, 0-9, -) [bad-id]",
		"~/project/.orc/config.yaml:3:3: error: agent `half` has no `provider` [missing-key]",
		"~/project/.orc/config.yaml:4:20: error: `provider` cannot be `claude` [bad-value]",
		"~/project/.orc/config.yaml:5:8: error: agent `odd` wants a map of keys and values, got `text` [bad-type]",
		"~/project/.orc/config.local.yaml:1:15: error: `output_limit` cannot be `lots` [bad-value]",
		"~/project/.orc/config.local.yaml:2:12: error: `isolation` cannot be `clones` [bad-value]",
		"~/project/.orc/config.local.yaml:3:8: error: `grace` cannot be `10` [bad-value]",
	}
	if diff := cmp.Diff(want, h.wrong()); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestProjectFilesWithCommandsAreRecordedForTrust(t *testing.T) {
	h := newHome(t)
	h.write(h.options.UserFile(), "agents: {mine: {provider: command, command: mine}}\n")
	if c := h.load(); len(c.Trust) != 0 {
		t.Errorf("the user's own file needs trust: %v", c.Trust)
	}
	h.write(h.options.ProjectFile(), "agents: {b: {provider: command, command: two}, a: {provider: command, command: one}}\n")
	first := h.load().Trust
	if len(first) != 1 || first[0].Path != h.options.ProjectFile() || !cmp.Equal(first[0].Commands, []string{"agents.b.command: two", "agents.a.command: one"}) {
		t.Fatalf("got %+v", first)
	}
	h.write(h.options.ProjectFile(), "agents: {b: {provider: command, command: three}}\n")
	if second := h.load().Trust; second[0].SHA256 == first[0].SHA256 {
		t.Error("another text has the same hash")
	}
}

func TestPlacesOfTheUserFile(t *testing.T) {
	for _, c := range []struct {
		o    LoadOptions
		want string
	}{
		{LoadOptions{Home: "/h"}, "/h/.config/orc/config.yaml"},
		{LoadOptions{Home: "/h", XDGConfigHome: "/x"}, "/x/orc/config.yaml"},
		{LoadOptions{Home: "/h", XDGConfigHome: "relative"}, "/h/.config/orc/config.yaml"},
		{LoadOptions{}, ""},
	} {
		if got := c.o.UserFile(); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.o, got, c.want)
		}
	}
}

func TestFilesThatAreNoFiles(t *testing.T) {
	h := newHome(t)
	if err := os.MkdirAll(h.options.ProjectFile(), 0o755); err != nil {
		t.Fatal(err)
	}
	h.write(h.options.LocalFile(), "# nothing\n")
	want := []string{"~/project/.orc/config.yaml: error: this is not a regular file [no-file]"}
	if diff := cmp.Diff(want, h.wrong()); diff != "" {
		t.Error(diff)
	}
	for target, why := range map[string]string{
		"nowhere":     "this is a link to a file that is not there",
		"config.yaml": "this cannot be read: " + syscall.ELOOP.Error(),
	} {
		if err := errors.Join(os.Remove(h.options.ProjectFile()), os.Symlink(target, h.options.ProjectFile())); err != nil {
			t.Fatal(err)
		}
		want := []string{"~/project/.orc/config.yaml: error: " + why + " [no-file]"}
		if diff := cmp.Diff(want, h.wrong()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "10B": 10, "1kB": 1000, "1 KiB": 1024, "1.5MiB": 3 << 19, "2gb": 2e9, "256MiB": 256 << 20, "1TiB": 1 << 40,
		"": 0, "0": 0, "-1": 0, "1k": 0, "x": 0, "1e3": 0, "99999999999TB": 0, "0x10": 0, "1.2.3MB": 0, "MB": 0,
	} {
		got, ok := parseSize(text)
		if got != want || ok != (want != 0) {
			t.Errorf("parseSize(%q) = %d, %v; want %d", text, got, ok, want)
		}
	}
}

func TestEveryKeyIsInTheTableWithItsVariable(t *testing.T) {
	table := Table()
	for _, k := range Keys() {
		if k.About == "" || k.Type == "" {
			t.Errorf("%s has no description", k.Name)
		}
		if !strings.Contains(table, "| `"+k.Name+"` |") || !strings.Contains(table, k.Variable()) {
			t.Errorf("%s is not in the table", k.Name)
		}
		if k.parse == nil {
			continue
		}
		if k.shape == nil {
			t.Errorf("%s has no shape for the schema", k.Name)
		}
		if k.list {
			k.Default = "SOME_VARIABLE, OTHER_*"
			if k.Name == "sandbox_writes" {
				k.Default = "/srv/models, ~/notes"
			}
		}
		if k.runs {
			k.Default = "some command"
		}
		c, list, err := Load(LoadOptions{Environ: []string{k.Variable() + "=" + k.Default}})
		if err != nil || len(list) > 0 {
			t.Errorf("%s=%s: %v %v", k.Variable(), k.Default, err, list)
			continue
		}
		if s, _ := c.Setting(k.Name); s.Value.Origin != (Origin{Layer: Environment, Name: k.Variable()}) {
			t.Errorf("%s comes from %+v", k.Name, s.Value.Origin)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("concurrency: 2\nagents: {a: {provider: command, command: x}}\n", "ORC_GRACE=1s")
	f.Add("<<: *x", "")
	f.Add("agents: &a {b: *a}", "=")
	f.Fuzz(func(t *testing.T, text, variable string) {
		h := newHome(t)
		h.write(h.options.ProjectFile(), text)
		h.options.Environ = []string{variable}
		c, list, err := Load(h.options)
		if err != nil {
			t.Fatal(err)
		}
		if (c == nil) != list.HasErrors() {
			t.Fatalf("config %v with findings %v", c, list)
		}
		for _, d := range list {
			if d.Severity == diagnostic.Error && d.Message == "" {
				t.Fatalf("nothing said: %+v", d)
			}
		}
	})
}

func TestSectionsAreReadByKey(t *testing.T) {
	home := t.TempDir()
	project := t.TempDir()
	settings := filepath.Join(project, ".orc", "config.yaml")
	save := func(text string) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(settings), 0o755), os.WriteFile(settings, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	save("notify:\n  bell: false\n  command: say done\n")
	c, list, err := Load(LoadOptions{Home: home, ProjectDir: project})
	if err != nil || len(list) > 0 {
		t.Fatal(err, list)
	}
	if c.NotifyBell || c.NotifyCommand != "say done" {
		t.Errorf("bell %v, command %q", c.NotifyBell, c.NotifyCommand)
	}
	if len(c.Trust) != 1 || !strings.Contains(strings.Join(c.Trust[0].Commands, "\n"), "notify.command: say done") {
		t.Errorf("to be trusted: %+v", c.Trust)
	}
	if s, ok := c.Setting("notify.command"); !ok || s.Value.Origin.Line != 3 {
		t.Errorf("notify.command: %+v", s)
	}
	save("notify: {bel: true}\n")
	if _, list, err = Load(LoadOptions{Home: home, ProjectDir: project}); err != nil || len(list) != 1 || !strings.Contains(list[0].Help, "bell") {
		t.Errorf("a misspelled key: %v %v", err, list)
	}
}
