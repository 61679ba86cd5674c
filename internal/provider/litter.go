package provider

import (
	"path"
	"regexp"
)

// litter is what agents that were stopped in the middle of writing leave beside the file.
var litter = regexp.MustCompile(`\.tmp\.\d+\.[0-9a-f]{6,}$`)

// Litter says whether a file's name is that of an unfinished copy that an agent left behind, which is no part of
// its work.
func Litter(name string) bool { return litter.MatchString(path.Base(name)) }
