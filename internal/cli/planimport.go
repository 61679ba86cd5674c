package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"orchestrator/internal/plan"
	"orchestrator/internal/plan/tasklist"
	"orchestrator/internal/view"
)

// importLimit is how large a task list may be, in bytes.
const importLimit = 16 << 20

func newPlanImport(a *App) *cobra.Command {
	var output, name string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a plan of a task list or of GitHub issues",
		Long: `Reads a Markdown check-list, or a JSON export of GitHub issues, and writes a plan. What was understood is
printed beside it, because a list says less than a plan: look at it, edit it, and check it.

In a list, items follow one another; neighbours marked [P] run side by side. "(depends on T003, T004)" says it
exactly. Checked items are left out, indented lines belong to the prompt, and files that the text names become
what the task writes. An issue waits for those that it is blocked by, depends on, or has in its check-list.`,
		Example: `  orc plan import tasks.md
  orc plan import specs/001-albums/tasks.md --output plan.yaml
  gh issue list --json number,title,body,state | orc plan import - -o plan.yaml`,
		Args: between(1, 1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return []cobra.Completion{"md", "json"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.planImport(args[0], output, name) },
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write the plan to this file, which must not exist (default: stdout)")
	cmd.Flags().StringVar(&name, "name", "", "the plan's name (default: from the file's)")
	return cmd
}

func (a *App) planImport(file, output, name string) error {
	src, err := a.readList(file)
	if err != nil {
		return err
	}
	r, err := tasklist.Read(src)
	if err != nil {
		hint := "an item of a task list is written: - [ ] what to do"
		if !errors.Is(err, tasklist.ErrNothing) {
			hint = ""
		}
		return usageError(hint, "%s: %w", view.SanitizeLine(file), err)
	}
	if name == "" {
		name = importedName(file)
	}
	text, err := r.Plan(name)
	if err != nil {
		return err
	}
	if err := a.understood(file, r); err != nil {
		return err
	}
	// Agents are a matter of the settings: here it is only asked whether the graph is one.
	if _, list := plan.Parse(planFile, text, plan.Options{Agents: []string{"coder"}}); list.HasErrors() {
		if err := a.printDiagnostics(list.Errors(), file); err != nil {
			return fmt.Errorf("the plan made of %s has errors: %w", view.SanitizeLine(file), err)
		}
	}
	if output == "" {
		_, err := a.Stdout.Write(text)
		return err
	}
	return a.writeImported(output, text)
}

func (a *App) readList(file string) ([]byte, error) {
	in := a.Stdin
	if file != "-" {
		f, err := os.Open(a.path(file))
		if err != nil {
			return nil, usageError("", "read the task list: %w", err)
		}
		defer f.Close()
		in = f
	}
	src, err := io.ReadAll(io.LimitReader(in, importLimit+1))
	if err != nil {
		return nil, usageError("", "read the task list: %w", err)
	}
	if len(src) > importLimit {
		return nil, usageError("", "%s is larger than %d MiB: not a task list", view.SanitizeLine(file), importLimit>>20)
	}
	return src, nil
}

// importedName is a file's name without its ending; that of its folder where the file is called as all of them are.
func importedName(file string) string {
	base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if base == "tasks" || base == "todo" {
		if dir := filepath.Base(filepath.Dir(file)); dir != "." && dir != string(filepath.Separator) {
			base = dir
		}
	}
	if base == "" || base == "-" {
		return "imported"
	}
	return base
}

// understood prints what was made of each item.
func (a *App) understood(file string, r tasklist.Reading) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "Understood %s of %s", view.Plural(len(r.Tasks), "task"), view.SanitizeLine(file))
	if r.Done > 0 {
		fmt.Fprintf(&out, "; %d done already", r.Done)
	}
	fmt.Fprintln(&out, ":")
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, t := range r.Tasks {
		needs := "starts at once"
		if len(t.Needs) > 0 {
			needs = "after " + strings.Join(t.Needs, ", ")
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\tline %d\n", t.ID, view.SanitizeLine(t.Name), needs, t.Line)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, n := range r.Notes {
		where := ""
		if n.Line > 0 {
			where = fmt.Sprintf("line %d: ", n.Line)
		}
		fmt.Fprintf(&out, "note: %s%s\n", where, view.SanitizeLine(n.Text))
	}
	_, err := a.Stderr.Write(out.Bytes())
	return err
}

func (a *App) writeImported(output string, text []byte) error {
	path := a.path(output)
	err := a.asUser(func() error {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		_, err = f.Write(text)
		return errors.Join(err, f.Close())
	})
	if errors.Is(err, os.ErrExist) {
		return usageError("choose another --output, or remove it", "%s exists already", view.SanitizeLine(output))
	}
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	_, err = fmt.Fprintf(a.Stderr, "Wrote %s\n  orc plan check %s\n", view.SanitizeLine(output), view.SanitizeLine(output))
	return err
}
