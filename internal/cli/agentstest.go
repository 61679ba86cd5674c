package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/internal/config"
	"orchestrator/internal/environ"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/view"
)

const (
	trialPrompt = "This is a test of whether you can be reached. Use no tool and change nothing. Answer with one word: ok"
	trialTime   = 3 * time.Minute
)

// trialDocument is `orc agents test --json`.
type trialDocument struct {
	Schema     int     `json:"schema"`
	Role       string  `json:"role"`
	Provider   string  `json:"provider"`
	OK         bool    `json:"ok"`
	Error      string  `json:"error"`
	Answer     string  `json:"answer"`
	Model      string  `json:"model"` // as the agent reported it
	Input      int64   `json:"input_tokens"`
	Output     int64   `json:"output_tokens"`
	Cost       float64 `json:"cost"` // US dollars; 0 when the agent did not report it
	DurationMS int64   `json:"duration_ms"`
}

func newAgentsTest(a *App) *cobra.Command {
	var trusted bool
	cmd := &cobra.Command{
		Use:     "test [ROLE]",
		Short:   "Ask an agent for one word: a real turn, which may cost a little",
		Long:    `Sends one tiny prompt to the agent of a role (coder), with its program, login and model, in an empty folder. It is the only way to know that a login is good.`,
		Example: "  orc agents test\n  orc agents test reviewer",
		Args:    between(0, 1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return config.Roles, cobra.ShellCompDirectiveNoFileComp
		},
	}
	out := newOutput(cmd, trialDocument{}, "")
	cmd.Flags().BoolVar(&trusted, "trust", false, "trust the commands of this repository's settings until they change")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		role := optional(args)
		if role == "" {
			role = "coder"
		}
		doc, kind, err := a.tryAgent(cmd.Context(), role, trusted)
		if err != nil {
			return err
		}
		if wanted {
			err = out.write(a, doc)
		} else {
			err = a.writeTrial(doc)
		}
		if err == nil && !doc.OK {
			err = silent(trialCode(kind))
		}
		return err
	}
	return cmd
}

// trialCode is the exit code of a turn that failed.
func trialCode(kind provider.Kind) int {
	switch kind {
	case provider.KindAuth, provider.KindQuota, provider.KindModel:
		return ExitAgent
	}
	return ExitFailures
}

// tryAgent has the agent of a role take one tiny turn.
func (a *App) tryAgent(ctx context.Context, role string, trusted bool) (doc trialDocument, kind provider.Kind, err error) {
	repo, err := a.repository()
	if err != nil {
		return doc, "", err
	}
	cfg, err := a.settings(repo, nil)
	if err != nil {
		return doc, "", err
	}
	defined, ok := cfg.Agents[role]
	if !ok {
		h := "orc agents list"
		if best := closest(role, cfg.AgentNames()); best != "" {
			h = didYouMean("orc agents test " + best)
		}
		return doc, "", usageError(h, "there is no agent %q", role)
	}
	if err := a.allow(ctx, configItems(cfg), "", consent{trust: trusted}, "Trust and start?"); err != nil {
		return doc, "", err
	}
	in := a.inspector(cfg, repo)
	agent, err := in.resolve(ctx, role, defined)
	if err == nil {
		err = in.preflight(ctx, map[string]persistence.Agent{role: agent})
	}
	if err != nil {
		return doc, "", err
	}
	began := time.Now()
	r, err := a.trial(ctx, cfg, agent)
	if err != nil {
		return doc, "", err
	}
	clean := a.secrets.String
	return trialDocument{
		Schema: schema, Role: role, Provider: agent.Account, OK: r.Kind == "", Error: clean(r.Error),
		Answer: strings.TrimSpace(clean(r.Summary)), Model: r.Usage.Model, Input: r.Usage.Input, Output: r.Usage.Output, Cost: r.Usage.Cost,
		DurationMS: time.Since(began).Milliseconds(),
	}, r.Kind, nil
}

