package acp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"

	protocol "github.com/coder/acp-go-sdk"

	"orchestrator/internal/provider"
)

// conversation is one turn's.
type conversation struct {
	t       provider.Turn
	profile profile
	log     *journal
	wire    *wire
	conn    *protocol.ClientSideConnection
	session protocol.SessionId
	asked   atomic.Bool // the prompt: the turn can be canceled
}

// open begins to speak with an agent.
func open(t provider.Turn, p profile, in io.Writer, out io.Reader, log io.Writer) *conversation {
	c := &conversation{t: t, profile: p}
	c.connect(in, out, log)
	return c
}

func (c *conversation) connect(in io.Writer, out io.Reader, log io.Writer) {
	c.log = &journal{to: log}
	c.wire = &wire{log: c.log}
	c.wire.muted.Store(true)
	from, to := io.Pipe()
	go c.wire.read(out, to) // until the agent's output ends, which the caller sees to
	c.conn = protocol.NewClientSideConnection(&client{c: c}, in, from)
	c.conn.SetLogger(slog.New(slog.DiscardHandler))
}

// hold speaks from the greeting to the end of the turn. What the agent refuses is in the log; an error is ours.
func (c *conversation) hold(ctx context.Context, in io.Writer, out io.Reader, log io.Writer) error {
	prompt, err := readPrompt(c.t)
	if err != nil {
		return err
	}
	c.connect(in, out, log)
	if at, err := c.speak(ctx, prompt); err != nil {
		c.refused(at, err)
	}
	return c.log.close()
}

// speak returns the step at which the agent refused, and how.
func (c *conversation) speak(ctx context.Context, prompt string) (at string, err error) {
	// Steps end with the connection; when the turn is to end, the agent is asked to, and then gone.
	background := context.WithoutCancel(ctx)
	stop := context.AfterFunc(ctx, func() {
		if c.asked.Load() {
			_ = c.conn.Cancel(background, protocol.CancelNotification{SessionId: c.session}) // it is stopped anyhow
		}
	})
	defer stop()
	hello, err := c.greet(background)
	if err != nil {
		return "initialize", err
	}
	if at, err := c.enter(background, hello.AgentCapabilities); err != nil {
		return at, err
	}
	if at, err := c.configure(background); err != nil {
		return at, err
	}
	if ctx.Err() != nil {
		return "", nil
	}
	c.wire.muted.Store(false)
	c.asked.Store(true)
	blocks := []protocol.ContentBlock{}
	if c.t.Instructions != "" && !c.t.Resume { // the protocol knows no system prompt
		blocks = append(blocks, protocol.TextBlock(c.t.Instructions))
	}
	end, err := c.conn.Prompt(background, protocol.PromptRequest{
		SessionId: c.session, Prompt: append(blocks, protocol.TextBlock(prompt)),
	})
	if err != nil {
		return "session/prompt", err
	}
	b, err := json.Marshal(end)
	if err != nil {
		return "session/prompt", err
	}
	c.log.write(record{Record: "end", End: b})
	return "", nil
}

func (c *conversation) greet(ctx context.Context) (protocol.InitializeResponse, error) {
	return c.conn.Initialize(ctx, protocol.InitializeRequest{
		ProtocolVersion: protocol.ProtocolVersionNumber,
		ClientInfo:      &protocol.Implementation{Name: "orc", Version: "1"},
	})
}

// enter begins a session, or goes on with one: without a repetition of what was said, where the agent can do that.
func (c *conversation) enter(ctx context.Context, can protocol.AgentCapabilities) (at string, err error) {
	servers := servers(c.t.Servers)
	switch {
	case !c.t.Resume:
		at = "session/new"
		s, err := c.conn.NewSession(ctx, protocol.NewSessionRequest{Cwd: c.t.Dir, McpServers: servers})
		if err != nil {
			return at, err
		}
		c.session = s.SessionId
	case can.SessionCapabilities.Resume != nil:
		c.session, at = protocol.SessionId(c.t.Session), "session/resume"
		_, err = c.conn.ResumeSession(ctx, protocol.ResumeSessionRequest{Cwd: c.t.Dir, McpServers: servers, SessionId: c.session})
	case can.LoadSession:
		c.session, at = protocol.SessionId(c.t.Session), "session/load"
		_, err = c.conn.LoadSession(ctx, protocol.LoadSessionRequest{Cwd: c.t.Dir, McpServers: servers, SessionId: c.session})
	default:
		return "session/load", errors.New("this agent cannot go on with a session")
	}
	if err != nil {
		return at, err
	}
	c.log.write(record{Record: "session", Session: string(c.session)})
	return "", nil
}

func servers(from []provider.Server) []protocol.McpServer {
	to := []protocol.McpServer{}
	for _, s := range from {
		env := []protocol.EnvVariable{}
		for name, value := range s.Env {
			env = append(env, protocol.EnvVariable{Name: name, Value: value})
		}
		slices.SortFunc(env, func(a, b protocol.EnvVariable) int {
			if a.Name < b.Name {
				return -1
			}
			return 1
		})
		to = append(to, protocol.McpServer{Stdio: &protocol.McpServerStdio{
			Name: s.Name, Command: s.Command, Args: append([]string{}, s.Args...), Env: env,
		}})
	}
	return to
}

// configure sets the mode that belongs to the permissions, and the model. An agent that refuses the mode would do
// more than it may, or have a model decide.
func (c *conversation) configure(ctx context.Context) (at string, err error) {
	permissions := c.t.Permissions
	if permissions == "" {
		permissions = provider.PermitEdit
	}
	if mode := c.profile.modes[permissions]; mode != "" {
		_, err := c.conn.SetSessionMode(ctx, protocol.SetSessionModeRequest{
			SessionId: c.session, ModeId: protocol.SessionModeId(mode),
		})
		if err != nil {
			return "session/set_mode", err
		}
	}
	if c.t.Model == "" {
		return "", nil
	}
	_, err = c.conn.SetSessionConfigOption(ctx, protocol.SetSessionConfigOptionRequest{
		ValueId: &protocol.SetSessionConfigOptionValueId{
			SessionId: c.session, ConfigId: "model", Value: protocol.SessionConfigValueId(c.t.Model),
		},
	})
	if err == nil || c.wire.ended.Load() {
		return "session/set_model", err
	}
	_, err = c.conn.UnstableSetSessionModel(ctx, protocol.UnstableSetSessionModelRequest{ // as Gemini's does it
		SessionId: c.session, ModelId: protocol.UnstableModelId(c.t.Model),
	})
	return "session/set_model", err
}

// refused writes down at what the agent refused; that it hung up needs no words, its exit says more.
func (c *conversation) refused(at string, err error) {
	var fault *protocol.RequestError
	switch {
	case errors.As(err, &fault) && !c.wire.ended.Load():
		data, merr := json.Marshal(fault.Data)
		if merr != nil {
			data = nil
		}
		c.log.write(record{Record: "error", At: at, Code: fault.Code, Text: fault.Message, Data: data})
	case !c.wire.ended.Load():
		c.log.write(record{Record: "error", At: at, Text: err.Error()})
	}
}
