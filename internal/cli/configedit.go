package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"orchestrator/internal/config"
)

const emptySettings = `# Settings of orc. Every key: orc config show, docs/configuration.md
version: 1
`

func newConfigEdit(a *App) *cobra.Command {
	var place settingsPlace
	cmd := &cobra.Command{
		Use:   "edit",
		Short: "Open a file of settings in your editor; it is checked before it is saved",
		Long: `Opens a copy in $VISUAL, $EDITOR or vi. When you are done it is checked, and only then put in place. If something is
wrong you may open it again; else the copy stays beside the file.`,
		Example:           "  orc config edit\n  orc config edit --project",
		Args:              between(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	place.bind(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.editSettings(cmd.Context(), place) }
	return cmd
}

func (a *App) editSettings(ctx context.Context, place settingsPlace) error {
	path, o, err := a.settingsFile(place)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		old, err = []byte(emptySettings), os.MkdirAll(filepath.Dir(path), 0o777)
	}
	if err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	return a.editUntilGood(ctx, filepath.Dir(path), ".config-*.yaml", old, editing{
		check: func(_ string, text []byte) error { return a.saveSettings(o, path, text) },
		then:  func() error { return a.tell("Wrote %s", a.tilde(path)) },
	})
}

// editing is what becomes of a text that a person has edited.
type editing struct {
	check func(copied string, text []byte) error
	then  func() error               // is done with a text that was good; its error says nothing against that
	again func(err error) bool       // whether opening it again may help against what check says; nil = it always may
	next  func(copied string) string // what to do with a text that was refused and is kept; nil = nothing is said
}

// editUntilGood has a person edit a copy of a text until it can be used. One that cannot stays where it is.
func (a *App) editUntilGood(ctx context.Context, dir, pattern string, old []byte, e editing) (err error) {
	copied, err := copyToEdit(dir, pattern, old)
	if err != nil {
		return err
	}
	keep := false
	defer func() {
		if !keep {
			err = errors.Join(err, os.Remove(copied))
		}
	}()
	for {
		text, err := a.editFile(ctx, copied)
		if err != nil {
			return err
		}
		if bytes.Equal(text, old) {
			return a.tell("Nothing was changed.")
		}
		if err = e.check(copied, text); err == nil {
			return e.then()
		}
		again := false
		if a.canAsk() && (e.again == nil || e.again(err)) {
			var asked error
			if again, asked = a.confirmContext(ctx, "Open it again?", true); asked != nil {
				return errors.Join(err, asked)
			}
		}
		if !again {
			keep = true
			kept := "Your text is kept in " + a.tilde(copied)
			if e.next != nil {
				kept += "\n  " + e.next(copied)
			}
			return errors.Join(err, a.tell("%s", kept))
		}
	}
}

// editFile has a person edit a file and returns what it holds afterwards.
func (a *App) editFile(ctx context.Context, path string) ([]byte, error) {
	if err := a.openEditor(ctx, path); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read what was edited: %w", err)
	}
	return text, nil
}

// openEditor has a person edit files, and comes back when the editor ends.
func (a *App) openEditor(ctx context.Context, paths ...string) error {
	editor := a.Getenv("VISUAL")
	if editor == "" {
		editor = a.Getenv("EDITOR")
	}
	if editor == "" {
		if !a.interactive() { // it would wait for keys that nobody can press
			return usageError("set VISUAL or EDITOR to a program that needs none", "there is no terminal for an editor")
		}
		editor = "vi"
	}
	// The shell takes the variable apart: it may have arguments, as in "code --wait".
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", editor + ` "$@"`, "sh"}, paths...)...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = a.Dir, a.Environ, a.Stdin, a.Stdout, a.Stderr
	if err := cmd.Run(); err != nil {
		return &ExitError{Code: ExitFailures, Err: fmt.Errorf("run the editor %q: %w", editor, err), Hint: "set VISUAL or EDITOR"}
	}
	return nil
}

func newConfigGet(a *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "get KEY",
		Short:             "One setting's value",
		Example:           "  orc config get agents.coder.model\n  orc config get concurrency --jq '.settings[0].origin'",
		Args:              between(1, 1),
		ValidArgsFunction: completeKeys,
	}
	out := newOutput(cmd, settingsDocument{}, "settings")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		cfg, err := a.settingsHere()
		if err != nil {
			return err
		}
		s, err := oneSetting(cfg, args[0])
		if err != nil {
			return err
		}
		if wanted {
			return out.write(a, newSettingsDocument([]config.Setting{s}))
		}
		_, err = fmt.Fprintln(a.Stdout, s.Value.Text)
		return err
	}
	return cmd
}

// oneSetting returns the setting of a key, and not those below it.
func oneSetting(cfg *config.Config, key string) (config.Setting, error) {
	s, ok := cfg.Setting(key)
	if ok {
		return s, nil
	}
	if _, _, known := config.Field(key); known {
		return s, &ExitError{Code: ExitFailures, Err: errorf("%s is not set", key), Hint: "orc config set " + key + " VALUE"}
	}
	_, err := chosenSettings(cfg, key)
	if err == nil {
		err = usageError("orc config show "+key, "%s is more than one setting", key)
	}
	return s, err
}

// completeKeys completes the names of settings.
func completeKeys(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var keys []cobra.Completion
	for _, k := range config.Keys() {
		keys = append(keys, cobra.CompletionWithDesc(k.Name, k.About))
	}
	return keys, cobra.ShellCompDirectiveNoFileComp
}

// copyToEdit writes a text to a new file, which the caller removes. The name is made of pattern, as os.CreateTemp does.
func copyToEdit(dir, pattern string, text []byte) (path string, err error) {
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return "", fmt.Errorf("make a copy to edit: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("make a copy to edit: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return f.Name(), nil
}
