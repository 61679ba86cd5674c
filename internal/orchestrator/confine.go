package orchestrator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// Room is where the commands of an attempt work, for who confines them to it.
type Room struct {
	Agent     persistence.Agent // the role; of a plain command the zero value but for Sandbox
	Turn      bool              // it is the agent's own program that starts; else a gate, a setup or a plain command
	Review    bool              // it only looks at the work
	Isolation scheduler.Isolation
	Dir       string   // where it works
	State     string   // folder of the task's own for its agent's files; it need not exist
	Env       []string // what the command gets
}

// Cell confines commands.
type Cell interface {
	Level() string // in a word, for people
	Wrap(s process.Spec) (process.Spec, error)
}

// Binding is the attempt that an agent's tools belong to.
type Binding struct {
	Task       scheduler.TaskID
	Attempt    int
	Generation int64
}

// SocketVariable tells the server of an agent's tools the socket behind which they are.
const SocketVariable = "ORC_SOCKET"

// sandboxOff is the mode of agents that are not confined.
const sandboxOff = "off"

// cell is how the present phase's commands are confined; nil = they are not.
func (at *attempt) cell(env []string) (Cell, error) {
	e := at.e
	agent := persistence.Agent{Sandbox: e.options().Sandbox}
	if role, is := e.options().Agents[at.role()]; is && at.task.Command == "" {
		agent = role
	}
	if e.o.Confine == nil || agent.Sandbox == "" || agent.Sandbox == sandboxOff {
		return nil, nil
	}
	c, err := e.o.Confine(Room{
		Agent: agent, Turn: at.a.Phase == scheduler.PhaseWorking && at.task.Command == "", Review: at.step().Review && at.a.Phase == scheduler.PhaseWorking, Isolation: at.a.Isolation,
		Dir: at.dir(), State: e.stateOf(at.task.ID), Env: env,
	})
	if err != nil {
		return nil, fmt.Errorf("confine task %s: %w", at.task.ID, err)
	}
	return c, nil
}

// launcher starts the present phase's commands, confined where they are to be.
func (at *attempt) launcher(env []string) (provider.Launcher, error) {
	c, err := at.cell(env)
	if c == nil || err != nil {
		return &at.e.launchers, err
	}
	return confined{&at.e.launchers, c}, nil
}

// confined is a launcher whose commands are in a cell.
type confined struct {
	provider.Launcher
	cell Cell
}

func (c confined) Launch(ctx context.Context, s process.Spec) (*process.Child, error) {
	s, err := c.cell.Wrap(s)
	if err != nil {
		return nil, err
	}
	return c.Launcher.Launch(ctx, s)
}

// wrapping starts a program in a cell that no launcher starts.
func wrapping(c Cell) func(argv []string, dir string, env []string) ([]string, []string, error) {
	if c == nil {
		return nil
	}
	return func(argv []string, dir string, env []string) ([]string, []string, error) {
		s, err := c.Wrap(process.Spec{ID: "probe", Argv: argv, Dir: dir, Env: env})
		return s.Argv, s.Env, err
	}
}

// stateOf is the folder of a task for files of its agent.
func (e *Engine) stateOf(task scheduler.TaskID) string {
	return filepath.Join(e.o.Folder, "state", string(task))
}

func (e *Engine) socketOf(task scheduler.TaskID) string {
	return filepath.Join(e.stateOf(task), "tools.sock")
}

// attend serves the tools of an agent while its turn runs: one that is confined cannot write to the store, and what any
// agent says is stored by a process that knows what is secret.
func (t *talk) attend(ctx context.Context) (stop func() error, err error) {
	e := t.at.e
	if e.o.Tools == nil || e.o.Desk == nil {
		return func() error { return nil }, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	socket := e.socketOf(t.at.task.ID)
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		cancel()
		return nil, fmt.Errorf("make room for the socket of the tools: %w", err)
	}
	if err := e.o.Desk(ctx, Binding{Task: t.at.a.Task, Attempt: t.at.a.Number, Generation: e.generation}, socket); err != nil {
		cancel()
		return nil, fmt.Errorf("serve the tools: %w", err)
	}
	return func() error {
		cancel()
		if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("remove the socket of the tools: %w", err)
		}
		return nil
	}, nil
}

// bound is the environment that binds an agent's tools to its attempt.
func (e *Engine) bound(a *persistence.Attempt) map[string]string {
	env := map[string]string{
		"ORC_RUN": string(a.Run), "ORC_TASK": string(a.Task), "ORC_ATTEMPT": strconv.Itoa(a.Number),
		"ORC_GENERATION": strconv.FormatInt(e.generation, 10),
	}
	if a.Work != nil && e.o.Desk != nil {
		env[SocketVariable] = e.socketOf(a.Task)
	}
	return env
}

// confine notes how the next turn is confined, and gives the launcher that does so.
func (t *talk) confine(env []string) (provider.Launcher, error) {
	c, err := t.at.cell(env)
	t.w.Sandbox = ""
	if c == nil || err != nil {
		return &t.at.e.launchers, err
	}
	t.w.Sandbox = c.Level()
	return confined{&t.at.e.launchers, c}, nil
}
