package scheduler

import (
	"slices"
	"testing"
)

func TestOutside(t *testing.T) {
	for _, c := range []struct {
		patterns, inside, outside []string
	}{
		{[]string{"docs/**"}, []string{"docs/a.md", "docs/x/y/z", "Docs/A.md"}, []string{"README.md", "docs2/a", "a/docs/b"}},
		{[]string{"docs"}, []string{"docs", "docs/a.md"}, []string{"docsy", "doc"}},
		{[]string{"docs/"}, []string{"docs/a.md"}, []string{"x"}},
		{[]string{"*.go"}, []string{"a.go"}, []string{"a/b.go", "a.goo"}},
		{[]string{"**/*.go"}, []string{"a.go", "a/b/c.go"}, []string{"a.txt", "a.go.txt"}},
		{[]string{"a/**/z"}, []string{"a/z", "a/b/z", "a/b/c/z/deep"}, []string{"a", "a/b", "z"}},
		{[]string{"a/*/b"}, []string{"a/x/b"}, []string{"a", "a/x", "a/b"}},
		{[]string{"{src,lib}/**", "go.[ms]*"}, []string{"src/a", "lib/b", "go.mod", "go.sum"}, []string{"test/a", "go.work"}},
		{[]string{"**"}, []string{"a", "a/b"}, nil},
		// Paths are no patterns.
		{[]string{"a/b"}, nil, []string{"*/b", "a/?", "[a]/b", "{a,b}/b"}},
		{[]string{`a\*b`}, []string{"a*b"}, []string{"axb"}},
	} {
		if got := Outside(c.patterns, slices.Concat(c.inside, c.outside)); !slices.Equal(got, c.outside) {
			t.Errorf("%q: outside %q, want %q", c.patterns, got, c.outside)
		}
	}
	if got := Outside(nil, []string{"a"}); got != nil {
		t.Errorf("without patterns: %q", got)
	}
}
