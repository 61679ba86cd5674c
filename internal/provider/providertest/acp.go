package providertest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ACP is the name of the conversation of an agent of the Agent Client Protocol. In its captures a line
//
//	{"load":{…}}    is the answer to session/load and session/resume, a result or an error
//	{"ask":{…}}     are the parameters of a request for permission, whose answer it waits for
//	{"prompt":{…}}  is the answer to session/prompt
//
// and any other is written as it is, when the prompt has come. Sessions are those of the file ACPSessions in HOME.
const ACP = "acp"

// ACPSession is the id of the session that begins, ACPSessions the file with the answer to session/list.
const (
	ACPSession  = "acp-session-1"
	ACPSessions = "acp-sessions.json"
)

func init() { Talks[ACP] = talkACP }

type call struct {
	Method string          `json:"method"`
	ID     json.RawMessage `json:"id"`
	Params json.RawMessage `json:"params"`
}

type agent struct {
	s   Script
	in  *bufio.Reader
	out io.Writer
}

func talkACP(s Script, in io.Reader, out io.Writer) int {
	a := &agent{s: s, in: bufio.NewReader(in), out: out}
	for {
		c, err := a.next()
		if err != nil {
			return s.Code // the client hung up
		}
		if done, code := a.serve(c); done {
			return code
		}
	}
}

func (a *agent) next() (call, error) {
	var c call
	line, err := a.in.ReadBytes('\n')
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(line, &c)
}

// directive finds a line of the capture that is no output.
func (a *agent) directive(name string) string {
	for line := range strings.Lines(a.s.Out) {
		var m map[string]json.RawMessage
		if json.Unmarshal([]byte(line), &m) == nil && m[name] != nil {
			return string(m[name])
		}
	}
	return ""
}

func (a *agent) answer(id json.RawMessage, body string) {
	body = strings.TrimPrefix(strings.TrimSpace(body), "{")
	fmt.Fprintf(a.out, `{"jsonrpc":"2.0","id":%s,%s`+"\n", id, body)
}

func (a *agent) serve(c call) (done bool, code int) {
	switch c.Method {
	case "initialize":
		a.answer(c.ID, `{"result":{"protocolVersion":1,"authMethods":[],"agentInfo":{"name":"stub","version":"1"},"agentCapabilities":{"loadSession":true,"sessionCapabilities":{"list":{}}}}}`)
	case "session/new":
		a.answer(c.ID, `{"result":{"sessionId":"`+ACPSession+`"}}`)
	case "session/load", "session/resume":
		if said := a.directive("load"); said != "" {
			a.answer(c.ID, said)
			break
		}
		// What was said before is repeated, and must not count as said again.
		fmt.Fprintln(a.out, `{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"x","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"REPEATED"}}}}`)
		a.answer(c.ID, `{"result":{}}`)
	case "session/list":
		b, err := os.ReadFile(filepath.Join(os.Getenv("HOME"), ACPSessions))
		if err != nil {
			b = []byte(`[]`)
		}
		a.answer(c.ID, `{"result":{"sessions":`+string(b)+`}}`)
	case "session/set_mode", "session/set_config_option", "session/set_model":
		a.answer(c.ID, `{"result":{"configOptions":[]}}`)
	case "session/prompt":
		return a.prompt(c)
	}
	return false, 0
}

// prompt plays the capture. One that holds no answer is of an agent that ended in the middle of the turn.
func (a *agent) prompt(c call) (done bool, code int) {
	if err := a.s.note(Given{Argv: os.Args, Env: os.Environ(), Stdin: string(c.Params)}); err != nil {
		return true, 95
	}
	answered, at := false, 0
	for line := range strings.Lines(a.s.Out) {
		if a.s.Gate > 0 && at >= a.s.Gate {
			a.s.Gate = 0
			if err := a.s.waitAtGate(); err != nil {
				return true, 94
			}
		}
		at += len(line)
		var m map[string]json.RawMessage
		known := json.Unmarshal([]byte(line), &m) == nil
		switch {
		case known && m["load"] != nil:
		case known && m["prompt"] != nil:
			a.answer(c.ID, string(m["prompt"]))
			answered = true
		case known && m["ask"] != nil:
			fmt.Fprintf(a.out, `{"jsonrpc":"2.0","id":9000,"method":"session/request_permission","params":%s}`+"\n", m["ask"])
			if _, err := a.next(); err != nil {
				return true, 93
			}
		default:
			fmt.Fprint(a.out, line)
		}
	}
	fmt.Fprint(os.Stderr, a.s.Err)
	switch {
	case a.s.Kill:
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case a.s.Hang:
		if err := a.s.hang(); err != nil {
			return true, 92
		}
	}
	return !answered, a.s.Code
}
