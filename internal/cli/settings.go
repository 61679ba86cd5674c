package cli

import (
	"context"
	"errors"
	"fmt"

	"orchestrator/internal/config"
)

// configOptions name where this invocation's settings come from; repository is its top folder, or empty.
func (a *App) configOptions(repository string, flags map[string]string) config.LoadOptions {
	return config.LoadOptions{
		Home: a.Getenv("HOME"), XDGConfigHome: a.Getenv("XDG_CONFIG_HOME"), ProjectDir: repository,
		Environ: a.Environ, Flags: flags, Drivers: a.configDrivers(),
	}
}

// settings reads the layers of the configuration. What is wrong with them goes to stderr.
func (a *App) settings(repository string, flags map[string]string) (*config.Config, error) {
	cfg, list, err := config.Load(a.configOptions(repository, flags))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if err := a.printDiagnostics(list, "the configuration"); err != nil {
		return nil, err
	}
	return cfg, nil
}

// settingsHere are the settings that hold in the folder of this command.
func (a *App) settingsHere() (*config.Config, error) {
	repo, err := a.repository()
	if err != nil {
		return nil, err
	}
	return a.settings(repo, nil)
}

// checkSettings says whether the configuration can be read.
func (a *App) checkSettings(context.Context) check {
	const name = "settings"
	repo, err := a.repository()
	if err != nil {
		return failed(name, err, "")
	}
	_, list, err := config.Load(a.configOptions(repo, nil))
	if err != nil {
		return failed(name, err, "")
	}
	if list.HasErrors() {
		return failed(name, errors.New(list.Errors()[0].String()), "orc config show says all that is wrong")
	}
	return check{Name: name, State: checkOK, Detail: "readable"}
}
