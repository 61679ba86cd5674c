package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"orchestrator/internal/config"
	"orchestrator/internal/persistence"
)

// databaseFile is the database inside the data folder.
const databaseFile = "orc.db"

// openStore opens the database and makes it, with its folder, when there is none.
func (a *App) openStore(ctx context.Context) (persistence.Store, error) {
	data, err := a.DataDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, &ExitError{
			Code: ExitUsage,
			Err:  fmt.Errorf("make the data folder: %w", err),
			Hint: "make " + a.tilde(data) + " writable, or set XDG_DATA_HOME to a folder that is",
		}
	}
	return a.OpenStore(ctx, filepath.Join(data, databaseFile), a.storeOptions())
}

// readStore opens the database for a command that only reads: it makes nothing. The store is nil when there is no
// database yet, which means that there are no runs.
func (a *App) readStore(ctx context.Context) (persistence.Store, error) {
	data, err := a.DataDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(data, databaseFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	return a.OpenStore(ctx, path, a.storeOptions())
}

// withStore runs f with the database open. Without a database f is not called and errNoRuns is returned.
func (a *App) withStore(ctx context.Context, f func(persistence.Store) error) error {
	st, err := a.readStore(ctx)
	if err != nil {
		return err
	}
	if st == nil {
		return noRuns()
	}
	return closing(f(st), st)
}

// withRun runs f with the run that arg means.
func (a *App) withRun(ctx context.Context, arg string, f func(persistence.Store, persistence.Run) error) error {
	return a.withStore(ctx, func(st persistence.Store) error {
		run, err := a.findRun(ctx, st, arg)
		if err != nil {
			return err
		}
		return f(st, run)
	})
}

// closing closes the store after err, keeping both errors.
func closing(err error, st persistence.Store) error { return errors.Join(err, st.Close()) }

// storeOptions are the database's settings as configured here. A configuration that cannot be read is for the command
// to complain about; until it does, the built-in settings hold.
func (a *App) storeOptions() persistence.Options {
	o := persistence.Options{Program: "orc " + thisVersion().Version}
	repo, err := a.repository()
	if err != nil {
		return o
	}
	if cfg, _, err := config.Load(a.configOptions(repo, nil)); err == nil && cfg != nil {
		o.Durability = cfg.Durability
	}
	return o
}
