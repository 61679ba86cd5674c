package orchestrator

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// How much of an earlier session a new one is told.
const (
	toldLast  = 500      // turns that are looked at for it
	toldTurns = 16 << 10 // bytes of conversation
	toldTurn  = 1 << 10  // bytes of one turn
	toldDiff  = 32 << 10 // bytes of the difference
	toldFiles = 100
)

// goOnText is what an agent is told that goes on in its own session.
func (t *talk) goOnText() (string, error) {
	w, prev := t.w, t.at.brief.previous
	if text, err := t.reopening(); text != "" || err != nil {
		return text, err
	}
	var b strings.Builder
	if w.Turn == 0 && prev != nil { // the session of an attempt that failed
		fmt.Fprintf(&b, "Your work was checked and is not done: %s\n", prev.Error)
		if out := strings.TrimSpace(prev.Output); out != "" {
			fmt.Fprintf(&b, "\n%s\n", lines(out, "    "))
		}
		b.WriteString("\n" + t.whereabouts(prev) + " Find the cause and correct it.\n")
		if t.at.brief.note != "" {
			fmt.Fprintf(&b, "\nNote: %s\n", t.at.brief.note)
		}
		return b.String(), nil
	}
	reason := w.Reason
	if reason == "" {
		reason = "you were interrupted"
	}
	seen, err := t.seen()
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "Your last turn did not come to its end: %s. A command that was running then may have been stopped half-way.\n\n%s\n", oneLine(reason), seen)
	b.WriteString("Look at what is there, then go on with your task where you left off; do not begin again.\n")
	answers, err := t.answers()
	if err != nil {
		return "", err
	}
	b.WriteString(answers)
	if w.Events == 0 && w.Said != "" {
		said, err := os.ReadFile(w.Said)
		if err != nil {
			return "", fmt.Errorf("read the message: %w", err)
		}
		fmt.Fprintf(&b, "\nThis is the message of that turn, which you may not have received:\n\n%s\n", said)
	}
	return b.String(), nil
}

// whereabouts says what the workspace holds in which an agent goes on with the session of an earlier attempt.
func (t *talk) whereabouts(prev *persistence.Attempt) string {
	switch {
	case !moved(prev):
		return "Your workspace is as you left it."
	case prev.Broke != nil:
		return "Your workspace was made anew: it holds everything that is merged by now, your work included. Change no more than what the repair needs."
	case t.at.a.Onto != "":
		return "Your workspace was made anew: it holds your work on top of everything that others have had merged since."
	}
	return "Your workspace was made anew from everything that is merged by now. Your work does not fit onto that without conflicts and is not in it: it is commit " +
		prev.Saved + "; bring it in."
}

// answers says what became of the questions of the turn that did not come to its end.
func (t *talk) answers() (string, error) {
	told, err := t.at.e.told(&t.at.a)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, q := range told.Questions {
		switch {
		case q.Turn != t.w.Turn:
		case q.AnsweredAt.IsZero():
			fmt.Fprintf(&b, "\nYour question was not answered; ask again if you still have to know:\n\n%s\n", lines(q.Text, "    "))
		default:
			fmt.Fprintf(&b, "\nYou had asked:\n\n%s\n\nThe answer:\n\n%s\n", lines(q.Text, "    "), lines(q.Answer, "    "))
		}
	}
	return b.String(), nil
}

