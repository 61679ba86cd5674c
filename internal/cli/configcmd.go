package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/config"
)

func newConfig(a *App) *cobra.Command {
	return groupCommand(a, &cobra.Command{
		Use:   "config",
		Short: "show | get | set | edit | path | schema",
		Long: `Settings come from, low to high: what is built in, your file, the project's .orc/config.yaml, its
.orc/config.local.yaml, ORC_* variables, flags. Maps are merged by key; everything else is replaced whole.`,
	}, newConfigShow(a), newConfigGet(a), newConfigSet(a), newConfigEdit(a), newConfigPath(a), newConfigSchema(a))
}

// settingsDocument is `orc config show --json`.
type settingsDocument struct {
	Schema   int               `json:"schema"`
	Settings []settingDocument `json:"settings"`
}

// settingDocument is a setting in JSON.
type settingDocument struct {
	Key        string          `json:"key"`
	Value      string          `json:"value"`
	Layer      config.Layer    `json:"layer"`
	Origin     string          `json:"origin"` // path:line, $NAME, --flag or built-in
	Overridden []settingHidden `json:"overridden"`
}

// settingHidden is a value that another one hides.
type settingHidden struct {
	Value  string       `json:"value"`
	Layer  config.Layer `json:"layer"`
	Origin string       `json:"origin"`
}

func newConfigShow(a *App) *cobra.Command {
	var origin bool
	cmd := &cobra.Command{
		Use:   "show [KEY]",
		Short: "The settings, and with --origin where each comes from",
		Example: `  orc config show --origin
  orc config show concurrency
  orc config show agents --json`,
		Args:              between(0, 1),
		ValidArgsFunction: completeKeys,
	}
	out := newOutput(cmd, settingsDocument{}, "settings")
	cmd.Flags().BoolVar(&origin, "origin", false, "where each value comes from, and which ones it hides")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		cfg, err := a.settingsHere()
		if err != nil {
			return err
		}
		settings, err := chosenSettings(cfg, optional(args))
		if err != nil {
			return err
		}
		if wanted {
			return out.write(a, newSettingsDocument(settings))
		}
		if len(settings) == 1 && settings[0].Key == optional(args) && !origin {
			_, err := fmt.Fprintln(a.Stdout, settings[0].Value.Text)
			return err
		}
		return a.writeSettings(settings, origin)
	}
	return cmd
}

// chosenSettings returns the setting of a key, those below it (agents, agents.coder), or all.
func chosenSettings(cfg *config.Config, key string) ([]config.Setting, error) {
	all := cfg.Settings()
	if key == "" {
		return all, nil
	}
	var chosen []config.Setting
	names := []string{"agents", "providers"}
	for _, s := range all {
		if s.Key == key || strings.HasPrefix(s.Key, key+".") {
			chosen = append(chosen, s)
		}
		names = append(names, s.Key)
	}
	if len(chosen) == 0 && key != "providers" {
		h := "orc config show lists them"
		if best := closest(key, names); best != "" {
			h = didYouMean(best)
		}
		return nil, usageError(h, "there is no setting %q", key)
	}
	return chosen, nil
}

func newSettingsDocument(settings []config.Setting) settingsDocument {
	doc := settingsDocument{Schema: schema, Settings: []settingDocument{}}
	for _, s := range settings {
		d := settingDocument{
			Key: s.Key, Value: s.Value.Text, Layer: s.Value.Origin.Layer, Origin: s.Value.Origin.String(), Overridden: []settingHidden{},
		}
		for _, h := range s.Overridden {
			d.Overridden = append(d.Overridden, settingHidden{h.Text, h.Origin.Layer, h.Origin.String()})
		}
		doc.Settings = append(doc.Settings, d)
	}
	return doc
}

func (a *App) writeSettings(settings []config.Setting, origin bool) error {
	p := a.paint(a.Stdout)
	var t table
	for _, s := range settings {
		row := []cell{plain(s.Key), plain(s.Value.Text)}
		if !origin {
			t.add(row...)
			continue
		}
		t.add(append(row, plain(a.tilde(s.Value.Origin.String())))...)
		for _, h := range s.Overridden {
			hidden := plain(h.Text)
			hidden.style = p.dim
			t.add(cell{}, hidden, cell{text: a.tilde(h.Origin.String()) + "  (overridden)", style: p.dim})
		}
	}
	return t.write(a.Stdout, "", a.width(a.Stdout))
}

// pathsDocument is `orc config path --json`.
type pathsDocument struct {
	Schema int            `json:"schema"`
	Files  []pathDocument `json:"files"`
	Data   string         `json:"data"` // folder of the database and of all runs
}

// pathDocument is a file of settings.
type pathDocument struct {
	Layer  config.Layer `json:"layer"`
	Path   string       `json:"path"`
	Exists bool         `json:"exists"`
}

func newConfigPath(a *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "path",
		Short:             "Where the files of settings and the data are",
		Example:           "  orc config path\n  orc config path --jq .data",
		Args:              between(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	out := newOutput(cmd, pathsDocument{}, "files")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		repo, err := a.repository()
		if err != nil {
			return err
		}
		o := a.configOptions(repo, nil)
		doc := pathsDocument{Schema: schema, Files: []pathDocument{}}
		if doc.Data, err = a.DataDir(); err != nil {
			return err
		}
		for _, f := range []pathDocument{
			{Layer: config.User, Path: o.UserFile()}, {Layer: config.Project, Path: o.ProjectFile()}, {Layer: config.Local, Path: o.LocalFile()},
		} {
			if f.Path == "" {
				continue
			}
			_, err := os.Stat(f.Path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("look for the settings: %w", err)
			}
			f.Exists = err == nil
			doc.Files = append(doc.Files, f)
		}
		if wanted {
			return out.write(a, doc)
		}
		var t table
		for _, f := range doc.Files {
			state := "not there"
			if f.Exists {
				state = ""
			}
			t.add(plain(string(f.Layer)), plain(a.tilde(f.Path)), plain(state))
		}
		t.add(plain("data"), plain(a.tilde(doc.Data)))
		return t.write(a.Stdout, "", 0)
	}
	return cmd
}
