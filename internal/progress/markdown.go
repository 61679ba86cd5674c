package progress

import (
	"fmt"
	"io"
	"strings"
	"time"

	"orchestrator/internal/view"
)

const (
	markdownRows  = 500 // tasks in the table; failed ones come first
	markdownGraph = 150 // tasks beyond which a graph is no picture any more
)

// Markdown writes a run as a page: headline, causes, a table of its tasks and their graph in Mermaid. Errors are those
// of w.
func Markdown(w io.Writer, run *view.Run, now time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%s · run `%s` · branch `%s` · %s\n", cell(run.Title()), run.Tally(" · "), run.ID, cell(run.Branch), view.Duration(run.Elapsed(now)))
	failures := run.Failures()
	for i, t := range failures {
		if i == maxCauses {
			fmt.Fprintf(&b, "\n… and %d more failures\n", len(failures)-i)
			break
		}
		fmt.Fprintf(&b, "\n**%s** failed: %s\n", t.ID, cell(t.Why()))
		if t.Output != "" {
			fmt.Fprintf(&b, "\n%s\n", block(strings.Join(view.LastLines(t.Output, maxOutput), "\n")))
		}
	}
	markdownTable(&b, run, now)
	if len(run.Tasks) <= markdownGraph {
		mermaid(&b, run)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the page of the run: %w", err)
	}
	return nil
}

func markdownTable(b *strings.Builder, run *view.Run, now time.Time) {
	glyphs := view.GlyphsFor(true)
	b.WriteString("\n| | task | state | time | changes | |\n|---|---|---|--:|---|---|\n")
	rows := 0
	row := func(t *view.Task) {
		if rows++; rows > markdownRows {
			return
		}
		took, changes, said := "", "", ""
		if t.Ran() {
			took = view.Duration(t.Elapsed(now))
		}
		if t.Files > 0 {
			changes = fmt.Sprintf("%s +%d −%d", view.Plural(t.Files, "file"), t.Additions, t.Deletions)
		}
		switch w := t.Word(); {
		case w == view.Failed:
			said = t.Why()
		case t.Reason != "":
			said = t.Reason
		}
		fmt.Fprintf(b, "| %s | `%s` | %s | %s | %s | %s |\n", glyphs.Of(t.Word()), t.ID, t.Word(), took, changes, cell(said))
	}
	for _, t := range run.Tasks {
		if t.Word() == view.Failed {
			row(t)
		}
	}
	for _, t := range run.Tasks {
		if t.Word() != view.Failed {
			row(t)
		}
	}
	if rows > markdownRows {
		fmt.Fprintf(b, "\n… and %d more tasks\n", rows-markdownRows)
	}
}

// mermaid draws the graph; each state has a colour of its own beside its glyph.
func mermaid(b *strings.Builder, run *view.Run) {
	glyphs := view.GlyphsFor(true)
	index := make(map[string]int, len(run.Tasks))
	for i, t := range run.Tasks {
		index[t.ID] = i
	}
	b.WriteString("\n```mermaid\nflowchart LR\n")
	for i, t := range run.Tasks {
		fmt.Fprintf(b, "  t%d[\"%s %s\"]:::%s\n", i, glyphs.Of(t.Word()), t.ID, strings.ReplaceAll(t.Word().String(), " ", ""))
		for _, need := range t.Needs {
			if n, ok := index[need]; ok {
				fmt.Fprintf(b, "  t%d --> t%d\n", n, i)
			}
		}
	}
	for _, c := range []struct{ word, fill string }{
		{view.Done.String(), "#1a7f37"},
		{view.Failed.String(), "#cf222e"},
		{view.Skipped.String(), "#9a6700"},
		{view.NeedsYou.String(), "#8250df"},
		{view.Running.String(), "#0969da"},
	} {
		fmt.Fprintf(b, "  classDef %s fill:%s,color:#fff\n", strings.ReplaceAll(c.word, " ", ""), c.fill)
	}
	b.WriteString("```\n")
}

var cellEscapes = strings.NewReplacer("|", "\\|", "<", "&lt;", "\n", " ", "`", "'")

// cell makes text safe inside a line of Markdown.
func cell(s string) string { return cellEscapes.Replace(s) }

// block fences text, whatever fences it holds.
func block(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return fence + "text\n" + s + "\n" + fence
}
