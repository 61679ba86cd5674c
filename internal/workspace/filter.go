package workspace

import (
	"errors"
	"fmt"
	"regexp"
)

// filterSaid are git's sentences about a filter without which a file cannot be written or read: it is configured as
// required and its program failed, or is not there.
var filterSaid = regexp.MustCompile(`(?:(?:clean|smudge) filter '([^']+)' failed|smudge filter (\S+) failed|external filter '(.+)' failed)`)

// filterError names the filter that a git command failed for and says what can be done; any other error stays as it
// is. Going on without the filter would commit something else than the user's own git would.
func filterError(err error) error {
	c := (*CommandError)(nil)
	if err == nil || !errors.As(err, &c) {
		return err
	}
	said := filterSaid.FindAllStringSubmatch(c.Stderr, -1)
	if said == nil {
		return err
	}
	name, program := "", ""
	for _, m := range said {
		if m[1]+m[2] != "" {
			name = m[1] + m[2]
		}
		if m[3] != "" {
			program = m[3]
		}
	}
	hint := "its command is not there, or fails: install it, then go on with orc resume; nothing is lost meanwhile"
	if name != "" {
		hint = fmt.Sprintf("see what it runs: git config --get-regexp '^filter\\.%s\\.'\n"+
			"install that, or make it optional: git config filter.%s.required false\nthen go on: orc resume; nothing is lost meanwhile", name, name)
	}
	if name == "" {
		name = program
	}
	return &Error{Op: "run the git filter " + name, Kind: ErrFilter, Err: err, Hint: hint}
}
