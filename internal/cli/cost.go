package cli

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
	"orchestrator/internal/view"
)

// costDocument is `orc history cost --json`.
type costDocument struct {
	Schema int            `json:"schema"`
	Runs   int            `json:"runs"` // that were looked at
	Costs  []costJSON     `json:"costs"`
	Total  *usageDocument `json:"total"` // null when no agent worked
}

// costJSON is what one agent used with one model.
type costJSON struct {
	Agent string `json:"agent"`
	Model string `json:"model"` // as the agent names it; empty = it does not
	Runs  int    `json:"runs"`
	usageDocument
}

func newHistoryCost(a *App) *cobra.Command {
	var limit int
	var all bool
	cmd := &cobra.Command{
		Use:   "cost",
		Short: "What agents used, by agent and model",
		Long: `Sums up the tokens and the money that agents used in the runs of this repository; with --all, or outside of a
repository, in those of all. Money is what agents reported; ≈ says that some of their turns did not.`,
		Example: `  orc history cost
  orc history cost --all --limit 0
  orc history cost --jq '.total.cost_usd'`,
		Args:              between(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	out := newOutput(cmd, costDocument{}, "costs")
	cmd.Flags().IntVar(&limit, "limit", 0, "the newest `N` runs; 0 = all")
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
		doc := newCostDocument(pictures)
		if wanted {
			return out.write(a, doc)
		}
		return a.writeCosts(doc)
	}
	return cmd
}

// newCostDocument sums up runs by agent and model, the dearest first.
func newCostDocument(pictures []*picture) costDocument {
	type key struct{ agent, model string }
	doc := costDocument{Schema: schema, Runs: len(pictures), Costs: []costJSON{}}
	sums := map[key]*costJSON{}
	var everything []persistence.Attempt
	for _, p := range pictures {
		here := map[key]bool{}
		for _, t := range p.tasks {
			everything = append(everything, p.attempts[t.ID]...)
			for _, at := range p.attempts[t.ID] {
				if at.Work == nil {
					continue
				}
				for _, u := range at.Work.AllUsed() {
					k := key{cmp.Or(u.Role, t.AgentRole), u.Model}
					if sums[k] == nil {
						sums[k] = &costJSON{Agent: k.agent, Model: k.model, usageDocument: usageDocument{CostExact: true, UsageExact: true}}
					}
					sums[k].add(u)
					if !here[k] {
						here[k] = true
						sums[k].Runs++
					}
				}
			}
		}
	}
	for _, s := range sums {
		doc.Costs = append(doc.Costs, *s)
	}
	slices.SortFunc(doc.Costs, func(x, y costJSON) int {
		return cmp.Or(cmp.Compare(y.cost(), x.cost()), cmp.Compare(y.InputTokens+y.OutputTokens, x.InputTokens+x.OutputTokens),
			cmp.Compare(x.Agent, y.Agent), cmp.Compare(x.Model, y.Model))
	})
	doc.Total = usageOf(everything...)
	return doc
}

func (d *usageDocument) cost() float64 {
	if d.CostUSD == nil {
		return 0
	}
	return *d.CostUSD
}

func (a *App) writeCosts(doc costDocument) error {
	if len(doc.Costs) == 0 {
		_, err := fmt.Fprintf(a.Stderr, "No agent has reported what it used in %s.\n", view.Plural(doc.Runs, "run"))
		return err
	}
	pt := a.paint(a.Stdout)
	var t table
	head := func(s string, right bool) cell { return cell{text: s, style: pt.dim, right: right} }
	t.add(head("agent", false), head("model", false), head("runs", true), head("turns", true), head("in", true), head("cached", true), head("out", true), head("cost", true))
	row := func(agent, model, runs string, d *usageDocument) {
		money := ""
		if d.CostUSD != nil {
			money = about(d.CostExact) + dollars(*d.CostUSD)
		}
		right := func(s string) cell { return cell{text: s, right: true} }
		t.add(plain(agent), plain(model), right(runs), right(itoa(d.Turns)), right(about(d.UsageExact)+thousands(d.InputTokens)),
			right(thousands(d.CachedTokens)), right(about(d.UsageExact)+thousands(d.OutputTokens)), right(money))
	}
	for _, c := range doc.Costs {
		row(view.SanitizeLine(c.Agent), view.SanitizeLine(cmp.Or(c.Model, "?")), itoa(c.Runs), &c.usageDocument)
	}
	if len(doc.Costs) > 1 {
		row("total", "", itoa(doc.Runs), doc.Total)
	}
	return t.write(a.Stdout, "", a.width(a.Stdout))
}
