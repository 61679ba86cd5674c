package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/config"
	yamldoc "orchestrator/internal/plan/document"
	"orchestrator/internal/trust"
)

// settingsPlace says which file of settings is meant.
type settingsPlace struct{ user, project, local bool }

func (p *settingsPlace) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&p.user, "user", false, "your own settings (the default)")
	f.BoolVar(&p.project, "project", false, "the repository's settings, .orc/config.yaml")
	f.BoolVar(&p.local, "local", false, "your settings for this repository, .orc/config.local.yaml")
	cmd.MarkFlagsMutuallyExclusive("user", "project", "local")
}

// settingsFile is the path of the file, with the options that it is read with.
func (a *App) settingsFile(p settingsPlace) (string, config.LoadOptions, error) {
	repo, err := a.repository()
	if err != nil {
		return "", config.LoadOptions{}, err
	}
	o := a.configOptions(repo, nil)
	path := o.UserFile()
	switch {
	case p.project:
		path = o.ProjectFile()
	case p.local:
		path = o.LocalFile()
	}
	if path == "" && (p.project || p.local) {
		return "", o, usageError("run it in a repository, or leave the flag out", "there is no repository here")
	}
	if path == "" {
		return "", o, usageError("set HOME or XDG_CONFIG_HOME to an absolute path", "the home folder is not known")
	}
	return path, o, nil
}

func newConfigSet(a *App) *cobra.Command {
	var place settingsPlace
	cmd := &cobra.Command{
		Use:   "set KEY VALUE [KEY VALUE...]",
		Short: "Change settings in a file; comments stay",
		Long: `Changes values and leaves everything else of the file as it is. A list is written in brackets. Several that need one
another are given at once. Nothing is written when the settings would not be good.`,
		Example: `  orc config set concurrency 8
  orc config set agents.coder.model opus
  orc config set agents.reviewer.provider codex --project
  orc config set agents.writer.provider command agents.writer.command './write.sh'
  orc config set providers.claude.env '[ACME_*, HTTP_TOKEN]'`,
		Args:              between(2, -1),
		ValidArgsFunction: completeKeys,
	}
	place.bind(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error { return a.setSettings(place, args) }
	return cmd
}

// setSettings takes keys, each followed by its value.
func (a *App) setSettings(place settingsPlace, args []string) error {
	if len(args)%2 != 0 {
		return usageError("usage: orc config set KEY VALUE [KEY VALUE...]", "%s has no value", args[len(args)-1])
	}
	path, o, err := a.settingsFile(place)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the settings: %w", err)
	}
	for i := 0; i < len(args); i += 2 {
		if text, err = a.changed(path, text, args[i], args[i+1]); err != nil {
			return err
		}
	}
	if err := a.saveSettings(o, path, text); err != nil {
		return err
	}
	for i := 0; i < len(args); i += 2 {
		if err := a.tell("%s is %s in %s", args[i], args[i+1], a.tilde(path)); err != nil {
			return err
		}
	}
	return nil
}

// changed is the text of a file with another value of a key.
func (a *App) changed(path string, text []byte, key, value string) ([]byte, error) {
	keys, list, ok := config.Field(key)
	if !ok {
		return nil, a.noSuchSetting(key)
	}
	written := yamldoc.Scalar(value)
	if trimmed := strings.TrimSpace(value); list && strings.HasPrefix(trimmed, "[") {
		written = trimmed
	}
	text, err := yamldoc.Set(text, keys, written)
	if errors.Is(err, yamldoc.ErrLayout) {
		return nil, usageError("orc config edit", "%s cannot be set in %s: %w", key, a.tilde(path), err)
	}
	if err != nil {
		return nil, usageError("orc config edit", "%s: %w", a.tilde(path), err)
	}
	return text, nil
}

// noSuchSetting says which settings there are.
func (a *App) noSuchSetting(key string) error {
	var names []string
	for _, k := range config.Keys() {
		names = append(names, k.Name)
	}
	h := "orc config show lists them; also agents.ROLE.FIELD and providers.NAME.FIELD: orc config schema"
	if best := closest(key, names); best != "" {
		h = didYouMean(best)
	}
	return usageError(h, "there is no setting %q that can be set", key)
}

// saveSettings writes a file of settings whole, if the settings are good with it. A file whose commands were trusted
// stays so: it was the person who changed it.
func (a *App) saveSettings(o config.LoadOptions, path string, text []byte) error {
	if err := a.checkSettingsText(o, path, text); err != nil {
		return err
	}
	memory, err := a.trusted()
	if err != nil {
		return err
	}
	strange, err := untrustedFile(memory, o, path)
	if err != nil {
		return err
	}
	if err := a.asUser(func() error { return putFile(path, text) }); err != nil {
		return err
	}
	if strange || memory.Broken() {
		return nil
	}
	cfg, _, err := config.Load(o)
	if err != nil || cfg == nil {
		return err
	}
	for _, it := range configItems(cfg) {
		if it.Path == path {
			return memory.Add(a.Now(), it)
		}
	}
	return nil
}

// checkSettingsText fails, and says why, when the settings would not be good with another text in a file.
func (a *App) checkSettingsText(o config.LoadOptions, path string, text []byte) error {
	o.Overlay = map[string][]byte{path: text}
	_, list, err := config.Load(o)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	if err := a.printDiagnostics(list, path); err != nil {
		return errors.Join(err, a.tell("Nothing was written."))
	}
	return nil
}

// untrustedFile says whether a file has commands that nobody has agreed to.
func untrustedFile(memory *trust.Store, o config.LoadOptions, path string) (strange bool, err error) {
	cfg, _, err := config.Load(o)
	if err != nil || cfg == nil {
		return err == nil, err // it is not good as it is, so nobody can have agreed to it
	}
	for _, it := range memory.Unknown(configItems(cfg)) {
		strange = strange || it.Path == path
	}
	return strange, nil
}

// putFile writes a file whole or not at all, and makes it with its folder when it is not there.
func putFile(path string, text []byte) error {
	if _, err := os.Stat(path); err == nil {
		return replaceFile(path, text)
	}
	if _, err := os.Lstat(path); err == nil {
		return usageError("remove the link, or make the file that it leads to", "%s is a link to a file that is not there", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func newConfigSchema(a *App) *cobra.Command {
	return &cobra.Command{
		Use:               "schema",
		Short:             "Print the JSON Schema of settings, for editors",
		Example:           "  orc config schema > .orc/config.schema.json",
		Args:              between(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.Stdout.Write(config.Schema())
			return err
		},
	}
}
