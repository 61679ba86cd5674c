package gemini

import (
	"encoding/json"
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

const session = "aaaaaaaa-2222-4333-8444-000000000001"

func TestGemini(t *testing.T) {
	providertest.Run(t, providertest.Suite{
		Agent: Gemini{}, Edited: "hello2.txt", Said: "STUB-DONE", Session: session,
		First:  provider.Usage{Input: 202, Cached: 14, Output: 46, Model: "gemini-2.5-pro"},
		Second: provider.Usage{Input: 101, Cached: 7, Output: 23, Model: "gemini-2.5-pro"},
		Kinds: map[string]provider.Kind{
			"auth": provider.KindAuth, "key": provider.KindAuth, "limit": provider.KindLimit, "status": provider.KindLimit,
			"reset": provider.KindLimit, "money": provider.KindQuota, "server": provider.KindTransient,
			"connection": provider.KindTransient, "stdin": provider.KindTransient, "midstream": provider.KindTransient, "model": provider.KindModel,
			"context": provider.KindContext, "bad": provider.KindFailed, "turns": provider.KindTurns, "loop": provider.KindTurns,
			"untrusted": provider.KindFailed, "inuse": provider.KindInvalid, "elsewhere": provider.KindSession,
		},
		Resets: map[string]time.Time{"reset": time.Date(2030, time.March, 17, 15, 5, 0, 0, time.UTC)},
		Say: func(text string) string {
			return `{"type":"message","role":"assistant","content":"` + text + `","delta":true}`
		},
		Trouble: []string{`{"type":"error","severity":"warning","message":"Retrying with backoff: stub error 500"}`},
		Plant: func(t *testing.T, home, dir, id string) {
			project := filepath.Join(home, ".gemini", "tmp", "work")
			if err := os.MkdirAll(filepath.Join(project, "chats"), 0o700); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{
				".project_root": dir, "chats/session-2026-11-23T05-00-" + id[:8] + ".jsonl": "{}\n",
			} {
				if err := os.WriteFile(filepath.Join(project, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		},
		CWDBound: true,
	})
}

func FuzzDecoder(f *testing.F) {
	providertest.Fuzz(f, func() stream.Decoder { return newDecoder() })
}

func TestThoughtsAreOutput(t *testing.T) {
	d := newDecoder()
	d.Decode([]byte(`{"type":"result","status":"success","stats":{"total_tokens":248,"input_tokens":202,"output_tokens":40,"cached":14}}`))
	if v := d.Verdict(time.Now()); v.Usage.Output != 46 || v.Usage.Reasoning != 6 || v.Usage.Input != 202 {
		t.Errorf("%+v", v.Usage)
	}
}

func TestPermissionsAreModes(t *testing.T) {
	for p, want := range map[provider.Permissions]string{
		"": "auto_edit", provider.PermitRead: "default", provider.PermitEdit: "auto_edit", provider.PermitFull: "yolo",
	} {
		if argv := arguments(provider.Turn{Permissions: p, Model: "-m"}); !slices.Contains(argv, "--approval-mode="+want) ||
			!slices.Contains(argv, "--model=-m") {
			t.Errorf("%q: %q", p, argv)
		}
	}
}

func TestInstructionsComeFirst(t *testing.T) {
	dir := t.TempDir()
	turn := provider.Turn{PromptFile: filepath.Join(dir, "prompt"), State: dir, Instructions: "be brief"}
	if err := os.WriteFile(turn.PromptFile, []byte("do it"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := instruct(turn)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(got.PromptFile); err != nil || string(b) != "be brief\n\ndo it" {
		t.Errorf("%q, %v", b, err)
	}
	turn.Resume = true
	if got, err := instruct(turn); err != nil || got.PromptFile != turn.PromptFile {
		t.Errorf("said again: %+v, %v", got, err)
	}
}

func TestTheTaskHasAHomeOfItsOwn(t *testing.T) {
	person := t.TempDir()
	own := filepath.Join(person, ".gemini")
	if err := os.MkdirAll(own, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"oauth_creds.json": "{}",
		"settings.json": `{ // mine
			"general": {"maxAttempts": 7}, "ui": {"theme": "a // b /* c */ \" d"}, /* more */ "mcpServers": {"web": {"url": "http://x"}}
		}`,
	} {
		if err := os.WriteFile(filepath.Join(own, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	turn := provider.Turn{
		State: t.TempDir(), Env: []string{"HOME=" + person, "GEMINI_API_KEY=k"},
		Servers: []provider.Server{{Name: "orc", Command: "/bin/orc", Env: map[string]string{"A": "1"}}},
	}
	var home string
	for range 2 { // the second turn finds the first's
		env, err := environ(turn)
		if err != nil {
			t.Fatal(err)
		}
		home = filepath.Join(stream.Get(env, "GEMINI_CLI_HOME"), ".gemini")
	}
	if target, err := os.Readlink(filepath.Join(home, "oauth_creds.json")); err != nil || target != filepath.Join(own, "oauth_creds.json") {
		t.Errorf("credentials: %s, %v", target, err)
	}
	if target, err := os.Readlink(filepath.Join(home, "tmp")); err != nil || target != filepath.Join(own, "tmp") {
		t.Errorf("sessions: %s, %v", target, err)
	}
	b, err := os.ReadFile(filepath.Join(home, "settings.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		General  struct{ MaxAttempts int }
		UI       struct{ Theme string }
		Security struct{ Auth struct{ SelectedType string } }
		Servers  map[string]struct {
			Command string
			Trust   bool
		} `json:"mcpServers"`
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.General.MaxAttempts != 7 || got.UI.Theme != `a // b /* c */ " d` || got.Security.Auth.SelectedType != "gemini-api-key" ||
		!got.Servers["orc"].Trust || len(got.Servers) != 2 {
		t.Errorf("%s", b)
	}
}

func TestSettingsOfTheRepositoryAreNotTakenWithoutConsent(t *testing.T) {
	dir := t.TempDir()
	turn := provider.Turn{Dir: dir}
	if name := commanding(turn); name != "" {
		t.Errorf("an empty workspace has %s", name)
	}
	if err := os.MkdirAll(filepath.Join(dir, ".gemini"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".gemini", "settings.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Gemini{}.Turn(t.Context(), nil, turn)
	if err != nil || r.Kind != provider.KindInvalid || !strings.Contains(r.Error, filepath.Join(".gemini", "settings.json")) {
		t.Errorf("%+v, %v", r, err)
	}
	turn.Env = []string{"GEMINI_CLI_TRUST_WORKSPACE=true"}
	if name := commanding(turn); name != "" {
		t.Errorf("%s was not trusted", name)
	}
}
