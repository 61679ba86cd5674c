package main

import (
	"regexp"
	"strings"

	"orchestrator/test/screen"
)

// What differs from run to run, and what stands for it: always as wide as what it stands for.
var masks = []struct {
	is   *regexp.Regexp
	with map[int]string // by width
}{
	{regexp.MustCompile(`<1s|\b\d{1,2}s\b`), map[int]string{2: "7s", 3: "12s"}},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`), map[int]string{8: "12:36:02"}},
}

// shownRun is the id of the run in the pictures.
const shownRun = "7f3c"

// mask replaces what differs from run to run.
func (s *stage) mask(rows [][]screen.Cell) {
	for _, row := range rows {
		line := make([]string, len(row))
		for i, c := range row {
			line[i] = c.Text
			if len(c.Text) != 1 {
				line[i] = "\x00" // as wide in bytes as on the screen
			}
		}
		text := strings.Join(line, "")
		for _, m := range masks {
			for _, at := range m.is.FindAllStringIndex(text, -1) {
				put(row, at[0], m.with[at[1]-at[0]])
			}
		}
		for from := 0; s.run != ""; {
			i := strings.Index(text[from:], s.run)
			if i < 0 {
				break
			}
			put(row, from+i, shownRun[:min(len(shownRun), len(s.run))])
			from += i + len(s.run)
		}
	}
}

func put(row []screen.Cell, at int, text string) {
	for i := range len(text) {
		row[at+i].Text = text[i : i+1]
	}
}
