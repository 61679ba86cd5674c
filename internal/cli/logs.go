package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
	"orchestrator/internal/redact"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

const (
	followEvery = 100 * time.Millisecond // how often a followed log is looked at
	screenLines = 500                    // lines shown on a terminal when nobody says how many
)

// logLine is a line of `orc logs --json`.
type logLine struct {
	Schema  int    `json:"schema"`
	Run     string `json:"run"`
	Task    string `json:"task"`
	Attempt int    `json:"attempt"`
	Line    string `json:"line"`
}

// logsOptions are the flags of `orc logs`.
type logsOptions struct {
	follow   bool
	raw      bool
	commands bool // those that the run has started, instead of what a task has printed
	attempt  int
	lines    int // -1 = not said
}

func newLogs(a *App) *cobra.Command {
	o := logsOptions{lines: -1}
	var find searchFlags
	cmd := &cobra.Command{
		Use:   "logs [RUN] TASK | --search WORDS [RUN] | --commands [RUN]",
		Short: "A task's log, -f follows; --search finds what was said; --commands shows what was run",
		Long: `Prints what a task's command or agent wrote in its last attempt, without escape sequences and secrets.

With -f it goes on until the task is over, across retries. On a terminal only the last 500 lines are shown,
unless -n says otherwise.

With --search it lists the turns of conversations that have all the WORDS, newest first: of RUN, or of all runs of
this repository. "a phrase" and begin* are understood, OR between two words and NOT before one; everything else is
looked for as it is. Case and accents make no difference. orc show TASK -v has the whole conversation.

With --commands it lists the commands that the owner of RUN, or of the latest run, has started: every git command, every
start of an agent or another command and its end, each with its task, its exit code and how long it took. Arguments are
shortened, secrets are left out. What came faster than it could be written is counted.`,
		Example: `  orc logs docs
  orc logs docs -f
  orc logs 7f3c docs --attempt 1 --raw > docs.log
  orc logs --search 'migration "no such column"'
  orc logs --search 'token OR secret' 7f3c --jq '.turns[].task'
  orc logs --commands -f`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("search") || o.commands {
				return between(0, 1)(cmd, args)
			}
			return between(1, 2)(cmd, args)
		},
		ValidArgsFunction: a.completeRunThenTasks,
	}
	out := newOutput(cmd, logLine{}, "")
	cmd.Annotations[jsonFields] += "; with --search: " + strings.Join(fieldNames(reflect.TypeFor[searchDocument]()), ", ")
	cmd.Annotations[jsonFields] += "; with --commands: " + strings.Join(fieldNames(reflect.TypeFor[commandLine]()), ", ")
	find.add(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.commands, "commands", false, "the commands that the run has started: git, agents, checks")
	f.BoolVarP(&o.follow, "follow", "f", false, "go on until the task is over")
	f.BoolVar(&o.raw, "raw", false, "byte for byte, escape sequences, secrets and all")
	f.IntVar(&o.attempt, "attempt", 0, "attempt `N` instead of the last")
	f.IntVarP(&o.lines, "lines", "n", -1, "only the last `N` lines; 0 = all")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		searching, err := find.check(cmd)
		if err != nil {
			return err
		}
		if searching {
			out.prints(searchDocument{}, "turns")
		}
		for _, other := range []string{"raw", "attempt", "search"} {
			if o.commands && cmd.Flags().Changed(other) {
				return usageError("orc logs --commands", "--commands and --%s exclude one another", other)
			}
		}
		if o.commands {
			out.prints(commandLine{}, "")
		}
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		if searching {
			return a.withStore(cmd.Context(), func(st persistence.Store) error {
				return a.search(cmd.Context(), st, optional(args), find, out, wanted)
			})
		}
		if o.lines < -1 || o.attempt < 0 {
			return usageError("", "a number cannot be negative")
		}
		if o.raw && wanted {
			return usageError("", "choose --raw or --json")
		}
		if o.commands {
			if !wanted {
				out = nil
			}
			return a.withRun(cmd.Context(), optional(args), func(st persistence.Store, run persistence.Run) error {
				return a.printCommands(cmd, st, run, o, out)
			})
		}
		return a.withStore(cmd.Context(), func(st persistence.Store) error {
			run, task, err := a.oneTask(cmd.Context(), st, args)
			if err != nil {
				return err
			}
			l := &logReader{app: a, store: st, run: run, task: task.ID, o: o}
			if wanted {
				l.out = out
			}
			return l.read(cmd.Context())
		})
	}
	return cmd
}

// logReader prints a task's log.
type logReader struct {
	app   *App
	store persistence.Store
	run   persistence.Run
	task  scheduler.TaskID
	o     logsOptions
	out   *output // not nil = as JSON

	open    *logFile
	secrets *redact.Stream // of the log that is open
	number  int            // the attempt that is printed now
	// printed is the last attempt of which everything was printed: the one after it may be long in coming.
	printed int
}

func (l *logReader) read(ctx context.Context) error {
	err := l.follow(ctx)
	if l.open != nil {
		err = errors.Join(err, l.open.close())
	}
	if cause := context.Cause(ctx); cause != nil {
		return silent(exitCode(cause)) // that is how one leaves a log: nothing went wrong
	}
	return err
}

