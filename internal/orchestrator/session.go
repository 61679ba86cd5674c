package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// The bounds of one attempt.
const (
	mostCuts   = 10 // turns cut off, none ended in between: the agent itself is the suspect then
	mostFresh  = 3  // sessions begun anew
	mostNudges = 2  // times that an agent which stopped too early is asked to go on
)

// talk is an attempt's conversation with its agent: turns of one session, until the agent has done what its task
// asks, failed, or has to wait. What it has come to is in the attempt's Work, which is stored before and after each
// step, so that another process can take the conversation up where this one was killed.
type talk struct {
	at    *attempt
	agent provider.Agent
	role  persistence.Agent
	w     *persistence.Work
}

// message is what an agent is told to begin a turn with.
type message struct {
	text   string
	resume bool // in the session that there is; else in a new one
}

// lostExit stands for the exit of a turn of which nobody knows how it ended.
var lostExit = process.Exit{Code: 137, Signal: "SIGKILL", Lost: true}

// converse takes the conversation to its end. exit is that of a turn that was under way when its owner went away.
func (at *attempt) converse(agent provider.Agent, exit *recordedExit) (provider.Result, error) {
	t := &talk{at: at, agent: agent, role: at.e.options().Agents[at.role()], w: at.a.Work}
	next, r, err := t.takeUp(exit)
	for err == nil {
		if next != nil {
			r, err = t.turn(*next)
			if errors.Is(err, process.ErrSupervisorLost) {
				next, r, err = t.finish(recordedExit{Exit: lostExit})
				if next != nil {
					continue
				}
			}
			if stall := (*stalledError)(nil); errors.As(err, &stall) {
				next, r, err = t.stalled(stall)
				if next != nil {
					continue
				}
			}
			if err != nil {
				break
			}
		}
		next, err = t.judge(&r)
		if next == nil && err == nil {
			return r, nil
		}
	}
	if errors.Is(err, errNoSession) {
		return provider.Result{Kind: provider.KindFailed, Error: err.Error()}, nil
	}
	return provider.Result{}, err
}

// takeUp says where the conversation goes on: with a message, or with the result of a turn that ended while nobody
// watched.
func (t *talk) takeUp(exit *recordedExit) (*message, provider.Result, error) {
	switch w := t.w; {
	case refusedBefore(w) != nil:
		return nil, provider.Result{}, refusedBefore(w)
	case w.Open && exit != nil:
		return t.finish(*exit)
	case w.Open:
		return t.finish(recordedExit{Exit: lostExit})
	case w.Fallback != nil && w.Fallback.Took && w.Session == "":
		text, err := t.overText()
		return &message{text: text}, provider.Result{}, err
	case w.Turn == w.Since && w.Session == "":
		text, err := t.opening()
		return &message{text: text}, provider.Result{}, err
	default: // it waited, or goes on with what an earlier attempt began
		m, err := t.again()
		return m, provider.Result{}, err
	}
}

// turn runs one turn from its message to its end.
func (t *talk) turn(m message) (r provider.Result, err error) {
	at, w, e := t.at, t.w, t.at.e
	if err := at.mayGoOn(); err != nil {
		return r, err
	}
	env, err := at.environ()
	if err != nil {
		return r, err
	}
	launcher, err := t.confine(env)
	if err != nil {
		return provider.Result{}, err
	}
	if err := t.begin(m); err != nil {
		return provider.Result{}, err
	}
	req, err := t.request()
	if err != nil {
		return provider.Result{}, err
	}
	req.Env = env
	ctx, cancel := t.limited()
	defer cancel()
	leave, err := t.attend(ctx)
	if err != nil {
		return provider.Result{}, err
	}
	defer func() { err = errors.Join(err, leave()) }()
	sink := newSink(t)
	ctx, watch, unwatch := t.watchStalls(ctx)
	defer unwatch()
	req.Sink = func(e provider.Event) error {
		watch.saw(&e)
		return sink.take(e)
	}
	began := time.Now()
	r, err = t.agent.Turn(ctx, launcher, req)
	r = e.withoutSecrets(r)
	if flushed := sink.close(); err == nil {
		err = flushed
	}
	if err != nil {
		w.Stopped = errors.Is(err, errStopped)
		t.used(r, false)
		if r.Session != "" {
			w.Session = r.Session
		}
		return provider.Result{}, err
	}
	t.ended(r, time.Since(began))
	return r, nil
}

