package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/internal/commandlog"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// commandLine is a line of `orc logs --commands --json`.
type commandLine struct {
	Schema  int             `json:"schema"`
	Run     string          `json:"run"`
	Time    time.Time       `json:"time"` // when the command began
	What    commandlog.What `json:"what"`
	Task    string          `json:"task"` // empty = of no single task
	Dir     string          `json:"dir"`
	Args    []string        `json:"args"`    // shortened; of git without the program
	Sandbox bool            `json:"sandbox"` // the program that makes the sandbox is left out of args
	Exit    int             `json:"exit"`    // of git and end; -1 = not known, or it could not be started
	TookMS  int64           `json:"took_ms"`
	Error   string          `json:"error"`
	Count   int64           `json:"count"` // of lost: how many are missing
}

// commandsReader reads what is recorded of the commands of a run, while it may still grow.
type commandsReader struct {
	path string
	open *logFile
}

// commandsOf reads the record of a run.
func (a *App) commandsOf(run scheduler.RunID) (*commandsReader, error) {
	dir, err := a.RunDir(string(run))
	if err != nil {
		return nil, err
	}
	return &commandsReader{path: filepath.Join(dir, commandsFile)}, nil
}

// last gives the last n entries, n = 0 all, and goes on from there with next.
func (r *commandsReader) last(n int) ([]commandlog.Entry, error) {
	old, err := openLog(r.path + commandlog.Aside)
	if err != nil {
		return nil, err
	}
	var list []commandlog.Entry
	if old != nil {
		list, err = r.entries(old, n)
		if err = errors.Join(err, old.close()); err != nil {
			return nil, err
		}
	}
	if r.open, err = openLog(r.path); err != nil || r.open == nil {
		return list, err
	}
	fresh, err := r.entries(r.open, n)
	list = append(list, fresh...)
	if n > 0 {
		list = list[max(len(list)-n, 0):]
	}
	return list, err
}

func (r *commandsReader) entries(f *logFile, n int) ([]commandlog.Entry, error) {
	if n > 0 {
		if _, err := f.seekLines(n); err != nil {
			return nil, err
		}
	}
	return r.rest(f)
}

// rest reads what there is behind what was read.
func (r *commandsReader) rest(f *logFile) (list []commandlog.Entry, err error) {
	err = f.lines(false, func(line []byte, _ bool) error {
		if e, ok := commandlog.Parse(line); ok { // a crash may have cut a line off
			list = append(list, e)
		}
		return nil
	})
	return list, err
}

// next gives the entries that have come since, also when the file was put aside meanwhile.
func (r *commandsReader) next() (list []commandlog.Entry, err error) {
	if r.open != nil {
		if list, err = r.rest(r.open); err != nil {
			return nil, err
		}
		now, err := os.Stat(r.path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return list, nil // the next one is just being made
		case err != nil:
			return nil, fmt.Errorf("look at the log of commands: %w", err)
		}
		was, err := r.open.f.Stat()
		if err != nil {
			return nil, fmt.Errorf("look at the log of commands: %w", err)
		}
		if os.SameFile(was, now) {
			return list, nil
		}
		late, err := r.rest(r.open) // what was written before it was put aside
		if err = errors.Join(err, r.close()); err != nil {
			return nil, err
		}
		list = append(list, late...)
	}
	if r.open, err = openLog(r.path); err != nil || r.open == nil {
		return list, err
	}
	fresh, err := r.rest(r.open)
	return append(list, fresh...), err
}

func (r *commandsReader) close() error {
	if r.open == nil {
		return nil
	}
	f := r.open
	r.open = nil
	return f.close()
}

// printCommands is `orc logs --commands`.
func (a *App) printCommands(cmd *cobra.Command, st persistence.Store, run persistence.Run, o logsOptions, out *output) (err error) {
	r, err := a.commandsOf(run.ID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	n := max(o.lines, 0)
	if o.lines < 0 && a.isTerminal(a.Stdout) && out == nil {
		n = screenLines
	}
	list, err := r.last(n)
	if err != nil {
		return err
	}
	if len(list) == 0 && !o.follow {
		return usageError("orc resume "+string(run.ID), "nothing is recorded of run %s: it has not begun, or an older orc ran it", run.ID)
	}
	p := &commandPrinter{app: a, run: run, out: out}
	if err := p.print(list); err != nil || !o.follow {
		return err
	}
	l := &logReader{app: a, store: st, run: run, o: o}
	err = p.follow(cmd.Context(), r, l.abandoned)
	if cause := context.Cause(cmd.Context()); cause != nil {
		return silent(exitCode(cause))
	}
	return err
}

// commandPrinter prints entries, in columns that grow with what comes.
type commandPrinter struct {
	app  *App
	run  persistence.Run
	out  *output // not nil = as JSON
	task int     // cells of the column of tasks
}

// follow prints what comes until nobody works on the run any more, as over says by an error.
func (p *commandPrinter) follow(ctx context.Context, r *commandsReader, over func(context.Context) error) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		ended := over(ctx) // before the record is read, so that it is whole when the run is seen to be over
		list, err := r.next()
		if err != nil {
			return err
		}
		if err := p.print(list); err != nil || ended != nil {
			return errors.Join(err, ended)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (p *commandPrinter) print(list []commandlog.Entry) error {
	w := &blockWriter{w: p.app.Stdout}
	for _, e := range list {
		if p.out != nil {
			if err := p.out.write(p.app, p.document(e)); err != nil {
				return err
			}
			continue
		}
		p.task = max(p.task, len(e.Task))
		s := p.app.spoken(e)
		line := fmt.Sprintf("%s  %-*s  %-8s %7s  %s", s.at, p.task, s.task, s.end, s.took, s.command)
		if err := w.add(truncate(line, p.app.width(p.app.Stdout)) + "\n"); err != nil {
			return err
		}
	}
	return w.flush()
}

func (p *commandPrinter) document(e commandlog.Entry) commandLine {
	d := commandLine{
		Schema: schema, Run: string(p.run.ID), Time: e.Time.UTC(), What: e.What, Task: e.Task, Dir: e.Dir, Args: slices.Clone(e.Args), Sandbox: e.Boxed,
		Exit: e.Exit, TookMS: e.Took.Milliseconds(), Error: p.app.secrets.String(e.Error), Count: e.Count,
	}
	for i, arg := range d.Args {
		d.Args[i] = p.app.secrets.String(arg)
	}
	return d
}

// spokenCommand is an entry in words that are safe to print.
type spokenCommand struct{ at, task, end, took, command string }

func (a *App) spoken(e commandlog.Entry) spokenCommand {
	s := spokenCommand{
		at: e.Time.Local().Format("15:04:05"), task: view.SanitizeLine(e.Task),
		command: view.SanitizeLine(a.secrets.String(e.Command())),
	}
	switch e.What {
	case commandlog.Start:
		s.end = "start"
		if e.Error != "" {
			s.end = "failed"
		}
	case commandlog.Git, commandlog.End:
		s.end, s.took = fmt.Sprintf("exit %d", e.Exit), shortly(e.Took)
		if e.Exit < 0 {
			s.end = "killed"
		}
	}
	return s
}

// shortly is a length of time of which also the milliseconds matter.
func shortly(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%dms", d.Milliseconds())
	}
	return view.Duration(d)
}
