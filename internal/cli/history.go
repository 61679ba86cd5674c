package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// historyDocument is `orc history --json`.
type historyDocument struct {
	Schema int           `json:"schema"`
	Runs   []pastRunJSON `json:"runs"`
}

// pastRunJSON is a run with the number of its tasks by state.
type pastRunJSON struct {
	runDocument
	Tasks map[scheduler.TaskStatus]int `json:"tasks"`
}

func newHistory(a *App) *cobra.Command {
	var limit int
	var all bool
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Earlier runs",
		Long:  "Lists the runs of this repository, newest first; with --all, or outside of a repository, those of all.",
		Example: `  orc history
  orc history --all --limit 5
  orc history --jq '.runs[] | select(.state == "failed") | .id'`,
		Args:              between(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.AddCommand(newHistoryCost(a))
	out := newOutput(cmd, historyDocument{}, "runs")
	cmd.Flags().IntVar(&limit, "limit", 20, "at most `N` runs; 0 = all")
	cmd.Flags().BoolVar(&all, "all", false, "runs of every repository")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		if limit < 0 {
			return usageError("", "--limit cannot be %d", limit)
		}
		pictures, err := a.past(cmd, all, limit)
		if err != nil {
			return err
		}
		if wanted {
			doc := historyDocument{Schema: schema, Runs: []pastRunJSON{}}
			for _, p := range pictures {
				past := pastRunJSON{runDocument: p.runDocument(), Tasks: map[scheduler.TaskStatus]int{}}
				for _, t := range p.tasks {
					past.Tasks[t.Status]++
				}
				doc.Runs = append(doc.Runs, past)
			}
			return out.write(a, doc)
		}
		return a.writeHistory(pictures, all)
	}
	return cmd
}

// past loads the runs that history lists.
func (a *App) past(cmd *cobra.Command, all bool, limit int) ([]*picture, error) {
	ctx := cmd.Context()
	st, err := a.readStore(ctx)
	if err != nil || st == nil {
		return nil, err
	}
	var pictures []*picture
	err = func() error {
		filter := persistence.RunFilter{Limit: limit}
		if !all {
			if filter.Repository, err = a.repository(); err != nil {
				return err
			}
		}
		runs, err := st.ListRuns(ctx, filter)
		if err != nil {
			return err
		}
		for _, r := range runs {
			p, err := a.load(ctx, st, r)
			if err != nil {
				return err
			}
			pictures = append(pictures, p)
		}
		return nil
	}()
	return pictures, closing(err, st)
}

func (a *App) writeHistory(pictures []*picture, all bool) error {
	if len(pictures) == 0 {
		_, err := fmt.Fprintln(a.Stderr, "No runs yet. Start one: orc run plan.yaml")
		return err
	}
	pt, ascii := a.paint(a.Stdout), a.ascii()
	var t table
	for _, p := range pictures {
		d := p.runDocument()
		row := []cell{
			{text: d.ID, style: pt.bold},
			runMark(d.State, d.Interrupted).cell(ascii, pt), plain(d.Name),
			{text: ago(p.now, d.CreatedAt)},
			{text: spanMS(d.DurationMS), right: true},
		}
		if all {
			row = append(row, plain(a.tilde(d.Repository)))
		}
		t.add(append(row, cell{text: joinCounts(p.counts())})...)
	}
	return t.write(a.Stdout, "", a.width(a.Stdout))
}
