package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"orchestrator/test/screen"
)

func cells(text string) []screen.Cell {
	var row []screen.Cell
	for _, r := range text {
		row = append(row, screen.Cell{Text: string(r)})
	}
	return row
}

func TestAPictureIsSoundAndKeepsTheTextWhereItWas(t *testing.T) {
	row := cells("│ a < b  ✓ done")
	row[2].Fg, row[2].Bold = ansi.Red, true
	svg := picture("A & B", [][]screen.Cell{row, cells("   ")})
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		`class="b" x="30.8"`, `fill:` + palette[1], ">&lt; b<", ">✓ done<", "<path", `aria-label="A &amp; B"`, `height="76"`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
}

func TestWhatDiffersFromRunToRunIsReplaced(t *testing.T) {
	row := cells("✓ run a1b2 took <1s, 12s, 3s at 09:08:07")
	(&stage{run: "a1b2"}).mask([][]screen.Cell{row})
	var got strings.Builder
	for _, c := range row {
		got.WriteString(c.Text)
	}
	if want := "✓ run 7f3c took 12s, 12s, 7s at 12:36:02"; got.String() != want {
		t.Errorf("got  %s\nwant %s", got.String(), want)
	}
}
