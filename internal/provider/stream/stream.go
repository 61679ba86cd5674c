// Package stream is what the drivers of agents share whose programs write one JSON object a line: starting the
// program with its output in files, following the log while it runs, cutting lines, judging how a turn ended, and
// putting what went wrong into words and kinds.
//
// The program's standard output is appended to Turn.Log and its standard error to Turn.Log+".err", so that nothing
// that happens to the owner stops the program or loses what it said. The prompt comes from Turn.PromptFile on
// standard input and never as an argument: arguments are limited to 128 KiB, and each of these programs reads a
// leading hyphen as an option.
//
// A turn went well when the agent said so in its last event, no tool was denied to it and its program did not fail
// afterwards. The exit code alone proves neither success nor failure: the programs are known to exit 0 when they
// were interrupted or could not reach their model.
package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
)

// Decoder understands the output of one turn. It is pure: what it returns depends on the lines alone. It must take
// every line, also one that makes no sense, and must not keep the slice.
type Decoder interface {
	// Decode takes the next line, without its end, and returns what it says; Offset and Index are set by the caller.
	Decode(line []byte) []provider.Event
	// Verdict says what the lines so far amount to. at is when the program ended; what an agent calls "in five
	// minutes" is counted from there.
	Verdict(at time.Time) Verdict
}

// Quitter is a Decoder that can tell that the agent will never end by itself.
type Quitter interface {
	// GivenUp is true when the program waits for something that no wait of ours should be spent on; it is stopped,
	// and the verdict counts as if it had ended by itself.
	GivenUp() bool
}

// Complainer is a Decoder of a program that also complains in plain words on its standard output.
type Complainer interface {
	// Complaints are those words; they count as if they had come on standard error.
	Complaints() string
}

// Flusher is a Decoder that holds back events, such as a text that comes in pieces.
type Flusher interface {
	// Flush returns what was held back, when no line follows any more.
	Flush() []provider.Event
}

// Verdict is what an agent's output says about its turn. Kind and Error as in provider.Result.
type Verdict struct {
	Ended  bool // the agent said how the turn ended; without that it did not go well
	Kind   provider.Kind
	Error  string
	Unsure bool // what the program complained of may say more of the kind

	Summary  string
	Session  string
	Usage    provider.Usage
	Counters provider.Usage
	RetryAt  time.Time
	Denied   []string
}

// Program is how an agent's program is started for one turn.
type Program struct {
	Argv []string
	Env  []string
	// Converse, where set, speaks with the program: it writes to its standard input, reads its standard output, and
	// writes what Decoder is to see to log, one line in each call. The turn is over when it returns. Else the
	// program reads the prompt and writes to the log by itself.
	Converse func(ctx context.Context, in io.Writer, out io.Reader, log io.Writer) error
}

// ErrBusy says that a session is at work on another turn.
var ErrBusy = errors.New("session busy")

// Why a program is stopped before it ends by itself.
var (
	errGivenUp     = errors.New("the agent waits for ever")
	errOutputLimit = errors.New("output limit reached")
	errTalkOver    = errors.New("the conversation is over")
)

// Run starts the program and follows it to the end of the turn; see provider.Provider.Turn. When ctx ended, the
// Result beside the error holds what was known of the session and its usage.
func Run(ctx context.Context, l provider.Launcher, t provider.Turn, p Program, d Decoder) (provider.Result, error) {
	release, err := claim(t.Session)
	if err != nil {
		return provider.Result{}, err
	}
	defer release()
	r, err := open(t)
	if err != nil {
		return provider.Result{}, err
	}
	defer r.close()
	f, err := follow(t, r.start, d)
	if err != nil {
		return provider.Result{}, err
	}
	defer f.close()
	child, talk, err := r.launch(ctx, l, p)
	if err != nil {
		return notStarted(t, p, err)
	}
	if talk != nil {
		talk.begin(ctx, p.Converse, r.log)
	}
	exit, err := watch(ctx, t, child, talk, f)
	switch {
	case errors.Is(err, errOutputLimit):
		return f.overLimit(), nil
	case err != nil && !errors.Is(err, errGivenUp):
		return f.known(exit), err
	}
	return f.result(exit)
}

// watch follows the log until the program and all that it started are gone, and stops them where it must: nothing
// may look at the workspace before that, whoever is impatient.
func watch(ctx context.Context, t provider.Turn, child *process.Child, talk *talk, f *follower) (process.Exit, error) {
	background := context.WithoutCancel(ctx)
	exited := make(chan struct{})
	var exit process.Exit
	var lost error
	go func() {
		defer close(exited)
		exit, lost = child.Wait(background)
	}()
	cause := f.until(ctx, exited, talk.over())
	if cause != nil {
		talk.hangUp(t.Grace)
		if errors.Is(cause, errTalkOver) {
			wait(exited, t.Grace) // with the end of its input it should go by itself
		}
		if _, err := child.Stop(background, t.Grace); err != nil {
			cause = errors.Join(cause, fmt.Errorf("stop %s: %w", t.ID, err))
		}
	}
	<-exited
	talk.end()
	if errors.Is(cause, errTalkOver) {
		cause = talk.err
	}
	if cause == nil && lost != nil {
		cause = fmt.Errorf("wait for %s: %w", t.ID, lost)
	}
	return exit, errors.Join(cause, f.finish())
}

// Finish judges a turn that ended while nobody watched; see provider.Provider.Finish.
func Finish(t provider.Turn, exit process.Exit, d Decoder) (provider.Result, error) {
	f, err := follow(t, t.Start, d)
	if err != nil {
		return provider.Result{}, err
	}
	defer f.close()
	if err := f.finish(); err != nil {
		return provider.Result{}, err
	}
	return f.result(exit)
}

// claimed holds the sessions in which a turn runs.
var claimed sync.Map

// claim takes a session for one turn. The programs do not lock theirs: of two turns at once, one is lost without a
// word. Between processes the run's lease sees to it.
func claim(session string) (release func(), err error) {
	if session == "" {
		return func() {}, nil
	}
	if _, taken := claimed.LoadOrStore(session, nil); taken {
		return nil, fmt.Errorf("session %s has a turn already: %w", session, ErrBusy)
	}
	return func() { claimed.Delete(session) }, nil
}

// notStarted is a program that is not there or cannot be run: a fault that trying again does not mend.
func notStarted(t provider.Turn, p Program, err error) (provider.Result, error) {
	var fault *process.LaunchError
	if !errors.As(err, &fault) || fault.Op == "enter directory" || fault.Op == "receive files" {
		return provider.Result{}, fmt.Errorf("start %s: %w", t.ID, err)
	}
	r := provider.Result{Kind: provider.KindInvalid, Session: t.Session}
	r.Error = fmt.Sprintf("cannot start %s: %s", p.Argv[0], fault.Err)
	if errors.Is(err, fs.ErrNotExist) {
		r.Error = fmt.Sprintf("program %s not found: install it, or set its `command` to where it is", p.Argv[0])
	}
	return r, nil
}
