package claude

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
	"orchestrator/internal/provider/providertest"
	"orchestrator/internal/provider/stream"
)

func TestMain(m *testing.M) { providertest.Main(m) }

const session = "11111111-2222-4333-8444-555555555555"

// counted is of the captures' turns, which are all alike.
var counted = provider.Usage{
	Input: 339, Cached: 21, CacheWrite: 15, Output: 69, Cost: 0.0026712, Priced: true, Model: "claude-opus-5-5",
}

func suite() providertest.Suite {
	return providertest.Suite{
		Agent: Claude{}, Edited: "s1.txt", Said: "STUB-DONE", Session: session, First: counted, Second: counted,
		Kinds: map[string]provider.Kind{
			"auth": provider.KindAuth, "login": provider.KindAuth,
			"limit": provider.KindLimit, "reset": provider.KindLimit, "money": provider.KindQuota,
			"overload": provider.KindTransient, "server": provider.KindTransient, "connection": provider.KindTransient,
			"model": provider.KindModel, "context": provider.KindContext, "turns": provider.KindTurns,
			"refused": provider.KindRefused, "interrupted": provider.KindCrashed,
			"inuse": provider.KindInvalid, "badflag": provider.KindInvalid,
		},
		Resets: map[string]time.Time{"reset": time.Unix(1_900_000_000, 0)},
		Say: func(text string) string {
			return `{"message":{"content":[{"text":"` + text + `","type":"text"}],"id":"m","role":"assistant"},"type":"assistant"}`
		},
		Trouble: []string{
			`{"type":"system","subtype":"api_retry","attempt":1,"max_retries":10,"retry_delay_ms":3169,"error_status":429,"error":"rate_limit"}`,
		},
		Plant: func(t *testing.T, home, _, id string) {
			dir := filepath.Join(home, ".claude", "projects", "-repo")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, id+".jsonl"), []byte("{}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func TestClaude(t *testing.T) { providertest.Run(t, suite()) }

func FuzzDecoder(f *testing.F) {
	providertest.Fuzz(f, func() stream.Decoder { return newDecoder(provider.Turn{}) })
}

func TestSessionIDsAreRandomUUIDs(t *testing.T) {
	a, b := Claude{}.NewSession(), Claude{}.NewSession()
	if a == b || !stream.IsUUID(a) || a[14] != '4' {
		t.Errorf("%s, %s", a, b)
	}
}

func TestArgumentsOfEachPermission(t *testing.T) {
	for p, want := range map[provider.Permissions]string{
		"":                  "--permission-mode=acceptEdits",
		provider.PermitRead: "--permission-mode=dontAsk",
		provider.PermitEdit: "--permission-mode=acceptEdits",
		provider.PermitFull: "--permission-mode=bypassPermissions",
	} {
		argv, err := arguments(provider.Turn{Permissions: p})
		if err != nil || !slices.Contains(argv, want) {
			t.Errorf("%q: %q, %v", p, argv, err)
		}
		if p != provider.PermitFull && strings.Contains(strings.Join(argv, " "), "bypass") {
			t.Errorf("%q skips permissions: %q", p, argv)
		}
	}
}

func TestNotesOfTheRepositoryAreGivenWithoutItsSettings(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"CLAUDE.md": "Be nice.", "secret": "planted"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	argv, err := arguments(provider.Turn{Dir: dir, Instructions: "Be quick."})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--setting-sources=user", "--append-system-prompt=Be quick.\n\nFrom CLAUDE.md of this repository:\n\nBe nice."} {
		if !slices.Contains(argv, want) {
			t.Errorf("%q is not in %q", want, argv)
		}
	}
	// Notes that lead out of the workspace are not followed, and long ones are only named.
	if err := errors.Join(os.Remove(filepath.Join(dir, "CLAUDE.md")), os.Symlink("/etc/passwd", filepath.Join(dir, "CLAUDE.md"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".claude"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".claude", "CLAUDE.md"), make([]byte, mostNotes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if argv, err = arguments(provider.Turn{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if want := "--append-system-prompt=Read .claude/CLAUDE.md before you begin: it says how to work in this repository."; !slices.Contains(argv, want) {
		t.Errorf("%q is not in %q", want, argv)
	}
}

func TestValuesThatLookLikeFlagsAreValues(t *testing.T) {
	argv, err := arguments(provider.Turn{Session: session, Model: "-m", Instructions: "--help", Args: []string{"--add-dir=x"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"--session-id=" + session, "--model=-m", "--append-system-prompt=--help", "--verbose", "--strict-mcp-config",
	} {
		if !slices.Contains(argv, want) {
			t.Errorf("%q is not in %q", want, argv)
		}
	}
	if argv[len(argv)-1] != "--add-dir=x" {
		t.Errorf("the configuration's own arguments come last: %q", argv)
	}
}

func TestServersAreOfferedAndPermitted(t *testing.T) {
	turn := provider.Turn{State: t.TempDir(), Servers: []provider.Server{{
		Name: "orc", Command: "/bin/orc", Args: []string{"mcp", "agent"}, Env: map[string]string{"ORC_TASK": "a"},
	}}}
	argv, err := arguments(turn)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(turn.State, "claude-mcp.json")
	if !slices.Contains(argv, "--mcp-config="+path) || !slices.Contains(argv, "--allowedTools=mcp__orc") {
		t.Errorf("%q", argv)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Servers map[string]server `json:"mcpServers"`
	}
	if err := json.Unmarshal(b, &file); err != nil || file.Servers["orc"].Command != "/bin/orc" || file.Servers["orc"].Env["ORC_TASK"] != "a" {
		t.Errorf("%s, %v", b, err)
	}
	if !slices.Contains(environ(turn), "ENABLE_TOOL_SEARCH=false") {
		t.Error("the model does not see our tools")
	}
}

func TestWhatTheCallerSetStays(t *testing.T) {
	env := environ(provider.Turn{Env: []string{"CLAUDE_CODE_MAX_RETRIES=9"}})
	if stream.Get(env, "CLAUDE_CODE_MAX_RETRIES") != "9" || stream.Get(env, "DISABLE_AUTOUPDATER") != "1" {
		t.Errorf("%q", env)
	}
}

func TestMissingServerIsTold(t *testing.T) {
	d := newDecoder(provider.Turn{})
	for line := range strings.Lines(providertest.Capture(t, "mcp").Out) {
		for _, e := range d.Decode([]byte(line)) {
			if e.Kind == provider.EventNotice && strings.Contains(e.Text, "orch") {
				return
			}
		}
	}
	t.Error("a server that did not start is passed over in silence")
}

func TestOlderVersionsCountMoneyForEachProcess(t *testing.T) {
	out := providertest.Capture(t, "second").Out
	var m map[string]any
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "model_usage_since_last_result")
	m["total_cost_usd"] = 0.003
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	d := newDecoder(provider.Turn{Before: provider.Usage{Cost: 0.002, Priced: true}})
	d.Decode(b)
	if v := d.Verdict(time.Now()); v.Usage.Cost != 0.003 {
		t.Errorf("cost %v", v.Usage.Cost)
	}
}
