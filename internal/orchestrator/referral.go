package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"orchestrator/internal/environ"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// The bounds of one referral. At each of them the person is asked.
const (
	referralTime       = 10 * time.Minute // of one owner
	mostReferralCuts   = 3                // turns cut off
	mostReferralNudges = 1                // times that it is asked for its decision again
)

// errUndecided is why a referral is given up.
var errUndecided = fmt.Errorf("it has not decided within %s", referralTime)

// referral is one question that an agent is asked before the person, in a session of its own. What it has come to is in
// st, which is stored before and after each step.
type referral struct {
	e      *Engine
	ctx    context.Context     // ends with errDismissed or the engine's end
	a      persistence.Attempt // that asks, as it was then
	q      persistence.Question
	st     persistence.Referral
	agent  persistence.Agent
	prompt string // what it is told first
}

// referralKey is the key of the exit record of a referral's present turn.
func referralKey(a *persistence.Attempt, q *persistence.Question) string {
	key := referralID(a, q)
	if q.Referral.Turn > 1 {
		key += ".t" + strconv.Itoa(q.Referral.Turn)
	}
	return key
}

// referralID names the files of a referral.
func referralID(a *persistence.Attempt, q *persistence.Question) string {
	return turnID(a) + ".q" + strconv.FormatInt(q.ID, 10)
}

// run takes the referral to its end: an answer, or the question goes on to the person.
func (r *referral) run(exit *recordedExit) {
	ctx, cancel := context.WithTimeoutCause(r.ctx, referralTime, errUndecided)
	defer cancel()
	d, err := r.decide(ctx, exit)
	if r.ctx.Err() != nil || errors.Is(err, errDismissed) || errors.Is(err, errFatal) {
		r.e.tell(r.step(nil)) // what it used counts all the same
		return
	}
	if err != nil {
		d = decision{pass: true, text: fmt.Sprintf("the agent %s did not answer: %s", r.st.Role, oneLine(err.Error()))}
	}
	if err := r.report(&d); err != nil && !errors.Is(err, errDismissed) && !errors.Is(err, errFatal) {
		r.e.log.Error("a decision could not be recorded", "task", string(r.a.Task), "question", r.q.ID, "error", err)
	}
}

// decide has turns of the session until there is a decision.
func (r *referral) decide(ctx context.Context, exit *recordedExit) (decision, error) {
	m, res, err := r.takeUp(ctx, exit)
	for err == nil {
		if m != nil {
			res, err = r.turn(ctx, *m)
			if errors.Is(err, process.ErrSupervisorLost) {
				if m, res, err = r.finish(ctx, lostExit); m != nil {
					continue
				}
			}
			if err != nil {
				break
			}
		}
		var d decision
		if d, m, err = r.judge(&res); m == nil && err == nil {
			return d, nil
		}
	}
	return decision{}, err
}

// takeUp says where the referral begins, or goes on after its owner went away.
func (r *referral) takeUp(ctx context.Context, exit *recordedExit) (*message, provider.Result, error) {
	switch {
	case r.st.Turn == 0:
		return &message{text: r.prompt}, provider.Result{}, nil
	case r.st.Open && exit != nil:
		return r.finish(ctx, exit.Exit)
	case r.st.Open:
		return r.finish(ctx, lostExit)
	}
	m, err := r.again(ctx)
	return m, provider.Result{}, err
}

