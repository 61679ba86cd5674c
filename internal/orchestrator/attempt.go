package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"orchestrator/internal/event"
	"orchestrator/internal/fault"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// attempt is one try at a task, from where it stands to its end. Its goroutine is the only writer of a until it
// has reported the end.
type attempt struct {
	e      *Engine
	ctx    context.Context // ends with errCanceled, errStopped or the engine's end
	a      persistence.Attempt
	task   *scheduler.Task
	brief  brief
	turns  []persistence.TaskTurn // to be stored with the next step
	said   string                 // what the task is told
	result *string                // what the work that is done came to; nil = nothing yet
	began  bool                   // its command may have been started

	conflict []workspace.ConflictFile // that it is to resolve, as it was when its workspace was made
}

// launch starts the goroutine of an attempt. Called by the loop only.
func (e *Engine) launch(s start) {
	t := e.tasks[s.attempt.Task]
	ctx, cancel := context.WithCancelCause(workspace.ForTask(e.ctx, string(s.attempt.Task)))
	t.cancel = cancel
	e.running[s.attempt.Task] = true
	if s.stop != nil {
		cancel(s.stop)
	}
	task := e.does(t.task, t.attempt)
	s.attempt.Work = t.attempt.Work.Clone() // with what was said since the start was decided about
	at := &attempt{e: e, ctx: ctx, a: s.attempt, task: task, brief: e.briefOf(t)}
	at.brief.last = s.last
	e.attempts.Go(func() {
		defer cancel(nil)
		end := at.run(s.from, s.exit)
		end.attempt, end.turns = at.a, at.turns
		e.tell(end)
	})
}

// turnID is the key of an attempt's exit record.
func turnID(a *persistence.Attempt) string { return string(a.Task) + "." + strconv.Itoa(a.Number) }

// run takes the attempt through its phases.
func (at *attempt) run(from scheduler.Phase, exit *recordedExit) ended {
	a := &at.a
	if from == scheduler.PhaseWaiting { // it was parked, and is only to end
		return at.end(context.Cause(at.ctx), "wait")
	}
	if end := at.mayStart(from, exit); end != nil {
		return *end
	}
	if from == scheduler.PhasePreparing {
		if end := at.open(); end != nil {
			return *end
		}
		from = scheduler.PhaseWorking
	}
	if from != scheduler.PhaseWorking {
		r, err := at.outcome()
		if err != nil {
			return at.end(err, "read the log")
		}
		at.result = r
	}
	for from == scheduler.PhaseWorking || from == scheduler.PhaseVerifying {
		var end *ended
		if from == scheduler.PhaseWorking {
			from, end = at.working(exit)
			exit = nil
		} else {
			from, end = at.verifying()
		}
		if end != nil {
			return *end
		}
	}
	if from == scheduler.PhaseSaving || from == scheduler.PhaseMerging {
		if end := at.deliver(from); end != nil {
			end.result = at.result
			return *end
		}
	}
	a.Outcome = scheduler.OutcomeSucceeded
	return ended{result: at.result}
}

// open makes the workspace ready and the beginning of the work durable; not nil = the attempt ended with it.
func (at *attempt) open() *ended {
	bad := func(end ended) *ended { return &end }
	if err := at.prepare(); err != nil {
		return bad(at.end(err, "make the workspace"))
	}
	failure, err := at.setUp()
	if err != nil {
		return bad(at.end(err, "set the workspace up"))
	}
	if failure != "" {
		return bad(at.failed(failure, false))
	}
	if err := at.begin(); err != nil {
		return bad(at.end(err, ""))
	}
	return nil
}

// phase makes the next phase durable, with the turns said so far.
func (at *attempt) phase(p scheduler.Phase, events ...event.Event) error {
	at.a.Phase = p
	turns := at.turns
	at.turns = nil
	events = append(events, at.e.event(event.TaskPhase, at.a.Task, at.a.Number, event.Detail{
		Status: string(scheduler.TaskRunning), Phase: string(p),
	}))
	return at.e.report(progress{attempt: at.a, events: events, turns: turns})
}

// prepare makes the workspace from the integration branch's present head, and the prompt.
func (at *attempt) prepare() error {
	a, e := &at.a, at.e
	if a.Isolation != scheduler.IsolationNone {
		ws, err := e.o.Workspaces(a.Isolation)
		if err != nil {
			return err
		}
		if err := at.rescue(); err != nil {
			return err
		}
		if err := at.take(ws); err != nil {
			return err
		}
		fault.Point("attempt.workspace")
	}
	if a.Work != nil { // its conversation begins with the first turn
		return nil
	}
	at.said = at.task.Command
	if at.task.Prompt != "" {
		prompt, err := at.compose()
		if err != nil {
			return err
		}
		at.said = prompt
	}
	return nil
}

