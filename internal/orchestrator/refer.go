package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
)

// errDismissed ends a referral that nobody waits for any more: the person was faster, or the agent has gone on.
var errDismissed = errors.New("nobody waits for the answer any more")

// referralStep is a step of an agent that is asked before the person, which has to be durable before it goes on.
type referralStep struct {
	task     scheduler.TaskID
	attempt  int
	question int64
	state    persistence.Referral
	decision *decision  // nil = none yet
	done     chan error // gets nil when the step is in the store, errDismissed when nobody waits any more
}

func (referralStep) isInput() {}

// referralWait is an attempt's wish to be told when nobody but the person is asked any of its questions.
type referralWait struct {
	task scheduler.TaskID
	done chan struct{} // closed then
}

func (referralWait) isInput() {}

// refer has the orchestrator agent asked a question before the person, if it can be.
func (e *Engine) refer(b *batch, a *persistence.Attempt, q *persistence.Question) {
	q.Referral = &persistence.Referral{Role: persistence.OrchestratorRole}
	if why := e.unreferable(a, q); why != "" {
		q.Referral.Remark, q.Referral.Passed = why, q.AskedAt
		return
	}
	task, id := a.Task, q.ID
	b.after = append(b.after, func() { e.launchReferral(task, id, nil) })
}

// unreferable says why the orchestrator agent is not asked a question; empty = it is.
func (e *Engine) unreferable(a *persistence.Attempt, q *persistence.Question) string {
	role := q.Referral.Role
	if _, there := e.options().Agents[role]; !there {
		return fmt.Sprintf("the agent %s is not asked: this run has none", role)
	}
	if h := e.rawHold(role); h != nil {
		return fmt.Sprintf("the agent %s is not asked: %s", role, oneLine(h.reason))
	}
	for _, before := range a.Work.Questions { // the agent was interrupted while it waited, and asks again
		if r := before.Referral; before.ID != q.ID && r != nil && !r.Passed.IsZero() && before.Text == q.Text {
			return r.Remark
		}
	}
	return ""
}

// referred are the questions of a task's agent that another agent is asked, and somebody still waits for.
func (t *tracked) referred() []persistence.Question {
	a := t.attempt
	if a == nil || a.Outcome != "" || a.Work == nil {
		return nil
	}
	return slices.DeleteFunc(a.Work.Asking(), func(q persistence.Question) bool { return !q.Referred() })
}

// launchReferral starts the goroutine that asks, or goes on with what an earlier owner began. Called by the loop only.
func (e *Engine) launchReferral(task scheduler.TaskID, id int64, exit *recordedExit) {
	t := e.tasks[task]
	open := t.referred()
	i := slices.IndexFunc(open, func(q persistence.Question) bool { return q.ID == id })
	if i < 0 {
		return // answered, or over, in the same transition
	}
	ctx, cancel := context.WithCancelCause(e.ctx)
	if t.referring == nil {
		t.referring = map[int64]context.CancelCauseFunc{}
	}
	t.referring[id] = cancel
	r := &referral{
		e: e, ctx: ctx, a: *t.attempt, q: open[i], st: *open[i].Referral,
		agent: e.options().Agents[open[i].Referral.Role], prompt: e.referralPrompt(t, &open[i]),
	}
	e.attempts.Go(func() {
		defer cancel(nil)
		r.run(exit)
	})
}

// resumeReferrals has agents go on that an earlier owner asked about a question of an attempt which goes on too.
func (e *Engine) resumeReferrals(b *batch, t *tracked, exits map[string]process.Exit) {
	for _, q := range t.referred() {
		if why := e.unreferable(t.attempt, &q); why != "" {
			e.decided(b, t, q.ID, decision{pass: true, text: why})
			continue
		}
		var exit *recordedExit
		if x, ok := exits[referralKey(t.attempt, &q)]; ok {
			exit = &recordedExit{Exit: x}
		}
		task, id := t.task.ID, q.ID
		b.after = append(b.after, func() { e.launchReferral(task, id, exit) })
	}
}

