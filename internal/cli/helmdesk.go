package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/commandlog"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/tui"
)

const (
	helmOutput   = 1 << 20 // bytes of what a command prints that are shown
	helmCommands = 500     // entries of the record of commands
)

// Verbs are the commands that make sense for the run. Their words are those of the command line: nothing is done here
// that orc would not do.
func (d *helm) Verbs(task string) []tui.Verb {
	run := string(d.w.run.ID)
	app := d.quiet(io.Discard)
	root := newRoot(&app)
	var verbs []tui.Verb
	add := func(wants, about string, words ...string) {
		cmd, _, err := root.Find(words)
		if about == "" && err == nil {
			about = cmd.Short
		}
		verbs = append(verbs, tui.Verb{Line: strings.Join(words, " "), Wants: wants, About: about})
	}
	if task != "" {
		add("ANSWER", "", "answer", run, task)
		add("", "say yes to what it waits for", "approve", run, task)
		add("WHY", "say no to what it waits for, and why", "approve", run, task, "--reject")
		add("", "run it again", "retry", run, task)
		add("NOTE", "run it again, and tell it something", "retry", run, task, "--note")
		add("", "run it and everything that needs it again", "retry", run, "--from", task)
		add("", "stop it; its work is kept", "cancel", run, task)
		add("", "", "show", run, task)
		add("", "what it printed", "logs", run, task)
		add("", "its changes", "diff", run, task)
		add("", "bring its saved work back", "restore", run, task)
		add(task+":cost=+1", "more for it to spend", "resume", run, "--budget")
		add("", "merge, but not this task", "merge", run, "--skip", task)
	}
	add("", "what is done, what runs, what waits for you", "status", run)
	add("", "every git command, every agent", "logs", "--commands", run)
	add("WORDS", "find what was said in the run", "logs", run, "--search")
	add("", "changes of the whole run", "diff", run)
	add("", "", "history")
	add("", "what agents used", "history", "cost")
	add("", "run everything that failed again", "retry", run)
	add("", "", "pause", run)
	add("", "start tasks again", "pause", "--off", run)
	add("", "stop the whole run; its work is kept", "cancel", run)
	add("", "", "resume", run)
	add("cost=+1", "more for the run to spend", "resume", run, "--budget")
	add("", "", "edit", run)
	add("", "bring the run's work into your branch", "merge", run)
	add("", "go on with a merge whose conflict is resolved", "merge", "--continue")
	add("", "take a merge back that has a conflict", "merge", "--abort")
	add("", "resolve a conflict in your editor", "merge", "--edit")
	add("", "what could be removed", "clean", "--dry-run")
	add("", "", "doctor")
	add("", "", "agents", "list")
	add("", "the settings and where each comes from", "config", "show", "--origin")
	add("KEY VALUE", "change a setting", "config", "set")
	add("", "your settings in your editor", "config", "edit")
	add("", "what of this repository may run commands", "trust", "--show")
	return verbs
}

// quiet is the program as it is called from the panes: nobody can be asked, nothing is coloured, everything that is
// printed goes to one place.
func (d *helm) quiet(out io.Writer) App {
	app := *d.w.app
	app.globals, app.Stdin, app.Stdout, app.Stderr = globals{}, strings.NewReader(""), out, out
	app.Environ = append(slices.DeleteFunc(slices.Clone(app.Environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name == "ORC_FORCE_TTY" || name == "CLICOLOR_FORCE"
	}), "NO_COLOR=1", "ORC_PROMPT_DISABLED=1", "ORC_PROGRESS=plain")
	app.Resume = takeover{app: &app, detach: true}
	return app
}

// command reads a command line of the palette. The words have --detach where the command would else own a run: that is
// not for the panes to do.
func (d *helm) command(line string) (cmd *cobra.Command, words []string, err error) {
	if words, err = splitWords(line); err != nil {
		return nil, nil, err
	}
	if len(words) > 0 && words[0] == "orc" {
		words = words[1:]
	}
	app := d.quiet(io.Discard)
	root := newRoot(&app)
	cmd, rest, err := root.Find(words)
	if err == nil && cmd == root {
		err = commandArgs(root, words)
	}
	switch {
	case err != nil:
		return nil, nil, err
	case cmd == root, cmd.Hidden, cmd.Name() == "ui", cmd.Name() == "mcp":
		return nil, nil, usageError("orc --help", "that is not possible here")
	case cmd.Name() == "logs" && (slices.Contains(rest, "-f") || slices.Contains(rest, "--follow")):
		return nil, nil, usageError("leave -f out; the page Log of a task is read again every second", "nothing can be followed here")
	case slices.Contains(rest, "--foreground"):
		return nil, nil, usageError("leave --foreground out", "the run would end with this view")
	}
	asks := slices.ContainsFunc([]string{"-h", "--help", "-d", "--detach", "--dry-run"}, func(w string) bool { return slices.Contains(rest, w) })
	if cmd.Flags().Lookup("detach") != nil && !asks {
		words = append(words, "--detach")
	}
	return cmd, words, nil
}

