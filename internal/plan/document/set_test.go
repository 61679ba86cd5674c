package document

import (
	"errors"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

func TestSetChangesOneValueAndKeepsTheRest(t *testing.T) {
	for name, c := range map[string]struct{ src, path, value, want string }{
		"empty file":     {"", "a b", "1", "a:\n  b: 1\n"},
		"only comments":  {"# mine\n", "a", "1", "# mine\na: 1\n"},
		"no line end":    {"x: 1", "a", "2", "x: 1\na: 2\n"},
		"plain value":    {"# head\na: 1   # why\nb: 2\n", "a", "3", "# head\na: 3   # why\nb: 2\n"},
		"quoted value":   {"a: 'it''s'  # why\n", "a", `"x # y"`, "a: \"x # y\"  # why\n"},
		"list":           {"a: [1, \"]\"] # why\n", "a", "[x]", "a: [x] # why\n"},
		"bare value":     {"a:   # why\nb: 1\n", "a", "x", "a: x   # why\nb: 1\n"},
		"into a map":     {"m:\n  # first\n  a: 1\n\n# second\nn: 2\n", "m b", "3", "m:\n  # first\n  a: 1\n  b: 3\n\n# second\nn: 2\n"},
		"deep":           {"m:\n    a: 1\n", "m b c", "3", "m:\n    a: 1\n    b:\n      c: 3\n"},
		"behind a text":  {"m:\n  a: |\n    # text\n    more\nn: 1\n", "m b", "3", "m:\n  a: |\n    # text\n    more\n  b: 3\nn: 1\n"},
		"behind a list":  {"m:\n  a:\n  - 1\n  - 2\nn: 1\n", "m b", "3", "m:\n  a:\n  - 1\n  - 2\n  b: 3\nn: 1\n"},
		"braces":         {"m: {a: 1, b: 2}  # why\n", "m b", "3", "m: {a: 1, b: 3}  # why\n"},
		"into braces":    {"m: {a: 1 }\n", "m b c", "3", "m: {a: 1, b: {c: 3}}\n"},
		"into no braces": {"m: {}\n", "m b", "3", "m: {b: 3}\n"},
		"under nothing":  {"m:\n# later\nn: 1\n", "m b", "3", "m:\n  b: 3\n# later\nn: 1\n"},
		"strange key":    {"a: 1\n", "m true", "3", "a: 1\nm:\n  \"true\": 3\n"},
		"umlauts":        {"ä: ü # ö\n", "ä", "ß", "ä: ß # ö\n"},
		"windows":        {"a: 1\r\nb: 2\r\n", "a", "3", "a: 3\r\nb: 2\r\n"},
	} {
		got, err := Set([]byte(c.src), strings.Fields(c.path), c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n got %q\nwant %q", name, err, got, c.want)
		}
	}
}

func TestSetRefusesWhatItCannotDoSafely(t *testing.T) {
	for name, c := range map[string]struct{ src, path, value string }{
		"text of lines":   {"a: |\n  x\n", "a", "1"},
		"list of lines":   {"a:\n  - x\n", "a", "[1]"},
		"braces of lines": {"m: {\n  a: 1\n}\n", "m b", "1"},
		"an alias":        {"x: &x {a: 1}\nm: *x\n", "m a", "2"},
		"an anchor":       {"x: &x 1\ny: *x\n", "x", "2"},
		"no map":          {"m: 1\n", "m a", "2"},
		"a list":          {"- 1\n", "m", "2"},
		"a value of two":  {"a: 1\n", "a", "x\ny: 2"},
		"more than one":   {"a: 1\n", "a", "x #"},
		"folded":          {"a: one\n  two\n", "a", "x"},
	} {
		if got, err := Set([]byte(c.src), strings.Fields(c.path), c.value); !errors.Is(err, ErrLayout) && name != "more than one" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := Set([]byte("a: [\n"), []string{"a"}, "1"); err == nil || errors.Is(err, ErrLayout) {
		t.Errorf("broken file: %v", err)
	}
}

func TestScalarsMeanTheirText(t *testing.T) {
	for _, text := range []string{"opus", "4", "true", "a b", "x: y", "#1", "it's", "\"q\"", "", "~", "null", "a\nb", "- x", "*x", "[x]", "\x1b[0m", "a\\b", "ü", "@x", "%x", "x #y"} {
		var got any
		if err := yaml.Load([]byte("v: "+Scalar(text)+"\n"), &got); err != nil {
			t.Errorf("%q as %s: %v", text, Scalar(text), err)
			continue
		}
		switch v := got.(map[string]any)["v"].(type) {
		case string:
			if v != text {
				t.Errorf("%q as %s means %q", text, Scalar(text), v)
			}
		case nil:
			t.Errorf("%q as %s means nothing", text, Scalar(text))
		}
	}
}

func FuzzSet(f *testing.F) {
	f.Add("a: 1\nm: {b: 2}\n", "b", "3")
	f.Add("m:\n  - x\n", "c", "[1]")
	f.Fuzz(func(t *testing.T, src, key, value string) {
		out, err := Set([]byte(src), []string{"m", key}, value)
		if err != nil {
			return
		}
		if list := Read("", out).Findings(); list.HasErrors() {
			t.Fatalf("%q became %q: %v", src, out, list)
		}
	})
}
