package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/tui"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
)

// How much of a task the panes read at a time.
const (
	helmTurns = 200
	helmLines = 2000
	helmDiff  = 1 << 20 // bytes
)

// helm answers the panes about one run.
type helm struct {
	w    *watch
	repo *workspace.Repository
}

var _ tui.Helm = (*helm)(nil)

// helm opens what the panes need beside the store.
func (w *watch) helm(ctx context.Context) (*helm, error) {
	repo, err := w.app.openRepository(ctx, w.run.Repository)
	if errors.Is(err, workspace.ErrNotRepository) {
		return &helm{w: w}, nil // it is gone; what the store holds can still be shown
	}
	return &helm{w: w, repo: repo}, err
}

// Page reads a page about a task.
func (d *helm) Page(ctx context.Context, task string, p tui.Page) (string, error) {
	id := scheduler.TaskID(task)
	switch p {
	case tui.Prompt:
		return d.prompt(ctx, id)
	case tui.Talk:
		return d.talk(ctx, id)
	case tui.Checks:
		return d.checks(ctx, id)
	case tui.Log:
		return d.log(ctx, id)
	case tui.Diff:
		return d.diff(ctx, id)
	default:
		return d.info(ctx, id)
	}
}

func (d *helm) talk(ctx context.Context, id scheduler.TaskID) (string, error) {
	turns, before, err := d.w.store.LastTurns(ctx, d.w.run.ID, id, helmTurns)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if before > 0 {
		fmt.Fprintf(&b, "… %d turns before: orc show %s %s -v\n\n", before, d.w.run.ID, id)
	}
	for _, t := range turns {
		fmt.Fprintf(&b, "%s %s\n  %s\n\n", t.Timestamp.Local().Format("15:04:05"), t.Role, strings.ReplaceAll(strings.Trim(t.Content, "\n"), "\n", "\n  "))
	}
	if len(turns) == 0 {
		b.WriteString("nothing was said yet")
	}
	return b.String(), nil
}

// last is the latest attempt of a task; false = there is none.
func (d *helm) last(ctx context.Context, id scheduler.TaskID) (persistence.Attempt, bool, error) {
	attempts, err := d.w.store.ListAttempts(ctx, d.w.run.ID, id)
	if err != nil || len(attempts) == 0 {
		return persistence.Attempt{}, false, err
	}
	return attempts[len(attempts)-1], true, nil
}

func (d *helm) log(ctx context.Context, id scheduler.TaskID) (string, error) {
	at, ok, err := d.last(ctx, id)
	if err != nil || !ok {
		return "it has not run yet", err
	}
	text, skipped, err := logTail(at.Log, helmLines)
	switch {
	case err != nil:
		return "", err
	case text == "":
		return "it has printed nothing", nil
	case skipped:
		text = fmt.Sprintf("… and more before: orc logs %s %s\n", d.w.run.ID, id) + text
	}
	return text, nil
}

