// Package rig is what the programs that look at orc from outside share: a scratch site with a repository and a
// home of its own, the git and orc commands run in it, and what `orc status --json` says.
package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Site is a folder with a repository, a home and orc's own files. Nothing that runs in it sees another home or
// another git configuration.
type Site struct {
	Orc  string // absolute path of the program
	Root string // holds everything else
	Repo string
	Home string
	Env  []string
}

// NewSite makes a site with an empty repository below root, which must exist.
func NewSite(ctx context.Context, orc, root string) (*Site, error) {
	orc, err := filepath.Abs(orc)
	if err != nil {
		return nil, fmt.Errorf("find orc: %w", err)
	}
	s := &Site{Orc: orc, Root: root, Repo: filepath.Join(root, "repo"), Home: filepath.Join(root, "home")}
	for _, dir := range []string{s.Repo, s.Home} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the site: %w", err)
		}
	}
	s.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + s.Home,
		"LANG=C.UTF-8",
		"TERM=dumb",
		"TMPDIR=" + os.TempDir(),
		"XDG_DATA_HOME=" + filepath.Join(s.Home, "data"),
		"XDG_CONFIG_HOME=" + filepath.Join(s.Home, "config"),
		"XDG_STATE_HOME=" + filepath.Join(s.Home, "state"),
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_OPTIONAL_LOCKS=0", // looking must not rewrite the index
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"config", "user.name", "Rig"},
		{"config", "user.email", "rig@example.org"},
		{"config", "gc.auto", "0"},
		{"config", "maintenance.auto", "false"},
	} {
		if _, err := s.Git(ctx, args...); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Write puts a file into the repository's folder.
func (s *Site) Write(name, text string) error {
	path := filepath.Join(s.Repo, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// Commit commits everything in the folder. Its id depends on nothing but the content, so that two sites with the
// same files have the same history.
func (s *Site) Commit(ctx context.Context, subject string) error {
	if _, err := s.Git(ctx, "add", "--all"); err != nil {
		return err
	}
	cmd := s.Command(ctx, "git", "commit", "--quiet", "--message="+subject)
	cmd.Env = append(cmd.Env, "GIT_AUTHOR_DATE=2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2026-01-01T00:00:00Z")
	_, err := output(cmd)
	return err
}

// Command prepares a command in the repository's folder and the site's environment.
func (s *Site) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = s.Repo, append([]string(nil), s.Env...)
	cmd.WaitDelay = 5 * time.Second // a grandchild that holds the pipe must not hang us
	return cmd
}

// Git runs git and returns its output without the last line end.
func (s *Site) Git(ctx context.Context, args ...string) (string, error) {
	out, err := output(s.Command(ctx, "git", args...))
	return strings.TrimSuffix(out, "\n"), err
}

// Program prepares an orc command.
func (s *Site) Program(ctx context.Context, args ...string) *exec.Cmd {
	return s.Command(ctx, s.Orc, args...)
}

// Status is what `orc status --json` says, as far as it is looked at from outside.
type Status struct {
	Schema int `json:"schema"`
	Run    struct {
		ID     string `json:"id"`
		State  string `json:"state"`
		Branch string `json:"branch"`
	} `json:"run"`
	Tasks []Task `json:"tasks"`
}

// Task is a task's part of Status.
type Task struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Attempts int    `json:"attempts"`
}

// Over says whether the run can only be changed by an explicit retry.
func (s Status) Over() bool {
	switch s.Run.State {
	case "completed", "failed", "canceled":
		return true
	}
	return false
}

// States returns the tasks' states by id.
func (s Status) States() map[string]string {
	states := make(map[string]string, len(s.Tasks))
	for _, t := range s.Tasks {
		states[t.ID] = t.State
	}
	return states
}

// Status asks orc about the latest run of the repository.
func (s *Site) Status(ctx context.Context) (Status, error) {
	var st Status
	out, err := output(s.Program(ctx, "status", "--json"))
	if err != nil {
		return st, err
	}
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		return st, fmt.Errorf("read orc status --json: %w", err)
	}
	return st, nil
}

// output runs a command and returns what it printed; its error carries what it complained about.
func output(cmd *exec.Cmd) (string, error) {
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return string(out), nil
}
