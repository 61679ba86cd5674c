package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/clone"
)

// scratch is a clone of a commit for something that is looked at outside of runs. Whatever happens in it is gone with
// it.
type scratch struct {
	folder string // holds the clone and what belongs to it
	driver *clone.Clone
	spec   workspace.Spec
}

func (a *App) newScratch(ctx context.Context, repo *workspace.Repository, name, commit string) (s *scratch, err error) {
	data, err := a.DataDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	s = &scratch{}
	if s.folder, err = os.MkdirTemp(data, name+"-"); err != nil {
		return nil, fmt.Errorf("make a folder for a clone: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(s.folder))
		}
	}()
	if repo, err = repo.With(workspace.Options{Environ: a.Environ, Data: s.folder}); err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.state(), 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for a clone: %w", err)
	}
	s.driver = clone.New(repo)
	s.spec = workspace.Spec{Run: name, Task: name, Dir: s.work(), Base: commit, Index: filepath.Join(s.folder, "index", name)}
	return s, s.driver.Create(ctx, s.spec)
}

func (s *scratch) work() string  { return filepath.Join(s.folder, "work") }
func (s *scratch) state() string { return filepath.Join(s.folder, "state") }

// remove takes the clone away, whatever was done to it.
func (s *scratch) remove(ctx context.Context) error {
	return errors.Join(s.driver.Remove(context.WithoutCancel(ctx), s.spec), os.RemoveAll(s.folder))
}

// confined gives the launcher of what is started in the clone: in a sandbox as that of a task would be. cell is nil
// where there is none.
func (c *confiner) confined(ctx context.Context, s *scratch, agent persistence.Agent, turn bool, env []string, l provider.Launcher) (launcher provider.Launcher, cell orchestrator.Cell, err error) {
	if !wantsSandbox(agent.Sandbox) {
		return l, nil, nil
	}
	if c.found, err = c.app.findSandbox(ctx); err != nil {
		return nil, nil, err
	}
	if err := c.places(); err != nil {
		return nil, nil, err
	}
	cell, err = c.cell(orchestrator.Room{
		Agent: agent, Turn: turn, Isolation: scheduler.IsolationClone, Dir: s.work(), State: s.state(), Env: env,
	})
	if cell == nil || err != nil {
		return l, nil, err
	}
	return inCell{l, cell}, cell, nil
}

// inCell is a launcher whose commands are confined.
type inCell struct {
	provider.Launcher
	cell orchestrator.Cell
}

func (c inCell) Launch(ctx context.Context, s process.Spec) (*process.Child, error) {
	s, err := c.cell.Wrap(s)
	if err != nil {
		return nil, err
	}
	return c.Launcher.Launch(ctx, s)
}
