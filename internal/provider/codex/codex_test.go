package codex

import (
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

const session = "01a2069e-117f-7063-88a9-8d6e74e42ed5"

// counted is of the captures' turns, which are alike; the program counts them up.
var counted = provider.Usage{Input: 202, Cached: 14, Output: 46, Reasoning: 6}

func suite() providertest.Suite {
	return providertest.Suite{
		Agent: Codex{}, Edited: "a.txt", Said: "STUB-DONE", Session: session, First: counted, Second: counted,
		Kinds: map[string]provider.Kind{
			"auth": provider.KindAuth, "key": provider.KindAuth,
			"limit": provider.KindLimit, "reset": provider.KindLimit, "money": provider.KindQuota,
			"overload": provider.KindTransient, "server": provider.KindTransient, "dropped": provider.KindTransient,
			"connection": provider.KindTransient,
			"model":      provider.KindModel, "context": provider.KindContext, "long": provider.KindContext,
			"bad": provider.KindFailed, "badflag": provider.KindInvalid, "interrupted": provider.KindFailed,
		},
		Resets: map[string]time.Time{"reset": time.Date(2030, time.March, 17, 15, 5, 0, 0, time.Local)},
		Say: func(text string) string {
			return `{"type":"item.completed","item":{"id":"item_90","type":"agent_message","text":"` + text + `"}}`
		},
		Trouble: []string{
			`{"type":"error","message":"Reconnecting... 2/5 (unexpected status 401 Unauthorized: stub error 401)"}`,
			`{"type":"item.completed","item":{"id":"item_91","type":"error","message":"Model metadata not found."}}`,
		},
		Plant: func(t *testing.T, home, _, id string) {
			dir := filepath.Join(home, ".codex", "sessions", "2026", "11", "23")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(dir, "rollout-2026-11-23T04-04-03-"+id+".jsonl")
			if err := os.WriteFile(name, []byte("{}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func TestCodex(t *testing.T) { providertest.Run(t, suite()) }

func FuzzDecoder(f *testing.F) {
	providertest.Fuzz(f, func() stream.Decoder { return newDecoder(provider.Turn{}) })
}

func decode(t *testing.T, turn provider.Turn, capture string) (*decoder, []provider.Event) {
	t.Helper()
	d := newDecoder(turn)
	var events []provider.Event
	for line := range strings.Lines(providertest.Capture(t, capture).Out) {
		events = append(events, d.Decode([]byte(line))...)
	}
	return d, events
}

func TestAnotherThreadIsNotTheSession(t *testing.T) {
	d, events := decode(t, provider.Turn{Session: session, Resume: true}, "stray")
	v := d.Verdict(time.Now())
	if v.Kind != provider.KindSession || v.Session != session || v.Usage != (provider.Usage{}) {
		t.Errorf("%+v", v)
	}
	if !d.GivenUp() {
		t.Error("it may go on working in the wrong session")
	}
	for _, e := range events {
		if e.Kind == provider.EventSession {
			t.Errorf("told as this task's: %+v", e)
		}
	}
}

func TestAnIDOfAnotherFormIsNotAskedFor(t *testing.T) {
	r, err := Codex{}.Turn(t.Context(), nil, provider.Turn{Session: "no-such-name", Resume: true})
	if err != nil || r.Kind != provider.KindSession {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestPatchesAndToolsOfServers(t *testing.T) {
	_, events := decode(t, provider.Turn{}, "patch")
	if !slices.ContainsFunc(events, func(e provider.Event) bool {
		return e.Kind == provider.EventEdit && slices.Equal(e.Paths, []string{"/repo/p1.txt"})
	}) {
		t.Errorf("no edit in %+v", events)
	}
	_, events = decode(t, provider.Turn{}, "mcp")
	if !slices.ContainsFunc(events, func(e provider.Event) bool {
		return e.Kind == provider.EventToolResult && e.Tool == "orch.ask_orchestrator" && strings.Contains(e.Text, "BLUE-7")
	}) {
		t.Errorf("no answer in %+v", events)
	}
	d, events := decode(t, provider.Turn{}, "command")
	if !slices.ContainsFunc(events, func(e provider.Event) bool {
		return e.Kind == provider.EventToolResult && e.Failed && e.Text == "hi\nexit 3"
	}) {
		t.Errorf("no failed command in %+v", events)
	}
	if v := d.Verdict(time.Now()); v.Kind != "" {
		t.Errorf("a command that failed is no failure of the turn: %+v", v)
	}
}

func TestSandboxIsGivenWithEveryTurn(t *testing.T) {
	for p, want := range map[provider.Permissions]string{
		"": "workspace-write", provider.PermitRead: "read-only", provider.PermitEdit: "workspace-write",
		provider.PermitFull: "danger-full-access",
	} {
		for _, resume := range []bool{false, true} {
			argv, err := arguments(provider.Turn{Permissions: p, Session: session, Resume: resume, Args: []string{"-c", "x=1"}})
			if err != nil {
				t.Fatal(err)
			}
			at := slices.Index(argv, "--sandbox="+want)
			if at < 0 || argv[len(argv)-1] != "-" || slices.Index(argv, "x=1") < 0 {
				t.Errorf("%q: %q", p, argv)
			}
			if i := slices.Index(argv, "resume"); resume && (i < at || argv[i+1] != session) || !resume && i >= 0 {
				t.Errorf("%q, resume %v: %q", p, resume, argv)
			}
		}
	}
	if _, err := arguments(provider.Turn{Permissions: "root"}); err == nil {
		t.Error("unknown permissions are taken")
	}
}

func TestServersAreConfigured(t *testing.T) {
	argv, err := arguments(provider.Turn{Servers: []provider.Server{{
		Name: "orc", Command: `/bin/"orc"`, Args: []string{"mcp", "agent"}, Env: map[string]string{"B": "2", "A": "1\n<"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`mcp_servers.orc.command="/bin/\"orc\""`, `mcp_servers.orc.args=["mcp","agent"]`,
		`mcp_servers.orc.env_vars=["A","B"]`, `mcp_servers.orc.default_tools_approval_mode="approve"`,
		`mcp_servers.orc.required=true`,
	} {
		if !slices.Contains(argv, want) {
			t.Errorf("%s is not in %q", want, argv)
		}
	}
}

func TestValuesForServersAreNotOnTheCommandLine(t *testing.T) {
	turn := provider.Turn{
		Env:     []string{"PATH=/bin"},
		Servers: []provider.Server{{Name: "orc", Command: "/bin/orc", Env: map[string]string{"B": "planted", "A": "1\n<"}}},
	}
	argv, err := arguments(turn)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.Join(argv, " "), "planted") {
		t.Errorf("a value is in %q", argv)
	}
	if got := environ(turn); !slices.Equal(got, []string{"PATH=/bin", "A=1\n<", "B=planted"}) || len(turn.Env) != 1 {
		t.Errorf("environment %q", got)
	}
}
