package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/test/rig"
)

// runPatience bounds a whole run with every agent. Generous, as patience is.
const runPatience = 45 * time.Minute

// wholeRun is a run of a plan by the program itself, in which every agent has tasks.
type wholeRun struct {
	*rig.Site
	members []*member
	parts   []part
	output  string // file with the events that the owners print, one a line
}

// member is an agent that works in a run: its environment, its model server, and what went wrong.
type member struct {
	*site
	sessions map[string]string // when the owner was killed, by part
	opened   bool              // its gate
	faults   map[string]error  // by part
}

// newWholeRun makes a site for the run, and one for each agent, whose home and model server are its own.
func newWholeRun(ctx context.Context, o options, all []agent, parts []part, root string, l provider.Launcher) (r *wholeRun, err error) {
	if err := os.MkdirAll(filepath.Join(root, "orc"), 0o700); err != nil {
		return nil, fmt.Errorf("make the site of the run: %w", err)
	}
	base, err := rig.NewSite(ctx, o.orc, filepath.Join(root, "orc"))
	if err != nil {
		return nil, err
	}
	r = &wholeRun{Site: base, parts: parts, output: filepath.Join(root, "orc", "events.jsonl")}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	for _, a := range all {
		s, err := newSite(ctx, o, a, filepath.Join(root, a.name), l)
		if err != nil {
			return r, fmt.Errorf("%s: %w", a.name, err)
		}
		r.members = append(r.members, &member{site: s, sessions: map[string]string{}, faults: map[string]error{}})
	}
	return r, r.write(ctx)
}

// close ends the model servers.
func (r *wholeRun) close() error {
	var errs []error
	for _, m := range r.members {
		errs = append(errs, m.model.Close())
	}
	return errors.Join(errs...)
}

// write writes the settings and the plan. Both are JSON, which YAML holds.
func (r *wholeRun) write(ctx context.Context) error {
	providers, agents := map[string]any{}, map[string]any{}
	for _, m := range r.members {
		set := map[string]string{}
		for _, e := range m.env {
			if name, value, _ := strings.Cut(e, "="); name != "PATH" {
				set[name] = value
			}
		}
		providers[m.agent.name] = map[string]any{"driver": m.agent.driver.Name(), "command": m.program, "set": set}
		agent := map[string]any{"provider": m.agent.name}
		if m.agent.model != "" {
			agent["model"] = m.agent.model
		}
		agents[m.agent.name] = agent
	}
	settings, err := json.MarshalIndent(map[string]any{"version": 1, "providers": providers, "agents": agents}, "", "  ")
	if err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	if err := writeFile(filepath.Join(r.Home, "config", "orc", "config.yaml"), string(settings)); err != nil {
		return err
	}
	plan, err := json.MarshalIndent(r.plan(), "", "  ")
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	if err := r.Write("plan.json", string(plan)); err != nil {
		return err
	}
	return r.Commit(ctx, "Start")
}

// plan has the parts as a chain of tasks for each agent, so that one agent is started at a time by each of them.
func (r *wholeRun) plan() map[string]any {
	tasks, workflows := map[string]any{}, map[string]any{}
	for _, m := range r.members {
		var before []string
		for _, p := range r.parts {
			for _, t := range p.tasks(r, m) {
				own, _ := t["needs"].([]string)
				if needs := slices.Concat(before, own); len(needs) > 0 && t["run"] == nil {
					t["needs"] = needs
				}
				tasks[t["id"].(string)] = t
				if name, has := t["workflow"].(string); has {
					workflows[name] = r.workflow(m)
				}
				delete(t, "id")
			}
			before = []string{m.task(p.name)}
		}
	}
	return map[string]any{
		"version": 1, "name": "Every agent", "concurrency": 3 * len(r.members), "defaults": map[string]any{"on_failure": "soft", "timeout": "20m"},
		"workflows": workflows, "tasks": tasks,
	}
}

// task names a member's task of a part.
func (m *member) task(part string) string {
	return m.agent.name + "-" + strings.TrimPrefix(part, "run-")
}

// start begins a command of orc whose process owns the run until it ends.
func (r *wholeRun) start(ctx context.Context, args ...string) (*owner, error) {
	out, err := os.OpenFile(r.output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep what orc prints: %w", err)
	}
	defer out.Close()
	said, err := os.OpenFile(r.output+".err", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep what orc prints: %w", err)
	}
	defer said.Close()
	cmd := r.Program(ctx, args...)
	cmd.Stdout, cmd.Stderr = out, said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start orc: %w", err)
	}
	o := &owner{cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(o.ended)
		o.err = cmd.Wait()
	}()
	return o, nil
}

// owner is the process that owns the run.
type owner struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // how it ended, once ended is closed
}

// kill ends it as the kernel does it when memory is short, and waits.
func (o *owner) kill() error {
	if err := o.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill the owner: %w", err)
	}
	<-o.ended
	return nil
}

// over says whether it has ended.
func (o *owner) over() bool {
	select {
	case <-o.ended:
		return true
	default:
		return false
	}
}

// state is what `orc status --json` says, as far as it is looked at here.
type state struct {
	Run struct {
		ID          string `json:"id"`
		State       string `json:"state"`
		Branch      string `json:"branch"`
		Interrupted bool   `json:"interrupted"`
	} `json:"run"`
	Tasks []taskState `json:"tasks"`
}

type taskState struct {
	ID         string     `json:"id"`
	State      string     `json:"state"`
	Attempts   int        `json:"attempts"`
	Result     *string    `json:"result"`
	Error      string     `json:"error"`
	WaitsUntil *time.Time `json:"waits_until"`
	Questions  []struct {
		ID   int64  `json:"id"`
		Text string `json:"text"`
	} `json:"questions"`
}

// settled says that the task is over.
func (t taskState) settled() bool {
	return t.State != "pending" && t.State != "eligible" && t.State != "running"
}

// task finds a task; the zero value is none.
func (s state) task(id string) taskState {
	for _, t := range s.Tasks {
		if t.ID == id {
			return t
		}
	}
	return taskState{}
}

// ask runs a command of orc that prints JSON.
func (r *wholeRun) ask(ctx context.Context, into any, args ...string) error {
	var complaint strings.Builder
	cmd := r.Program(ctx, args...)
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("orc %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(complaint.String()))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("read orc %s: %w", strings.Join(args, " "), err)
	}
	return nil
}
