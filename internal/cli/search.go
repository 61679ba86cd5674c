package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"orchestrator/internal/persistence"
	"orchestrator/internal/view"
)

// foundShown is how many turns a search shows when nobody says how many.
const foundShown = 20

// searchDocument is `orc logs --search WORDS --json`.
type searchDocument struct {
	Schema int         `json:"schema"`
	Turns  []foundTurn `json:"turns"` // newest first
	More   bool        `json:"more"`  // there are older ones
}

// foundTurn is a turn of a conversation that has the words.
type foundTurn struct {
	Run     string    `json:"run"`
	Task    string    `json:"task"`
	Attempt int       `json:"attempt"`
	Time    time.Time `json:"time"`
	Role    string    `json:"role"`
	Snippet string    `json:"snippet"`
}

// searchFlags are the flags of `orc logs` that only a search has.
type searchFlags struct {
	words string
	all   bool
	limit int
}

// add adds the flags to the command.
func (o *searchFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.words, "search", "", "find what was said with these `WORDS`")
	f.BoolVar(&o.all, "all", false, "with --search: in the runs of every repository")
	f.IntVar(&o.limit, "limit", foundShown, "with --search: at most `N` turns; 0 = all")
}

// check refuses flags that do not go together. It says whether a search is wanted.
func (o *searchFlags) check(cmd *cobra.Command) (wanted bool, err error) {
	changed := cmd.Flags().Changed
	if !changed("search") {
		for _, name := range []string{"all", "limit"} {
			if changed(name) {
				return false, usageError("", "--%s goes with --search", name)
			}
		}
		return false, nil
	}
	for _, name := range []string{"follow", "raw", "attempt", "lines"} {
		if changed(name) {
			return false, usageError("", "choose --search or --%s", name)
		}
	}
	if o.limit < 0 {
		return false, usageError("", "--limit cannot be %d", o.limit)
	}
	return true, nil
}

// search finds turns and prints them. arg is the run to look in; empty means those of this repository.
func (a *App) search(ctx context.Context, st persistence.Store, arg string, o searchFlags, out *output, wanted bool) error {
	q := persistence.TurnQuery{Words: o.words}
	switch {
	case arg != "" && o.all:
		return usageError("", "choose --all or a run")
	case arg != "":
		run, err := a.findRun(ctx, st, arg)
		if err != nil {
			return err
		}
		q.Run = run.ID
	case !o.all:
		repo, err := a.repository()
		if err != nil {
			return err
		}
		q.Repository = repo // outside of one it is empty: all of them
	}
	if o.limit > 0 {
		q.Limit = o.limit + 1 // to know whether there are more
	}
	found, err := st.SearchTurns(ctx, q)
	if err != nil {
		return err
	}
	doc := searchDocument{Schema: schema, Turns: []foundTurn{}}
	if o.limit > 0 && len(found) > o.limit {
		found, doc.More = found[:o.limit], true
	}
	if wanted {
		for _, f := range found {
			doc.Turns = append(doc.Turns, foundTurn{string(f.Run), string(f.Task), f.Attempt, f.Timestamp.UTC(), f.Role, f.Snippet})
		}
		return out.write(a, doc)
	}
	return a.writeFound(found, doc.More)
}

func (a *App) writeFound(found []persistence.FoundTurn, more bool) error {
	if len(found) == 0 {
		return a.tell("Nothing was said with these words.")
	}
	p := a.paint(a.Stdout)
	width := a.width(a.Stdout)
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s", p.bold(string(f.Run)), f.Task)
		if f.Attempt > 0 {
			fmt.Fprintf(&b, " attempt %d", f.Attempt)
		}
		if !f.Timestamp.IsZero() {
			b.WriteString(p.dim(" " + f.Timestamp.Local().Format(time.DateTime)))
		}
		fmt.Fprintf(&b, " %s\n  %s\n", p.cyan(view.SanitizeLine(f.Role)), snippetLine(f, width-2, p))
	}
	if _, err := io.WriteString(a.Stdout, b.String()); err != nil {
		return err
	}
	if more {
		return a.tell("There are older ones: --limit N")
	}
	return nil
}

// snippetLine writes a snippet on one line of a terminal, the matches in bold.
func snippetLine(f persistence.FoundTurn, width int, p paint) string {
	var b strings.Builder
	used := 0
	add := func(s string, style func(string) string) {
		s = oneLine(s)
		if width > 0 {
			s = truncate(s, max(1, width-used))
			if used >= width {
				return
			}
		}
		used += columns(s)
		b.WriteString(style(s))
	}
	asIs := func(s string) string { return s }
	at := 0
	for _, m := range f.Matches {
		add(f.Snippet[at:m.Begin], asIs)
		add(f.Snippet[m.Begin:m.End], p.bold)
		at = m.End
	}
	add(f.Snippet[at:], asIs)
	return strings.TrimSpace(b.String())
}

// oneLine makes a part of a text harmless and joins its lines by spaces. Unlike view.SanitizeLine it keeps a space at
// either end, where the text goes on.
func oneLine(s string) string {
	line := strings.Join(strings.Fields(view.Sanitize(s)), " ")
	first, _ := utf8.DecodeRuneInString(s)
	last, _ := utf8.DecodeLastRuneInString(s)
	if unicode.IsSpace(first) {
		line = " " + line
	}
	if unicode.IsSpace(last) && line != " " {
		line += " "
	}
	return line
}
