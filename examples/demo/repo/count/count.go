// Package count counts parts of a text.
package count

import "strings"

// Words returns the number of words: runs of anything but white space.
func Words(text string) int {
	return len(strings.Fields(text))
}
