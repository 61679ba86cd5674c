package acp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf8"

	"orchestrator/internal/provider"
)

// greeting are the answers up to the prompt's: to initialize, session/new, session/set_mode and set_config_option.
const greeting = `{"result":{"protocolVersion":1,"agentCapabilities":{"loadSession":true}}}
{"result":{"sessionId":"s"}}
{"result":{}}
{"result":{"configOptions":[]}}
`

// FuzzConversation speaks with an agent that answers with whatever stands in the next lines, and then hangs up: each
// conversation comes to its end, and its log can be judged.
func FuzzConversation(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("testdata", "*.out"))
	if err != nil || len(names) == 0 {
		f.Fatalf("no captures: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		b = append([]byte(greeting), answersOf(b)...)
		f.Add(b, false)
		f.Add(b[:len(b)/2], true)
		f.Add(bytes.ReplaceAll(b, []byte(`"sessionId"`), []byte(`"jsonrpc":[],"id"`)), false)
	}
	f.Add([]byte(greeting+`{"jsonrpc":"2.0","id":1,"method":"session/request_permission","params":{"toolCall":null,"options":[{}]}}`), false)
	f.Add([]byte(greeting+`{"jsonrpc":"2.0","id":{},"method":"fs/read_text_file","params":{"path":7}}`), true)
	f.Add([]byte(greeting+`{"error":{"code":1e99,"message":[]}}`), false)
	f.Add([]byte(`{"result":{"protocolVersion":"one"}}`), true)
	prompt := filepath.Join(f.TempDir(), "prompt")
	if err := os.WriteFile(prompt, []byte("do it"), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte, resume bool) {
		turn := provider.Turn{PromptFile: prompt, Dir: "/nowhere", Model: "m", Session: "s", Resume: resume}
		c := &conversation{t: turn, profile: profileOf("codex-acp")}
		said, hear := io.Pipe()
		tell, heard := io.Pipe()
		go answerWith(b, said, heard)
		var log bytes.Buffer
		over := make(chan error, 1)
		go func() { over <- c.hold(t.Context(), hear, tell, &log) }()
		select {
		case err := <-over:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the agent hung up, and the conversation goes on")
		}
		d := newDecoder(turn, c.profile)
		for line := range bytes.Lines(log.Bytes()) {
			d.Decode(line)
		}
		if v := d.Verdict(time.Unix(1_800_000_000, 0)); !utf8.ValidString(v.Error + v.Summary + v.Session) {
			t.Errorf("%+v", v)
		}
	})
}

// answersOf is a capture with its answer as the program itself writes it.
func answersOf(capture []byte) []byte {
	var b []byte
	for line := range bytes.Lines(capture) {
		if answer, is := bytes.CutPrefix(bytes.TrimSpace(line), []byte(`{"prompt":`)); is {
			line = append(bytes.TrimSuffix(answer, []byte(`}`)), '\n')
		}
		b = append(b, line...)
	}
	return b
}

// silence is how long the agent waits for the next request before it hangs up: its last answer was none.
const silence = 100 * time.Millisecond

// answerWith is the agent: to each request it writes lines up to one that is an answer, which gets the request's id.
func answerWith(b []byte, in *io.PipeReader, out *io.PipeWriter) {
	defer out.Close()
	requests := make(chan string)
	go ids(in, requests)
	defer in.Close() // what is still said goes nowhere
	for line := range bytes.Lines(b) {
		rest, answers := bytes.CutPrefix(bytes.TrimSpace(line), []byte(`{`))
		answers = answers && (bytes.HasPrefix(rest, []byte(`"result"`)) || bytes.HasPrefix(rest, []byte(`"error"`)))
		if answers {
			select {
			case id, more := <-requests:
				if !more {
					return
				}
				line = append([]byte(`{"jsonrpc":"2.0","id":`+id+`,`), append(rest, '\n')...)
			case <-time.After(silence):
				return
			}
		}
		if _, err := out.Write(line); err != nil {
			return
		}
	}
}

// ids gives the ids of the requests among all that the client says.
func ids(in *io.PipeReader, to chan<- string) {
	defer close(to)
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		var q struct {
			Method string          `json:"method"`
			ID     json.RawMessage `json:"id"`
		}
		if json.Unmarshal(line, &q) == nil && q.Method != "" && len(q.ID) > 0 {
			select {
			case to <- string(q.ID):
			case <-time.After(10 * silence):
				return
			}
		}
	}
}
