package stubmodel

import (
	"slices"
	"strings"
)

// Request is what an agent asked, and what it got.
type Request struct {
	Number   int
	API      string // anthropic, responses, chat, gemini; other = not for an answer of the model
	Method   string
	Path     string
	Bytes    int // length of the body
	Model    string
	Stream   bool
	Aside    bool   // offers no tools: a title, a classification, a summary
	System   string // instructions outside of the conversation
	Tools    []Tool
	Messages []Message

	Reply   string // the text of the answer
	Call    *Call  // the tool that the answer calls
	Fault   string // the Fault that it got instead
	Hanging bool   // its answer is being held back right now
}

// Message is one message of a conversation.
type Message struct {
	Role    string // user, assistant, system
	Text    string
	Calls   []string // names of the tools that it calls
	Results []string // what tools that were called gave back
}

// Tool is a tool that an agent offers to the model.
type Tool struct {
	Space  string // its namespace; empty = none
	Name   string
	Custom bool              // takes text instead of arguments
	Args   map[string]string // type of each argument
}

// Call is a call of a tool.
type Call struct {
	Space string
	Name  string
	Input string         // of a custom tool
	Args  map[string]any // of any other
}

// Saw says whether a message of the conversation, or a tool's result in it, contains the text.
func (q Request) Saw(text string) bool {
	return slices.ContainsFunc(q.Messages, func(m Message) bool {
		return strings.Contains(m.Text, text) ||
			slices.ContainsFunc(m.Results, func(r string) bool { return strings.Contains(r, text) })
	})
}

// Said returns the texts of the messages with the role.
func (q Request) Said(role string) []string {
	var texts []string
	for _, m := range q.Messages {
		if m.Role == role && m.Text != "" {
			texts = append(texts, m.Text)
		}
	}
	return texts
}

// tool finds the first of the names that is offered, whatever the case of its letters.
func (q Request) tool(names ...string) (Tool, bool) {
	for _, name := range names {
		for _, t := range q.Tools {
			if strings.EqualFold(t.Name, name) || t.Space != "" && strings.EqualFold(t.Space+"__"+t.Name, name) {
				return t, true
			}
		}
	}
	return Tool{}, false
}
