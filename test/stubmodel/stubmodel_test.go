package stubmodel

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T) *Server {
	t.Helper()
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// post sends a document. Its error is that of the connection.
func post(ctx context.Context, s *Server, path string, doc any) (status int, header http.Header, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+path, strings.NewReader(quoted(doc)))
	if err != nil {
		return 0, nil, nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, body, err
}

// say asks and expects an answer.
func say(t *testing.T, s *Server, w wire, turns ...string) heard {
	t.Helper()
	status, _, body, err := post(t.Context(), s, w.path, w.ask(turns, true))
	if err != nil || status != http.StatusOK {
		t.Fatalf("status %d, %v: %s", status, err, body)
	}
	return w.hear(t, string(body))
}

func TestScriptIsPlayedStepByStep(t *testing.T) {
	for _, w := range wires() {
		t.Run(w.name, func(t *testing.T) {
			s := start(t)
			prompt := "Please [[run echo <hi> ]] and then [[say all is well]]"
			h := say(t, s, w, prompt)
			if h.text != "I run a command." || h.tool == "" || !strings.Contains(h.args, "echo <hi>") || h.broken {
				t.Errorf("first step: %+v", h)
			}
			if h.input != InputTokens || h.output != OutputTokens {
				t.Errorf("%d tokens in, %d out", h.input, h.output)
			}
			h = say(t, s, w, prompt, "I run a command.", "=hi from the tool")
			if h.text != "all is well" || h.tool != "" {
				t.Errorf("last step: %+v", h)
			}
			h = say(t, s, w, prompt, "I run a command.", "=hi from the tool", "cut off", "Where were we?")
			if h.text != "all is well" {
				t.Errorf("a prompt without directives goes on with the script; got %+v", h)
			}
			q := s.Requests()[2]
			if q.API != w.name || !q.Saw("Please [[run") || !q.Saw("hi from the tool") || q.Saw("be good") || !strings.Contains(q.System, "be good") {
				t.Errorf("recorded: %+v", q)
			}
			if got := q.Said("user"); !slices.Contains(got, "Where were we?") || len(got) != 2 {
				t.Errorf("the user said %q", got)
			}
		})
	}
}

func TestLaterPromptBeginsItsOwnScript(t *testing.T) {
	for _, w := range wires() {
		h := say(t, start(t), w, "[[run one]]", "I run a command.", "=1", "Done", "[[run two]] [[big 100000]]")
		if !strings.Contains(h.args, "two") {
			t.Errorf("%s: %+v", w.name, h)
		}
	}
}

func TestRequestWithoutToolsIsAnAside(t *testing.T) {
	for _, w := range wires() {
		s := start(t)
		_, _, body, err := post(t.Context(), s, w.path, w.ask([]string{"[[run ls]]"}, false))
		if h := w.hear(t, string(body)); err != nil || h.text != "Stub title" || h.tool != "" || !s.Requests()[0].Aside {
			t.Errorf("%s: %+v %v", w.name, h, err)
		}
	}
}

func TestToolThatIsNotOfferedIsSaid(t *testing.T) {
	for _, w := range wires() {
		if w.name == "responses" {
			continue // code mode cannot tell
		}
		if h := say(t, start(t), w, "[[call orch ask {}]]"); h.text != "There is no tool for [[call orch ask {}]]." || h.tool != "" {
			t.Errorf("%s: %+v", w.name, h)
		}
	}
}

func TestNamedHangHangsOnce(t *testing.T) {
	for _, w := range wires() {
		t.Run(w.name, func(t *testing.T) {
			s := start(t)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, _, _, err := post(ctx, s, w.path, w.ask([]string{"[[hang once]] [[say after]]"}, true))
				ended <- err
			}()
			if err := s.AwaitHang(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			cancel()
			if err := <-ended; err == nil {
				t.Error("the answer that hangs came to an end")
			}
			if _, err := s.Await(t.Context(), 0, func(all []Request) bool { return !all[0].Hanging }); err != nil {
				t.Fatal(err)
			}
			if h := say(t, s, w, "[[hang once]] [[say after]]"); h.text != "after" {
				t.Errorf("the second time: %+v", h)
			}
		})
	}
}

func TestFaultsStrikeAsOftenAsAsked(t *testing.T) {
	for _, w := range wires() {
		t.Run(w.name, func(t *testing.T) {
			s := start(t)
			for _, f := range []Fault{
				{Kind: FaultStatus, Status: 429, RetryAfter: "7", Count: 1},
				{Kind: FaultDrop, Count: 1},
				{Kind: FaultContext, Count: 1},
				{Kind: FaultCredit, Count: 1},
				{Kind: FaultLimitText, Count: 1},
				{Kind: FaultMidStream, Count: 1},
			} {
				if err := s.Inject(f); err != nil {
					t.Fatal(err)
				}
			}
			ask := w.ask([]string{"[[say fine]]"}, true)
			status, header, body, err := post(t.Context(), s, w.path, ask)
			if err != nil || status != 429 || header.Get("Retry-After") != "7" || w.errorText(body) != "stub error 429" {
				t.Errorf("429: %d %v %s %v", status, header, body, err)
			}
			if status, _, _, err = post(t.Context(), s, w.path, ask); err == nil {
				t.Errorf("a dropped connection answered %d", status)
			}
			for _, words := range []string{"token|context", "credit|quota"} {
				status, _, body, err = post(t.Context(), s, w.path, ask)
				one, other, _ := strings.Cut(words, "|")
				if said := w.errorText(body); err != nil || status < 400 || !strings.Contains(said, one) && !strings.Contains(said, other) {
					t.Errorf("%s: %d %q %v", words, status, said, err)
				}
			}
			if h := say(t, s, w, "[[run ls]]"); h.text != limitText || h.tool != "" {
				t.Errorf("limit text: %+v", h)
			}
			if h := say(t, s, w, "[[say fine]]"); !h.broken || h.text != "fi" {
				t.Errorf("mid-stream: %+v", h)
			}
			if h := say(t, s, w, "[[say fine]]"); h.text != "fine" {
				t.Errorf("after the faults: %+v", h)
			}
		})
	}
}

func TestFaultStrikesOnlyWhatItMatches(t *testing.T) {
	s, w := start(t), wires()[0]
	if err := s.Inject(Fault{Kind: FaultStatus, Status: 500, Match: "red"}); err != nil {
		t.Fatal(err)
	}
	if h := say(t, s, w, "[[say blue]]"); h.text != "blue" {
		t.Errorf("%+v", h)
	}
	for range 2 {
		if status, _, _, err := post(t.Context(), s, w.path, w.ask([]string{"[[say red]]"}, true)); err != nil || status != 500 {
			t.Errorf("status %d, %v", status, err)
		}
	}
	s.Heal()
	if h := say(t, s, w, "[[say red]]"); h.text != "red" {
		t.Errorf("%+v", h)
	}
}

func TestWrongFaultIsRefused(t *testing.T) {
	s := start(t)
	for _, f := range []Fault{{}, {Kind: FaultStatus, Status: 200}, {Kind: FaultDrop, Count: -1}} {
		if err := s.Inject(f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

func TestEveryWayOfWritingAFile(t *testing.T) {
	path := func(name string) map[string]string { return map[string]string{name: "string", "content": "string"} }
	for _, c := range []struct {
		tools []Tool
		want  string
	}{
		{[]Tool{{Name: "Write", Args: path("file_path")}}, `Write {"content":"it's\n","file_path":"a"}`},
		{[]Tool{{Name: "write", Args: path("filePath")}}, `write {"content":"it's\n","filePath":"a"}`},
		{[]Tool{{Name: "apply_patch", Custom: true}}, "apply_patch *** Begin Patch\n*** Add File: a\n+it's\n*** End Patch\n"},
		{[]Tool{{Name: "exec_command", Args: map[string]string{"cmd": "string"}}}, `exec_command {"cmd":"printf '%s\\n' 'it'\\''s' > a"}`},
		{[]Tool{{Name: "shell", Args: map[string]string{"command": "array"}}}, `shell {"command":["bash","-c","printf '%s\\n' 'it'\\''s' > a"]}`},
	} {
		call := Request{Tools: c.tools}.write("a", "it's")
		if call == nil {
			t.Errorf("%s: no call", c.tools[0].Name)
			continue
		}
		got := call.Name + " " + call.Input
		if call.Args != nil {
			got = call.Name + " " + quoted(call.Args)
		}
		if got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
}

func TestServersToolIsFoundUnderEveryName(t *testing.T) {
	for _, tool := range []Tool{
		{Name: "mcp__orch__ask"}, {Space: "mcp__orch", Name: "ask"}, {Name: "orch__ask"}, {Name: "orch_ask"}, {Name: "mcp_orch_ask"},
	} {
		call := Request{Tools: []Tool{{Name: "exec"}, tool}}.serverTool("orch", "ask", `{"question":"a or b?"}`)
		if call == nil || call.Space != tool.Space || call.Name != tool.Name || call.Args["question"] != "a or b?" {
			t.Errorf("%+v: %+v", tool, call)
		}
	}
	call := Request{Tools: []Tool{{Name: "exec", Custom: true}}}.serverTool("orch", "ask", `{"question":"?"}`)
	if call == nil || call.Input != `const r = await tools.mcp__orch__ask({"question":"?"}); text(JSON.stringify(r));` {
		t.Errorf("code mode: %+v", call)
	}
}

func TestWholeAnswersHaveTextAndCall(t *testing.T) {
	for path, want := range map[string][]any{
		"/v1/messages":                     {"content", 1, "name"},
		"/v1/responses":                    {"output", 1, "name"},
		"/v1/chat/completions":             {"choices", 0, "message", "tool_calls", 0, "function", "name"},
		"/v1beta/models/m:generateContent": {"candidates", 0, "content", "parts", 1, "functionCall", "name"},
	} {
		i := slices.IndexFunc(wires(), func(w wire) bool { return dialectOf(strings.Split(w.path, "?")[0]).name() == dialectOf(path).name() })
		doc := wires()[i].ask([]string{"[[run ls]]"}, true).(object)
		doc["stream"] = false
		_, _, body, err := post(t.Context(), start(t), path, doc)
		var answer any
		if err == nil {
			err = json.Unmarshal(body, &answer)
		}
		if err != nil || text(at(answer, want...)) == "" {
			t.Errorf("%s: %v %s", path, err, body)
		}
	}
}

func TestControlFromAnotherProcess(t *testing.T) {
	s, w := start(t), wires()[2]
	status, _, body, err := post(t.Context(), s, "/control/fault", Fault{Kind: FaultStatus, Status: 503, Count: 1})
	if err != nil || status != http.StatusNoContent {
		t.Fatalf("%d %s %v", status, body, err)
	}
	if status, _, _, err = post(t.Context(), s, w.path, w.ask([]string{"[[say x]]"}, true)); err != nil || status != 503 {
		t.Errorf("%d %v", status, err)
	}
	if status, _, _, err = post(t.Context(), s, "/control/fault", Fault{Kind: "no such"}); err != nil || status != http.StatusBadRequest {
		t.Errorf("a wrong fault: %d %v", status, err)
	}
	say(t, s, w, "[[say second]]")
	resp, err := http.Get(s.URL() + "/control/requests?from=1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got []Request
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || len(got) != 1 || got[0].Reply != "second" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMalformedRequestIsRefusedAndRecorded(t *testing.T) {
	s := start(t)
	for i, w := range wires() {
		resp, err := http.Post(s.URL()+w.path, "application/json", bytes.NewReader([]byte(`{"messages": [}`)))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || len(s.Requests()) != i+1 {
			t.Errorf("%s: status %d, %d requests", w.name, resp.StatusCode, len(s.Requests()))
		}
	}
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	if s, err := Listen("0.0.0.0:0"); err == nil {
		t.Error("listens on every interface", s.Close())
	}
}

func TestSleepComesBeforeTheAnswer(t *testing.T) {
	s := start(t)
	w := wires()[0]
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, _, err := post(ctx, s, w.path, w.ask([]string{"[[sleep 600]] [[say x]]"}, true)); err == nil {
		t.Error("answered at once")
	}
	if got := s.Requests()[0].Reply; got != "x" {
		t.Errorf("recorded %q", got)
	}
}
