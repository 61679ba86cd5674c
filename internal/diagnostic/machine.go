package diagnostic

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"
)

var (
	githubText     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// writeGitHub writes the workflow commands of GitHub Actions.
func writeGitHub(w *bufio.Writer, l List) {
	for _, d := range l {
		fmt.Fprintf(w, "::%s file=%s", d.severity(), githubProperty.Replace(d.File))
		if d.Line > 0 {
			fmt.Fprintf(w, ",line=%d", d.Line)
		}
		if d.Column > 0 {
			fmt.Fprintf(w, ",col=%d,endColumn=%d", d.Column, d.Column+max(d.Width, 1))
		}
		if d.Code != "" {
			fmt.Fprintf(w, ",title=%s", githubProperty.Replace(d.Code))
		}
		text := d.Message
		if d.Help != "" {
			text += "\nhelp: " + d.Help
		}
		fmt.Fprintf(w, "::%s\n", githubText.Replace(text))
	}
}

// Report is the JSON form of a list.
type Report struct {
	Schema      int       `json:"schema"` // 1
	Errors      int       `json:"errors"`
	Warnings    int       `json:"warnings"`
	Diagnostics []Finding `json:"diagnostics"`
}

// Finding is the JSON form of a Diagnostic.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Width    int      `json:"width,omitempty"`
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`
	Message  string   `json:"message"`
	Help     string   `json:"help,omitempty"`
}

// Report returns the JSON form of the list.
func (l List) Report() Report {
	r := Report{Schema: 1, Errors: len(l.Errors()), Diagnostics: make([]Finding, 0, len(l))}
	r.Warnings = len(l) - r.Errors
	for _, d := range l {
		r.Diagnostics = append(r.Diagnostics, Finding{
			File: d.File, Line: d.Line, Column: d.Column, Width: d.Width,
			Severity: d.severity(), Code: d.Code, Message: d.Message, Help: d.Help,
		})
	}
	return r
}

func writeJSON(w *bufio.Writer, l List) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(l.Report()); err != nil {
		return fmt.Errorf("encode diagnostics: %w", err)
	}
	return nil
}
