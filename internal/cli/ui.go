package cli

import (
	"context"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
	"orchestrator/internal/tui"
)

func newUI(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "ui [RUN]",
		Short: "Full-screen view of a run",
		Long: `Shows a run on the whole screen: its tasks as a graph, and of the chosen one the conversation, the log, the changes
and what there is to know. Questions are answered there, tasks tried again or cancelled. Leaving it stops nothing.

? shows the keys. While orc run shows a run, u opens the same view.`,
		Example:           "  orc ui\n  orc ui 7f3c",
		Args:              between(0, 1),
		ValidArgsFunction: a.completeRuns,
		Annotations:       map[string]string{ownSignals: ""},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !a.interactive() || a.Getenv("TERM") == "dumb" {
				return usageError("orc status, orc logs TASK -f", "orc ui needs a terminal")
			}
			return a.withRun(cmd.Context(), optional(args), func(st persistence.Store, run persistence.Run) error {
				cfg, err := a.settings(run.Repository, nil)
				if err != nil {
					return err
				}
				w := &watch{app: a, store: st, run: run, mode: modeTTY, cfg: cfg}
				if w.known, err = st.Events(cmd.Context(), run.ID, 0, 0); err != nil {
					return err
				}
				return w.open(cmd.Context())
			})
		},
	}
}

// open shows the run on the whole screen until the person leaves.
func (w *watch) open(ctx context.Context) error {
	o, err := w.tui(ctx)
	if err != nil {
		return err
	}
	o.Open = true
	_, err = tui.Run(ctx, o)
	return err
}

// tui is how the run is shown on a terminal.
func (w *watch) tui(ctx context.Context) (tui.Options, error) {
	seen, err := w.view(ctx)
	if err != nil {
		return tui.Options{}, err
	}
	d, err := w.helm(ctx)
	if err != nil {
		return tui.Options{}, err
	}
	tasks := w.tasks
	if tasks == nil {
		if tasks, err = w.store.ListTasks(ctx, w.run.ID); err != nil {
			return tui.Options{}, err
		}
	}
	return tui.Options{
		In: w.app.Stdin, Out: w.app.Stdout, Run: seen, Source: w.source(), Helm: d, Lanes: lanes(tasks), Again: w.again,
		Stop:  func(force bool) error { return w.requestStop(ctx, force) },
		Tail:  w.lastLine,
		Color: w.app.colorOn(w.app.Stdout), Unicode: w.app.unicode(), Motion: w.app.Getenv("ORC_REDUCED_MOTION") == "",
		Bell: w.cfg == nil || w.cfg.NotifyBell,
		Now:  w.app.Now, Environ: w.app.Environ,
	}, nil
}
