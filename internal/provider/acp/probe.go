package acp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	protocol "github.com/coder/acp-go-sdk"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

const (
	probePatience = 2 * time.Minute
	pages         = 1000 // of sessions that are looked through
)

// HasSession asks the agent for its list of sessions. One that keeps no list cannot say.
func (ACP) HasSession(ctx context.Context, t provider.Turn) (bool, error) {
	p := profileOf(t.Program)
	path := stream.Find(t.Program, t.Env)
	switch {
	case t.Session == "" || p.forgets:
		return false, nil
	case path == "":
		return false, fmt.Errorf("look for the session: program %q not found", t.Program)
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	argv, env := append(append([]string{path}, p.args...), t.Args...), append([]string{}, p.environ(t)...)
	if t.Wrap != nil {
		var err error
		if argv, env, err = t.Wrap(argv, t.Dir, env); err != nil {
			return false, fmt.Errorf("look for the session: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = t.Dir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return false, fmt.Errorf("look for the session: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return false, fmt.Errorf("look for the session: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("look for the session: %w", err)
	}
	has, err := open(t, p, in, out, io.Discard).lists(ctx)
	cancel()
	_ = cmd.Wait() // it was killed: it had nothing else to do
	if err != nil {
		return false, fmt.Errorf("look for the session: %w", err)
	}
	return has, nil
}

// lists looks for the turn's session in the agent's list.
func (c *conversation) lists(ctx context.Context) (bool, error) {
	hello, err := c.greet(ctx)
	if err != nil {
		return false, err
	}
	if hello.AgentCapabilities.SessionCapabilities.List == nil {
		return false, errors.New("this agent keeps no list")
	}
	var cursor *string
	for range pages {
		page, err := c.conn.ListSessions(ctx, protocol.ListSessionsRequest{Cwd: &c.t.Dir, Cursor: cursor})
		if err != nil {
			return false, err
		}
		for _, s := range page.Sessions {
			if string(s.SessionId) == c.t.Session {
				return s.Cwd == "" || stream.SameFolder(s.Cwd, c.t.Dir), nil
			}
		}
		if cursor = page.NextCursor; cursor == nil || *cursor == "" {
			return false, nil
		}
	}
	return false, fmt.Errorf("not among its last sessions")
}