// takeReferral takes over what an agent that is asked has come to.
func (e *Engine) takeReferral(b *batch, in referralStep) {
	t := e.tasks[in.task]
	refuse := func() { b.after = append(b.after, func() { in.done <- errDismissed }) }
	a := t.attempt
	if a.Number != in.attempt || a.Work == nil {
		refuse()
		return
	}
	waited := slices.ContainsFunc(t.referred(), func(q persistence.Question) bool { return q.ID == in.question })
	known := e.question(b, t, in.question, func(q *persistence.Question) { // what it used counts in any case
		state := in.state
		state.Remark, state.Passed = q.Referral.Remark, q.Referral.Passed
		q.Referral = &state
	})
	if !known || !waited {
		refuse()
		return
	}
	if in.decision != nil {
		e.decided(b, t, in.question, *in.decision)
	}
	b.acks = append(b.acks, in.done)
}

// question changes a question of a task's present attempt; false = it has no such question.
func (e *Engine) question(b *batch, t *tracked, id int64, change func(q *persistence.Question)) bool {
	w := t.attempt.Work.Clone()
	i := slices.IndexFunc(w.Questions, func(q persistence.Question) bool { return q.ID == id })
	if i < 0 {
		return false
	}
	w.Questions = slices.Clone(w.Questions)
	change(&w.Questions[i])
	t.attempt.Work = w
	b.record(*t.attempt)
	return true
}

// decided makes an agent's decision about a question true: it is answered, or the person is asked.
func (e *Engine) decided(b *batch, t *tracked, id int64, d decision) {
	a, now := t.attempt, e.o.Now().UTC()
	text := e.redacted(d.text)
	var asked persistence.Question
	e.question(b, t, id, func(q *persistence.Question) {
		r := *q.Referral
		if d.pass {
			r.Remark, r.Passed = text, now
		} else {
			q.Answer, q.AnsweredAt, q.By = text, now, r.Role
		}
		q.Referral, asked = &r, *q
	})
	role := asked.Referral.Role
	b.t.Turns = append(b.t.Turns, e.turn(a.Task, a.Number, role, cmp.Or(d.said, d.text)))
	detail := event.Detail{Status: string(scheduler.TaskRunning), Question: id, By: role}
	if d.pass {
		detail.Message, detail.Options, detail.Reason = asked.Text, asked.Options, text
		b.t.Events = append(b.t.Events, e.event(event.TaskPassed, a.Task, a.Number, detail))
	} else {
		detail.Message = text
		b.t.Turns = append(b.t.Turns, e.turn(a.Task, a.Number, "answer", text))
		b.t.Events = append(b.t.Events, e.event(event.TaskAnswered, a.Task, a.Number, detail))
	}
	t.dismiss(b)
}

// dismiss ends the referrals of a task that nobody waits for any more, and lets its attempt go on that waited for them.
func (t *tracked) dismiss(b *batch) {
	open := t.referred()
	for id, cancel := range t.referring {
		if !slices.ContainsFunc(open, func(q persistence.Question) bool { return q.ID == id }) {
			delete(t.referring, id)
			b.after = append(b.after, func() { cancel(errDismissed) })
		}
	}
	if len(t.referring) > 0 {
		return
	}
	for _, done := range t.waiting {
		b.after = append(b.after, func() { close(done) })
	}
	t.waiting = nil
}

// dropReferrals ends all referrals of a task whose attempt has no process any more. One that has no outcome goes on with
// them under the next owner.
func (t *tracked) dropReferrals(b *batch) {
	for _, cancel := range t.referring {
		b.after = append(b.after, func() { cancel(errDismissed) })
	}
	t.referring, t.waiting = nil, nil
}

// awaitReferrals waits, before an interrupted turn is gone on with, for what other agents say to its questions.
func (t *talk) awaitReferrals() error {
	e := t.at.e
	w := referralWait{task: t.at.a.Task, done: make(chan struct{})}
	select {
	case e.inbox <- w:
	case <-e.ctx.Done():
		return errFatal
	}
	select {
	case <-w.done:
		return nil
	case <-t.at.ctx.Done():
		return context.Cause(t.at.ctx)
	case <-e.ctx.Done():
		return errFatal
	}
}
