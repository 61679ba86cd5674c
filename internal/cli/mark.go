package cli

import (
	"orchestrator/internal/scheduler"
)

// mark is how a state is shown: a glyph, a word and a colour, so that none of them is needed alone.
type mark struct {
	glyph string
	ascii string
	word  string
	color string // SGR code
}

// taskMark returns how a task's state is shown; phase is that of its last attempt.
func taskMark(s scheduler.TaskStatus, phase scheduler.Phase) mark {
	switch s {
	case scheduler.TaskPending:
		return mark{"○", ".", "waiting", "2"}
	case scheduler.TaskEligible:
		return mark{"◌", "o", "ready", "36"}
	case scheduler.TaskRunning:
		if phase == scheduler.PhaseWaiting {
			return mark{"?", "?", "needs you", "33"}
		}
		return mark{"●", "*", "running", "36"}
	case scheduler.TaskCompleted:
		return mark{"✓", "+", "done", "32"}
	case scheduler.TaskFailed:
		return mark{"✗", "x", "failed", "31"}
	case scheduler.TaskSkipped:
		return mark{"⊘", "-", "skipped", "2"}
	case scheduler.TaskCanceled:
		return mark{"⊗", "/", "cancelled", "2"}
	}
	return mark{"?", "?", string(s), "0"}
}

// runMark returns how a run's state is shown.
func runMark(s scheduler.RunState, interrupted bool) mark {
	if interrupted {
		return mark{"!", "!", "interrupted", "33"}
	}
	switch s {
	case scheduler.RunRunning:
		return mark{"●", "*", "running", "36"}
	case scheduler.RunWaiting:
		return mark{"?", "?", "needs you", "33"}
	case scheduler.RunPaused:
		return mark{"‖", "=", "paused", "33"}
	case scheduler.RunCompleted:
		return mark{"✓", "+", "done", "32"}
	case scheduler.RunFailed:
		return mark{"✗", "x", "failed", "31"}
	case scheduler.RunCanceled:
		return mark{"⊗", "/", "cancelled", "2"}
	}
	return mark{"?", "?", string(s), "0"}
}

// sign is the glyph that the terminal can show.
func (m mark) sign(ascii bool) string {
	if ascii {
		return m.ascii
	}
	return m.glyph
}

// cell is the mark as a field of a table: glyph and word.
func (m mark) cell(ascii bool, p paint) cell {
	return cell{text: m.sign(ascii) + " " + m.word, style: func(s string) string { return p.sgr(m.color, s) }}
}
