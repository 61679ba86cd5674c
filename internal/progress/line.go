package progress

import (
	"fmt"
	"strings"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

const (
	maxPaths = 3       // named in a line
	maxTail  = 120     // characters of output in a heartbeat
	maxBytes = 4 << 10 // of it that are looked at
)

// line is what is said about a change.
type line struct {
	subject string // a task's id, or "run" and its id
	word    string // what happened; empty = the subject goes on into the details
	details string
	loud    bool // also said in the quiet form
}

// line words an event that was just folded; false = nothing is said about it.
func (p *Plain) line(e event.Event) (line, bool) {
	if e.Task == "" {
		return p.runLine(e)
	}
	return p.taskLine(e)
}

func (p *Plain) runLine(e event.Event) (line, bool) {
	r := p.run
	l := line{subject: "run " + r.ID, loud: true}
	switch e.Kind {
	case event.RunStarted:
		l.loud = false
		l.subject = strings.TrimSpace(l.subject+" "+r.Name) + ":"
		l.details = fmt.Sprintf("%s, %d at a time", view.Plural(r.Total(), "task"), max(r.Concurrency, 1))
		if from := r.From(); from != "" {
			l.details += ", base " + from
		}
	case event.RunResumed:
		l.loud = false
		l.subject = strings.TrimSpace(l.subject+" "+r.Name) + ":"
		l.details = fmt.Sprintf("resumed, %s, %d at a time", r.Tally(", "), max(r.Concurrency, 1))
	case event.RunEdited:
		l.word, l.details = "edited", strings.TrimPrefix(view.SanitizeLine(e.Message), "the plan was edited: ")
	case event.RunPaused:
		l.word, l.details = "paused", join(r.Reason, r.Tally(", "))
	case event.RunWaiting:
		l.word, l.details = "waiting", join(r.Reason, r.Tally(", "))
	case event.RunFinished:
		l.word = map[scheduler.RunState]string{
			scheduler.RunCompleted: "done", scheduler.RunFailed: "failed", scheduler.RunCanceled: "cancelled",
		}[r.State]
		l.details = join(r.Error, r.Tally(", "), view.Duration(r.Elapsed(e.Time)))
	case event.Notice:
		l.word, l.details = "notice", view.SanitizeLine(e.Message)
	default:
		return line{}, false
	}
	return l, true
}

func (p *Plain) taskLine(e event.Event) (line, bool) {
	l := line{subject: view.SanitizeLine(e.Task)}
	if e.Kind == event.Notice {
		l.word, l.details, l.loud = "notice", view.SanitizeLine(e.Message), true
		return l, true
	}
	t := p.run.Task(l.subject)
	if t == nil {
		return line{}, false
	}
	switch e.Kind {
	case event.TaskStarted:
		l.word, l.details = "start", t.Agent
		if t.Attempt > 1 {
			l.details = join(t.Agent, attempt(t.Attempt, t.Attempts))
		}
	case event.TaskRetrying:
		l.word, l.details = "retry", join(t.Why(), attempt(t.Attempt+1, t.Attempts))
	case event.TaskInterrupted:
		l.word, l.details = "stopped", join("interrupted", view.SanitizeLine(e.Action))
	case event.TaskQuestion, event.TaskPassed:
		l.word, l.details, l.loud = "asks", t.Reason, true
		if e.Kind == event.TaskQuestion && e.By != "" {
			l.details, l.loud = view.SanitizeLine(e.By+": "+e.Message), false
		}
	case event.TaskAnswered:
		l.word, l.details = "answered", view.SanitizeLine(e.Message)
		if e.By != "" {
			l.details += " (by " + view.SanitizeLine(e.By) + ")"
		}
	case event.TaskReviewed:
		l.word, l.details = "reviewed", reviewed(e)
	case event.TaskApproval, event.TaskBudget:
		l.word, l.details, l.loud = "waiting", t.Reason, true
	case event.TaskGranted:
		l.word, l.details = "approved", view.SanitizeLine(e.Wants)
	case event.TaskWaiting:
		l.word, l.details, l.loud = "waiting", waiting(t), true
	case event.TaskConflict:
		l.word, l.details, l.loud = "conflict", view.List(t.Paths, maxPaths), true
	case event.TaskCompleted:
		l.word, l.details = "done", work(t)
	case event.TaskFailed:
		l.word, l.details, l.loud = "failed", t.Why(), true
		if t.Allowed {
			l.details += " (allowed)"
		}
	case event.TaskSkipped:
		l.word, l.details = "skipped", t.Reason
		if t.Error != t.Reason {
			l.details = join(t.Reason, t.Error)
		}
	case event.TaskCanceled:
		l.word, l.details = "cancelled", t.Reason
	case event.TaskEdited:
		if e.Action != "removed" {
			return line{}, false // the run's own line says how many
		}
		l.word = "removed"
	case event.TaskReset:
		l.word, l.details = "again", t.Reason
	default:
		return line{}, false
	}
	return l, true
}

// waiting says what a task waits for that comes by itself.
func waiting(t *view.Task) string {
	if t.Until.IsZero() {
		return t.Reason
	}
	return join("until "+t.Until.Local().Format("15:04:05"), t.Reason)
}

// reviewed says what an agent found of a task's work.
func reviewed(e event.Event) string {
	who := fmt.Sprintf("%s, round %d", view.SanitizeLine(e.Agent), e.Round)
	if e.Action == "approve" {
		return "approved by " + who
	}
	return join("changes wanted by "+who, cut(view.SanitizeLine(e.Message), maxTail))
}

// working is the heartbeat of a task.
func (p *Plain) working(t *view.Task, now time.Time) line {
	l := line{subject: t.ID, word: "working", details: view.Duration(t.Elapsed(now))}
	if t.Phase != "" && t.Phase != scheduler.PhaseWorking {
		l.details = join(l.details, string(t.Phase))
	}
	l.details = join(l.details, t.Step)
	if t.Waits() {
		l.word, l.details = "waiting", waiting(t)
		return l
	}
	if t.Doing != "" {
		l.details = join(l.details, "last: "+cut(t.Doing, maxTail))
	} else if p.tail != nil {
		last := p.tail(t.ID)
		if last = cut(view.SanitizeLine(last[:min(len(last), maxBytes)]), maxTail); last != "" {
			l.details = join(l.details, "last: "+last)
		}
	}
	return l
}

// work says what a task that is done has changed, or how long it took when it changed nothing.
func work(t *view.Task) string {
	details := view.Duration(t.Duration)
	if t.Files > 0 {
		details = fmt.Sprintf("%s +%d -%d", view.Plural(t.Files, "file"), t.Additions, t.Deletions)
	}
	if t.Gates > 0 {
		details += ", verify ok"
	}
	return details
}

// attempt is "attempt 2 of 3". Attempts that were interrupted have a number too but do not count, so that the
// number may be beyond what is allowed.
func attempt(number, allowed int) string {
	if number > allowed {
		return fmt.Sprintf("attempt %d", number)
	}
	return fmt.Sprintf("attempt %d of %d", number, allowed)
}

// join puts commas between what is not empty.
func join(parts ...string) string {
	var said []string
	for _, part := range parts {
		if part != "" {
			said = append(said, part)
		}
	}
	return strings.Join(said, ", ")
}

// cut shortens a text to so many characters.
func cut(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return strings.TrimRight(string(runes[:most-3]), " ") + "..."
}
