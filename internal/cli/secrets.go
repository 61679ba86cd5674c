package cli

import (
	"context"

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
		t.Attempts[i].Error, t.Attempts[i].Output = clean(t.Attempts[i].Error), clean(t.Attempts[i].Output)
	}
	t.Turns = append([]persistence.TaskTurn(nil), t.Turns...)
	for i := range t.Turns {
		t.Turns[i].Content = clean(t.Turns[i].Content)
	}
	t.Events = append([]event.Event(nil), t.Events...)
	for i := range t.Events {
		d := &t.Events[i].Detail
		d.Error, d.Output, d.Message, d.Reason = clean(d.Error), clean(d.Output), clean(d.Message), clean(d.Reason)
	}
	return s.Store.Apply(ctx, t)
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