// Perform is orc with a command line, as if it were typed where nobody can be asked.
func (d *helm) Perform(ctx context.Context, line string) (said string, failed bool) {
	out := &bounded{most: helmOutput}
	app := d.quiet(out)
	_, words, err := d.command(line)
	if err != nil {
		app.report(out, err)
		return out.String(), true
	}
	code := Main(ctx, &app, words)
	return out.String(), code != ExitOK
}

// TakesTerminal says whether a command line opens an editor.
func (d *helm) TakesTerminal(line string) bool {
	cmd, words, err := d.command(line)
	if err != nil {
		return false
	}
	return cmd.Name() == "edit" || cmd.Name() == "merge" && slices.Contains(words, "--edit")
}

// TakeTerminal is orc with a command line, on the terminal itself. It waits for the person to have read what was printed.
func (d *helm) TakeTerminal(ctx context.Context, line string) error {
	_, words, err := d.command(line)
	if err != nil {
		return err
	}
	app := *d.w.app
	app.globals, app.Resume = globals{}, nil
	code := Main(ctx, &app, words)
	_, err = fmt.Fprintf(app.Stdout, "-- exit code %d; enter goes back --\n", code)
	return errors.Join(err, pressEnter(app.Stdin))
}

// pressEnter reads to the end of a line, and nothing behind it.
func pressEnter(in io.Reader) error {
	b := make([]byte, 1)
	for b[0] != '\n' {
		if _, err := in.Read(b); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("wait for enter: %w", err)
		}
	}
	return nil
}

// Open opens a task's workspace in the person's editor.
func (d *helm) Open(ctx context.Context, task string) error {
	at, ok, err := d.last(ctx, scheduler.TaskID(task))
	if err != nil {
		return err
	}
	gone := !ok || at.Workspace == ""
	if !gone {
		_, err := os.Stat(at.Workspace)
		gone = errors.Is(err, os.ErrNotExist)
	}
	if gone {
		return errorf("%s has no workspace now; its saved work: orc restore %s %s", task, d.w.run.ID, task)
	}
	return d.w.app.openEditor(ctx, at.Workspace)
}

// Commands are the last entries of the record of commands.
func (d *helm) Commands(context.Context) (list []tui.Command, err error) {
	r, err := d.w.app.commandsOf(d.w.run.ID)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	entries, err := r.last(helmCommands)
	for _, e := range entries {
		s := d.w.app.spoken(e)
		failed := e.Exit != 0 && e.What != commandlog.Lost
		list = append(list, tui.Command{At: s.at, Task: s.task, Line: s.command, End: s.end, Took: s.took, Failed: failed})
	}
	return list, err
}

// pause asks the run's owner to start nothing new, or to start tasks again. Nobody owning the run, only the latter makes
// sense, and has it owned.
func (d *helm) pause(ctx context.Context, off bool) (string, error) {
	alive, err := d.w.app.ownerAlive(ctx, d.w.store, d.w.run)
	if err != nil {
		return "", err
	}
	if !alive && off {
		return "the run goes on", d.w.spawn(ctx)
	}
	run, err := d.w.store.GetRun(ctx, d.w.run.ID)
	if err != nil {
		return "", err
	}
	return d.w.app.pause(ctx, d.w.store, run, off)
}

// bounded keeps the beginning of what is written.
type bounded struct {
	b    bytes.Buffer
	most int
	more bool
}

func (w *bounded) Write(p []byte) (int, error) {
	room := max(w.most-w.b.Len(), 0)
	w.more = w.more || len(p) > room
	w.b.Write(p[:min(len(p), room)])
	return len(p), nil
}

func (w *bounded) String() string {
	if w.more {
		return w.b.String() + "\n… and more"
	}
	return w.b.String()
}

// splitWords takes a command line apart as a shell does: by blanks, with '…', "…" and \ to keep them.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	in, quote, escaped := false, rune(0), false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			in, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			in, quote = true, r
		case quote == 0 && r == ' ':
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		default:
			in = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escaped {
		return nil, usageError("close it", "a quotation mark is open")
	}
	if in {
		words = append(words, word.String())
	}
	return words, nil
}
