package opencode

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/providertest"
	"orchestrator/internal/provider/stream"
)

func TestMain(m *testing.M) { providertest.Main(m) }

const (
	session = "ses_df94a9d53ffe3EjH1vRDZwQf74"
	list    = "opencode-sessions.json"
)

func TestOpenCode(t *testing.T) {
	step := provider.Usage{Input: 101, Cached: 7, Output: 23, Reasoning: 3, Cost: 0.0006291, Priced: true}
	two := provider.Usage{Input: 202, Cached: 14, Output: 46, Reasoning: 6, Cost: 0.0012582, Priced: true}
	providertest.Run(t, providertest.Suite{
		Agent: OpenCode{}, Edited: "hello.txt", Said: "STUB-DONE", Session: session, First: two, Second: step,
		Kinds: map[string]provider.Kind{
			"auth": provider.KindAuth, "limit": provider.KindLimit, "silent": provider.KindLimit, "money": provider.KindQuota,
			"server": provider.KindTransient, "connection": provider.KindTransient, "midstream": provider.KindTransient,
			"model": provider.KindModel, "nomodel": provider.KindFailed, "context": provider.KindContext,
			"bad": provider.KindFailed, "refused": provider.KindRefused,
		},
		Resets: map[string]time.Time{"limit": limitEnds(t)},
		Say: func(text string) string {
			return `{"type":"text","timestamp":1,"part":{"type":"text","text":"` + text + `"}}`
		},
		Trouble: []string{
			`{"type":"error","timestamp":1,"error":{"name":"APIError","data":{"message":"stub error 429","statusCode":429,"isRetryable":true}}}`,
			`{"type":"step_start","timestamp":1,"part":{"type":"step-start"}}`,
		},
		Plant: func(t *testing.T, home, dir, id string) {
			b, err := json.Marshal([]map[string]any{{"id": "ses_other", "directory": "/elsewhere"}, {"id": id, "directory": dir}})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, list), b, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		CWDBound: true,
		Tune: func(_ *testing.T, tr *providertest.Turned) {
			tr.Script.Answers = map[string]string{"session list": list}
		},
	})
}

// limitEnds is by the header of the answer two seconds after the capture's error.
func limitEnds(t *testing.T) time.Time {
	t.Helper()
	var l line
	if !stream.Object([]byte(providertest.Capture(t, "limit").Out), &l) || l.Error.Data.Headers["retry-after"] != "2" {
		t.Fatal("another capture")
	}
	return time.UnixMilli(int64(l.Time) + 2000)
}

func FuzzDecoder(f *testing.F) {
	providertest.Fuzz(f, func() stream.Decoder { return &decoder{} })
}

func config(t *testing.T, turn provider.Turn) map[string]any {
	t.Helper()
	env, err := environ(turn)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal([]byte(stream.Get(env, variable)), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConfigurationIsJoined(t *testing.T) {
	turn := provider.Turn{
		Env:   []string{variable + `={"model":"stub/m","share":"auto","mcp":{"web":{"type":"remote"}},"instructions":["a.md"]}`},
		State: t.TempDir(), Instructions: "be brief", Permissions: provider.PermitRead,
		Servers: []provider.Server{{Name: "orc", Command: "/bin/orc", Args: []string{"mcp"}, Env: map[string]string{"A": "1"}}},
	}
	c := config(t, turn)
	servers, _ := c["mcp"].(map[string]any)
	files, _ := c["instructions"].([]any)
	permission, _ := c["permission"].(map[string]any)
	if c["model"] != "stub/m" || c["share"] != "auto" || c["autoupdate"] != false || servers["web"] == nil || servers["orc"] == nil ||
		len(files) != 2 || permission["edit"] != "deny" {
		t.Errorf("%v", c)
	}
	if c := config(t, provider.Turn{}); c["permission"] != nil {
		t.Errorf("its own rules are overruled: %v", c)
	}
	turn.Env = []string{variable + "=// no"}
	if r, err := (OpenCode{}).Turn(t.Context(), nil, turn); err != nil || r.Kind != provider.KindInvalid {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestArguments(t *testing.T) {
	argv := arguments(provider.Turn{Session: session, Resume: true, Model: "stub/m", Args: []string{"--agent=x"}})
	if want := []string{program, "run", "--format", "json", "--session=" + session, "--model=stub/m", "--agent=x"}; !slices.Equal(argv, want) {
		t.Errorf("%q", argv)
	}
}