// begin makes it durable that a turn is about to start, and with what session and message.
func (t *talk) begin(m message) error {
	at, w, e := t.at, t.w, t.at.e
	size, err := sizeOf(at.a.Log)
	if err != nil {
		return err
	}
	if !m.resume {
		w.Session, w.Counters = t.agent.NewSession(), persistence.Usage{}
	}
	w.Turn++
	w.Open, w.Resume, w.From, w.Before = true, m.resume, size, w.Counters
	w.Offset, w.Index, w.Events = 0, 0, 0
	w.Reason, w.Stopped, w.Wait, w.Doing = "", false, "", ""
	w.Said = filepath.Join(e.o.Folder, "prompt", turnKey(&at.a)+".said.md")
	if err := os.WriteFile(w.Said, []byte(m.text), 0o600); err != nil {
		return fmt.Errorf("write the message: %w", err)
	}
	turns := append(at.turns, e.turn(at.a.Task, at.a.Number, "user", m.text))
	at.turns = nil
	return e.report(progress{attempt: at.a, turns: turns, sessions: t.sessions()})
}

// sessions is the session's row, if it is known. Those of the later steps of a workflow are in the attempt's work alone.
func (t *talk) sessions() []persistence.Session {
	if t.w.Session == "" || t.w.Step > 0 {
		return nil
	}
	return []persistence.Session{{Task: t.at.a.Task, Attempt: t.at.a.Number, Provider: t.w.Provider, SessionID: t.w.Session}}
}

// request is what the provider is asked for, as the work says.
func (t *talk) request() (provider.Turn, error) {
	at, w, e := t.at, t.w, t.at.e
	said, err := os.ReadFile(w.Said)
	if err != nil && w.Turn > 0 {
		return provider.Turn{}, fmt.Errorf("read the message: %w", err)
	}
	state := e.stateOf(at.a.Task)
	if err := os.MkdirAll(state, 0o700); err != nil {
		return provider.Turn{}, fmt.Errorf("make the agent's folder: %w", err)
	}
	permissions := provider.Permissions(t.role.Permissions)
	if at.step().Review {
		permissions = provider.PermitRead
	}
	return provider.Turn{
		ID: turnKey(&at.a), Dir: at.dir(), Command: t.role.Command, Prompt: string(said), PromptFile: w.Said, Log: at.a.Log,
		Grace: e.o.Grace, OutputLimit: e.o.OutputLimit, Program: t.role.Program, Args: t.role.Args, Model: t.role.Model,
		Permissions: permissions, Instructions: t.role.Instructions, Servers: e.servers(&at.a),
		State: state, Session: w.Session, Resume: w.Resume, Before: toProvider(w.Before), Start: w.From, From: w.Offset,
	}, nil
}

// limited is the attempt's context with what is left of the task's timeout, which counts turns and not waits.
func (t *talk) limited() (context.Context, context.CancelFunc) {
	if t.at.task.Timeout <= 0 {
		return context.WithCancel(t.at.ctx)
	}
	return context.WithTimeoutCause(t.at.ctx, max(t.at.task.Timeout-t.w.Worked, time.Second), errTimeout)
}

// ended takes over what a turn came to. It becomes durable with the next step; until then the turn would be finished
// again from its recorded exit, with the same result.
func (t *talk) ended(r provider.Result, took time.Duration) {
	w := t.w
	w.Open = false
	w.Worked += took
	if r.Session != "" {
		w.Session = r.Session
	}
	t.used(r, true)
	if w.Events == 0 && r.Summary != "" {
		t.at.turns = append(t.at.turns, t.at.e.turn(t.at.a.Task, t.at.a.Number, "assistant", r.Summary))
	}
}

// finish brings in what a turn did whose process ended while nobody watched: the events that are not stored yet, then
// its result. A turn that was cut off is gone on with by the message that it returns.
func (t *talk) finish(exit recordedExit) (*message, provider.Result, error) {
	w := t.w
	req, err := t.request()
	if err != nil {
		return nil, provider.Result{}, err
	}
	sink := newSink(t)
	req.Sink = sink.take
	r, err := t.agent.Finish(req, exit.Exit)
	r = t.at.e.withoutSecrets(r)
	if flushed := sink.close(); err == nil {
		err = flushed
	}
	if err != nil {
		return nil, provider.Result{}, err
	}
	if trustworthy(exit.Exit) || saidTheEnd(r.Kind) {
		t.ended(r, max(exit.Ended.Sub(exit.Started), 0))
		return nil, r, nil
	}
	if err := t.awaitReferrals(); err != nil {
		return nil, provider.Result{}, err
	}
	w.Open = false
	t.used(r, false)
	if r.Session != "" {
		w.Session = r.Session
	}
	w.Reason = "you were interrupted"
	if !w.Stopped {
		w.Cut++
	}
	if w.Cut > mostCuts {
		return nil, provider.Result{Kind: provider.KindCrashed, Error: fmt.Sprintf("cut off %d times in its work", w.Cut), Output: r.Output}, nil
	}
	m, err := t.again()
	return m, provider.Result{}, err
}

