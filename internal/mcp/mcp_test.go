package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"orchestrator/internal/mcp"
)

// desk is a task that remembers what it was told.
type desk struct {
	told []string
	err  error
}

func (d *desk) Hello(context.Context) error {
	d.told = append(d.told, "hello")
	return nil
}

func (d *desk) Ask(_ context.Context, text string, options []string) (string, error) {
	d.told = append(d.told, "ask "+text+" "+strings.Join(options, "|"))
	return "yes, keep it", d.err
}

func (d *desk) Complete(_ context.Context, summary string) error {
	d.told = append(d.told, "complete "+summary)
	return d.err
}

func (d *desk) Report(_ context.Context, text string) error {
	d.told = append(d.told, "report "+text)
	return d.err
}

func (d *desk) Context(context.Context) (mcp.PlanContext, error) {
	return mcp.PlanContext{Run: "7f3c", Task: "a", Tasks: []mcp.PlanTask{{ID: "a", Needs: []string{}, Writes: []string{}}}}, d.err
}

// dial serves a task and connects a client to it.
func dial(t *testing.T, d *desk) *sdk.ClientSession {
	t.Helper()
	toServer, fromClient := io.Pipe()
	toClient, fromServer := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- mcp.Serve(t.Context(), toServer, fromServer, "1", d) }()
	c, err := sdk.NewClient(&sdk.Implementation{Name: "agent", Version: "1"}, nil).Connect(t.Context(), &sdk.IOTransport{Reader: toClient, Writer: fromClient}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return c
}

func call(t *testing.T, c *sdk.ClientSession, name string, arguments any) (text string, failed bool) {
	t.Helper()
	r, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: name, Arguments: arguments})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, part := range r.Content {
		if p, ok := part.(*sdk.TextContent); ok {
			text += p.Text
		}
	}
	return text, r.IsError
}

func TestToolsReachTheTask(t *testing.T) {
	d := &desk{}
	c := dial(t, d)
	list, err := c.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "ask plan_context report_progress task_complete" {
		t.Fatalf("tools %s", got)
	}
	if text, failed := call(t, c, "ask", map[string]any{"question": "Keep it?", "options": []string{"yes", "no"}}); failed || text != "yes, keep it" {
		t.Errorf("ask: %q, %v", text, failed)
	}
	call(t, c, "report_progress", map[string]any{"text": "reading"})
	call(t, c, "task_complete", map[string]any{"summary": "all done"})
	if want := []string{"hello", "ask Keep it? yes|no", "report reading", "complete all done"}; !slices.Equal(d.told, want) {
		t.Errorf("told %q, want %q", d.told, want)
	}
	text, failed := call(t, c, "plan_context", map[string]any{})
	var plan mcp.PlanContext
	if err := json.Unmarshal([]byte(text), &plan); err != nil || failed || plan.Run != "7f3c" || len(plan.Tasks) != 1 {
		t.Errorf("plan_context: %s, %v", text, err)
	}
}

func TestRefusalIsTheFailureOfTheTool(t *testing.T) {
	c := dial(t, &desk{err: errors.New("this attempt is not under way any more")})
	for name, arguments := range map[string]any{
		"ask": map[string]any{"question": "?"}, "task_complete": map[string]any{"summary": "s"},
		"report_progress": map[string]any{"text": "t"}, "plan_context": map[string]any{},
	} {
		if text, failed := call(t, c, name, arguments); !failed || !strings.Contains(text, "not under way") {
			t.Errorf("%s: %q, failed %v", name, text, failed)
		}
	}
	if text, failed := call(t, c, "ask", map[string]any{"question": "  "}); !failed || !strings.Contains(text, "empty") {
		t.Errorf("an empty question: %q, %v", text, failed)
	}
}

// stranger is turned away.
type stranger struct{ desk }

func (*stranger) Hello(context.Context) error { return errors.New("another owner has the run") }

func TestStrangerIsTurnedAway(t *testing.T) {
	toServer, fromClient := io.Pipe()
	toClient, fromServer := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- mcp.Serve(t.Context(), toServer, fromServer, "1", &stranger{}) }()
	c, err := sdk.NewClient(&sdk.Implementation{Name: "agent", Version: "1"}, nil).Connect(t.Context(), &sdk.IOTransport{Reader: toClient, Writer: fromClient}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ListTools(t.Context(), nil); err == nil {
		t.Error("a stranger was shown the tools")
	}
	if err := <-served; err == nil || !strings.Contains(err.Error(), "another owner") {
		t.Errorf("the server ended with %v", err)
	}
}