// turn runs one turn from its message to its end.
func (r *referral) turn(ctx context.Context, m message) (provider.Result, error) {
	p, err := r.provider()
	if err != nil {
		return provider.Result{}, err
	}
	folder := r.e.o.Folder
	st := &r.st
	st.Provider, st.Log = p.Name(), filepath.Join(folder, "log", referralID(&r.a, &r.q)+".log")
	if st.From, err = sizeOf(st.Log); err != nil {
		return provider.Result{}, err
	}
	if !m.resume {
		st.Session, st.Counters = "", persistence.Usage{}
		if agent, ok := p.(provider.Agent); ok {
			st.Session = agent.NewSession()
		}
	}
	st.Turn++
	st.Open, st.Resume, st.Before = true, m.resume, st.Counters
	st.Said = filepath.Join(folder, "prompt", r.key()+".said.md")
	if err := os.WriteFile(st.Said, []byte(m.text), 0o600); err != nil {
		return provider.Result{}, fmt.Errorf("write the message: %w", err)
	}
	if err := r.report(nil); err != nil {
		return provider.Result{}, err
	}
	req, err := r.request()
	if err != nil {
		return provider.Result{}, err
	}
	cell, err := r.cell(req.Env)
	if err != nil {
		return provider.Result{}, err
	}
	var l provider.Launcher = &r.e.launchers
	if cell != nil {
		l = confined{l, cell}
	}
	res, err := p.Turn(ctx, l, req)
	r.used(&res, err == nil)
	if err == nil {
		st.Open = false
	}
	return res, err
}

// finish brings in what a turn came to that nobody watched to its end. One that was cut off is gone on with.
func (r *referral) finish(ctx context.Context, exit process.Exit) (*message, provider.Result, error) {
	p, err := r.provider()
	if err != nil {
		return nil, provider.Result{}, err
	}
	req, err := r.request()
	if err != nil {
		return nil, provider.Result{}, err
	}
	res, err := p.Finish(req, exit)
	if err != nil {
		return nil, provider.Result{}, err
	}
	r.st.Open = false
	if trustworthy(exit) || saidTheEnd(res.Kind) {
		r.used(&res, true)
		return nil, res, nil
	}
	r.used(&res, false)
	if r.st.Cut++; r.st.Cut > mostReferralCuts {
		return nil, res, fmt.Errorf("it was cut off %d times", r.st.Cut)
	}
	m, err := r.again(ctx)
	return m, res, err
}

// again is the message that goes on with the session, or begins anew where there is none.
func (r *referral) again(ctx context.Context) (*message, error) {
	p, err := r.provider()
	if err != nil {
		return nil, err
	}
	agent, ok := p.(provider.Agent)
	if !ok || r.st.Session == "" {
		return &message{text: r.prompt}, nil
	}
	req, err := r.request()
	if err != nil {
		return nil, err
	}
	cell, err := r.cell(req.Env)
	if err != nil {
		return nil, err
	}
	req.Wrap = wrapping(cell)
	has, err := agent.HasSession(ctx, req)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil { // nobody can say: trying tells
		r.e.log.Info("cannot look for the session", "task", string(r.a.Task), "session", r.st.Session, "error", err)
	} else if !has {
		return &message{text: r.prompt}, nil
	}
	return &message{text: interruptedReferral + howToDecide, resume: true}, nil
}

// judge decides what follows from a turn's result: a decision, or another message.
func (r *referral) judge(res *provider.Result) (decision, *message, error) {
	if res.Kind == provider.KindSession && r.st.Resume {
		if r.st.Cut++; r.st.Cut > mostReferralCuts {
			return decision{}, nil, errNoSession
		}
		return decision{}, &message{text: r.prompt}, nil
	}
	if res.Kind != "" {
		why := res.Error
		if !res.RetryAt.IsZero() {
			why += ", again from " + res.RetryAt.Format(time.TimeOnly)
		}
		return decision{}, nil, errors.New(why)
	}
	if d, ok := readDecision(res.Summary, r.q.Options); ok {
		return d, nil, nil
	}
	if r.st.Nudges++; r.st.Nudges > mostReferralNudges || r.st.Session == "" {
		return decision{}, nil, errors.New("it ended its turn without a decision")
	}
	return decision{}, &message{text: "Your answer has no decision. " + howToDecide, resume: true}, nil
}

// provider is who is asked.
func (r *referral) provider() (provider.Provider, error) {
	p, ok := r.e.o.Providers[r.agent.Provider]
	if !ok {
		return nil, fmt.Errorf("no provider %q in this program", r.agent.Provider)
	}
	return p, nil
}

func (r *referral) key() string {
	q := r.q
	q.Referral = &r.st
	return referralKey(&r.a, &q)
}

