package diagnostic

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func render(t *testing.T, l List, f Format, s Style) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, l, f, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// at is a finding in a one-line file.
func at(text string, column, width int) Diagnostic {
	d := NewSource("p.yaml", []byte(text)).At(1, column, width)
	d.Code, d.Message = "code", "message"
	return d
}

func TestTextShowsTheExcerptWithACaret(t *testing.T) {
	s := NewSource("bad1.yaml", []byte(strings.Repeat("\n", 5)+"    needs: [setup]\n\n\n    depends: [schema]\n"+strings.Repeat("\n", 3)+"    needs: [client, docs]\n"))
	one := s.At(6, 13, 5)
	one.Severity, one.Code = Error, "unknown-task"
	one.Message, one.Help = "task `schema` needs `setup`, which is not in this plan", "tasks here: schema, client"
	two := s.At(13, 21, 4)
	two.Severity, two.Code, two.Message = Warning, "cycle", "tasks wait for each other"
	file := Diagnostic{File: "gone.yaml", Code: "no-file", Message: "there is no such file", Help: "orc init"}
	want := "bad1.yaml:6:13: error: task `schema` needs `setup`, which is not in this plan [unknown-task]\n" +
		"    |\n" +
		"  6 |     needs: [setup]\n" +
		"    |             ^^^^^\n" +
		"    = help: tasks here: schema, client\n" +
		"\n" +
		"bad1.yaml:13:21: warning: tasks wait for each other [cycle]\n" +
		"     |\n" +
		"  13 |     needs: [client, docs]\n" +
		"     |                     ^^^^\n" +
		"\n" +
		"gone.yaml: error: there is no such file [no-file]\n" +
		"  = help: orc init\n"
	if diff := cmp.Diff(want, render(t, List{one, two, file}, Text, Style{})); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestTextStopsAtTheLimitAndCountsTheRest(t *testing.T) {
	l := List{at("a", 1, 1), at("b", 1, 1), at("c", 1, 1)}
	if got := render(t, l, Text, Style{Limit: 1}); !strings.HasSuffix(got, "\n… and 2 more\n") || strings.Contains(got, " b\n") {
		t.Errorf("got:\n%s", got)
	}
}

func TestCaretStandsBelowItsCharacter(t *testing.T) {
	for name, c := range map[string]struct {
		text          string
		column, width int
		line, caret   string
	}{
		"a tab before it":         {"\tx: y", 5, 1, "\tx: y", "\t   ^"},
		"characters of two cells": {"名前: xy", 5, 2, "名前: xy", "      ^^"},
		"combining characters":    {"e\u0301: x", 5, 1, "e\u0301: x", "   ^"},
		"two cells below":         {"x: 名", 4, 1, "x: 名", "   ^^"},
		"behind the end":          {"abc", 9, 4, "abc", "   ^"},
		"escape sequences":        {"a: \x1b[31mred", 4, 3, "a: \ufffd[31mred", "   ^^^"},
		"text that runs backward": {"a: \u202eevil", 5, 4, "a: \ufffdevil", "    ^^^^"},
	} {
		line, caret := picture(at(c.text, c.column, c.width), false)
		if line != c.line || caret != c.caret {
			t.Errorf("%s:\ngot  %q\n     %q\nwant %q\n     %q", name, line, caret, c.line, c.caret)
		}
	}
}

func TestLongLinesAreCutAroundTheCaret(t *testing.T) {
	text := strings.Repeat("a", 1<<20) + "X" + strings.Repeat("b", 1<<20)
	for _, column := range []int{1, 50, 1<<20 + 1, 2<<20 + 1} {
		line, caret := picture(at(text, column, 3), false)
		if n := len([]rune(line)); n > excerptRunes+2 {
			t.Errorf("column %d: %d characters shown", column, n)
		}
		under := []rune(line)[strings.IndexByte(caret, '^')]
		if want := []rune(text)[column-1]; under != want {
			t.Errorf("column %d: the caret is below %q, want %q", column, under, want)
		}
	}
}

func TestMessagesCannotWriteToTheTerminal(t *testing.T) {
	d := at("x", 1, 1)
	d.File, d.Message, d.Help = "a\x1b]0;b\a.yaml", "bad "+Quote("x\x1b[2Jy\nz"), "\x9b1m"
	if got := render(t, List{d}, Text, Style{}); strings.ContainsAny(got, "\x1b\a\u009b") {
		t.Errorf("got %q", got)
	}
}

func TestQuoteShortens(t *testing.T) {
	if got := Quote(strings.Repeat("é", 61)); got != "`"+strings.Repeat("é", 60)+"…`" {
		t.Errorf("got %s", got)
	}
	if got := Quote("a"); got != "`a`" {
		t.Errorf("got %s", got)
	}
}

func TestGitHubAnnotationsAreEscaped(t *testing.T) {
	d := NewSource("a,b:c.yaml", []byte("x: 100%")).At(1, 4, 4)
	d.Code, d.Message, d.Help = "bad-value", "100% wrong", "less"
	want := "::error file=a%2Cb%3Ac.yaml,line=1,col=4,endColumn=8,title=bad-value::100%25 wrong%0Ahelp: less\n"
	if diff := cmp.Diff(want, render(t, List{d}, GitHub, Style{})); diff != "" {
		t.Errorf("annotation (-want +got):\n%s", diff)
	}
}

func TestJSONHasASchemaNumberAndCounts(t *testing.T) {
	warning := at("x", 1, 1)
	warning.Severity = Warning
	var got Report
	if err := json.Unmarshal([]byte(render(t, List{at("y", 1, 1), warning}, JSON, Style{})), &got); err != nil {
		t.Fatal(err)
	}
	one := Finding{File: "p.yaml", Line: 1, Column: 1, Width: 1, Severity: Error, Code: "code", Message: "message"}
	two := one
	two.Severity = Warning
	if diff := cmp.Diff(Report{Schema: 1, Errors: 1, Warnings: 1, Diagnostics: []Finding{one, two}}, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if empty := render(t, nil, JSON, Style{}); !strings.Contains(empty, `"diagnostics": []`) {
		t.Errorf("an empty list is %s", empty)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestWriteReportsABrokenWriterAndUnknownFormats(t *testing.T) {
	for _, f := range []Format{Text, GitHub, JSON} {
		if err := Write(brokenWriter{}, List{at("x", 1, 1)}, f, Style{}); err == nil {
			t.Errorf("%s: no error", f)
		}
	}
	if err := Write(&bytes.Buffer{}, nil, "xml", Style{}); err == nil {
		t.Error("xml is accepted")
	}
}

func TestSortGoesByPlaceAndKeepsFilesTogether(t *testing.T) {
	l := List{
		{File: "b", Line: 2, Column: 1},
		{File: "a", Line: 1, Column: 1},
		{File: "b", Line: 1, Column: 9},
		{File: "b", Line: 1, Column: 2, Code: "first"},
		{File: "b", Line: 1, Column: 2, Code: "second"},
		{File: "b"},
	}
	l.Sort()
	var got []string
	for _, d := range l {
		got = append(got, d.Position()+d.Code)
	}
	if diff := cmp.Diff([]string{"b", "b:1:2first", "b:1:2second", "b:1:9", "b:2:1", "a:1:1"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestSummaryCounts(t *testing.T) {
	e, w := Diagnostic{File: "p"}, Diagnostic{File: "p", Severity: Warning}
	for want, l := range map[string]List{
		"": nil, "1 error in p": {e}, "2 errors in p": {e, e}, "1 warning in p": {w}, "1 error and 2 warnings in p": {w, e, w},
		"2 errors in 2 files": {e, {File: "q"}},
	} {
		if got := l.Summary(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNearestFindsWhatWasMeant(t *testing.T) {
	keys := []string{"needs", "prompt", "prompt_file", "run", "writes", "verify", "retry", "timeout", "on_failure", "isolation", "concurrency"}
	for word, want := range map[string]string{
		"need": "needs", "Needs": "needs", "promt": "prompt", "prompt-file": "prompt_file", "promptfile": "prompt_file",
		"retyr": "retry", "onfailure": "on_failure", "concurency": "concurrency", "conc": "concurrency",
		"": "", "x": "", "zebra": "", "setup": "", strings.Repeat("x", 1000): "",
	} {
		if got := Nearest(word, keys); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", word, got, want)
		}
	}
	if got := Nearest("setup", []string{"schema", "client", "handlers", "docs", "Client"}); got != "" {
		t.Errorf("Nearest(setup) = %q", got)
	}
}

func TestSourceCountsLinesAsYAMLDoes(t *testing.T) {
	s := NewSource("f", []byte("\ufeffone\r\ntwo\rthree\u0085four\u2028fi\u00e9ve\n"))
	var got []string
	for n := 1; n <= s.Lines(); n++ {
		got = append(got, string(s.Line(n)))
	}
	if diff := cmp.Diff([]string{"one", "two", "three", "four", "fiéve", ""}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if s.Line(0) != nil || s.Line(99) != nil {
		t.Error("lines outside the file are not empty")
	}
	for n := 1; n <= s.Lines(); n++ {
		for column := 1; column <= len([]rune(string(s.Line(n)))); column++ {
			offset, ok := s.Offset(n, column)
			line, back := s.Position(offset)
			if !ok || line != n || back != column {
				t.Errorf("%d:%d is at %d (%v), which is %d:%d", n, column, offset, ok, line, back)
			}
		}
	}
}

func FuzzWrite(f *testing.F) {
	f.Add("a: b\n\tc", 1, 2, 3)
	f.Add("\xff\xfe\u0301", 9, -1, 0)
	f.Fuzz(func(t *testing.T, text string, line, column, width int) {
		d := NewSource("f", []byte(text)).At(line, column, width)
		d.Message, d.Help = text, text
		for _, format := range Formats() {
			if got := render(t, List{d}, Format(format), Style{}); strings.Contains(got, "\x1b") && format == string(Text) {
				t.Fatalf("an escape sequence reaches the terminal: %q", got)
			}
		}
	})
}
