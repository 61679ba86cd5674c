package orchestrator

import (
	"errors"
	"fmt"
	"strings"

	"orchestrator/internal/event"
	"orchestrator/internal/fault"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
)

// steps are how the task is worked through: one step, its own work, or those of its workflow.
func (at *attempt) steps() []scheduler.Step { return at.e.stepsOf(at.task.ID, &at.a) }

// stepsOf are the steps of an attempt: those of its task, or its own work alone where it resolves a conflict, or is a
// command's.
func (e *Engine) stepsOf(id scheduler.TaskID, a *persistence.Attempt) []scheduler.Step {
	if a.Resolve != nil || a.Work == nil {
		return []scheduler.Step{{}}
	}
	return e.options().StepsOf(id)
}

// place is the index of the present step.
func (at *attempt) place() int {
	if at.a.Work == nil {
		return 0
	}
	return at.a.Work.Step
}

// step is the present step. A plan that was edited may have fewer than the attempt knows of: the last one counts then.
func (at *attempt) step() scheduler.Step {
	steps := at.steps()
	return steps[min(at.place(), len(steps)-1)]
}

// role is who works on the present step: its agent, or the fallback of that.
func (at *attempt) role() string {
	if w := at.a.Work; w != nil && w.Fallback != nil {
		return w.Fallback.Role
	}
	return at.e.roleOf(at.task, at.step())
}

// roleOf is who works on a step of a task.
func (e *Engine) roleOf(t *scheduler.Task, s scheduler.Step) string {
	if s.Agent != "" {
		return s.Agent
	}
	return t.AgentRole
}

// presentRole is the role whose limits hold a task up: that of the step which its attempt is at.
func (e *Engine) presentRole(t *tracked) string {
	if t.attempt == nil || t.attempt.Work == nil || t.attempt.Outcome != "" {
		return t.task.AgentRole
	}
	if f := t.attempt.Work.Fallback; f != nil {
		return f.Role
	}
	steps := e.stepsOf(t.task.ID, t.attempt)
	return e.roleOf(e.does(t.task, t.attempt), steps[min(t.attempt.Work.Step, len(steps)-1)])
}

// working takes the present step's work to its end, and says which phase follows.
func (at *attempt) working(exit *recordedExit) (scheduler.Phase, *ended) {
	a := &at.a
	if a.Work != nil && a.Work.Ruling != "" {
		return at.ruled()
	}
	r, err := at.work(exit)
	if errors.Is(err, errParked) {
		return "", &ended{park: true}
	}
	if err != nil {
		return "", new(at.end(err, "run the command"))
	}
	fault.Point("attempt.ended")
	a.ExitCode = r.ExitCode
	if r.Kind != "" {
		a.Output = r.Output
		why := r.Error
		if at.step().Review {
			why = fmt.Sprintf("the review by %s failed: %s", at.role(), r.Error)
		}
		end := at.failed(why, hopeless(r.Kind))
		end.kind, end.role = r.Kind, at.role()
		return "", &end
	}
	left, err := at.markers() // an agent was asked to go on; a command was not
	if err != nil {
		return "", new(at.end(err, "look for conflict markers"))
	}
	if left != nil {
		return "", new(at.failed("conflict markers are left in "+some(left), false))
	}
	if at.result = &r.Summary; a.Work != nil {
		at.result = at.summary()
	}
	if at.step().Review {
		return at.judged()
	}
	if end := at.listed(); end != nil {
		return "", end
	}
	if len(at.task.Verify) > 0 {
		return at.enter(scheduler.PhaseVerifying)
	}
	return at.following()
}

// verifying runs the gates, and says which phase follows.
func (at *attempt) verifying() (scheduler.Phase, *ended) {
	failure, err := at.gates()
	for n := 0; at.a.Work != nil && n < maxLost && errors.Is(err, process.ErrSupervisorLost); n++ {
		failure, err = at.gates() // what the agent did counts; the gates are run again
	}
	if err != nil {
		return "", new(at.end(err, "run the gates"))
	}
	if failure != "" {
		return "", new(at.failed(failure, false))
	}
	fault.Point("attempt.verified")
	return at.following()
}

// following is what follows on a step that is done: the next step, or the end of the work.
func (at *attempt) following(events ...event.Event) (scheduler.Phase, *ended) {
	if next := at.place() + 1; next < len(at.steps()) {
		return at.goTo(next, events...)
	}
	switch {
	case at.a.Isolation != scheduler.IsolationNone:
		return at.enter(scheduler.PhaseSaving, events...)
	case len(events) > 0:
		return at.enter(scheduler.PhaseDone, events...)
	}
	return scheduler.PhaseDone, nil
}

// enter makes the next phase durable.
func (at *attempt) enter(p scheduler.Phase, events ...event.Event) (scheduler.Phase, *ended) {
	if err := at.phase(p, events...); err != nil {
		return "", new(at.end(err, ""))
	}
	return p, nil
}