// saidTheEnd says whether a result can only come from an agent that reached the end of its turn, even if its process
// was killed after that.
func saidTheEnd(k provider.Kind) bool {
	return k != provider.KindFailed && k != provider.KindCrashed && k != provider.KindOutput && k != provider.KindInvalid
}

// again is the message that goes on with the session, or that hands the work over to a new one where it is gone.
func (t *talk) again() (*message, error) {
	w := t.w
	there := w.Session != ""
	if there {
		req, err := t.request()
		if err != nil {
			return nil, err
		}
		if req.Env, err = t.at.environ(); err != nil {
			return nil, err
		}
		cell, err := t.at.cell(req.Env)
		if err != nil {
			return nil, err
		}
		req.Wrap = wrapping(cell)
		has, err := t.agent.HasSession(t.at.ctx, req)
		if t.at.ctx.Err() != nil {
			return nil, context.Cause(t.at.ctx)
		}
		if err != nil { // nobody can say: trying tells
			t.at.e.log.Info("cannot look for the session", "task", string(t.at.a.Task), "session", w.Session, "error", err)
		}
		there = has || err != nil
	}
	if !there {
		return t.handOver("its session does not exist any more")
	}
	text, err := t.goOnText()
	return &message{text: text, resume: true}, err
}

// handOver is the message to a new session that takes the work of an earlier one over; errNoSession when that happened
// too often.
func (t *talk) handOver(why string) (*message, error) {
	if t.w.Fresh++; t.w.Fresh > mostFresh {
		return nil, fmt.Errorf("%w: %s", errNoSession, why)
	}
	text, err := t.handOverText(why)
	return &message{text: text}, err
}

// errNoSession says that no session could be made to last.
var errNoSession = errors.New("no session of the agent lasts")

// judge decides what follows from a result: another message, a wait (an error), or, with nil, that the result is the
// attempt's.
func (t *talk) judge(r *provider.Result) (*message, error) {
	w := t.w
	if asked, ok := askedTooMuch(t.at.ctx, nil); ok {
		return nil, asked // its turn ended before it could be stopped
	}
	switch r.Kind {
	case "":
		w.Cut, w.Waits = 0, 0
		t.at.e.tell(worked{w.Account})
		return t.evidence(r)
	case provider.KindTurns:
		w.Cut, w.Waits = 0, 0
		return t.nudge(r, "It stopped at its own limit of steps", "You stopped at your limit of steps. Go on with your task where you left off.")
	case provider.KindTransient, provider.KindLimit:
		return nil, t.wait(r)
	case provider.KindSession:
		if w.Resume {
			return t.handOver("its session does not exist any more")
		}
	case provider.KindContext:
		return t.handOver("its conversation had become too long for the model")
	}
	return nil, nil
}

// turnKey is the key of the exit record of an attempt's present turn.
func turnKey(a *persistence.Attempt) string {
	if a.Work == nil || a.Work.Turn <= 1 {
		return turnID(a)
	}
	return turnID(a) + ".t" + strconv.Itoa(a.Work.Turn)
}

// sizeOf is the size of a file, 0 when there is none.
func sizeOf(path string) (int64, error) {
	st, err := os.Stat(path)
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look at the log: %w", err)
	}
	return st.Size(), nil
}

// phaseOf is the event of an attempt's present phase.
func (e *Engine) phaseOf(a *persistence.Attempt) event.Event {
	return e.event(event.TaskPhase, a.Task, a.Number, event.Detail{Status: string(scheduler.TaskRunning), Phase: string(a.Phase)})
}

// whole says that the folder of an attempt is still there.
func whole(a *persistence.Attempt) bool {
	if a.Cleaned {
		return false
	}
	if a.Workspace == "" {
		return true
	}
	st, err := os.Stat(a.Workspace)
	return err == nil && st.IsDir()
}

// lines indents a text for a list.
func lines(text, indent string) string {
	return indent + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+indent)
}
