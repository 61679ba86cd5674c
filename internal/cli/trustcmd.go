package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"orchestrator/internal/plan"
	"orchestrator/internal/trust"
	"orchestrator/internal/view"
)

// trustDocument is `orc trust --show --json`.
type trustDocument struct {
	Schema int         `json:"schema"`
	Hash   string      `json:"hash"` // what ORC_TRUST has to be; empty = there is nothing to trust
	Files  []trustFile `json:"files"`
}

// trustFile is a file that wants to run commands.
type trustFile struct {
	Path     string   `json:"path"`
	SHA256   string   `json:"sha256"`
	Trusted  bool     `json:"trusted"`
	Changed  bool     `json:"changed"` // it was trusted with another content
	Commands []string `json:"commands"`
}

func newTrust(a *App) *cobra.Command {
	var show, revoke, yes bool
	cmd := &cobra.Command{
		Use:   "trust [PLAN]",
		Short: "Allow the commands of this repository's settings and plan",
		Long: `Settings and plans in a repository can name commands, and whoever cloned it did not write those. They run only
after you agreed to them: here, when orc run asks, with orc run --trust, or with ORC_TRUST=HASH, where HASH is what
--show prints. A file is trusted by its path and its content: after any change you are asked again. What you trust
is kept in ~/.local/state/orc, where no repository can write.`,
		Example: `  orc trust --show
  orc trust
  orc trust plans/release.yaml --yes
  orc trust --revoke`,
		Args:              between(0, 1),
		ValidArgsFunction: completePlans,
	}
	out := newOutput(cmd, trustDocument{}, "files")
	f := cmd.Flags()
	f.BoolVar(&show, "show", false, "only show what would run, and what is trusted")
	f.BoolVar(&revoke, "revoke", false, "trust nothing of this repository any more, or not PLAN")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.MarkFlagsMutuallyExclusive("show", "revoke")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		if revoke {
			return a.revoke(optional(args))
		}
		items, err := a.itemsHere(args)
		if err != nil {
			return err
		}
		memory, err := a.trusted()
		if err != nil {
			return err
		}
		if wanted {
			return out.write(a, newTrustDocument(memory, items))
		}
		if show {
			return a.showTrust(memory, items)
		}
		return a.trust(cmd.Context(), memory, items, yes)
	}
	return cmd
}

// itemsHere are the files of this repository that want to run commands: its settings, and the plan.
func (a *App) itemsHere(args []string) ([]trust.Item, error) {
	cfg, err := a.settingsHere()
	if err != nil {
		return nil, err
	}
	items := configItems(cfg)
	path := a.path(planFile)
	if len(args) > 0 {
		path = a.path(args[0])
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return items, nil
	}
	p, list, err := plan.Load(path, planOptions(cfg))
	if err != nil {
		return nil, &ExitError{Code: ExitUsage, Err: err}
	}
	if err := a.printDiagnostics(list.Errors(), path); err != nil {
		return nil, err
	}
	if item, ok := planItem(p, path); ok {
		items = append(items, item)
	}
	return items, nil
}

func newTrustDocument(memory *trust.Store, items []trust.Item) trustDocument {
	doc := trustDocument{Schema: schema, Files: []trustFile{}}
	if len(items) > 0 {
		doc.Hash = trust.Digest(items)
	}
	for _, it := range items {
		doc.Files = append(doc.Files, trustFile{
			Path: it.Path, SHA256: it.SHA256, Trusted: len(memory.Unknown([]trust.Item{it})) == 0, Changed: memory.Changed(it), Commands: it.Commands,
		})
	}
	return doc
}

func (a *App) showTrust(memory *trust.Store, items []trust.Item) error {
	if len(items) == 0 {
		return a.tell("Nothing here wants to run a command.")
	}
	doc := newTrustDocument(memory, items)
	for _, f := range doc.Files {
		state := "not trusted"
		switch {
		case f.Trusted:
			state = "trusted"
		case f.Changed:
			state = "changed since you trusted it"
		}
		if _, err := fmt.Fprintf(a.Stdout, "%s: %s\n", a.tilde(f.Path), state); err != nil {
			return err
		}
		for _, c := range f.Commands {
			if _, err := fmt.Fprintf(a.Stdout, "  %s\n", plainly(c)); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(a.Stdout, "ORC_TRUST=%s\n", doc.Hash)
	return err
}

// trust asks about what is not trusted yet, and remembers the answer.
func (a *App) trust(ctx context.Context, memory *trust.Store, items []trust.Item, yes bool) error {
	unknown := memory.Unknown(items)
	if len(unknown) == 0 {
		return a.tell("Nothing here has to be trusted. Next: orc run")
	}
	if err := a.showCommands(memory, unknown); err != nil {
		return err
	}
	if !yes {
		if !a.canAsk() {
			return usageError("orc trust --yes, once you have looked at the commands", "nobody is there to be asked")
		}
		ok, err := a.confirmContext(ctx, "Trust them?", false)
		if err != nil {
			return err
		}
		if !ok {
			return &ExitError{Code: ExitUsage, Err: errorf("not trusted")}
		}
	}
	if err := memory.Add(a.Now(), unknown...); err != nil {
		return err
	}
	return a.tell("%s trusted until it changes. Next: orc run", view.Plural(len(unknown), "file"))
}

func (a *App) revoke(path string) error {
	memory, err := a.trusted()
	if err != nil {
		return err
	}
	switch {
	case path != "":
		path = a.path(path)
	default:
		if path, err = a.repository(); err != nil {
			return err
		}
		if path == "" {
			path = filepath.Clean(a.Dir)
		}
	}
	gone, err := memory.Revoke(path)
	if err != nil {
		return err
	}
	if len(gone) == 0 {
		return a.tell("Nothing in %s was trusted.", a.tilde(path))
	}
	return a.tell("%s not trusted any more.", view.Plural(len(gone), "file"))
}
