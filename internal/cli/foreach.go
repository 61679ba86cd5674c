package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"orchestrator/internal/config"
	"orchestrator/internal/environ"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
)

const (
	listTime  = plan.ListTime
	listBytes = 1 << 20 // of what a command may print
)

// runsLists says whether commands have to be run before it is known which tasks a plan has at the start of its run.
func runsLists(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Each(), func(e plan.Each) bool { return e.Run != "" && !e.Ready })
}

// makesLists says whether commands have to be run before all tasks of a plan are known.
func makesLists(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Each(), func(e plan.Each) bool { return e.Run != "" })
}

// spread makes the tasks of the lists of a plan: those that stand in it, and those that its commands print, which are
// run in a clone of the commit base. Consent to them was given. Of the lists that tasks make, those are known that made has.
func (a *App) spread(ctx context.Context, repo *workspace.Repository, p *plan.Plan, cfg *config.Config, base string, o plan.Options, made map[scheduler.TaskID]persistence.List) (*plan.Plan, error) {
	if len(p.Each()) == 0 {
		return p, nil
	}
	o.Items = map[string][]string{}
	for id, l := range listsOf(p, made) {
		if l.Made {
			o.Items[string(id)] = l.Items
		}
	}
	if runsLists(p) {
		if err := a.makeLists(ctx, repo, p, cfg, base, o.Items); err != nil {
			return nil, err
		}
	}
	spread, list := plan.Parse(p.Source.Path, p.Source.Text, o)
	// The warnings about the plan were told already.
	return spread, a.planVerdict(p.Source.Path, list.Errors())
}

// makeLists runs the commands.
func (a *App) makeLists(ctx context.Context, repo *workspace.Repository, p *plan.Plan, cfg *config.Config, base string, items map[string][]string) (err error) {
	s, err := a.newScratch(ctx, repo, "list", base)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.remove(ctx)) }()
	return a.supervised(ctx, cfg, s.folder, listTime*time.Duration(len(p.Each())), func(ctx context.Context, l provider.Launcher) error {
		env := append(environ.Allowed(a.Environ, cfg.Env...), "PWD="+s.work(), "GIT_TERMINAL_PROMPT=0", "ORC_REPOSITORY="+repo.Root(), "ORC_BASE="+base)
		c := &confiner{app: a, repo: repo, writes: a.sandboxWrites(cfg)}
		l, _, err := c.confined(ctx, s, persistence.Agent{Sandbox: commandSandbox(cfg)}, false, env, l)
		if err != nil {
			return err
		}
		for _, e := range p.Each() {
			if e.Run == "" || e.Ready {
				continue
			}
			if items[e.Task], err = makeList(ctx, l, s, e, env, cfg.Grace); err != nil {
				return &ExitError{
					Code: ExitUsage, Err: fmt.Errorf("make the list of task %s: %w", e.Task, err),
					Hint: "its for_each runs in a clone of " + short(base) + ": " + view.SanitizeLine(e.Run),
				}
			}
		}
		return nil
	})
}

// makeList runs one command; the lines that it prints are the items.
func makeList(ctx context.Context, l provider.Launcher, s *scratch, e plan.Each, env []string, grace time.Duration) (items []string, err error) {
	out, err := os.Create(filepath.Join(s.folder, e.Task+".out"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	said, err := os.Create(filepath.Join(s.folder, e.Task+".err"))
	if err != nil {
		return nil, err
	}
	defer said.Close()
	child, err := l.Launch(ctx, process.Spec{
		ID: "list." + e.Task, Argv: []string{"/bin/sh", "-c", e.Run}, Dir: s.work(), Env: env, Stdout: out, Stderr: said,
	})
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeoutCause(ctx, listTime, errorf("it does not end within %s", span(listTime)))
	defer cancel()
	exit, err := child.Wait(waiting)
	if err != nil && waiting.Err() != nil {
		_, stopped := child.Stop(context.WithoutCancel(ctx), grace)
		return nil, errors.Join(context.Cause(waiting), stopped)
	}
	if err != nil {
		return nil, err
	}
	if exit.Code != 0 || exit.Signal != "" {
		tail, err := provider.Tail(said.Name(), 0, 2<<10)
		return nil, errors.Join(errorf("exit %d: %s", exit.Code, strings.TrimSpace(tail)), err)
	}
	if st, err := out.Stat(); err != nil || st.Size() > listBytes {
		return nil, errors.Join(err, errorf("it prints more than %d MiB", listBytes>>20))
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		return nil, err
	}
	return listItems(string(text)), nil
}

// listItems are the lines of what a command printed that are not blank.
func listItems(text string) (items []string) {
	for line := range strings.Lines(strings.ToValidUTF8(text, "\uFFFD")) {
		if line = strings.TrimSpace(line); line != "" {
			items = append(items, line)
		}
	}
	return items
}
