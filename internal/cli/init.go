package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/config"
	"orchestrator/internal/plan"
	"orchestrator/internal/trust"
	"orchestrator/internal/view"
)

const starterConfig = `# yaml-language-server: $schema=config.schema.json
#
# Settings of this repository; commit this file. Yours alone go into .orc/config.local.yaml (not committed) or
# into ~/.config/orc/config.yaml. Where each value comes from: orc config show --origin
version: 1

# How many tasks run at a time.
concurrency: 4

# Agents do the tasks that have a prompt. Who is installed: orc agents list
`

// noAgents is what the settings say about agents where none is installed.
const noAgents = `# agents:
#   coder: {provider: claude, permissions: edit}
#   scripted: {provider: command, command: "my-agent --print"}   # a shell command; the prompt comes on its standard input
`

const starterPlan = `# yaml-language-server: $schema=.orc/plan.schema.json
#
# A first plan, of plain commands, so that it runs as it is: orc run
# Nothing of it touches your checkout; orc diff shows what it made, orc merge would bring it in.
version: 1
name: first-steps
description: Three tasks, two of them at the same time.

tasks:
  files:
    run: mkdir -p first-steps && git ls-files > first-steps/files.txt
    writes: [first-steps/files.txt]

  history:
    run: mkdir -p first-steps && git log --oneline -n 20 > first-steps/history.txt
    writes: [first-steps/history.txt]

  report:
    needs: [files, history]         # starts when both are done and merged
    run: wc -l first-steps/*.txt > first-steps/report.txt
    writes: [first-steps/report.txt]
    verify: test -s first-steps/report.txt

# A task for an agent of .orc/config.yaml:
#
#  fix-typos:
#    agent: coder
#    prompt: Fix the typing mistakes in README.md.
#    writes: [README.md]
#    timeout: 10m
`

// starter is a file that init writes.
type starter struct {
	path    string // relative to the repository's top folder
	content []byte
	about   string
}

func starters(agents string) []starter {
	return []starter{
		{filepath.Join(".orc", "config.yaml"), []byte(starterConfig + agents), "settings of this repository"},
		{filepath.Join(".orc", ".gitignore"), []byte("config.local.yaml\n"), "keeps your own settings out of commits"},
		{filepath.Join(".orc", "plan.schema.json"), plan.Schema(), "for your editor"},
		{filepath.Join(".orc", "config.schema.json"), config.Schema(), "for your editor"},
		{planFile, []byte(starterPlan), "a first plan; orc run runs it"},
	}
}

func newInit(a *App) *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Find your agents; write settings and a first plan for this repository",
		Long: `Looks which agents are installed, and writes .orc/config.yaml with them, JSON Schemas for your editor, and a first
plan.yaml that runs as it is. Files that are there already are left alone; with --force they are replaced, and the old
ones stay beside them as NAME.old.`,
		Example:           "  orc init\n  orc init --yes && orc run",
		Args:              between(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&force, "force", false, "replace files that are there; the old ones stay as NAME.old")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.init(cmd.Context(), yes, force) }
	return cmd
}

func (a *App) init(ctx context.Context, yes, force bool) error {
	repo, err := a.openRepository(ctx, a.Dir)
	if err != nil {
		return err
	}
	root := repo.Root()
	agents, err := a.chooseAgents(ctx, root, yes)
	if err != nil {
		return err
	}
	var write []starter
	kept := 0
	for _, s := range starters(agents) {
		old, err := os.ReadFile(filepath.Join(root, s.path))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			write = append(write, s)
		case err != nil:
			return fmt.Errorf("look for %s: %w", s.path, err)
		case bytes.Equal(old, s.content):
			kept++
		case force:
			write = append(write, s)
		default:
			kept++
			if err := a.tell("%s is there already; it is left alone (--force replaces it)", s.path); err != nil {
				return err
			}
		}
	}
	if len(write) == 0 {
		return a.tell("Nothing to write. Next: orc run")
	}
	if !yes && a.canAsk() {
		names := make([]string, 0, len(write))
		for _, s := range write {
			names = append(names, s.path)
		}
		ok, err := a.confirmContext(ctx, fmt.Sprintf("Write %s into %s?", strings.Join(names, ", "), a.tilde(root)), true)
		if err != nil || !ok {
			return err
		}
	}
	if err := a.asUser(func() error { return writeStarters(root, write) }); err != nil {
		return err
	}
	if err := a.trustWritten(root, write); err != nil {
		return err
	}
	var t table
	for _, s := range write {
		t.add(cell{text: "wrote"}, plain(s.path), plain(s.about))
	}
	if err := t.write(a.Stdout, "", 0); err != nil {
		return err
	}
	next := "orc run"
	if _, _, err := repo.Head(ctx); err != nil {
		next = "git add -A && git commit -m start, then orc run"
	}
	return a.tell("%s written, %d left alone. Next: %s", view.Plural(len(write), "file"), kept, next)
}

// trustWritten trusts what was just written here: its commands are this program's own.
func (a *App) trustWritten(root string, files []starter) error {
	memory, err := a.trusted()
	if err != nil {
		return err
	}
	if memory.Broken() {
		return nil // it was said; the plan will be asked about
	}
	var items []trust.Item
	for _, s := range files {
		if s.path == planFile {
			items = append(items, trust.Item{Path: filepath.Join(root, s.path), SHA256: trust.Hash(s.content)})
		}
	}
	if len(items) == 0 {
		return nil
	}
	return memory.Add(a.Now(), items...)
}

// writeStarters writes new files and replaces old ones, which stay beside them.
func writeStarters(root string, files []starter) error {
	for _, s := range files {
		path := filepath.Join(root, s.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return fmt.Errorf("make the folder of %s: %w", s.path, err)
		}
		if err := setAside(path); err != nil {
			return err
		}
		// Exclusive, so that a file that appeared meanwhile, or a link to elsewhere, is not written through.
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return fmt.Errorf("write %s: %w", s.path, err)
		}
		_, err = f.Write(s.content)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("write %s: %w", s.path, err)
		}
	}
	return nil
}

// setAside renames a file that is in the way to the first free of NAME.old, NAME.old2, …
func setAside(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("look for %s: %w", path, err)
	}
	for n := 1; ; n++ {
		old := path + ".old"
		if n > 1 {
			old += itoa(n)
		}
		err := os.Link(path, old)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil {
			return fmt.Errorf("set %s aside: %w", path, err)
		}
		return nil
	}
}