// take makes the workspace.
func (at *attempt) take(ws Workspaces) error {
	if at.a.Resolve != nil {
		return at.takeConflict(ws)
	}
	cut, err := at.chooseBase()
	if err != nil {
		return err
	}
	spec := at.e.spec(&at.a)
	spec.Base = cut
	return ws.Take(at.ctx, spec)
}

// chooseBase finds the commit that the attempt's work counts from, and the one that its workspace is cut from. They are
// the integration's head, unless earlier work is gone on with: then that is in the workspace too, if it fits.
func (at *attempt) chooseBase() (cut string, err error) {
	a, e := &at.a, at.e
	if a.Onto != "" {
		last := at.brief.previous
		m, err := e.o.Repository.Onto(at.ctx, string(a.Run), string(a.Task), last.Number, a.Onto, e.title(a.Task)+" (on top of what is merged)")
		if err == nil {
			a.Base = m.Old
			return m.New, nil
		}
		if conflict := (*workspace.ConflictError)(nil); !errors.As(err, &conflict) {
			return "", err
		}
		a.Onto = "" // only its session is gone on with
	}
	a.Base, err = e.o.Repository.Integration(at.ctx, string(a.Run))
	return a.Base, err
}

// begin makes durable that the work begins.
func (at *attempt) begin() error {
	if at.a.Work == nil {
		at.turns = append(at.turns, at.e.turn(at.a.Task, at.a.Number, "user", at.said))
	}
	return at.phase(scheduler.PhaseWorking)
}

// work runs the command or the agent to the end of its turn, or takes over a turn that ended while nobody watched.
func (at *attempt) work(exit *recordedExit) (provider.Result, error) {
	a, e := &at.a, at.e
	p, command, err := e.providerFor(at.task, at.role())
	if err != nil {
		return provider.Result{}, err
	}
	if agent, ok := p.(provider.Agent); ok && a.Work != nil {
		return at.converse(agent, exit)
	}
	turn := provider.Turn{
		ID: turnID(a), Dir: at.dir(), Command: command, Log: a.Log, Out: e.outOf(a), Grace: e.o.Grace, OutputLimit: e.o.OutputLimit,
	}
	if at.task.Prompt != "" {
		turn.Prompt, turn.PromptFile = at.task.Prompt, e.promptFile(a)
	}
	var r provider.Result
	if exit != nil {
		r, err = p.Finish(turn, exit.Exit)
	} else {
		if turn.Env, err = at.environ(); err != nil {
			return provider.Result{}, err
		}
		launcher, cerr := at.launcher(turn.Env)
		if cerr != nil {
			return provider.Result{}, cerr
		}
		ctx, cancel := at.limited()
		defer cancel()
		e.blanks.take(a.Log)
		r, err = p.Turn(ctx, launcher, turn)
	}
	if err != nil {
		return provider.Result{}, err
	}
	r = e.withoutSecrets(r)
	if r.Output != "" {
		at.turns = append(at.turns, e.turn(a.Task, a.Number, "assistant", r.Output))
	}
	return r, nil
}

// limited is the attempt's context with the task's timeout.
func (at *attempt) limited() (context.Context, context.CancelFunc) {
	if at.task.Timeout <= 0 {
		return context.WithCancel(at.ctx)
	}
	return context.WithTimeoutCause(at.ctx, at.task.Timeout, errTimeout)
}

// dir is where the task works.
func (at *attempt) dir() string {
	if at.a.Isolation == scheduler.IsolationNone {
		return at.e.o.Repository.Root()
	}
	return at.a.Workspace
}

// outcome is what an adopted attempt's turn had said.
func (at *attempt) outcome() (*string, error) {
	if at.a.Work != nil {
		return at.summary(), nil
	}
	if l, makes := at.e.options().Lists[at.a.Task]; makes {
		return new(listResult(l.Items)), nil
	}
	p, command, err := at.e.providerOf(at.task)
	if err != nil {
		return nil, err
	}
	r, err := p.Finish(provider.Turn{ID: turnID(&at.a), Command: command, Log: at.a.Log}, process.Exit{})
	if err != nil {
		return nil, err
	}
	r = at.e.withoutSecrets(r)
	return &r.Summary, nil
}

