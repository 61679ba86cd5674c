package cli

import (
	"fmt"
	"io"
	"strings"

	"orchestrator/internal/view"
)

// cell is one field of a table: its text and how it is painted.
type cell struct {
	text  string
	style func(string) string // nil = as it is
	right bool                // aligned to the right
}

// table is lines of aligned cells for people. The last column takes what is left of the width and is cut there.
type table struct {
	rows [][]cell
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// plain makes an unpainted cell of text from outside.
func plain(s string) cell { return cell{text: view.SanitizeLine(s)} }

// write prints the table; width is how many columns a line may have, 0 = any number.
func (t *table) write(w io.Writer, indent string, width int) error {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(c.text))
		}
	}
	for _, row := range t.rows {
		line, used := indent, columns(indent)
		gap := 0
		for i, c := range row {
			if widths[i] == 0 {
				continue
			}
			left := 0
			if width > 0 {
				left = width - used - gap
				if left <= 0 {
					break
				}
			}
			text := truncate(c.text, left)
			n := columns(text)
			pad := strings.Repeat(" ", max(0, widths[i]-n))
			if c.style != nil {
				text = c.style(text)
			}
			if c.right {
				text, pad = pad+text, ""
			}
			line += strings.Repeat(" ", gap) + text + pad
			used += gap + widths[i]
			gap = 2
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}