// goTo makes another step of the workflow the present one. Nothing of it is started while its agent is held.
func (at *attempt) goTo(step int, events ...event.Event) (scheduler.Phase, *ended) {
	a, e := &at.a, at.e
	role := e.roleOf(at.task, at.steps()[step])
	agent, ok := e.options().Agents[role]
	if !ok {
		return "", &ended{trouble: fmt.Errorf("no agent %q in this run", role)}
	}
	a.Work = a.Work.Enter(step, persistence.Work{
		Provider: agent.Provider, Account: accountOf(agent), Role: at.steps()[step].Agent, Judges: at.steps()[step].Review,
	})
	a.Phase = scheduler.PhaseWorking
	turns := at.turns
	at.turns = nil
	d := event.Detail{Status: string(scheduler.TaskRunning), Phase: string(a.Phase), Agent: role, Step: step + 1}
	if at.step().Review {
		d.Action, d.Round = ActReview, a.Work.Round+1
	}
	if err := e.report(progress{attempt: *a, turns: turns, events: append(events, e.event(event.TaskPhase, a.Task, a.Number, d))}); err != nil {
		return "", new(at.end(err, ""))
	}
	fault.Point("attempt.step")
	h, over, err := e.heldRole(at.role())
	switch {
	case err != nil:
		return "", new(at.end(err, ""))
	case over != nil && a.Work.Fallback == nil:
		a.Work = goOver(a.Work, over, e.options().Agents[over.Role])
		if err := e.report(progress{attempt: *a, events: []event.Event{e.sayFallback(a)}}); err != nil {
			return "", new(at.end(err, ""))
		}
		return a.Phase, nil
	case h == nil || h.budget != nil: // the budget is looked at before each turn
		return a.Phase, nil
	case h.until.IsZero():
		end := at.failed(fmt.Sprintf("%s cannot start: %s", role, oneLine(h.reason)), true)
		return "", &end
	}
	a.Work.Wait, a.Work.Reason, a.NotBefore, a.Phase = persistence.WaitLimit, h.reason, h.until, scheduler.PhaseWaiting
	if h.circuit { // it goes on as soon as that is closed
		a.Work.Wait, a.NotBefore = persistence.WaitCircuit, e.o.Now()
	}
	return "", &ended{park: true}
}

// ActReview is the word in Detail.Action of an attempt that a reviewer looks at.
const ActReview = "review"

// heldRole asks the loop whether the agents of a role may not start, and who can instead; nil = they may.
func (e *Engine) heldRole(role string) (*hold, *persistence.Fallback, error) {
	q := heldAsk{role: role, answer: make(chan heldAnswer, 1)}
	select {
	case e.inbox <- q:
	case <-e.ctx.Done():
		return nil, nil, errFatal
	}
	select {
	case x := <-q.answer:
		return x.hold, x.over, nil
	case <-e.ctx.Done():
		return nil, nil, errFatal
	}
}

// summary is what the steps that worked said at their ends, in order.
func (at *attempt) summary() *string {
	var parts []string
	for i, s := range at.steps() {
		w := at.a.Work.At(i)
		if w == nil || s.Review || strings.TrimSpace(w.Words) == "" {
			continue
		}
		if len(parts) == 0 {
			parts = append(parts, w.Words)
		} else {
			parts = append(parts, at.e.roleOf(at.task, s)+": "+w.Words)
		}
	}
	text := strings.Join(parts, "\n\n")
	return &text
}

// opening is what the present step's agent is told first, or again by a session that begins anew.
func (t *talk) opening() (string, error) {
	at := t.at
	if at.step().Review {
		return t.reviewPrompt()
	}
	prompt, err := at.compose()
	if err != nil || at.place() == 0 {
		return prompt, err
	}
	part := at.step().Prompt
	if part == "" {
		part = "Do your part of it, as your role says."
	}
	return prompt + "\n## Your part\n\nAnother agent has worked on this task; its work is in your workspace. It said:\n\n" +
		lines(orNothing(*at.summary()), "    ") + "\n\n" + part + "\n", nil
}

// reopening is what an agent is told that comes back to its step in its own session; empty = it is no such case.
func (t *talk) reopening() (string, error) {
	w, at := t.w, t.at
	if w.Turn != w.Since || w.Review == nil {
		return "", nil
	}
	if at.step().Review {
		return t.reviewAgain()
	}
	if w.Review.Approved {
		return "", nil
	}
	by := at.e.roleOf(at.task, at.steps()[w.Review.Step])
	return fmt.Sprintf("Your work was reviewed by %s, who wants changes:\n\n%s\n\n%s\n", by, lines(w.Review.Findings, "    "),
		"Your workspace is as you left it. Deal with each point; where you do not follow one, say why. End with a summary of the whole work."), nil
}

func orNothing(s string) string {
	if strings.TrimSpace(s) == "" {
		return "(nothing)"
	}
	return s
}