// end is how an attempt ends when its work did not come to a result.
func (at *attempt) end(err error, doing string) ended {
	a := &at.a
	asked, asks := askedTooMuch(at.ctx, err)
	var spent *overBudget
	switch {
	case at.e.ctx.Err() != nil || errors.Is(err, errFatal):
		return ended{} // nobody listens
	case errors.As(err, &spent) || errors.As(context.Cause(at.ctx), &spent):
		return at.stopSpending(spent)
	case errors.Is(err, errTimeout):
		tail, terr := at.e.tail(a.Log, 0)
		if terr != nil {
			return ended{trouble: terr}
		}
		a.Output = tail
		return at.failed(fmt.Sprintf("timed out after %s", at.task.Timeout), false)
	case errors.Is(err, workspace.ErrProvide): // only a person can help, by another plan or the missing file
		return at.failed(err.Error(), true)
	case asks:
		return at.failed(asked.Error(), false)
	case errors.Is(err, errCanceled):
		a.Outcome, a.Error = scheduler.OutcomeCanceled, "canceled"
		return at.keep("canceled", ended{})
	case errors.Is(err, errStopped):
		if a.Phase != scheduler.PhaseWorking && a.Phase != scheduler.PhasePreparing {
			return ended{} // its work is done: the next owner checks and merges it
		}
		if a.Phase == scheduler.PhaseWorking && a.Work != nil {
			return ended{} // the next owner goes on with its session
		}
		a.Outcome, a.Error = scheduler.OutcomeInterrupted, "stopped by a person"
		return at.keep("interrupted", ended{})
	case errors.Is(err, process.ErrSupervisorLost):
		a.Outcome, a.Error = scheduler.OutcomeInterrupted, "its supervising process was killed"
		if a.Phase == scheduler.PhaseVerifying {
			a.Error = "the process that supervises its gates was killed"
		}
		return at.keep("interrupted", ended{lost: true})
	}
	return ended{trouble: fmt.Errorf("%s: %w", doing, err)}
}

// failed ends an attempt that came to a bad end. Its work is saved all the same.
func (at *attempt) failed(why string, final bool) ended {
	a := &at.a
	a.Outcome, a.Error = scheduler.OutcomeFailed, why
	a.Output = lastBytes(a.Output, outputKept)
	return at.keep("failed", ended{final: final})
}

// message is the commit message of saved or merged work; recovery finds merges by its trailers.
func (e *Engine) message(a *persistence.Attempt, what string) string {
	t := e.title(a.Task)
	if what != "" {
		t += " (" + what + ")"
	}
	return fmt.Sprintf("%s\n\nOrc-Run: %s\nOrc-Task: %s\nOrc-Attempt: %d\n", t, a.Run, a.Task, a.Number)
}

// clean gives the workspace of a merged attempt back.
func (e *Engine) clean(a persistence.Attempt) {
	e.attempts.Go(func() {
		ws, err := e.o.Workspaces(a.Isolation)
		if err == nil {
			err = ws.Give(workspace.ForTask(e.ctx, string(a.Task)), e.spec(&a))
		}
		fault.Point("attempt.cleaned")
		said, glob := filepath.Glob(filepath.Join(e.o.Folder, "prompt", turnID(&a)+"*.said.md"))
		err = errors.Join(err, glob)
		for _, f := range append(said, e.promptFile(&a), e.previousFile(&a)) {
			if rm := os.Remove(f); rm != nil && !os.IsNotExist(rm) {
				err = errors.Join(err, rm)
			}
		}
		e.tell(cleaned{attempt: a, err: err})
	})
}

func (e *Engine) promptFile(a *persistence.Attempt) string {
	return filepath.Join(e.o.Folder, "prompt", turnID(a)+".md")
}

func (e *Engine) previousFile(a *persistence.Attempt) string {
	return filepath.Join(e.o.Folder, "prompt", turnID(a)+".previous.txt")
}

// lastBytes is the end of s, at a line's start where it had to be cut.
func lastBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[len(s)-n:]
	if i := strings.IndexByte(s, '\n'); i >= 0 && i < len(s)-1 {
		s = s[i+1:]
	}
	return strings.ToValidUTF8(s, "")
}

// hopeless says whether trying again at once cannot help.
func hopeless(k provider.Kind) bool {
	switch k {
	case provider.KindInvalid, provider.KindOutput, provider.KindAuth, provider.KindQuota, provider.KindModel:
		return true
	}
	return false
}
