package tui

import (
	"fmt"
	"strings"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

const (
	maxSkipped = 3  // ids that a failure's line names
	maxHistory = 20 // lines about finished tasks that come at once; of more, the older ones are counted
)

// headline is the first line.
func (m *model) headline() string {
	r := m.Run
	parts := []string{r.Title()}
	if r.Name != "" {
		parts = append(parts, "run "+r.ID)
	}
	parts = append(parts, view.Plural(r.Total(), "task"))
	if r.Branch != "" {
		branch := "branch " + r.Branch
		if from := r.From(); from != "" {
			branch += " from " + from
		}
		parts = append(parts, branch)
	}
	return m.compose(m.width-1, span{strings.Join(parts, " "+m.glyphs.Dot+" "), m.style.plain})
}

// finished words what events mean for good, one line each. A task that was skipped for a failure is named in the
// line of that failure when both came together.
func (m *model) finished(events []event.Event) []string {
	var over []*view.Task
	var lines []string
	seen := make(map[*view.Task]bool)
	done := 0
	for _, e := range events {
		if e.Kind == event.Notice {
			text := view.SanitizeLine(e.Message)
			if e.Task != "" {
				text = view.SanitizeLine(e.Task) + ": " + text
			}
			lines = append(lines, m.compose(m.width-1, span{m.glyphs.Warning + " ", m.style.warn}, span{text, m.style.plain}))
			continue
		}
		t := m.Run.Task(view.SanitizeLine(e.Task))
		if t == nil || seen[t] || !t.Status.Terminal() || !ends(e.Kind) {
			continue
		}
		seen[t] = true
		over = append(over, t)
		if t.Word() == view.Done {
			done++
		}
	}
	folded, skipped := m.caused(over, seen)
	older := max(done-maxHistory, 0)
	if older > 0 {
		lines = append(lines, m.compose(m.width-1, span{m.glyphs.Of(view.Done) + " ", m.style.words[view.Done]},
			span{fmt.Sprintf("%d done", older), m.style.plain}))
	}
	for _, t := range over {
		if t.Word() == view.Done && older > 0 {
			older--
			continue
		}
		if !folded[t] {
			lines = append(lines, m.line(t, skipped[t]))
		}
	}
	return lines
}

func ends(k event.Kind) bool {
	switch k {
	case event.TaskCompleted, event.TaskFailed, event.TaskSkipped, event.TaskCanceled:
		return true
	}
	return false
}

// caused finds which of the tasks are to be named in the line of another, and of which.
func (m *model) caused(over []*view.Task, here map[*view.Task]bool) (folded map[*view.Task]bool, by map[*view.Task][]string) {
	folded, by = make(map[*view.Task]bool), make(map[*view.Task][]string)
	roots := m.Run.Roots(over)
	for _, t := range over {
		if root := roots[t]; root != nil && here[root] {
			folded[t] = true
			by[root] = append(by[root], t.ID)
		}
	}
	return folded, by
}

// line is the line of a task that is over.
func (m *model) line(t *view.Task, skipped []string) string {
	word := t.Word()
	clock := ""
	if t.Ran() {
		clock = view.Duration(t.Duration)
	}
	var text string
	style := m.style.plain
	switch word {
	case view.Done:
		text = m.work(t)
	case view.Failed:
		text, style = t.Why(), m.style.words[word]
		if t.Attempt > 1 {
			text += fmt.Sprintf(" (tried %d times)", t.Attempt)
		}
		if t.Allowed {
			text += " (allowed)"
		}
	default:
		text = word.String()
		if why := first(t.Reason, t.Error); why != "" {
			text += ": " + why
		}
	}
	spans := append(m.subject(m.glyphs.Of(word), t, clock), span{"  " + text, style})
	if len(skipped) > 0 {
		spans = append(spans, span{fmt.Sprintf(" %s %s not run", m.glyphs.Arrow, view.List(skipped, maxSkipped)), m.style.faint})
	}
	return strings.TrimRight(m.compose(m.width-1, spans...), " ")
}

// work says what a task has changed and that it was checked.
func (m *model) work(t *view.Task) string {
	var parts []string
	if t.Files > 0 {
		parts = append(parts, fmt.Sprintf("+%d %s%d", t.Additions, m.glyphs.Minus, t.Deletions), view.Plural(t.Files, "file"))
	}
	if t.Gates > 0 {
		parts = append(parts, "verify ok")
	}
	return strings.Join(parts, "   ")
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
