package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// scratch is a folder with a repository and everything that orc keeps about it.
type scratch struct {
	orc  string // absolute path of the program
	root string
	repo string
	env  []string
}

// newScratch copies the small program and the plan into a new repository with one commit.
func newScratch(orc, source string) (*scratch, error) {
	root, err := os.MkdirTemp("", "orc-demo-")
	if err != nil {
		return nil, fmt.Errorf("make the scratch folder: %w", err)
	}
	s := &scratch{orc: orc, root: root, repo: filepath.Join(root, "tally"), env: environment(root)}
	if err := os.CopyFS(s.repo, os.DirFS(filepath.Join(source, "repo"))); err != nil {
		return nil, fmt.Errorf("copy the small program: %w", err)
	}
	plan, err := os.ReadFile(filepath.Join(source, "plan.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.repo, "plan.yaml"), plan, 0o600); err != nil {
		return nil, fmt.Errorf("copy the plan: %w", err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"config", "user.name", "Demo"},
		{"config", "user.email", "demo@example.org"},
		{"add", "--all"},
		{"commit", "--quiet", "--message=A program that counts words"},
	} {
		if _, err := s.git(args...); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// environment is ours without what could point git or orc to other places than the scratch folder.
func environment(root string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "GIT_") || strings.HasPrefix(kv, "ORC_") || strings.HasPrefix(kv, "XDG_") {
			continue
		}
		env = append(env, kv)
	}
	return append(env,
		"XDG_DATA_HOME="+filepath.Join(root, "data"),
		"XDG_CONFIG_HOME="+filepath.Join(root, "config"),
		"XDG_STATE_HOME="+filepath.Join(root, "state"),
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL="+os.DevNull,
	)
}

func (s *scratch) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env, cmd.Stderr = s.repo, s.env, os.Stderr
	return cmd
}

func (s *scratch) git(args ...string) (string, error) {
	out, err := s.command("git", args...).Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return string(out), nil
}

// checkout describes all that must not change: branches, the commit checked out, the index and the files.
func (s *scratch) checkout() (string, error) {
	var all strings.Builder
	for _, args := range [][]string{
		{"symbolic-ref", "HEAD"},
		{"rev-parse", "refs/heads/main"},
		{"ls-files", "--stage"},
		{"status", "--porcelain", "--ignored"},
	} {
		out, err := s.git(args...)
		if err != nil {
			return "", err
		}
		all.WriteString(out)
	}
	return all.String(), nil
}

// run lets orc work through the plan and returns its exit code.
func (s *scratch) run() (int, error) {
	cmd := s.command(s.orc, "run", "plan.yaml", "--foreground", "--yes")
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("start orc: %w", err)
	}
	return 0, nil
}

// status is what `orc status --json` says, as far as the demo needs it.
type status struct {
	Run struct {
		ID     string `json:"id"`
		State  string `json:"state"`
		Branch string `json:"branch"`
	} `json:"run"`
	Tasks []struct {
		ID       string `json:"id"`
		State    string `json:"state"`
		Attempts int    `json:"attempts"`
	} `json:"tasks"`
}

func (s *scratch) status() (status, error) {
	var st status
	out, err := s.command(s.orc, "status", "--json").Output()
	if err != nil {
		return st, fmt.Errorf("orc status --json: %w", err)
	}
	if err := json.Unmarshal(out, &st); err != nil {
		return st, fmt.Errorf("read orc status --json: %w", err)
	}
	return st, nil
}
