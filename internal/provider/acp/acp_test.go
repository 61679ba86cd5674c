package acp

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	protocol "github.com/coder/acp-go-sdk"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/providertest"
	"orchestrator/internal/provider/stream"
)

func TestMain(m *testing.M) { providertest.Main(m) }

func suite() providertest.Suite {
	return providertest.Suite{
		Agent: ACP{}, Edited: "acp1.txt", Said: "STUB-DONE", Session: providertest.ACPSession,
		First:  provider.Usage{Input: 101, Cached: 7, Output: 23, Reasoning: 3, Cost: 0.0012582, Priced: true},
		Second: provider.Usage{Input: 101, Cached: 7, Output: 23, Reasoning: 3, Cost: 0.0006291, Priced: true},
		Kinds: map[string]provider.Kind{
			"auth": provider.KindAuth, "key": provider.KindAuth, "limit": provider.KindLimit, "reset": provider.KindLimit,
			"codex": provider.KindLimit, "money": provider.KindQuota, "overload": provider.KindTransient,
			"connection": provider.KindTransient, "model": provider.KindModel, "context": provider.KindContext,
			"turns": provider.KindTurns, "canceled": provider.KindCrashed, "refused": provider.KindRefused,
		},
		Resets: map[string]time.Time{"reset": time.Date(2030, time.March, 17, 15, 5, 0, 0, time.UTC)},
		Say: func(text string) string {
			return `{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"x","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"` + text + `"}}}}`
		},
		Trouble: []string{
			`{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"x","update":{"sessionUpdate":"session_info_update","_meta":{"codex":{"error":{"additionalDetails":"Reconnecting 1/5"}}}}}}`,
			`{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"x","update":{"sessionUpdate":"session_info_update","_meta":{"codex":{"threadStatus":{"type":"active"}}}}}}`,
		},
		Plant: func(t *testing.T, home, dir, id string) {
			b, err := json.Marshal([]map[string]string{{"sessionId": "another", "cwd": "/elsewhere"}, {"sessionId": id, "cwd": dir}})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, providertest.ACPSessions), b, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		CWDBound: true,
		Talk:     providertest.ACP,
		Prompt: func(given string) string {
			var q struct {
				Prompt []struct {
					Text string `json:"text"`
				} `json:"prompt"`
			}
			if json.Unmarshal([]byte(given), &q) != nil || len(q.Prompt) == 0 {
				return ""
			}
			return q.Prompt[len(q.Prompt)-1].Text
		},
		Tune: func(t *testing.T, tr *providertest.Turned) {
			// The captures are OpenCode's: its habits go by the program's name.
			link := filepath.Join(tr.State, "opencode")
			if err := os.Symlink(tr.Program, link); err != nil {
				t.Fatal(err)
			}
			tr.Program = link
		},
	}
}

func TestACP(t *testing.T) { providertest.Run(t, suite()) }

func FuzzDecoder(f *testing.F) {
	for _, name := range []string{"goose.log", "gemini.log"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"acp":"update","update":{"sessionUpdate":"tool_call","toolCallId":"1","status":"completed","content":[{"type":"diff","path":"a"}]}}`))
	f.Add([]byte(`{"acp":"error","at":"session/load","code":-32602,"data":{"x":1}}`))
	f.Add([]byte(`{"acp":"end","end":{"stopReason":"refusal"}}`))
	providertest.Fuzz(f, func() stream.Decoder { return newDecoder(provider.Turn{}, profiles["codex-acp"]) })
}

func verdict(t *testing.T, program, log string) stream.Verdict {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", log))
	if err != nil {
		t.Fatal(err)
	}
	d := newDecoder(provider.Turn{}, profileOf(program))
	for line := range strings.Lines(string(b)) {
		d.Decode([]byte(line))
	}
	return d.Verdict(time.Now())
}

func TestErrorsThatGooseSaysAreErrors(t *testing.T) {
	if v := verdict(t, "/opt/goose", "goose.log"); v.Kind != provider.KindLimit || v.Error != "Ran into this error: Rate limit exceeded: stub error 429." {
		t.Errorf("%+v", v)
	}
	if v := verdict(t, "other", "goose.log"); v.Kind != "" {
		t.Errorf("the same words of another agent: %+v", v)
	}
}

func TestErrorBehindHalfAnAnswerIsAnError(t *testing.T) {
	d := newDecoder(provider.Turn{}, profileOf("goose"))
	for _, line := range []string{
		`{"acp":"update","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"the whole o"},"messageId":"chatcmpl_1"}}`,
		`{"acp":"update","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"Ran into this error: Server error: stub."},"messageId":"msg_2"}}`,
		`{"acp":"end","end":{"stopReason":"end_turn"}}`,
	} {
		d.Decode([]byte(line))
	}
	if v := d.Verdict(time.Now()); v.Kind != provider.KindTransient {
		t.Errorf("%+v", v)
	}
}

func TestGeminiCountsBesideTheProtocol(t *testing.T) {
	if v := verdict(t, "gemini", "gemini.log"); v.Kind != "" || v.Usage != (provider.Usage{Input: 202, Output: 46}) {
		t.Errorf("%+v", v)
	}
}

