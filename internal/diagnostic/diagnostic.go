// Package diagnostic is what is said about a file that a person wrote: where, what, why, and what to do. It knows
// nothing about the files' formats; it holds findings, sorts them, and draws them for people, for GitHub and as JSON.
//
// Lines and columns are counted from 1; a column counts characters, not bytes. Text that comes out of the file is made
// safe for a terminal before it is drawn.
package diagnostic

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity says whether a finding stops the work.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // nothing is run
	Warning Severity = "warning" // work goes on
)

// Diagnostic is one finding.
type Diagnostic struct {
	File     string   // as the person named it
	Line     int      // 0 = the file as a whole
	Column   int      // in characters; 0 = the line as a whole
	Width    int      // characters to underline; 0 counts as 1
	Severity Severity // "" counts as Error
	Code     string   // stable, such as unknown-key
	Message  string   // one line
	Help     string   // one line; may be empty
	Excerpt  string   // the line of the file, without its end; empty = no picture
}

// IsError says whether the finding stops the work.
func (d Diagnostic) IsError() bool { return d.Severity != Warning }

func (d Diagnostic) severity() Severity {
	if d.Severity == "" {
		return Error
	}
	return d.Severity
}

// Position is file:line:column as editors and terminals link it, without the parts that are not known.
func (d Diagnostic) Position() string {
	switch {
	case d.Line == 0:
		return clean(d.File)
	case d.Column == 0:
		return fmt.Sprintf("%s:%d", clean(d.File), d.Line)
	}
	return fmt.Sprintf("%s:%d:%d", clean(d.File), d.Line, d.Column)
}

// String is the headline: position, severity, message and code.
func (d Diagnostic) String() string {
	s := fmt.Sprintf("%s: %s: %s", d.Position(), d.severity(), clean(d.Message))
	if d.Code != "" {
		s += " [" + d.Code + "]"
	}
	return s
}

// List is a set of findings.
type List []Diagnostic

// Sort orders the list by file (in order of first appearance), line and column; what was found first stays first.
func (l List) Sort() {
	rank := make(map[string]int)
	for _, d := range l {
		if _, ok := rank[d.File]; !ok {
			rank[d.File] = len(rank)
		}
	}
	slices.SortStableFunc(l, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(rank[a.File], rank[b.File]),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
		)
	})
}

// HasErrors says whether anything in the list stops the work.
func (l List) HasErrors() bool { return slices.ContainsFunc(l, Diagnostic.IsError) }

// Errors returns the findings that stop the work, in order.
func (l List) Errors() List { return l.filter(Diagnostic.IsError) }

// Warnings returns the findings that do not stop the work, in order.
func (l List) Warnings() List { return l.filter(func(d Diagnostic) bool { return !d.IsError() }) }

func (l List) filter(keep func(Diagnostic) bool) List {
	var kept List
	for _, d := range l {
		if keep(d) {
			kept = append(kept, d)
		}
	}
	return kept
}

// Summary counts the findings: "7 errors and 1 warning in plan.yaml". It is empty for an empty list.
func (l List) Summary() string {
	if len(l) == 0 {
		return ""
	}
	errors := len(l.Errors())
	text := count(errors, "error")
	if warnings := len(l) - errors; errors == 0 {
		text = count(warnings, "warning")
	} else if warnings > 0 {
		text += " and " + count(warnings, "warning")
	}
	files := make(map[string]bool)
	for _, d := range l {
		files[d.File] = true
	}
	if len(files) > 1 {
		return fmt.Sprintf("%s in %d files", text, len(files))
	}
	return text + " in " + clean(l[0].File)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
