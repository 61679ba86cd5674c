package cli

import (
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// mark is how a state is shown: a sign, a word and a colour, so that none of them is needed alone.
type mark struct {
	unicode string
	ascii   string
	word    string
	color   string // SGR code
}

// taskMark returns how a task's state is shown; asks says that its attempt waits for a person.
func taskMark(s scheduler.TaskStatus, asks bool) mark {
	t := view.Task{Status: s}
	w := t.Word()
	if s == scheduler.TaskRunning && asks {
		w = view.NeedsYou
	}
	m := mark{unicode: view.Unicode.Of(w), ascii: view.ASCII.Of(w), word: w.String()}
	switch w {
	case view.Done:
		m.color = "32"
	case view.Failed:
		m.color = "31"
	case view.NeedsYou:
		m.color = "33"
	case view.Running, view.Ready:
		m.color = "36"
	case view.Waiting:
		m.word, m.color = "waiting", "2" // the needs stand beside it
	default:
		m.color = "2"
	}
	return m
}

// runMark returns how a run's state is shown.
func runMark(s scheduler.RunState, interrupted bool) mark {
	of := func(w view.Word, word, color string) mark {
		return mark{unicode: view.Unicode.Of(w), ascii: view.ASCII.Of(w), word: word, color: color}
	}
	switch {
	case interrupted:
		return mark{view.Unicode.Warning, view.ASCII.Warning, "interrupted", "33"}
	case s == scheduler.RunRunning:
		return of(view.Running, "running", "36")
	case s == scheduler.RunWaiting:
		return of(view.NeedsYou, "needs you", "33")
	case s == scheduler.RunPaused:
		return mark{view.Unicode.Paused, view.ASCII.Paused, "paused", "33"}
	case s == scheduler.RunCompleted:
		return of(view.Done, "done", "32")
	case s == scheduler.RunFailed:
		return of(view.Failed, "failed", "31")
	case s == scheduler.RunCanceled:
		return of(view.Cancelled, "cancelled", "2")
	}
	return of(view.NeedsYou, string(s), "0")
}

// sign is the glyph that the terminal can show.
func (m mark) sign(ascii bool) string {
	if ascii {
		return m.ascii
	}
	return m.unicode
}

// cell is the mark as a field of a table: glyph and word.
func (m mark) cell(ascii bool, p paint) cell {
	return cell{text: m.sign(ascii) + " " + m.word, style: func(s string) string { return p.sgr(m.color, s) }}
}
