package cli

import (
	"context"
	"io"
	"maps"
	"slices"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/redact"
	"orchestrator/internal/scheduler"
)

// redactedStore takes secrets out of what agents and commands said before it is stored: turns, results, errors,
// outputs and events. What a person wrote, such as the plan and its prompts, is kept as it is, because it is run.
type redactedStore struct {
	persistence.Store
	secrets *redact.Redactor
}

// Apply stores a transition without secrets.
func (s redactedStore) Apply(ctx context.Context, t persistence.Transition) (int64, error) {
	clean := s.secrets.String
	t.Error = clean(t.Error)
	t.Tasks = append([]persistence.TaskChange(nil), t.Tasks...)
	for i := range t.Tasks {
		t.Tasks[i].Error = clean(t.Tasks[i].Error)
		t.Tasks[i].Result = s.result(t.Tasks[i].Result)
	}
	t.Attempts = append([]persistence.Attempt(nil), t.Attempts...)
	for i := range t.Attempts {
		a := &t.Attempts[i]
		a.Error, a.Output, a.Consent.Reason = clean(a.Error), clean(a.Output), clean(a.Consent.Reason)
		a.Work = s.work(a.Work)
		if a.Broke != nil {
			broke := *a.Broke
			broke.Error, broke.Output = clean(broke.Error), clean(broke.Output)
			a.Broke = &broke
		}
	}
	t.Turns = append([]persistence.TaskTurn(nil), t.Turns...)
	for i := range t.Turns {
		t.Turns[i].Content = clean(t.Turns[i].Content)
	}
	t.Events = append([]event.Event(nil), t.Events...)
	for i := range t.Events {
		d := &t.Events[i].Detail
		d.Error, d.Output, d.Message, d.Reason = clean(d.Error), clean(d.Output), clean(d.Message), clean(d.Reason)
		d.Options = s.list(d.Options)
	}
	t.Requests = append([]persistence.RequestDone(nil), t.Requests...)
	for i := range t.Requests {
		t.Requests[i].Error = clean(t.Requests[i].Error)
	}
	return s.Store.Apply(ctx, t)
}

// work is a copy of how far an agent has come, without secrets in what it, its reviewer and its person said.
func (s redactedStore) work(w *persistence.Work) *persistence.Work {
	if w == nil {
		return nil
	}
	clean := s.secrets.String
	w = w.Clone()
	w.Reason, w.Words, w.Doing = clean(w.Reason), clean(w.Words), clean(w.Doing)
	if w.Declared != nil {
		w.Declared = &persistence.Declaration{Turn: w.Declared.Turn, Summary: clean(w.Declared.Summary)}
	}
	if w.Review != nil {
		review := *w.Review
		review.Findings = clean(review.Findings)
		w.Review = &review
	}
	w.Questions = slices.Clone(w.Questions)
	for i := range w.Questions {
		q := &w.Questions[i]
		q.Text, q.Answer, q.Options = clean(q.Text), clean(q.Answer), s.list(q.Options)
	}
	w.Aside = maps.Clone(w.Aside)
	for step, left := range w.Aside {
		w.Aside[step] = s.work(left)
	}
	return w
}

func (s redactedStore) list(texts []string) []string {
	texts = slices.Clone(texts)
	for i := range texts {
		texts[i] = s.secrets.String(texts[i])
	}
	return texts
}

func (s redactedStore) result(r *string) *string {
	if r == nil {
		return nil
	}
	clean := s.secrets.String(*r)
	return &clean
}

// SaveMessage stores turns without secrets.
func (s redactedStore) SaveMessage(ctx context.Context, run scheduler.RunID, task scheduler.TaskID, turns ...persistence.ConversationTurn) error {
	turns = append([]persistence.ConversationTurn(nil), turns...)
	for i := range turns {
		turns[i].Content = s.secrets.String(turns[i].Content)
	}
	return s.Store.SaveMessage(ctx, run, task, turns...)
}

// UpdateTaskStatus stores a result without secrets.
func (s redactedStore) UpdateTaskStatus(ctx context.Context, run scheduler.RunID, id scheduler.TaskID, status scheduler.TaskStatus, result *string, errText string) error {
	return s.Store.UpdateTaskStatus(ctx, run, id, status, s.result(result), s.secrets.String(errText))
}

// secretsOf knows the secrets of our environment and of what the agents of a run are given.
func (a *App) secretsOf(run persistence.Run) *redact.Redactor {
	environ := append([]string(nil), a.Environ...)
	for _, agent := range run.Options.Agents {
		for name, value := range agent.Set {
			environ = append(environ, name+"="+value)
		}
	}
	return redact.New(environ)
}

// discreet writes without secrets. What it is given at once is whole: a record of a log.
type discreet struct {
	to      io.Writer
	secrets *redact.Redactor
}

func (d discreet) Write(b []byte) (int, error) {
	if _, err := io.WriteString(d.to, d.secrets.String(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}