func TestAgentsThatForget(t *testing.T) {
	turn := provider.Turn{Program: "/opt/gemini", Session: "g", Resume: true}
	if r, err := (ACP{}).Turn(t.Context(), nil, turn); err != nil || r.Kind != provider.KindSession {
		t.Errorf("%+v, %v", r, err)
	}
	if has, err := (ACP{}).HasSession(t.Context(), turn); has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
	if r, err := (ACP{}).Turn(t.Context(), nil, provider.Turn{}); err != nil || r.Kind != provider.KindInvalid {
		t.Errorf("no program: %+v, %v", r, err)
	}
}

func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/", filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	kind := func(k protocol.ToolKind) *protocol.ToolKind { return &k }
	call := func(k *protocol.ToolKind, title string, input map[string]any, path string) protocol.ToolCallUpdate {
		c := protocol.ToolCallUpdate{Kind: k, Title: &title, RawInput: input}
		if path != "" {
			c.Locations = []protocol.ToolCallLocation{{Path: path}}
		}
		return c
	}
	for _, c := range []struct {
		name             string
		call             protocol.ToolCallUpdate
		read, edit, full bool
	}{
		{"read", call(kind(protocol.ToolKindRead), "a.txt", nil, ""), true, true, true},
		{"edit", call(kind(protocol.ToolKindEdit), "a.txt", nil, "sub/a.txt"), false, true, true},
		{"edit by its full path", call(kind(protocol.ToolKindEdit), "a.txt", nil, filepath.Join(dir, "a.txt")), false, true, true},
		{"edit outside", call(kind(protocol.ToolKindEdit), "x", nil, "/etc/passwd"), false, false, true},
		{"edit outside, upwards", call(kind(protocol.ToolKindEdit), "x", map[string]any{"path": "../x"}, ""), false, false, true},
		{"edit outside, by a link", call(kind(protocol.ToolKindEdit), "x", nil, "out/etc/x"), false, false, true},
		{"command", call(kind(protocol.ToolKindExecute), "ls", map[string]any{"command": "ls"}, ""), false, false, true},
		{"a command that is called like ours", call(kind(protocol.ToolKindExecute), "orc_x", nil, ""), false, false, true},
		{"ours", call(kind(protocol.ToolKindOther), "orc_ask", nil, ""), true, true, true},
		{"ours, of Claude", call(kind(protocol.ToolKindOther), "mcp__orc__ask", nil, ""), true, true, true},
		{"ours, of Goose", call(kind(protocol.ToolKindOther), "orc: task complete", nil, ""), true, true, true},
		{"a command of Goose's that speaks of ours", call(nil, "shell · orc: ask", map[string]any{"command": "orc: ask"}, ""), false, false, true},
		{"a title that only begins like ours", call(kind(protocol.ToolKindOther), "orc: ask; rm -rf /", nil, ""), false, false, true},
		{"another server's", call(kind(protocol.ToolKindOther), "mcp__web__get", nil, ""), false, false, true},
		{"no kind, a file", call(nil, "write · a.txt", map[string]any{"path": "a.txt"}, ""), false, true, true},
		{"kind other, Goose's tool", call(kind(protocol.ToolKindOther), "write · a.txt", map[string]any{"path": "a.txt"}, ""), false, true, true},
		{"kind other, Goose's tool, outside", call(kind(protocol.ToolKindOther), "write · /x", map[string]any{"path": "/x"}, ""), false, false, true},
		{"kind other, another's tool", call(kind(protocol.ToolKindOther), "get · a.txt", map[string]any{"path": "a.txt"}, ""), false, false, true},
		{"no kind, a command", call(nil, "shell · ls", map[string]any{"command": "ls"}, ""), false, false, true},
		{"nothing at all", protocol.ToolCallUpdate{}, false, false, true},
	} {
		for p, want := range map[provider.Permissions]bool{
			provider.PermitRead: c.read, provider.PermitEdit: c.edit, "": c.edit, provider.PermitFull: c.full,
		} {
			talk := &conversation{profile: profileOf("goose"), t: provider.Turn{Dir: dir, Permissions: p, Servers: []provider.Server{{Name: "orc"}}}}
			if got := talk.allows(&c.call); got != want {
				t.Errorf("%s with %q: %v, want %v", c.name, p, got, want)
			}
		}
	}
}

func TestAnswersHoldForOneCall(t *testing.T) {
	options := []protocol.PermissionOption{
		{Kind: protocol.PermissionOptionKindAllowAlways, OptionId: "always"},
		{Kind: protocol.PermissionOptionKindAllowOnce, OptionId: "once"},
		{Kind: protocol.PermissionOptionKindRejectOnce, OptionId: "no"},
	}
	if got := choose(options, true); got.Selected == nil || got.Selected.OptionId != "once" {
		t.Errorf("%+v", got)
	}
	if got := choose(options, false); got.Selected == nil || got.Selected.OptionId != "no" {
		t.Errorf("%+v", got)
	}
	if got := choose(options[:1], false); got.Cancelled == nil {
		t.Errorf("no way to say no: %+v", got)
	}
}

func TestAgentsAreMadeToAsk(t *testing.T) {
	for program, want := range map[string]string{"goose": "GOOSE_MODE=approve", "opencode": `"bash":"ask"`} {
		p := profileOf(program)
		if env := strings.Join(p.environ(provider.Turn{}), "\n"); !strings.Contains(env, want) {
			t.Errorf("%s: %s", program, env)
		}
		if env := strings.Join(p.environ(provider.Turn{Permissions: provider.PermitFull}), "\n"); strings.Contains(env, want) {
			t.Errorf("%s with full permissions: %s", program, env)
		}
	}
}
