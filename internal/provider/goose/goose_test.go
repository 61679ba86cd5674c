package goose

import (
	"encoding/json"
	"os"
	"os/exec"
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

const (
	session = "orc-first"
	list    = "goose-sessions.json"
)

func TestGoose(t *testing.T) {
	providertest.Run(t, providertest.Suite{
		Agent: Goose{}, Edited: "hello2.txt", Said: "STUB-DONE", Session: session,
		First:  provider.Usage{Input: 202, Cached: 14, Output: 46, Model: "stub-model"},
		Second: provider.Usage{Input: 101, Cached: 7, Output: 23, Model: "stub-model"},
		Kinds: map[string]provider.Kind{
			"auth": provider.KindAuth, "limit": provider.KindLimit, "reset": provider.KindLimit, "money": provider.KindQuota,
			"server": provider.KindTransient, "overload": provider.KindTransient, "connection": provider.KindTransient,
			"midstream": provider.KindTransient, "model": provider.KindModel, "context": provider.KindContext,
			"bad": provider.KindFailed, "turns": provider.KindTurns, "interrupted": provider.KindCrashed,
			"provider": provider.KindFailed, "approve": provider.KindInvalid, "unknownid": provider.KindSession,
		},
		Resets: map[string]time.Time{"reset": time.Date(2030, time.March, 17, 15, 5, 0, 0, time.UTC)},
		Say: func(text string) string {
			return `{"type":"message","message":{"id":"chatcmpl-90","role":"assistant","content":[{"type":"text","text":"` + text +
				`"}],"metadata":{"inference":{"provider":"openai","requestedModel":"stub-model"}}}}`
		},
		Trouble: []string{
			`{"type":"message","message":{"id":"msg_1","role":"assistant","content":[{"type":"text","text":"Network error: Could not connect."}],"metadata":{}}}`,
			`{"type":"message","message":{"id":"chatcmpl-91","role":"assistant","content":[{"type":"text","text":"STUB-DONE"}],"metadata":{"inference":{"requestedModel":"stub-model"}}}}`,
		},
		Plant: func(t *testing.T, home, dir, id string) {
			b, err := json.Marshal([]map[string]any{
				{"id": "20261123_1", "working_dir": "/elsewhere", "name": "other"},
				{"id": "20261123_2", "working_dir": dir, "name": id},
			})
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
			if !tr.Resume {
				tr.Session = session
			}
		},
	})
}

func FuzzDecoder(f *testing.F) {
	providertest.Fuzz(f, func() stream.Decoder { return newDecoder(provider.Turn{Session: session}) })
}

func TestPiecesOfATextAreOneEvent(t *testing.T) {
	d := newDecoder(provider.Turn{Session: session})
	var texts []string
	for line := range strings.Lines(providertest.Capture(t, "first").Out) {
		for _, e := range d.Decode([]byte(line)) {
			if e.Kind == provider.EventText {
				texts = append(texts, e.Text)
			}
		}
	}
	if len(texts) != 2 || texts[0] != "I will write hello2.txt." {
		t.Errorf("%q", texts)
	}
}

func TestReadingOnlyIsRefused(t *testing.T) {
	r, err := Goose{}.Turn(t.Context(), nil, provider.Turn{Session: session, Permissions: provider.PermitRead})
	if err != nil || r.Kind != provider.KindInvalid {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestArguments(t *testing.T) {
	argv, err := arguments(provider.Turn{Session: session, Resume: true, Model: "m", Instructions: "-x", Args: []string{"--max-turns=9"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--name=" + session, "--resume", "--model=m", "--system=-x", "--max-turns=9", "-q", "--no-profile"} {
		if !slices.Contains(argv, want) {
			t.Errorf("%s is not in %q", want, argv)
		}
	}
	if _, err := arguments(provider.Turn{Resume: true}); err == nil {
		t.Error("a session without a name would be the newest of the machine")
	}
}

func TestServerIsStartedWithItsEnvironment(t *testing.T) {
	dir, err := os.MkdirTemp("", "goose")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path, err := writeServer(dir, provider.Server{
		Name: "orc", Command: "/bin/sh", Args: []string{"-c", `printf '%s|%s' "$A" "$1"`, "sh", "it's $HOME"}, Env: map[string]string{"A": "1 2'3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path).CombinedOutput()
	if err != nil || string(out) != "1 2'3|it's $HOME" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := writeServer(filepath.Join(dir, "a b"), provider.Server{Name: "orc"}); err == nil {
		t.Error("a path with a blank is taken")
	}
}
