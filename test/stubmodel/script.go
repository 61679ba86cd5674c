package stubmodel

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The directives that a prompt may have, each once per step:
//
//	[[write PATH TEXT]]           call the agent's tool that writes files; TEXT becomes the file's only line
//	[[run COMMAND]]               call the agent's shell
//	[[call SERVER TOOL {JSON}]]   call a tool of an MCP server
//	[[say TEXT]]                  the last answer's text, up to the end of the directive
//	[[big N]]                     the last answer's text is one line of N bytes
//	[[sleep SECONDS]]             wait before the next step
//	[[hang]], [[hang NAME]]       begin the next step and never end it; with a name only once
//	[[restart]]                   the directives before it are for somebody else
//
// The last message of the user that has any is the one that counts. Each result of a tool since then is a step
// done, so an agent that goes on with a session goes on with the script.
var directive = regexp.MustCompile(`(?s)\[\[(write|run|call|say|big|sleep|hang)\b(.*?)\]\]`)

// restart takes back the directives before it.
const restart = "[[restart]]"

// mostBig bounds the text of [[big]].
const mostBig = 64 << 20

// reply is what the server answers.
type reply struct {
	text     string
	call     *Call
	sleep    time.Duration
	hang     bool
	hangName string
	broken   bool // an error follows the first half of the text
}

// step is a directive that needs an answer of its own, or the end.
type step struct {
	word, rest string
	sleep      time.Duration
	hang       bool
	hangName   string
}

// script finds the step that a request has come to.
func script(q *Request) reply {
	if len(q.Tools) == 0 {
		q.Aside = true
		return reply{text: "Stub title"}
	}
	prompt, done, last := progress(q.Messages)
	steps := parse(prompt)
	at := steps[min(done, len(steps)-1)]
	act := reply{sleep: at.sleep, hang: at.hang, hangName: at.hangName}
	switch at.word {
	case "write":
		path, text, _ := strings.Cut(at.rest, " ")
		act.text, act.call = "I write "+path+".", q.write(path, text)
	case "run":
		act.text, act.call = "I run a command.", q.shell(at.rest)
	case "call":
		server, rest, _ := strings.Cut(at.rest, " ")
		name, args, _ := strings.Cut(strings.TrimSpace(rest), " ")
		act.text, act.call = "I ask "+server+".", q.serverTool(server, name, args)
	case "say":
		act.text = at.rest
	case "big":
		n, err := strconv.Atoi(at.rest)
		if err != nil || n < 0 || n > mostBig {
			return reply{text: "The directive [[big " + at.rest + "]] is wrong."}
		}
		act.text = strings.Repeat("x", n)
	default:
		act.text = fmt.Sprintf("Done after %d steps. Messages of the user: %d. Last result: %s", done, len(q.Said("user")), clip(last))
	}
	if act.call == nil && (at.word == "write" || at.word == "run" || at.word == "call") {
		act.text = fmt.Sprintf("There is no tool for [[%s %s]].", at.word, at.rest)
	}
	return act
}

// progress returns the prompt that counts, how many steps were done since, and what the last one gave.
func progress(messages []Message) (prompt string, done int, last string) {
	for _, m := range messages {
		if m.Role == "user" && directive.MatchString(m.Text) {
			// Results in the same message answer calls before it.
			prompt, done, last = m.Text, 0, ""
			continue
		}
		done += len(m.Results)
		if len(m.Results) > 0 {
			last = m.Results[len(m.Results)-1]
		}
	}
	return prompt, done, last
}

// parse returns the steps of a prompt; the last one ends the turn.
func parse(prompt string) []step {
	var steps []step
	var next step
	if at := strings.LastIndex(prompt, restart); at >= 0 {
		prompt = prompt[at:]
	}
	for _, found := range directive.FindAllStringSubmatch(prompt, -1) {
		word, rest := found[1], strings.TrimSpace(found[2])
		switch word {
		case "sleep":
			if seconds, err := strconv.ParseFloat(rest, 64); err == nil {
				next.sleep = time.Duration(seconds * float64(time.Second))
			}
		case "hang":
			next.hang, next.hangName = true, rest
		case "say", "big":
			next.word, next.rest = word, rest
			return append(steps, next)
		default:
			next.word, next.rest = word, rest
			steps, next = append(steps, next), step{}
		}
	}
	return append(steps, next)
}

// clip shortens a result for the last answer.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