// handOverText is what a new session is told that takes over the work of an earlier one.
func (t *talk) handOverText(why string) (string, error) {
	prompt, err := t.opening()
	if err != nil || t.at.step().Review { // which is told all that there is to review
		return prompt, err
	}
	said, err := t.history()
	if err != nil {
		return "", err
	}
	seen, err := t.seen()
	if err != nil {
		return "", err
	}
	diff, err := t.difference()
	if err != nil {
		return "", err
	}
	if said == "" && diff == "" {
		return prompt, nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n## Work so far\n\nAn earlier session worked on this task, but %s. Go on from what it left; do not begin again.\n\n%s\n", prompt, why, seen)
	if said != "" {
		fmt.Fprintf(&b, "\nThe end of what was said and done in it:\n\n%s\n", said)
	}
	answers, err := t.answers()
	if err != nil {
		return "", err
	}
	b.WriteString(answers)
	if diff != "" {
		fmt.Fprintf(&b, "\nThe difference so far:\n\n%s\n", lines(diff, "    "))
	}
	return b.String(), nil
}

// history is the end of the task's conversation, without what the agent was told.
func (t *talk) history() (string, error) {
	turns, _, err := t.at.e.o.Store.LastTurns(t.at.ctx, t.at.a.Run, t.at.a.Task, toldLast)
	if err != nil {
		return "", fmt.Errorf("read the conversation: %w", err)
	}
	var said []string
	size := 0
	for i := len(turns) - 1; i >= 0 && size < toldTurns; i-- {
		if turns[i].Role == "user" {
			continue
		}
		line := turns[i].Role + ": " + clip(strings.TrimSpace(turns[i].Content), toldTurn)
		size += len(line)
		said = append(said, lines(line, "    "))
	}
	for i, j := 0, len(said)-1; i < j; i, j = i+1, j-1 {
		said[i], said[j] = said[j], said[i]
	}
	return strings.Join(said, "\n"), nil
}

// seen says what git shows of the workspace.
func (t *talk) seen() (string, error) {
	if t.at.a.Isolation == scheduler.IsolationNone {
		return "You work in the repository itself: `git status` shows what is changed.", nil
	}
	changes, _, err := t.at.changes()
	if err != nil {
		return "", err
	}
	if len(changes) == 0 {
		return "Git shows no change in your workspace yet.", nil
	}
	var b strings.Builder
	b.WriteString("Git shows these changes in your workspace:\n\n")
	for i, c := range changes {
		if i == toldFiles {
			fmt.Fprintf(&b, "    and %d more\n", len(changes)-i)
			break
		}
		if c.Binary {
			fmt.Fprintf(&b, "    %s (binary)\n", c.Path)
		} else {
			fmt.Fprintf(&b, "    %s +%d -%d\n", c.Path, c.Added, c.Deleted)
		}
	}
	return b.String(), nil
}

// difference is the workspace's difference from its base, cut where it is long.
func (t *talk) difference() (string, error) {
	if t.at.a.Isolation == scheduler.IsolationNone {
		return "", nil
	}
	changes, tree, err := t.at.changes()
	if err != nil || len(changes) == 0 {
		return "", err
	}
	out := &capped{limit: toldDiff}
	if err := t.at.e.o.Repository.Diff(t.at.ctx, out, t.at.a.Base, tree, workspace.DiffOptions{}); err != nil {
		return "", err
	}
	return out.text(), nil
}

// changes are the files that differ from the base in the workspace as it is now, with its tree.
func (at *attempt) changes() ([]workspace.FileChange, string, error) {
	tree, err := at.e.o.Repository.Look(at.ctx, at.e.spec(&at.a))
	if err != nil {
		return nil, "", err
	}
	changes, err := at.e.o.Repository.Changes(at.ctx, at.a.Base, tree)
	return changes, tree, err
}

// capped keeps the beginning of what is written.
type capped struct {
	bytes.Buffer
	limit int
	cut   bool
}

func (c *capped) Write(p []byte) (int, error) {
	room := c.limit - c.Len()
	if room < len(p) {
		c.cut = true
		c.Buffer.Write(p[:max(room, 0)])
		return len(p), nil
	}
	return c.Buffer.Write(p)
}

func (c *capped) text() string {
	s := strings.ToValidUTF8(c.String(), "\uFFFD")
	if c.cut {
		s += "\n… and more: see git diff\n"
	}
	return s
}

// clip is the beginning of a long text.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + " …"
}

// evidence asks whether a turn that ended well has done what the task asks: the agent says so if it has reached the
// tool for that, and git shows a change where the task is to change files. Else it is asked to go on.
func (t *talk) evidence(r *provider.Result) (*message, error) {
	at, w := t.at, t.w
	if at.step().Review {
		return t.verdict(r)
	}
	told, err := at.e.told(&at.a)
	if err != nil {
		return nil, err
	}
	if told.Tools == w.Turn {
		if d := told.Declared; d == nil || d.Turn != w.Turn {
			return t.nudge(r, "It ended its turn without calling task_complete",
				"You ended your turn, but have not said that your task is done. If it is, call the tool task_complete with a summary; if not, go on.")
		}
		if told.Declared.Summary != "" {
			r.Summary = told.Declared.Summary
		}
	}
	if m, err := t.markersLeft(r); m != nil || err != nil || r.Kind != "" {
		return m, err
	}
	if len(at.task.WritesFiles) > 0 && at.a.Isolation != scheduler.IsolationNone {
		changes, _, err := at.changes()
		if err != nil {
			return nil, err
		}
		if len(changes) == 0 {
			return t.nudge(r, "It says that it is done, but changed no file",
				"You ended your turn, but git shows no change in your workspace, and your task is to change files ("+
					strings.Join(at.task.WritesFiles, ", ")+"). Go on until that is done.")
		}
	}
	w.Words = r.Summary
	return nil, nil
}

// nudge asks an agent that stopped too early to go on; asked often enough, its attempt has failed.
func (t *talk) nudge(r *provider.Result, fault, text string) (*message, error) {
	if t.w.Nudges++; t.w.Nudges > mostNudges {
		r.Kind = provider.KindFailed
		r.Error = fmt.Sprintf("%s (asked %d times to go on)", strings.ToLower(fault[:1])+fault[1:], mostNudges)
		if r.Output == "" {
			r.Output = r.Summary
		}
		return nil, nil
	}
	if t.w.Session == "" {
		return t.handOver("its session cannot be gone on with")
	}
	return &message{text: text + "\n", resume: true}, nil
}

// told asks the loop what the attempt's agent has said through its tools, and what it was answered.
func (e *Engine) told(a *persistence.Attempt) (*persistence.Work, error) {
	q := asked{attempt: *a, answer: make(chan *persistence.Work, 1)}
	select {
	case e.inbox <- q:
	case <-e.ctx.Done():
		return nil, errFatal
	}
	select {
	case w := <-q.answer:
		return w, nil
	case <-e.ctx.Done():
		return nil, errFatal
	}
}
