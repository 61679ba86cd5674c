package orchestrator

import (
	"context"
	"errors"
	"fmt"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// What a run's options say about questions; everything else waits for a person's answer.
const (
	questionsOrchestrator = "orchestrator" // the agent of that role is asked first
	questionsNever        = "never"
	questionsFail         = "fail"
)

// nobodyAnswers is the answer where nobody is asked.
const nobodyAnswers = "Nobody answers questions in this run. Decide yourself, by what the task and the repository say, and tell in your summary what you assumed."

// askedError is why an attempt fails whose agent asked where that is not allowed.
type askedError struct{ question string }

func (e askedError) Error() string {
	return fmt.Sprintf("its agent asks a question, which is a failure here (`questions: fail`): %s", oneLine(clip(e.question, toldTurn)))
}

// questionsOf is what becomes of a question of a task's agent.
func (e *Engine) questionsOf(id scheduler.TaskID) string {
	if own, ok := e.options().QuestionsOf[id]; ok {
		return own
	}
	return e.options().Questions
}

// ask records a question of an attempt's agent: it waits for a person or for another agent, is answered at once, or ends
// the attempt, as the run's options say. The error is told to the agent.
func (e *Engine) ask(b *batch, a *persistence.Attempt, q persistence.Question) (persistence.Question, error) {
	b.t.Turns = append(b.t.Turns, e.turn(a.Task, a.Number, "question", q.Text))
	how := e.questionsOf(a.Task)
	d := event.Detail{Status: string(scheduler.TaskRunning), Question: q.ID, Message: q.Text, Options: q.Options}
	if how == questionsOrchestrator {
		if e.refer(b, a, &q); q.Referred() {
			d.By = q.Referral.Role
		} else {
			d.Reason = q.Referral.Remark
		}
	}
	b.t.Events = append(b.t.Events, e.event(event.TaskQuestion, a.Task, a.Number, d))
	var answer string
	var refused error
	switch how {
	case questionsNever:
		answer = nobodyAnswers
	case questionsFail:
		answer = "none: a question is a failure here"
		refused = errors.New("questions are not answered in this run, and asking one has failed your attempt: end your turn")
		q.Refused = true
		stop := askedError{q.Text}
		cancel := e.tasks[a.Task].cancel
		b.after = append(b.after, func() { cancel(stop) })
	default:
		return q, nil
	}
	q.Answer, q.AnsweredAt = answer, q.AskedAt
	b.t.Turns = append(b.t.Turns, e.turn(a.Task, a.Number, "answer", answer))
	b.t.Events = append(b.t.Events, e.event(event.TaskAnswered, a.Task, a.Number, event.Detail{
		Status: string(scheduler.TaskRunning), Question: q.ID, Message: answer,
	}))
	return q, refused
}

// refusedBefore is the failure of a question for which an earlier owner had no time to end the attempt; nil = there is
// none.
func refusedBefore(w *persistence.Work) error {
	for _, q := range w.Questions {
		if q.Refused && w.Open && q.Turn == w.Turn {
			return askedError{q.Text}
		}
	}
	return nil
}

// askedTooMuch finds the question that ended an attempt.
func askedTooMuch(ctx context.Context, err error) (askedError, bool) {
	var asked askedError
	if errors.As(err, &asked) || errors.As(context.Cause(ctx), &asked) {
		return asked, true
	}
	return asked, false
}
