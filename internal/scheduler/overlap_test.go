package scheduler

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"src/a.go", "src/a.go", true},
		{"src/a.go", "src/b.go", false},
		{"./src//a.go", "src/x/../a.go", true},
		{"src", "src/a.go", true},
		{"src/", "src/a/b.go", true},
		{"src", "src2/a.go", false},
		{"SRC/A.go", "src/a.GO", true},
		{"straße", "STRAßE", true},
		{"\u212A.go", "k.go", true}, // the Kelvin sign folds to k
		{"src/*", "src/a.go", true},
		{"src/*.go", "src/*.ts", false},
		{"src/*.go", "src/a*", true},
		{"src/*.go", "src/sub/x.go", false},
		{"src/*", "src/sub/x.go", true}, // src/sub may be a folder
		{"src/**", "src/sub/x.go", true},
		{"src/**", "docs/**", false},
		{"**", "docs/x", true},
		{"", "docs/x", true},
		{".", "docs/x", true},
		{"..", "docs/x", true},
		{"../other/x", "docs/x", true},
		{"**/*.go", "README.md", false},
		{"**/*.go", "README.md/", true}, // said to be a folder
		{"**/*.go", "cmd", true},
		{"**/*.go", "v1.2", true},
		{"**/*.go", ".github", true},
		{"**/*.go", "*.md", false},
		{"**/*.go", "docs/**", true},
		{"**/*.go", "**/*.md", false},
		{"a.d/x", "a.d", true},
		{"**/test/**", "src/**/test", true},
		{"a/**/z", "a/b/c/z", true},
		{"a/**/z", "a/b/c/y.go", false},
		{"a/**/**/z", "a/z", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"[a-m]*.go", "[n-z]*.go", false},
		{"[a-m]*.go", "[m-z]*.go", true},
		{"[!0]x", "0x", false},
		{"[!a]x", "ax", true}, // Ax is the same file where case does not count
		{"[^a]x", "bx", true},
		{"[A-C]x", "bx", true},
		{"[]]x", "]x", true},
		{"pages/[id].tsx", "pages/[id].tsx", true},
		{"pages/[id].tsx", "pages/i.tsx", true},
		{"pages/[id", "pages/[id", true},
		{`pages/\*.go`, "pages/a.go", false},
		{"{src,docs}/*.go", "docs/x.go", true},
		{"{src,docs}/*.go", "web/x.go", false},
		{"a{b,{c,d}e}f", "adef", true},
		{"a{b}c", "a{b}c", true},
		{"a{b}c", "abc", false},
		{"*a*b*", "*b*a*", true},
		{"a*", "b*", false},
	} {
		for _, swap := range []bool{false, true} {
			a, b := c.a, c.b
			if swap {
				a, b = b, a
			}
			if got := Overlap([]string{a}, []string{b}); got != c.want {
				t.Errorf("Overlap(%q, %q) = %v, want %v", a, b, got, c.want)
			}
		}
		if !Overlap([]string{c.a}, []string{c.a}) {
			t.Errorf("%q does not overlap itself", c.a)
		}
	}
	if Overlap(nil, []string{"**"}) {
		t.Error("nothing overlaps something")
	}
}

func TestOverlapNamesThePairAndAnExample(t *testing.T) {
	for _, c := range []struct {
		a, b []string
		want Clash
	}{
		{[]string{"docs/**", "src/**/*.go"}, []string{"web", "src/api/*_test.go"}, Clash{"src/**/*.go", "src/api/*_test.go", "src/api/_test.go"}},
		{[]string{"src"}, []string{"src/api/main.go"}, Clash{"src", "src/api/main.go", "src/api/main.go"}},
		{[]string{"[k-p]*.go"}, []string{"?{y,z}.*"}, Clash{"[k-p]*.go", "?{y,z}.*", "ky.go"}},
		{[]string{"*"}, []string{"*"}, Clash{"*", "*", "x"}},
		{[]string{"é/*"}, []string{"É/ü"}, Clash{"é/*", "É/ü", ""}},
	} {
		got, found := FindOverlap(c.a, c.b)
		if c.want.Example == "" {
			c.want.Example = got.Example
			if strings.Count(got.Example, "/") != 1 {
				t.Errorf("example %q", got.Example)
			}
		}
		if !found || got != c.want {
			t.Errorf("FindOverlap(%q, %q) = %+v, want %+v", c.a, c.b, got, c.want)
		}
	}
}