// trial runs the turn in a folder of its own, which is gone afterwards.
func (a *App) trial(ctx context.Context, cfg *config.Config, agent persistence.Agent) (r provider.Result, err error) {
	data, err := a.DataDir()
	if err != nil {
		return r, err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return r, fmt.Errorf("make the data folder: %w", err)
	}
	folder, err := os.MkdirTemp(data, "trial-")
	if err != nil {
		return r, fmt.Errorf("make a folder for the test: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	turn := provider.Turn{
		ID: "trial", Dir: filepath.Join(folder, "work"), Command: agent.Command, Prompt: trialPrompt, PromptFile: filepath.Join(folder, "prompt.md"),
		Log: filepath.Join(folder, "log"), Grace: cfg.Grace, OutputLimit: cfg.OutputLimit, State: filepath.Join(folder, "state"),
		Program: agent.Program, Args: agent.Args, Model: agent.Model, Permissions: provider.Permissions(agent.Permissions),
		Instructions: agent.Instructions,
	}
	if turn.Permissions == provider.PermitFull {
		turn.Permissions = provider.PermitEdit // one word needs none of it
	}
	for _, dir := range []string{turn.Dir, turn.State} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return r, fmt.Errorf("make a folder for the test: %w", err)
		}
	}
	if err := os.WriteFile(turn.PromptFile, []byte(trialPrompt+"\n"), 0o600); err != nil {
		return r, fmt.Errorf("write the prompt: %w", err)
	}
	turn.Env = append(environ.Allowed(a.Environ, slices.Concat(cfg.Env, agent.Pass)...), "PWD="+turn.Dir, "ORC_PROMPT_FILE="+turn.PromptFile)
	for name, value := range agent.Set {
		turn.Env = append(turn.Env, name+"="+value)
	}
	p := a.providers()[agent.Provider]
	if session, is := p.(provider.Agent); is {
		turn.Session = session.NewSession()
	}
	err = a.supervised(ctx, cfg, folder, trialTime, func(ctx context.Context, l provider.Launcher) (err error) {
		r, err = p.Turn(ctx, l, turn)
		return err
	})
	return r, err
}

// supervised runs f with a supervisor for the processes that it starts; none of them outlives it. It takes at most as
// long as most says.
func (a *App) supervised(ctx context.Context, cfg *config.Config, folder string, most time.Duration, f func(context.Context, provider.Launcher) error) (err error) {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	level, err := process.ParseLevel(cfg.Supervision)
	if err != nil {
		return err
	}
	s, err := process.Start(ctx, process.Options{
		Executable: self, Args: a.supervisorArgs(), Level: level, Mark: randomHex(16),
		Journal: filepath.Join(folder, exitJournal), Lock: filepath.Join(folder, supervisorLock),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(context.WithoutCancel(ctx))) }()
	ctx, cancel := context.WithTimeoutCause(ctx, most, errorf("no answer within %s", span(most)))
	defer cancel()
	return f(ctx, s)
}

func (a *App) writeTrial(doc trialDocument) error {
	p := a.paint(a.Stdout)
	took := span(time.Duration(doc.DurationMS) * time.Millisecond)
	if !doc.OK {
		_, err := fmt.Fprintf(a.Stdout, "%s %s (%s) failed after %s: %s\n", p.red(a.sign(view.Failed)), doc.Role, doc.Provider, took, view.Sanitize(doc.Error))
		return err
	}
	var parts []string
	if doc.Model != "" {
		parts = append(parts, doc.Model)
	}
	if doc.Input+doc.Output > 0 {
		parts = append(parts, fmt.Sprintf("%d tokens in, %d out", doc.Input, doc.Output))
	}
	if doc.Cost > 0 {
		parts = append(parts, fmt.Sprintf("$%.4f", doc.Cost))
	}
	_, err := fmt.Fprintf(a.Stdout, "%s %s (%s) answered in %s: %s\n", p.green(a.sign(view.Done)), doc.Role, doc.Provider, took, firstLine(view.Sanitize(doc.Answer)))
	if err == nil && len(parts) > 0 {
		_, err = fmt.Fprintf(a.Stdout, "  %s\n", strings.Join(parts, ", "))
	}
	return err
}

// sign is the glyph of a state.
func (a *App) sign(m view.Word) string {
	if a.ascii() {
		return view.ASCII.Of(m)
	}
	return view.Unicode.Of(m)
}