// request is what the provider is asked for, as the state says. It gets no tools: what it has to know it is told.
func (r *referral) request() (provider.Turn, error) {
	st, e := &r.st, r.e
	said, err := os.ReadFile(st.Said)
	if err != nil {
		return provider.Turn{}, fmt.Errorf("read the message: %w", err)
	}
	state := r.state()
	if err := os.MkdirAll(state, 0o700); err != nil {
		return provider.Turn{}, fmt.Errorf("make the agent's folder: %w", err)
	}
	return provider.Turn{
		ID: r.key(), Dir: e.o.Repository.Root(), Env: r.environ(), Command: r.agent.Command, Prompt: string(said), PromptFile: st.Said, Log: st.Log,
		Grace: e.o.Grace, OutputLimit: e.o.OutputLimit, Program: r.agent.Program, Args: r.agent.Args, Model: r.agent.Model,
		Permissions: provider.PermitRead, Instructions: r.agent.Instructions,
		State: state, Session: st.Session, Resume: st.Resume, Before: toProvider(st.Before), Start: st.From, Sink: r.sink,
	}, nil
}

// environ is the environment of its commands. They belong to no task.
func (r *referral) environ() []string {
	e := r.e
	env := environ.Allowed(e.o.Environ, slices.Concat(e.options().Pass, r.agent.Pass)...)
	for _, name := range slices.Sorted(maps.Keys(r.agent.Set)) {
		env = append(env, name+"="+r.agent.Set[name])
	}
	root := e.o.Repository.Root()
	return append(env, "PWD="+root, "GIT_TERMINAL_PROMPT=0", "ORC_RUN="+string(r.a.Run), "ORC_REPOSITORY="+root)
}

// state is the folder for files of the agent. No task has a name that begins with a dot.
func (r *referral) state() string {
	return filepath.Join(r.e.o.Folder, "state", "."+referralID(&r.a, &r.q))
}

// cell keeps the agent from writing into the repository; nil = it is not confined.
func (r *referral) cell(env []string) (Cell, error) {
	e := r.e
	if e.o.Confine == nil || r.agent.Sandbox == "" || r.agent.Sandbox == sandboxOff {
		return nil, nil
	}
	c, err := e.o.Confine(Room{
		Agent: r.agent, Turn: true, Review: true, Isolation: scheduler.IsolationClone, Dir: e.o.Repository.Root(), State: r.state(), Env: env,
	})
	if err != nil {
		return nil, fmt.Errorf("confine the agent %s: %w", r.st.Role, err)
	}
	return c, nil
}

// sink makes durable what it takes to go on with the session, and what it has used.
func (r *referral) sink(ev provider.Event) error {
	switch ev.Kind {
	case provider.EventSession:
		r.st.Session = ev.Session
	case provider.EventUsage:
		r.st.Use(persistence.TurnUsage{Turn: r.st.Turn, Role: r.st.Role, Model: ev.Usage.Model, Usage: fromProvider(ev.Usage)})
	default:
		return nil
	}
	return r.report(nil)
}

// used takes over what a turn's result says of its session and its usage.
func (r *referral) used(res *provider.Result, complete bool) {
	st := &r.st
	if res.Session != "" {
		st.Session = res.Session
	}
	if u := fromProvider(res.Usage); !u.IsZero() || complete {
		st.Use(persistence.TurnUsage{Turn: st.Turn, Role: st.Role, Model: res.Usage.Model, Complete: complete && !u.IsZero(), Usage: u})
	}
	if c := fromProvider(res.Counters); !c.IsZero() {
		st.Counters = c
	}
}

func (r *referral) step(d *decision) referralStep {
	return referralStep{task: r.a.Task, attempt: r.a.Number, question: r.q.ID, state: r.st, decision: d, done: make(chan error, 1)}
}

// report makes a step durable; errDismissed = nobody waits for the answer any more.
func (r *referral) report(d *decision) error {
	s := r.step(d)
	select {
	case r.e.inbox <- s:
	case <-r.e.ctx.Done():
		return errFatal
	}
	select {
	case err := <-s.done:
		return err
	case <-r.e.ctx.Done():
		return errFatal
	}
}