// logTail is the end of a log, and whether there is more before it; empty when there is none.
func logTail(path string, lines int) (text string, skipped bool, err error) {
	l, err := openLog(path)
	if err != nil || l == nil {
		return "", false, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if skipped, err = l.seekLines(lines); err != nil {
		return "", false, err
	}
	var b bytes.Buffer
	_, err = io.Copy(&b, io.LimitReader(l.f, 4<<20))
	return b.String(), skipped, err
}

// diff is what the task has changed: what is saved of its last attempt, or what is in its workspace now.
func (d *helm) diff(ctx context.Context, id scheduler.TaskID) (string, error) {
	at, ok, err := d.last(ctx, id)
	if err != nil || !ok {
		return "it has not run yet", err
	}
	if d.repo == nil {
		return "its repository is gone", nil
	}
	from, to := at.Base, at.Saved
	if to == "" && at.EndedAt.IsZero() && at.Workspace != "" && at.Base != "" {
		if to, err = d.present(ctx, at); err != nil {
			return "", err
		}
	}
	if from == "" || to == "" {
		return "nothing is saved of it", nil
	}
	var b bytes.Buffer
	if err := d.repo.Diff(ctx, &b, from, to, workspace.DiffOptions{}); err != nil {
		return "", err
	}
	if b.Len() == 0 {
		return "it has changed nothing", nil
	}
	text := b.String()
	if len(text) > helmDiff {
		text = text[:helmDiff] + fmt.Sprintf("\n… and more: orc diff %s %s\n", d.w.run.ID, id)
	}
	return text, nil
}

// present is the tree of a workspace that is being worked in.
func (d *helm) present(ctx context.Context, at persistence.Attempt) (tree string, err error) {
	dir, err := os.MkdirTemp("", "orc-look-")
	if err != nil {
		return "", fmt.Errorf("make room to look at the workspace: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return d.repo.Look(ctx, workspace.Spec{
		Run: string(at.Run), Task: string(at.Task), Dir: at.Workspace, Base: at.Base, Index: filepath.Join(dir, "index"),
	})
}

func (d *helm) info(ctx context.Context, id scheduler.TaskID) (string, error) {
	run, err := d.w.store.GetRun(ctx, d.w.run.ID)
	if err != nil {
		return "", err
	}
	p, err := d.w.app.load(ctx, d.w.store, run)
	if err != nil {
		return "", err
	}
	t := p.byID[id]
	if t == nil {
		return "", errorf("there is no task %s any more", id)
	}
	doc := newShowDocument(p, t)
	conflict, err := d.w.app.addFromRepository(ctx, p, t, &doc)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	page := *d.w.app
	page.Stdout = &b // no terminal: no colours, no width
	err = page.writeTask(&b, p, t, doc, conflict)
	return b.String(), err
}

// Asks are the questions that a task's agent waits with, and what wants a yes.
func (d *helm) Asks(ctx context.Context, task string) ([]tui.Ask, error) {
	at, ok, err := d.last(ctx, scheduler.TaskID(task))
	if err != nil || !ok {
		return nil, err
	}
	var asks []tui.Ask
	for _, q := range openQuestions(at) {
		text := q.Text
		if q.Remark != "" {
			text += "\n(" + q.Remark + ")"
		}
		asks = append(asks, tui.Ask{ID: q.ID, Text: text, Options: q.Options})
	}
	if at.Asks().TakesYes() {
		text := view.WantsText(string(at.Consent.Wants))
		if at.Consent.Reason != "" {
			text += "\n" + at.Consent.Reason
		}
		asks = append(asks, tui.Ask{Text: text, Yes: true})
	}
	return asks, nil
}

// word is a person's yes or no to what a task waits for.
func (d *helm) word(ctx context.Context, deed tui.Deed) (orchestrator.ApproveRequest, error) {
	at, ok, err := d.last(ctx, scheduler.TaskID(deed.Task))
	if err == nil && (!ok || !at.Asks().TakesYes()) {
		err = errorf("%s does not wait for a yes any more", deed.Task)
	}
	return orchestrator.ApproveRequest{
		Items:  []orchestrator.Approved{{Task: at.Task, Attempt: at.Number, Wants: at.Consent.Wants}},
		Reject: deed.Kind == tui.Reject, Reason: deed.Text,
	}, err
}

// Do hands what a person wants to the run's owner. Nobody owning it, a retry has it owned again; the rest waits for that.
func (d *helm) Do(ctx context.Context, deed tui.Deed) (string, error) {
	id := scheduler.TaskID(deed.Task)
	var kind string
	var payload any
	var err error
	switch deed.Kind {
	case tui.Pause, tui.GoOn:
		return d.pause(ctx, deed.Kind == tui.GoOn)
	case tui.Answer:
		kind, payload = orchestrator.RequestAnswer, orchestrator.AnswerRequest{Task: id, Question: deed.Ask, Text: d.w.app.secrets.String(deed.Text)}
	case tui.Retry:
		kind, payload = orchestrator.RequestRetry, orchestrator.RetryRequest{Tasks: []scheduler.TaskID{id}, Note: deed.Text}
	case tui.Cancel:
		kind, payload = orchestrator.RequestCancel, orchestrator.CancelRequest{Tasks: []scheduler.TaskID{id}}
	case tui.Approve, tui.Reject:
		kind = orchestrator.RequestApprove
		payload, err = d.word(ctx, deed)
	default:
		err = errorf("%s: not possible here", deed.Kind)
	}
	if err != nil {
		return "", err
	}
	asked, alive, err := d.w.app.post(ctx, d.w.store, d.w.run, kind, payload)
	switch {
	case err != nil:
		return "", err
	case !alive && deed.Kind == tui.Retry:
		if err := d.w.spawn(ctx); err != nil {
			return "", err
		}
	case !alive:
		return fmt.Sprintf("stored; nobody works on the run now: orc resume %s", d.w.run.ID), nil
	}
	if err := d.w.app.answered(ctx, d.w.store, d.w.run, asked); err != nil {
		return "", err
	}
	return map[tui.DeedKind]string{tui.Approve: deed.Task + " goes on", tui.Reject: deed.Task + " is told no", tui.Answer: "told " + deed.Task, tui.Retry: deed.Task + " is tried again", tui.Cancel: deed.Task + " is cancelled; its work is kept"}[deed.Kind], nil
}

// helmLanes is how many lanes of the graph the list of the panes has room for.
const helmLanes = 10

// lanes is the picture of the run's graph; nil where it is too wide to help.
func lanes(tasks []*scheduler.Task) []tui.Lane {
	nodes := plan.Nodes(tasks)
	rows, ok := plan.Lanes(nodes, helmLanes)
	if !ok {
		return nil
	}
	list := make([]tui.Lane, 0, len(rows))
	for _, r := range rows {
		l := tui.Lane{Picture: r.Lanes}
		if r.Node >= 0 {
			l.Task = nodes[r.Node].ID
		}
		list = append(list, l)
	}
	return list
}
