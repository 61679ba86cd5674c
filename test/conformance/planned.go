package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	goodPlan = "Here it is.\n```yaml\nversion: 1\nname: planned\ntasks:\n  a: {run: \"true\", verify: \"true\"}\n  b: {needs: a, run: \"true\", verify: \"true\"}\n```\nGood luck."
	badPlan  = "```yaml\nversion: 1\ntasks:\n  a: {depends: b, run: \"true\"}\n```"
)

// planned: the agent writes a plan for a goal; a bad one goes back to the same session with the checker's words.
func planned(ctx context.Context, s *site) error {
	if err := s.settings(); err != nil {
		return err
	}
	var f faults
	var made struct {
		Plan  struct{ Name string }
		Tasks []struct{ ID string }
		Agent struct {
			Rounds int
			Input  int64 `json:"input_tokens"`
		}
	}
	out, said, code := s.orc(ctx, "plan", "create", "The word is plover. [[say "+goodPlan+"]]", "--output", "planned.yaml", "--json")
	f.check(code == 0, "orc plan create ended with %d: %s", code, said)
	if code == 0 {
		f.check(json.Unmarshal(out, &made) == nil, "orc plan create printed %q", out)
		f.check(made.Plan.Name == "planned" && len(made.Tasks) == 2, "it made of the plan: %+v", made)
		f.check(made.Agent.Rounds == 0, "the plan was sent back %d times", made.Agent.Rounds)
		f.check(strings.Contains(s.read("planned.yaml"), "needs: a"), "planned.yaml holds %q", s.read("planned.yaml"))
	}
	asked := len(s.model.Requests())
	_, said, code = s.orc(ctx, "plan", "create", "The word is dunlin. [[say "+badPlan+"]]", "--output", "bad.yaml", "--rounds", "1")
	f.check(code == 2 && strings.Contains(said, "sent back 1 time"), "a bad plan ended with %d: %s", code, said)
	f.check(strings.Contains(s.read("bad.draft.yaml"), "depends: b"), "the bad plan was not kept")
	last := s.model.Requests()[asked:]
	f.check(len(last) > 0, "the model was asked nothing")
	together := false
	for _, q := range last {
		together = together || !q.Aside && q.Saw("dunlin") && q.Saw("did you mean")
	}
	f.check(together, "the second turn carries nothing of the first")
	return errors.Join(f...)
}

// settings makes the agent the one that plans, in the user's own settings.
func (s *site) settings() error {
	set := map[string]string{}
	for _, e := range s.env {
		if name, value, _ := strings.Cut(e, "="); name != "PATH" {
			set[name] = value
		}
	}
	agent := map[string]any{"provider": "planner"}
	if s.agent.model != "" {
		agent["model"] = s.agent.model
	}
	text, err := json.Marshal(map[string]any{
		"version":   1,
		"providers": map[string]any{"planner": map[string]any{"driver": s.agent.driver.Name(), "command": s.program, "set": set}},
		"agents":    map[string]any{"orchestrator": agent},
	})
	if err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	return writeFile(filepath.Join(s.Home, "config", "orc", "config.yaml"), string(text))
}

// orc runs a command of orc and returns what it printed, what it said, and its exit code; -1 = it did not run.
func (s *site) orc(ctx context.Context, args ...string) (out []byte, said string, code int) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*patience, errors.New("the plan takes too long"))
	defer cancel()
	var complaint strings.Builder
	cmd := s.Program(ctx, args...)
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return out, complaint.String(), exit.ExitCode()
	}
	if err != nil {
		return nil, err.Error(), -1
	}
	return out, complaint.String(), 0
}
