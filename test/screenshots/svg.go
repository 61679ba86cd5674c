package main

import (
	"fmt"
	"html"
	"image/color"
	"regexp"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"orchestrator/test/screen"
)

// The grid, in pixels.
const (
	cellWidth  = 8.4
	cellHeight = 18.0
	fontSize   = 14.0
	padding    = 14.0
	titleBar   = 30.0
)

// The picture brings its own background, so that it looks the same on a light and on a dark page.
const (
	background = "#10141c"
	foreground = "#d8dee9"
	border     = "#3b4252"
)

// palette is what the terminal's sixteen colours are.
var palette = [16]string{
	"#1c212b", "#f07178", "#8fd16f", "#f2c55c", "#6cb6ff", "#c792ea", "#5fd7d7", "#c8d0dc",
	"#7d8899", "#ff8b92", "#a5e585", "#ffd76e", "#8cc8ff", "#d9a8f5", "#82e6e6", "#ffffff",
}

// style is how a run of cells looks.
type style struct {
	fill, back   string
	bold, italic bool
	faint        bool
}

func styleOf(c screen.Cell) style {
	s := style{fill: colorOf(c.Fg, foreground), back: colorOf(c.Bg, ""), bold: c.Bold, italic: c.Italic, faint: c.Faint}
	if c.Reverse {
		back := s.back
		if back == "" {
			back = background
		}
		s.fill, s.back = back, s.fill
	}
	return s
}

func colorOf(c color.Color, usual string) string {
	switch c := c.(type) {
	case nil:
		return usual
	case ansi.BasicColor:
		return palette[c]
	case ansi.IndexedColor:
		if c < 16 {
			return palette[c]
		}
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}

// picture writes a screen as SVG: a window with selectable text. Lines of boxes are drawn, since fonts leave gaps in them.
func picture(title string, rows [][]screen.Cell) string {
	rows = crop(rows)
	width, height := 2*padding, titleBar+2*padding+cellHeight*float64(len(rows))
	if len(rows) > 0 {
		width += cellWidth * float64(len(rows[0]))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(title))
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(title))
	b.WriteString("<style>text{font:" + fmt.Sprint(fontSize) + "px ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace;" +
		"white-space:pre;fill:" + foreground + "}.b{font-weight:bold}.i{font-style:italic}.f{opacity:.62}path{fill:none;stroke-width:1.2}</style>\n")
	fmt.Fprintf(&b, `<rect x=".5" y=".5" width="%.0f" height="%.0f" rx="9" fill="%s" stroke="%s"/>`+"\n", width-1, height-1, background, border)
	for i, dot := range []string{"#f07178", "#f2c55c", "#8fd16f"} {
		fmt.Fprintf(&b, `<circle cx="%.0f" cy="16" r="5" fill="%s"/>`, 18+18*float64(i), dot)
	}
	b.WriteString("\n")
	for y, row := range rows {
		writeRow(&b, row, titleBar+padding+cellHeight*float64(y))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// crop leaves the empty rows at the end out.
func crop(rows [][]screen.Cell) [][]screen.Cell {
	for len(rows) > 0 {
		for _, c := range rows[len(rows)-1] {
			if strings.TrimSpace(c.Text) != "" {
				return rows
			}
		}
		rows = rows[:len(rows)-1]
	}
	return rows
}

// writeRow writes the runs of equal style of a row.
func writeRow(b *strings.Builder, row []screen.Cell, top float64) {
	for x := 0; x < len(row); {
		s := styleOf(row[x])
		end := x + 1
		for end < len(row) && styleOf(row[end]) == s {
			end++
		}
		writeRun(b, row[x:end], s, padding+cellWidth*float64(x), top)
		x = end
	}
}

var words = regexp.MustCompile(`\S+(?: \S+)*`)

func writeRun(b *strings.Builder, cells []screen.Cell, s style, left, top float64) {
	if s.back != "" {
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.0f" fill="%s"/>`+"\n", left, top, cellWidth*float64(len(cells)), cellHeight, s.back)
	}
	var text strings.Builder
	var lines strings.Builder
	at := make([]int, 0, len(cells)) // the column of each byte
	for i, c := range cells {
		shown := c.Text
		if shape, isLine := boxes[c.Text]; isLine {
			lines.WriteString(shape.path(left+cellWidth*float64(i), top))
			shown = " "
		}
		for range len(shown) {
			at = append(at, i)
		}
		text.WriteString(shown)
	}
	if lines.Len() > 0 {
		class := ""
		if s.faint {
			class = ` class="f"`
		}
		fmt.Fprintf(b, `<path%s stroke="%s" d="%s"/>`+"\n", class, s.fill, strings.TrimSpace(lines.String()))
	}
	for _, m := range words.FindAllStringIndex(text.String(), -1) {
		word := text.String()[m[0]:m[1]]
		columns := at[m[1]-1] - at[m[0]] + 1
		fmt.Fprintf(b, `<text%s x="%.1f" y="%.1f" textLength="%.1f" lengthAdjust="spacingAndGlyphs"%s>%s</text>`+"\n", s.class(),
			left+cellWidth*float64(at[m[0]]), top+13.6, cellWidth*float64(columns), s.color(), html.EscapeString(word))
	}
}

func (s style) class() string {
	var all []string
	for _, c := range []struct {
		on   bool
		name string
	}{{s.bold, "b"}, {s.faint, "f"}, {s.italic, "i"}} {
		if c.on {
			all = append(all, c.name)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprintf(` class="%s"`, strings.Join(all, " "))
}

func (s style) color() string {
	if s.fill == foreground {
		return ""
	}
	return fmt.Sprintf(` style="fill:%s"`, s.fill)
}

// box says to which sides of its cell a line goes from the middle, and whether its corner is round.
type box struct{ up, down, left, right, round bool }

var boxes = map[string]box{
	"─": {left: true, right: true}, "│": {up: true, down: true}, "┼": {true, true, true, true, false},
	"├": {up: true, down: true, right: true}, "┤": {up: true, down: true, left: true},
	"┬": {down: true, left: true, right: true}, "┴": {up: true, left: true, right: true},
	"╭": {down: true, right: true, round: true}, "╮": {down: true, left: true, round: true},
	"╰": {up: true, right: true, round: true}, "╯": {up: true, left: true, round: true},
	"┌": {down: true, right: true}, "┐": {down: true, left: true}, "└": {up: true, right: true}, "┘": {up: true, left: true},
}

// path is the line through a cell.
func (x box) path(left, top float64) string {
	cx, cy := left+cellWidth/2, top+cellHeight/2
	side := cx + cellWidth/2
	if x.left {
		side = left
	}
	end := top + cellHeight
	if x.up {
		end = top
	}
	if x.round {
		return fmt.Sprintf("M%.1f %.1fQ%.1f %.1f %.1f %.1f", side, cy, cx, cy, cx, end)
	}
	var b strings.Builder
	for _, arm := range []struct {
		on   bool
		x, y float64
	}{{x.up, cx, top}, {x.down, cx, top + cellHeight}, {x.left, left, cy}, {x.right, left + cellWidth, cy}} {
		if arm.on {
			fmt.Fprintf(&b, "M%.1f %.1fL%.1f %.1f", cx, cy, arm.x, arm.y)
		}
	}
	return b.String()
}
