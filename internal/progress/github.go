package progress

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

const (
	groupLines     = 2000 // of a task's log in its group
	maxAnnotations = 10   // of one failure: GitHub shows no more of a step and kind
)

// GitHub is the display for GitHub Actions: plain lines, the log of each ended task folded away in a group below its
// line, and annotations at the places that a failing output names.
type GitHub struct {
	*Plain
	log   func(task string) string
	token string
	seq   int64
}

var _ Display = (*GitHub)(nil)

// NewGitHub returns a display that asks log for the end of a task's log; an empty answer makes no group.
func NewGitHub(o Options, log func(task string) string) *GitHub {
	var token [16]byte
	rand.Read(token[:]) // never fails
	return &GitHub{Plain: NewPlain(o), log: log, token: hex.EncodeToString(token[:])}
}

// Event writes the line of the event, and what GitHub shall make of it.
func (g *GitHub) Event(e event.Event) error {
	if err := g.Plain.Event(e); err != nil {
		return err
	}
	if e.Seq != 0 && e.Seq <= g.seq {
		return nil
	}
	g.seq = max(g.seq, e.Seq)
	t := g.run.Task(view.SanitizeLine(e.Task))
	if t == nil {
		return nil
	}
	switch e.Kind {
	case event.TaskCompleted:
		return g.group(t)
	case event.TaskFailed:
		if err := g.group(t); err != nil {
			return err
		}
		return g.annotate(t)
	case event.TaskSkipped:
		if !t.Allowed { // skipped for another one: it has no log
			return nil
		}
		if err := g.group(t); err != nil {
			return err
		}
		return g.annotate(t)
	case event.TaskConflict:
		return g.print(annotation("error", t.ID+" waits: merge conflict", place{}, strings.Join(t.Paths, ", ")+": orc show "+t.ID))
	}
	return nil
}

// group prints the task's log so that it is folded away and cannot give commands to GitHub.
func (g *GitHub) group(t *view.Task) error {
	text := strings.Trim(view.Sanitize(g.log(t.ID)), "\n")
	if text == "" {
		return nil
	}
	lines := view.LastLines(text, groupLines)
	return g.print(fmt.Sprintf("::group::%s: log\n::stop-commands::%s\n%s\n::%s::\n::endgroup::\n",
		escapeData(t.ID), g.token, strings.Join(lines, "\n"), g.token))
}

// annotate marks the places that the failing output names, or the failure as a whole.
func (g *GitHub) annotate(t *view.Task) error {
	level := "error"
	if t.Allowed {
		level = "warning"
	}
	var out strings.Builder
	found := places(t.Output)
	for _, p := range found {
		out.WriteString(annotation(level, t.ID, p, p.text))
	}
	if len(found) == 0 {
		out.WriteString(annotation(level, t.ID+" failed", place{}, t.Why()))
	}
	return g.print(out.String())
}

// place is where an output says that something is wrong.
type place struct {
	file, line, column string
	text               string
}

// Compilers, linters and test runners write "path:line:column: text", the column or the text's colon left out by some.
var placeForm = regexp.MustCompile(`^\s*((?:\./)?[\w@+-][\w@+./-]*\.\w+):(\d{1,7})(?::(\d{1,5}))?[: ]\s*(\S.*)$`)

// places finds what names a file of the repository and a line in it, each once.
func places(output string) []place {
	var all []place
	seen := map[place]bool{}
	for line := range strings.Lines(output) {
		m := placeForm.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil || strings.Contains(m[1], "..") {
			continue
		}
		p := place{strings.TrimPrefix(m[1], "./"), m[2], m[3], m[4]}
		if !seen[p] && len(all) < maxAnnotations {
			all = append(all, p)
		}
		seen[p] = true
	}
	return all
}

func annotation(level, title string, p place, text string) string {
	properties := ""
	if p.file != "" {
		properties = "file=" + escapeProperty(p.file) + ",line=" + p.line + ","
		if p.column != "" {
			properties += "col=" + p.column + ","
		}
	}
	return fmt.Sprintf("::%s %stitle=%s::%s\n", level, properties, escapeProperty(title), escapeData(text))
}

var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func escapeData(s string) string     { return dataEscapes.Replace(s) }
func escapeProperty(s string) string { return propertyEscapes.Replace(s) }
