package plan

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan/document"
	"orchestrator/internal/scheduler"
)

func workspaceKey[T any](of func(*T) *settings) key[T] {
	return key[T]{
		name: "workspace", shape: object("workspace"), examples: []any{map[string]any{"symlink": []any{"node_modules"}, "copy": ".env", "setup": "make deps"}},
		about: "What the workspace gets besides the files of its commit: ignored files, and a command that sets it up.",
		set:   func(c *checker, t *T, f document.Field) { c.setup(of(t), f) },
	}
}

// setWorkspace reads `workspace` of the whole plan, which stands for the one below `defaults`.
func (c *checker) setWorkspace(d *draft, f document.Field) { c.setup(&d.defaults, f) }

func (c *checker) setup(s *settings, f document.Field) {
	if s.setup != nil { // within one map the reader finds a key that is written twice
		c.Error(f.Key, "conflicting-keys", "`workspace` is given both for the plan and below `defaults`", "keep one of them")
		return
	}
	s.setup = &scheduler.Setup{}
	read(c, f.Value, "`workspace`", workspaceKeys, nil, s.setup)
	for _, p := range s.setup.Symlink {
		if slices.Contains(s.setup.Copy, p) {
			c.Error(f.Key, "conflicting-keys", fmt.Sprintf("%s is both copied and linked", diagnostic.Quote(p)), "keep one of them")
		}
	}
}

// paths reads the paths of files that come from the user's checkout.
func (c *checker) paths(f document.Field, what string) []string {
	var list []string
	for _, item := range c.List(f.Value, what) {
		p := strings.TrimSuffix(item.Text, "/")
		help := ""
		switch {
		case strings.HasPrefix(p, "/") || strings.HasPrefix(p, "~"):
			help = "write it relative to the repository's top"
		case !fs.ValidPath(p) || p == ".":
			help = "a path inside of the repository, without `.` and `..`"
		case strings.ContainsAny(p, "*?["):
			help = "name files and folders; patterns are not known here"
		case slices.ContainsFunc(strings.Split(p, "/"), func(s string) bool { return strings.EqualFold(s, ".git") }):
			help = "git's own folder stays with the repository"
		default:
			list = append(list, p)
			continue
		}
		c.Error(item.Node, "bad-path", fmt.Sprintf("%s cannot have the path %s", what, diagnostic.Quote(item.Text)), help)
	}
	return list
}
