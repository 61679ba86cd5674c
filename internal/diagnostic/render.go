package diagnostic

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Format names a way to write a list.
type Format string

// The formats.
const (
	Text   Format = "text"   // for people: headline, excerpt, caret, help
	GitHub Format = "github" // workflow commands that annotate a pull request
	JSON   Format = "json"   // one object: schema, errors, warnings, diagnostics
)

// Formats are the names of all formats, the default first.
func Formats() []string { return []string{string(Text), string(GitHub), string(JSON)} }

// Style says how text is drawn.
type Style struct {
	Color bool // ANSI colours
	ASCII bool // nothing but ASCII in what we add ourselves
	Limit int  // findings drawn; the rest is counted; 0 = all
}

// Write writes the list in a format. The list should be sorted.
func Write(w io.Writer, l List, f Format, s Style) error {
	b := bufio.NewWriter(w)
	switch f {
	case Text, "":
		writeText(b, l, s)
	case GitHub:
		writeGitHub(b, l)
	case JSON:
		if err := writeJSON(b, l); err != nil {
			return err
		}
	default:
		return fmt.Errorf("unknown format %q (one of: %s)", f, strings.Join(Formats(), ", "))
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	return nil
}

func writeText(w *bufio.Writer, l List, s Style) {
	p := palette(s.Color)
	for i, d := range l {
		if s.Limit > 0 && i == s.Limit {
			fmt.Fprintf(w, "\n… and %d more\n", len(l)-i)
			return
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		draw(w, d, p, s.ASCII)
	}
}

// draw writes one finding with its picture.
func draw(w *bufio.Writer, d Diagnostic, p colors, ascii bool) {
	word := p.err
	if !d.IsError() {
		word = p.warn
	}
	fmt.Fprintf(w, "%s%s:%s %s%s:%s %s", p.bold, d.Position(), p.off, word, d.severity(), p.off, clean(d.Message))
	if d.Code != "" {
		fmt.Fprintf(w, " %s[%s]%s", p.dim, d.Code, p.off)
	}
	fmt.Fprintln(w)

	number := strconv.Itoa(d.Line)
	gutter := strings.Repeat(" ", len(number)+2)
	if d.Line > 0 && d.Column > 0 && d.Excerpt != "" {
		line, caret := picture(d, ascii)
		fmt.Fprintf(w, "%s%s |%s\n", p.dim, gutter, p.off)
		fmt.Fprintf(w, "%s  %s |%s %s\n", p.dim, number, p.off, line)
		fmt.Fprintf(w, "%s%s |%s %s%s%s\n", p.dim, gutter, p.off, word, caret, p.off)
	}
	if d.Help != "" {
		if d.Line == 0 {
			gutter = " "
		}
		fmt.Fprintf(w, "%s %s=%s help: %s\n", gutter, p.dim, p.off, clean(d.Help))
	}
}

type colors struct{ bold, dim, err, warn, off string }

func palette(on bool) colors {
	if !on {
		return colors{}
	}
	return colors{bold: "\x1b[1m", dim: "\x1b[2m", err: "\x1b[1;31m", warn: "\x1b[1;33m", off: "\x1b[0m"}
}
