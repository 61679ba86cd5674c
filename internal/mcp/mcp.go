// Package mcp is the server that an agent's program starts to speak with us (Model Context Protocol, on standard input
// and output). It is bound to one attempt at one task; what its tools do is behind Task.
package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Task is the attempt that an agent works on. Errors are told to the agent as the failure of its tool.
type Task interface {
	// Hello says that the agent's program has reached the tools.
	Hello(ctx context.Context) error
	// Ask puts a question to the person and returns the answer, which may take hours.
	Ask(ctx context.Context, text string, options []string) (answer string, err error)
	// Complete says that the task is done.
	Complete(ctx context.Context, summary string) error
	// Report says in one line what the agent does.
	Report(ctx context.Context, text string) error
	// Context describes the whole plan and where it stands.
	Context(ctx context.Context) (PlanContext, error)
}

// PlanContext is the plan as plan_context shows it.
type PlanContext struct {
	Run     string     `json:"run"`
	Name    string     `json:"name"`
	Context string     `json:"context"` // what every task is told
	Task    string     `json:"task"`    // the one that the agent works on
	Tasks   []PlanTask `json:"tasks"`
}

// PlanTask is one task of the plan.
type PlanTask struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	State  string   `json:"state"`
	Needs  []string `json:"needs"`
	Writes []string `json:"writes"`
	Result string   `json:"result"` // its summary, or why it failed
}

// errUnwelcome says that the task is not the agent's any more.
var errUnwelcome = errors.New("turned away")

// MaxLine bounds one message of the agent's program, in bytes.
const MaxLine = 64 << 20

// What an agent may say at once: bytes of a text, and options of a question. It is stored, shown, and told to others.
const (
	MaxText    = 64 << 10
	MaxOptions = 20
)

// check refuses a text that is empty or too long, and takes out what no screen and no database takes.
func check(what, text string) (string, error) {
	switch text = strings.ReplaceAll(text, "\x00", ""); {
	case strings.TrimSpace(text) == "":
		return "", fmt.Errorf("%s is empty", what)
	case len(text) > MaxText:
		return "", fmt.Errorf("%s has %d bytes, at most %d are taken: shorten it, or write it into a file", what, len(text), MaxText)
	}
	return text, nil
}

func checkOptions(options []string) ([]string, error) {
	if len(options) > MaxOptions {
		return nil, fmt.Errorf("there are %d options, at most %d are taken", len(options), MaxOptions)
	}
	good := make([]string, 0, len(options))
	for _, o := range options {
		o, err := check("an option", o)
		if err != nil {
			return nil, err
		}
		good = append(good, o)
	}
	return good, nil
}

// Serve answers the agent's program until it closes in, or ctx ends.
func Serve(ctx context.Context, in io.ReadCloser, out io.WriteCloser, version string, t Task) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := mcp.NewServer(&mcp.Implementation{Name: "orc", Version: version}, &mcp.ServerOptions{
		Instructions: "Call task_complete when your task is done. Call ask when only a person can decide; it waits for the answer.",
	})
	addTools(s, t)
	// Not every version of the protocol has a handshake, but a program that never asks for the tools cannot use them.
	greet := sync.OnceValue(func() error { return t.Hello(ctx) })
	s.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(c context.Context, method string, r mcp.Request) (mcp.Result, error) {
			if strings.HasPrefix(method, "tools/") {
				if err := greet(); err != nil {
					cancel(fmt.Errorf("%w: %w", errUnwelcome, err))
					return nil, err
				}
			}
			return next(c, method, r)
		}
	})
	err := s.Run(ctx, &mcp.IOTransport{Reader: in, Writer: out, MaxLineLength: MaxLine})
	if cause := context.Cause(ctx); errors.Is(cause, errUnwelcome) {
		return cause
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("serve the agent: %w", err)
	}
	return nil
}

type askInput struct {
	Question string   `json:"question" jsonschema:"the question, with all that the person needs to know to answer it"`
	Options  []string `json:"options,omitempty" jsonschema:"answers to choose from, the one you would take first; the person may also answer in other words"`
}

type completeInput struct {
	Summary string `json:"summary" jsonschema:"what you did, in a few sentences, for the tasks that build on it"`
}

type reportInput struct {
	Text string `json:"text" jsonschema:"what you do now, in one line"`
}

type none struct{}

func addTools(s *mcp.Server, t Task) {
	mcp.AddTool(s, &mcp.Tool{
		Name:        "ask",
		Description: "Ask the person who runs this plan a question that you cannot decide yourself, and wait for the answer.",
	}, func(ctx context.Context, _ *mcp.CallToolRequest, in askInput) (*mcp.CallToolResult, any, error) {
		question, err := check("the question", in.Question)
		if err != nil {
			return nil, nil, err
		}
		options, err := checkOptions(in.Options)
		if err != nil {
			return nil, nil, err
		}
		answer, err := t.Ask(ctx, question, options)
		return said(answer), nil, err
	})
	mcp.AddTool(s, &mcp.Tool{
		Name:        "task_complete",
		Description: "Say that your task is done, after you have checked it. Then end your turn.",
	}, func(ctx context.Context, _ *mcp.CallToolRequest, in completeInput) (*mcp.CallToolResult, any, error) {
		summary, err := check("the summary", in.Summary)
		if err != nil {
			return nil, nil, err
		}
		return said("Noted. End your turn now."), nil, t.Complete(ctx, summary)
	})
	mcp.AddTool(s, &mcp.Tool{
		Name:        "report_progress",
		Description: "Say in one line what you do now; it is shown to the person.",
	}, func(ctx context.Context, _ *mcp.CallToolRequest, in reportInput) (*mcp.CallToolResult, any, error) {
		text, err := check("the text", in.Text)
		if err != nil {
			return nil, nil, err
		}
		return said("Noted."), nil, t.Report(ctx, text)
	})
	mcp.AddTool(s, &mcp.Tool{
		Name:        "plan_context",
		Description: "Show the whole plan: its tasks, what they need and write, and what came of them so far.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true},
	}, func(ctx context.Context, _ *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, PlanContext, error) {
		c, err := t.Context(ctx)
		return nil, c, err
	})
}

func said(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
}
