package scheduler

import (
	"fmt"
	"strings"
)

// MaxID is the greatest length of a task id, in bytes.
const MaxID = 64

// CheckID says why id cannot name a task; nil when it can. An id is lower-case letters, digits, dots, underscores
// and hyphens, begins with a letter or a digit, and is safe as the last component of a git ref: ids become parts
// of refs and of file names, so what git or a file system would refuse is refused here.
func CheckID(id string) error {
	if id == "" {
		return fmt.Errorf("an id cannot be empty")
	}
	if len(id) > MaxID {
		return fmt.Errorf("id %q has %d bytes; at most %d are allowed", id, len(id), MaxID)
	}
	for i, r := range id {
		letter := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		switch {
		case letter:
		case r != '.' && r != '_' && r != '-':
			return fmt.Errorf("id %q has %q; only a-z, 0-9, '.', '_' and '-' are allowed", id, r)
		case i == 0:
			return fmt.Errorf("id %q begins with %q; it must begin with a letter or a digit", id, r)
		}
	}
	switch {
	case strings.Contains(id, ".."):
		return fmt.Errorf("id %q has two dots in a row, which a branch name cannot have", id)
	case strings.HasSuffix(id, "."):
		return fmt.Errorf("id %q ends with a dot, which a branch name cannot", id)
	case strings.HasSuffix(id, ".lock"):
		return fmt.Errorf("id %q ends with .lock, which a branch name cannot", id)
	}
	return nil
}
