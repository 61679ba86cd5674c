package cli

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"orchestrator/internal/config"
	"orchestrator/internal/plan"
	"orchestrator/internal/provider"
	"orchestrator/internal/sandbox"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/trust"
	"orchestrator/internal/view"
)

// StateDir returns the folder of what this program remembers about a person: $XDG_STATE_HOME/orc, by default
// ~/.local/state/orc, on macOS too.
func (a *App) StateDir() (string, error) {
	if dir := a.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "orc"), nil
	}
	home := a.Getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", usageError("set HOME or XDG_STATE_HOME to an absolute path", "the home folder is not known")
	}
	return filepath.Join(home, ".local", "state", "orc"), nil
}

// trusted opens the memory of what is trusted. One that cannot be relied on is told of and trusts nothing.
func (a *App) trusted() (*trust.Store, error) {
	dir, err := a.StateDir()
	if err != nil {
		return nil, err
	}
	memory, err := trust.Open(filepath.Join(dir, "trust.json"))
	if err != nil {
		a.note("%v; nothing is trusted until that is repaired", err)
	}
	return memory, nil
}

// configItems are the project's files of settings that define commands.
func configItems(cfg *config.Config) []trust.Item {
	var items []trust.Item
	for _, f := range cfg.Trust {
		items = append(items, trust.Item{Path: f.Path, SHA256: f.SHA256, Commands: f.Commands})
	}
	return items
}

// planItem is a plan with the commands that it runs; ok is false when it runs none.
func planItem(p *plan.Plan, path string) (item trust.Item, ok bool) {
	var commands []string
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" && !slices.Contains(commands, text) {
			commands = append(commands, text)
		}
	}
	setup := func(s *scheduler.Setup) {
		if s == nil {
			return
		}
		add(s.Command)
		for _, file := range slices.Concat(s.Copy, s.Symlink) {
			add("give workspaces the file " + file + " of your checkout")
		}
	}
	for _, e := range p.Each() {
		add(e.Run)
	}
	setup(p.Setup())
	_, gates, _ := p.MergeVerify()
	for _, gate := range gates {
		add(gate)
	}
	for _, t := range slices.Concat(p.Tasks(), p.Templates()) {
		setup(p.SetupOf(t.ID))
		add(t.Command)
		for _, gate := range t.Verify {
			add(gate)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(p.Agents)) {
		agent := p.Agents[role]
		add(agent.Command)
		if len(agent.Args) > 0 {
			add("agent " + role + ": " + agent.Provider + " … " + strings.Join(agent.Args, " "))
		}
		if agent.Sandbox == string(sandbox.Off) {
			add("agent " + role + ": " + agent.Provider + " without a sandbox")
		}
		if agent.Permissions == string(provider.PermitFull) {
			add("agent " + role + ": " + agent.Provider + " with full permissions")
		}
	}
	return trust.Item{Path: path, SHA256: trust.Hash(p.Source.Text), Commands: commands}, len(commands) > 0
}

// consent is what a person said on the command line about commands that others may have written.
type consent struct {
	plan  bool // --yes, or a script names the plan as it would a script: it may run its commands
	trust bool // --trust: everything here may, and that is remembered
}

// allow fails unless a person has agreed to what the items run: before, on the command line, or now. why is the
// question.
func (a *App) allow(ctx context.Context, items []trust.Item, planPath string, c consent, why string) error {
	memory, err := a.trusted()
	if err != nil {
		return err
	}
	unknown := memory.Unknown(items)
	if len(unknown) == 0 {
		return nil
	}
	if hash := a.Getenv("ORC_TRUST"); hash != "" {
		if strings.EqualFold(hash, trust.Digest(items)) {
			return nil
		}
		a.note("ORC_TRUST is not the hash of what is here now (%s): something has changed", trust.Digest(items))
	}
	if c.trust {
		return memory.Add(a.Now(), unknown...)
	}
	if c.plan {
		unknown = slices.DeleteFunc(unknown, func(it trust.Item) bool { return it.Path == planPath })
	}
	if len(unknown) == 0 {
		return nil
	}
	if !a.canAsk() {
		return a.notTrusted(unknown, planPath)
	}
	if err := a.showCommands(memory, unknown); err != nil {
		return err
	}
	ok, err := a.confirmContext(ctx, why, false)
	if err != nil {
		return err
	}
	if !ok {
		return &ExitError{Code: ExitUsage, Err: errorf("not trusted; nothing was run")}
	}
	return memory.Add(a.Now(), unknown...)
}

// notTrusted is the error for commands that nobody has agreed to.
func (a *App) notTrusted(unknown []trust.Item, planPath string) error {
	var names []string
	onlyPlan := true
	for _, it := range unknown {
		names = append(names, a.tilde(it.Path))
		onlyPlan = onlyPlan && it.Path == planPath
	}
	h := "see what it runs: orc trust --show\nthen: orc trust, or the same command with --trust"
	if onlyPlan {
		h = "see what it runs: orc trust --show " + filepath.Base(planPath) + "\nthen the same command with --yes (this once) or --trust (until it changes)"
	}
	return usageError(h, "commands here are not trusted yet: %s", strings.Join(names, ", "))
}

const commandsShown = 20

// plainly is a command as it is, so that none can hide a part of itself: one with characters that a terminal would
// not show as they are is quoted.
func plainly(command string) string {
	if view.Sanitize(command) != command {
		return strconv.QuoteToASCII(command)
	}
	return strings.ReplaceAll(strings.TrimRight(command, "\n"), "\n", "\n    ")
}

// showCommands prints what files would run.
func (a *App) showCommands(memory *trust.Store, items []trust.Item) error {
	for _, it := range items {
		state := ""
		if memory.Changed(it) {
			state = ", changed since you trusted it"
		}
		if _, err := fmt.Fprintf(a.Stderr, "%s wants to run%s:\n", a.tilde(it.Path), state); err != nil {
			return err
		}
		for i, c := range it.Commands {
			if i == commandsShown {
				if _, err := fmt.Fprintf(a.Stderr, "  … and %d more: orc trust --show\n", len(it.Commands)-i); err != nil {
					return err
				}
				break
			}
			if _, err := fmt.Fprintf(a.Stderr, "  %s\n", plainly(c)); err != nil {
				return err
			}
		}
	}
	return nil
}
