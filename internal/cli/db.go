package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
)

func newDB(a *App) *cobra.Command {
	return groupCommand(a, &cobra.Command{
		Use:   "db",
		Short: "check | backup: the database as a whole",
		Long: `All runs, their tasks, sessions and conversations are in one database, orc.db in the data folder (orc doctor says
where). To restore a backup: see that no run is going on, move orc.db away together with orc.db-wal and orc.db-shm,
and copy the backup to its place.`,
	}, newDBCheck(a), newDBBackup(a))
}

// dbCheckDocument is `orc db check --json`.
type dbCheckDocument struct {
	Schema   int      `json:"schema"`
	OK       bool     `json:"ok"`
	Path     string   `json:"path"`
	Bytes    int64    `json:"bytes"`
	Runs     int      `json:"runs"`
	Findings []string `json:"findings"` // what is wrong
}

func newDBCheck(a *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read the whole database and say whether it is sound",
		Long: `Reads every page of the database and checks that indexes fit their tables and that every row belongs to one that is
there. It takes about a second per 100 MB and disturbs nobody. The exit code is 1 when something is wrong.`,
		Example: `  orc db check
  orc db check --jq .ok`,
		Args:              between(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	out := newOutput(cmd, dbCheckDocument{}, "")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		doc, damage, err := a.checkDB(cmd.Context())
		if err != nil {
			return err
		}
		if wanted {
			if err := out.write(a, doc); err != nil || doc.OK {
				return err
			}
			return silent(ExitFailures)
		}
		if damage != nil {
			return damage
		}
		_, err = fmt.Fprintf(a.Stdout, "%s is sound: %s, %s\n", a.tilde(doc.Path), plural(doc.Runs, "run", "runs"), size(uint64(doc.Bytes)))
		return err
	}
	return cmd
}

// checkDB looks at the whole database. Damage is what is wrong with it, err why that cannot be known.
func (a *App) checkDB(ctx context.Context) (doc dbCheckDocument, damage, err error) {
	doc = dbCheckDocument{Schema: schema, Findings: []string{}}
	data, err := a.DataDir()
	if err != nil {
		return doc, nil, err
	}
	doc.Path = filepath.Join(data, databaseFile)
	info, err := os.Stat(doc.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return doc, nil, noDatabase()
	}
	if err != nil {
		return doc, nil, err
	}
	doc.Bytes = info.Size()
	err = a.withStore(ctx, func(st persistence.Store) error {
		if err := st.Check(ctx); err != nil {
			return err
		}
		runs, err := st.ListRuns(ctx, persistence.RunFilter{})
		doc.Runs = len(runs)
		return err
	})
	if errors.Is(err, persistence.ErrCorrupt) {
		doc.Findings = strings.Split(err.Error(), "\n")
		return doc, err, nil
	}
	doc.OK = err == nil
	return doc, nil, err
}

func noDatabase() error {
	return usageError("orc run plan.yaml makes it", "there is no database yet")
}

func newDBBackup(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the database to a new file",
		Long: `Writes a copy of the database as it is at one moment, without unused space, to a file that must not exist. Runs may be
going on meanwhile. Copying orc.db by other means can miss what was written last. The work of the runs is in git, not
in the database: their refs are refs/orc/… of your repository.`,
		Example:           `  orc db backup ~/orc-$(date +%F).db`,
		Args:              between(1, 1),
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.backupDB(cmd.Context(), a.path(args[0]))
		},
	}
}

func (a *App) backupDB(ctx context.Context, file string) error {
	st, err := a.readStore(ctx)
	if err != nil {
		return err
	}
	if st == nil {
		return noDatabase()
	}
	err = closing(st.Backup(ctx, file), st)
	if errors.Is(err, persistence.ErrConflict) {
		return usageError(hint(err), "%w", err)
	}
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return a.tell("Wrote %s, %s.", a.tilde(file), size(uint64(info.Size())))
}