func TestHostilePatternsAreAnsweredAtOnceAndSafely(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		stars := strings.Repeat("*a", 200) + "b"
		Overlap([]string{stars}, []string{strings.Repeat("a*", 200) + "c"})
		FindOverlap([]string{stars}, []string{strings.Repeat("a", 400) + "b"})
		deep := strings.Repeat("**/a/", 100)
		Overlap([]string{deep + "x.go"}, []string{strings.Repeat("a/**/", 100) + "y.go"})
		if !Overlap([]string{"q/" + strings.Repeat("{a,b}", 20)}, []string{"q/abababababababababab"}) {
			t.Error("too many braces: not safe")
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("still not answered")
	}
}

// TestWhatTwoGlobsBothMatchIsAnOverlap holds the intersection against a plain matcher: paths are drawn, then globs
// are made from each path by putting wildcards over it, so that both match it.
func TestWhatTwoGlobsBothMatchIsAnOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.SliceOfN(rapid.StringMatching(`[ab.]{0,3}[ab]`), 1, 4).Draw(t, "path")
		a, b := blur(t, path, "a"), blur(t, path, "b")
		if !Overlap([]string{a}, []string{b}) {
			t.Fatalf("%q and %q both match %q", a, b, strings.Join(path, "/"))
		}
		clash, _ := FindOverlap([]string{a}, []string{b})
		if slices.ContainsFunc(strings.Split(clash.Example, "/"), func(name string) bool { return name == "." || name == ".." }) {
			return // .* and ? have only the name "." in common: an overlap to be safe, but no path
		}
		if !Overlap([]string{a}, []string{clash.Example}) || !Overlap([]string{b}, []string{clash.Example}) {
			t.Fatalf("%q and %q: the example %q is not in both", a, b, clash.Example)
		}
	})
}

// blur turns a path into a glob that covers it.
func blur(t *rapid.T, path []string, label string) string {
	var parts []string
	for _, name := range path {
		switch rapid.IntRange(0, 7).Draw(t, label+" kind") {
		case 0:
			parts = append(parts, "**")
		case 1:
			parts = append(parts, "**", name)
		case 2:
			cut := rapid.IntRange(0, len(name)).Draw(t, label+" cut")
			parts = append(parts, name[:cut]+"*")
		case 3:
			cut := rapid.IntRange(0, len(name)-1).Draw(t, label+" cut")
			parts = append(parts, name[:cut]+"?"+name[cut+1:])
		case 4:
			cut := rapid.IntRange(0, len(name)-1).Draw(t, label+" cut")
			parts = append(parts, name[:cut]+"["+name[cut:cut+1]+"x-z]"+name[cut+1:])
		case 5:
			parts = append(parts, "{"+strings.ToUpper(name)+",other}")
		default:
			parts = append(parts, name)
		}
	}
	last := parts[len(parts)-1]
	if keep := rapid.IntRange(1, len(parts)).Draw(t, label+" keep"); keep < len(parts) && !strings.Contains(strings.Join(parts[:keep], ""), ".") {
		parts = slices.Clone(parts[:keep]) // a folder covers everything below it
	} else if last == "**" && rapid.Bool().Draw(t, label+" more") {
		parts = append(parts, "*")
	}
	return strings.Join(parts, "/")
}

func TestIDsAreSafeForRefs(t *testing.T) {
	for _, ok := range []string{"a", "0", "build-api", "v1.2_x", "locker", strings.Repeat("a", 64)} {
		if err := CheckID(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "-a", ".a", "_a", "A", "a b", "a/b", "a..b", "a.", "a.lock", "é", "a\n", "a~1", "a@{1}", strings.Repeat("a", 65)} {
		if CheckID(bad) == nil {
			t.Errorf("%q is let through", bad)
		}
	}
}
