package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"orchestrator/internal/config"
	"orchestrator/internal/plan"
	"orchestrator/internal/provider"
	"orchestrator/internal/redact"
	"orchestrator/internal/tui"
)

// places are the files of settings that can be written, in the order in which the panes offer them.
var places = []struct {
	about string
	place settingsPlace
}{
	{"your settings", settingsPlace{user: true}},
	{"the project's, for everybody", settingsPlace{project: true}},
	{"yours for this project", settingsPlace{local: true}},
}

// here is the program as it is called in the run's repository from the panes.
func (d *helm) here(out *bounded) App {
	app := d.quiet(out)
	app.Dir = d.w.run.Repository
	return app
}

// Settings are the settings with their origins.
func (d *helm) Settings(context.Context) (tui.Settings, error) {
	app := d.here(&bounded{})
	cfg, err := app.settingsNow()
	if err != nil {
		return tui.Settings{}, err
	}
	var s tui.Settings
	for _, x := range cfg.Settings() {
		s.List = append(s.List, app.tuiSetting(x))
	}
	for _, p := range places {
		path, _, err := app.settingsFile(p.place)
		if err != nil {
			return tui.Settings{}, err
		}
		s.Places = append(s.Places, p.about+", "+app.tilde(path))
	}
	return s, nil
}

// settingsNow reads the settings; what is wrong with them is the error.
func (a *App) settingsNow() (*config.Config, error) {
	repo, err := a.repository()
	if err != nil {
		return nil, err
	}
	cfg, list, err := config.Load(a.configOptions(repo, nil))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if list.HasErrors() {
		var lines []string
		for _, x := range list.Errors() {
			lines = append(lines, x.String())
		}
		return nil, errorf("the settings are not good: %s\n: config edit opens them", strings.Join(lines, "\n"))
	}
	return cfg, nil
}

func (a *App) tuiSetting(x config.Setting) tui.Setting {
	s := tui.Setting{Key: x.Key, Value: a.secrets.String(x.Value.Text), From: a.tilde(x.Value.Origin.String()), About: aboutSetting(x.Key)}
	_, _, known := config.Field(x.Key)
	s.Fixed = !known
	if _, variable, is := strings.Cut(x.Key, ".set."); is && redact.SecretName(variable) && x.Value.Text != "" {
		s.Value, s.Fixed = redact.Mark, true
	}
	var hides []string
	for _, h := range x.Overridden {
		hides = append(hides, fmt.Sprintf("%s (%s)", a.secrets.String(h.Text), a.tilde(h.Origin.String())))
	}
	if len(hides) > 0 && s.Value != redact.Mark {
		s.Hides = "instead of " + strings.Join(hides, ", ")
	}
	return s
}

// aboutSetting says what a setting does.
func aboutSetting(key string) string {
	for _, k := range config.Keys() {
		if k.Name == key {
			return k.About
		}
	}
	if strings.HasPrefix(key, "agents.") {
		return plan.AgentKeys()[key[strings.LastIndexByte(key, '.')+1:]]
	}
	return ""
}

// Save is orc config set of all the changes at once. When that is refused, each change is looked at alone, so that what is
// wrong can be said where it stands.
func (d *helm) Save(_ context.Context, place int, changes []tui.Change) (refused map[string]string, err error) {
	out := &bounded{most: helmOutput}
	app := d.here(out)
	args := make([]string, 0, 2*len(changes))
	for _, c := range changes {
		args = append(args, c.Key, asWritten(c))
	}
	err = app.setSettings(places[place].place, args)
	if err == nil {
		return nil, nil
	}
	refused = map[string]string{}
	for _, c := range changes {
		why, lerr := app.refuses(places[place].place, c)
		if lerr != nil {
			return nil, errors.Join(err, lerr)
		}
		if why != "" {
			refused[c.Key] = why
		}
	}
	if len(refused) > 0 {
		return refused, nil
	}
	if said := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(out.String()), "Nothing was written.")); said != "" {
		err = errors.New(said) // what is wrong is in there; err only counts it
	}
	return nil, err
}

// asWritten is a value as a file has it: lists are shown without their brackets.
func asWritten(c tui.Change) string {
	if _, list, _ := config.Field(c.Key); list && !strings.HasPrefix(strings.TrimSpace(c.Value), "[") {
		return "[" + c.Value + "]"
	}
	return c.Value
}

// refuses says what is wrong with a change by itself.
func (a *App) refuses(place settingsPlace, c tui.Change) (why string, err error) {
	path, o, err := a.settingsFile(place)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the settings: %w", err)
	}
	if text, err = a.changed(path, text, c.Key, asWritten(c)); err != nil {
		why = err.Error()
		if h := hint(err); h != "" {
			why += " (" + h + ")"
		}
		return why, nil
	}
	o.Overlay = map[string][]byte{path: text}
	_, list, err := config.Load(o)
	if err != nil {
		return "", fmt.Errorf("read the configuration: %w", err)
	}
	if !list.HasErrors() {
		return "", nil
	}
	x := list.Errors()[0]
	if x.Help == "" {
		return x.Message, nil
	}
	return x.Message + " (" + x.Help + ")", nil
}

// Agents are the roles as orc agents list has them.
func (d *helm) Agents(ctx context.Context) ([]tui.Agent, error) {
	app := d.here(&bounded{})
	cfg, err := app.settingsNow()
	if err != nil {
		return nil, err
	}
	repo, err := app.repository()
	if err != nil {
		return nil, err
	}
	doc, err := app.listAgents(ctx, cfg, repo)
	var list []tui.Agent
	for _, x := range doc.Agents {
		a := tui.Agent{Role: x.Role, Who: strings.Trim(x.Provider+" "+x.Model, " "), Ready: x.Ready, State: x.Version}
		switch {
		case x.Problem != "":
			a.State = x.Problem
			if x.Fix != "" {
				a.State += ": " + x.Fix
			}
		case x.Login == provider.LoginFound:
			a.State = strings.TrimSpace(a.State + " logged in")
		case a.State == "":
			a.State = app.tilde(x.Program)
		}
		list = append(list, a)
	}
	return list, err
}
