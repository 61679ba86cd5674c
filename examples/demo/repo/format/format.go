// Package format writes numbers for people.
package format

import (
	"fmt"
	"strings"
)

// Row is one line of a table.
type Row struct {
	Name  string
	Value int
}

// Table writes one row per line.
func Table(rows []Row) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%s %d\n", r.Name, r.Value)
	}
	return b.String()
}
