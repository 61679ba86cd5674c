package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// access is what may be done with a path and what is in it.
type access string

const (
	readWrite access = "write"
	readOnly  access = "read"
	hidden    access = "hide"
)

// rule is one path of a policy: absolute, existing, without symbolic links.
type rule struct {
	Path   string `json:"path"`
	Access access `json:"access"`
	Folder bool   `json:"folder"`
}

// rules are sorted so that a folder stands before what is in it: who applies them in order lets the inner ones win.
type rules []rule

// resolve makes rules of a policy. Of one path that is named more than once, hiding counts before reading only, and
// that before writing.
func (p Policy) resolve() rules {
	by := map[string]rule{}
	for _, list := range []struct {
		access access
		paths  []string
	}{{readWrite, p.Write}, {readOnly, p.ReadOnly}, {hidden, p.Hide}} {
		for _, path := range list.paths {
			real, err := filepath.EvalSymlinks(path)
			if err != nil || !filepath.IsAbs(real) || real == "/" {
				continue // it is not there, so that nothing has to be said of it
			}
			info, err := os.Stat(real)
			if err != nil {
				continue
			}
			by[real] = rule{Path: real, Access: list.access, Folder: info.IsDir()}
		}
	}
	out := make(rules, 0, len(by))
	for _, r := range by {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b rule) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

// of returns what the rules say of a path by themselves or by the nearest folder above it; without a rule everything
// may be read.
func (l rules) of(path string) access {
	for {
		if i, ok := slices.BinarySearchFunc(l, path, func(r rule, p string) int { return cmp.Compare(r.Path, p) }); ok {
			return l[i].Access
		}
		if path == "/" {
			return readOnly
		}
		path = filepath.Dir(path)
	}
}

// below says whether there is a rule for something in a folder.
func (l rules) below(folder string) bool {
	prefix := strings.TrimSuffix(folder, "/") + "/"
	i, _ := slices.BinarySearchFunc(l, prefix, func(r rule, p string) int { return cmp.Compare(r.Path, p) })
	return i < len(l) && strings.HasPrefix(l[i].Path, prefix)
}

// Writable says whether all of a folder may be written by the policy, so that new files can be made in it at both
// levels.
func (p Policy) Writable(folder string) bool {
	real, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return false
	}
	l := p.resolve()
	return l.of(real) == readWrite && !l.below(real)
}

func (l rules) encode() (string, error) {
	b, err := json.Marshal(l)
	return string(b), err
}

func decode(text string) (rules, error) {
	var l rules
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	return l, nil
}