// follow prints the wanted attempt, and if it is asked to, what it writes until it is over, and the attempts after it.
func (l *logReader) follow(ctx context.Context) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	said := false
	for {
		// The state is read before the log, so that a log is complete once its attempt is seen to be over.
		t, err := l.store.GetTask(ctx, l.run.ID, l.task)
		if err != nil {
			return err
		}
		attempts, err := l.store.ListAttempts(ctx, l.run.ID, l.task)
		if err != nil {
			return err
		}
		over := t.Status.Terminal()
		at := l.current(attempts)
		if at == nil {
			if over || !l.o.follow {
				return l.missing(t)
			}
			if !said {
				l.say("waiting for %s to start", l.task)
				said = true
			}
		} else {
			ended := over || !at.EndedAt.IsZero()
			if l.printed != at.Number {
				if err := l.print(*at, ended || !l.o.follow); err != nil {
					return err
				}
			}
			if !l.o.follow || ended && l.o.attempt > 0 {
				return nil
			}
			if next := after(attempts, at.Number); ended && next != nil {
				l.number = next.Number
				l.say("attempt %d", l.number)
				continue
			}
			if over {
				return nil
			}
		}
		if err := l.abandoned(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// current returns the attempt to print now; nil when it has not begun.
func (l *logReader) current(attempts []persistence.Attempt) *persistence.Attempt {
	if l.number == 0 {
		l.number = l.o.attempt
	}
	if l.number == 0 && len(attempts) > 0 {
		l.number = attempts[len(attempts)-1].Number
	}
	for i := range attempts {
		if attempts[i].Number == l.number {
			return &attempts[i]
		}
	}
	return nil
}

// after returns the attempt that follows a number, or nil.
func after(attempts []persistence.Attempt, number int) *persistence.Attempt {
	for i := range attempts {
		if attempts[i].Number > number {
			return &attempts[i]
		}
	}
	return nil
}

// missing explains that there is nothing to print.
func (l *logReader) missing(t *scheduler.Task) error {
	h := fmt.Sprintf("orc show %s %s", l.run.ID, l.task)
	if l.o.attempt > 0 {
		return usageError(h, "%s has no attempt %d", l.task, l.o.attempt)
	}
	return usageError(h, "%s has not started: it is %s", l.task, taskMark(t.Status, false).word)
}

// abandoned ends the following of a run on which nobody works.
func (l *logReader) abandoned(ctx context.Context) error {
	run, err := l.store.GetRun(ctx, l.run.ID)
	if err != nil {
		return err
	}
	interrupted, err := l.app.interrupted(ctx, l.store, run)
	if err != nil {
		return err
	}
	id := string(run.ID)
	switch {
	case interrupted, run.State == scheduler.RunPaused:
		return &ExitError{Code: ExitInterrupted, Err: errorf("run %s has stopped", id), Hint: "orc resume " + id}
	case run.State == scheduler.RunWaiting:
		return &ExitError{Code: ExitNeedsYou, Err: errorf("run %s waits for you", id), Hint: "orc status " + id}
	case run.State.Terminal():
		return silentOK // the task stays as it is
	}
	return nil
}

// print prints what an attempt has written since the last time; final says that no more will come.
func (l *logReader) print(at persistence.Attempt, final bool) error {
	if final {
		l.printed = at.Number
	}
	if l.open == nil {
		f, err := openLog(at.Log)
		if err != nil {
			return err
		}
		if f == nil {
			if final {
				l.say("attempt %d of %s wrote no log", at.Number, l.task)
			}
			return nil
		}
		l.open, l.secrets = f, l.app.secrets.Stream()
		if err := l.seek(); err != nil {
			return err
		}
	}
	if err := l.copy(final); err != nil {
		return err
	}
	if !final {
		return nil
	}
	err := l.open.close()
	l.open = nil
	return err
}

// seek leaves out what is not wanted of the log that was just opened.
func (l *logReader) seek() error {
	n := l.o.lines
	if n < 0 && l.app.isTerminal(l.app.Stdout) && l.out == nil && !l.o.raw {
		n = screenLines
	}
	if n <= 0 {
		return nil
	}
	skipped, err := l.open.seekLines(n)
	if err == nil && skipped && l.o.lines < 0 {
		l.say("the last %d lines; all of them: -n 0", n)
	}
	return err
}

func (l *logReader) copy(final bool) error {
	if l.o.raw {
		return l.open.copyRaw(l.app.Stdout)
	}
	w := &blockWriter{w: l.app.Stdout}
	err := l.open.lines(final, func(line []byte, ends bool) error {
		text := shown(line)
		if l.out != nil {
			return l.out.write(l.app, logLine{schema, string(l.run.ID), string(l.task), l.number, l.secrets.Line(text)})
		}
		if ends {
			text += "\n"
		}
		return w.add(l.secrets.Next(text))
	})
	if final {
		err = errors.Join(err, w.add(l.secrets.Rest()))
	}
	return errors.Join(err, w.flush())
}

// shown is a line as a terminal would have left it, harmless.
func shown(line []byte) string {
	return view.SanitizeLine(string(bytes.TrimRight(line, "\r")))
}

// say tells a person something about the log, on stderr.
func (l *logReader) say(format string, args ...any) {
	if l.app.globals.quiet {
		return
	}
	p := l.app.paint(l.app.Stderr)
	// A message about a log is not worth ending it for.
	_, _ = fmt.Fprintln(l.app.Stderr, p.dim("-- "+fmt.Sprintf(format, args...)+" --"))
}

// blockWriter joins small writes.
type blockWriter struct {
	w   io.Writer
	buf []byte
}

func (b *blockWriter) add(s string) error {
	b.buf = append(b.buf, s...)
	if len(b.buf) < blockSize {
		return nil
	}
	return b.flush()
}

func (b *blockWriter) flush() error {
	if len(b.buf) == 0 {
		return nil
	}
	_, err := b.w.Write(b.buf)
	b.buf = b.buf[:0]
	return err
}
