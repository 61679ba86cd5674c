package plan

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/diagnostic"
)

func addPlans(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.yaml")
	for _, file := range files {
		if src, err := os.ReadFile(file); err == nil {
			f.Add(src)
		}
	}
}

func FuzzParse(f *testing.F) {
	addPlans(f)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, src []byte) {
		p, list := Parse("p.yaml", src, Options{Dir: dir})
		if (p == nil) != list.HasErrors() {
			t.Fatalf("plan %v with findings %v", p, list)
		}
		source := diagnostic.NewSource("p.yaml", src)
		for _, d := range list {
			if d.Line < 1 || d.Line > source.Lines() || d.Column < 1 || d.Width < 1 ||
				d.Column > utf8.RuneCount(source.Line(d.Line))+1 {
				t.Fatalf("%s is outside of the file", d)
			}
			if d.Message == "" || d.Code == "" {
				t.Fatalf("nothing is said: %+v", d)
			}
		}
		if p == nil {
			return
		}
		if tasks := p.Tasks(); len(tasks) == 0 || len(tasks) != p.Len() {
			t.Fatalf("%d tasks of %d", len(tasks), p.Len())
		}
		for _, format := range GraphFormats() {
			if err := Graph(&bytes.Buffer{}, p.Tasks(), GraphFormat(format)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzFormatKeepsThePlan(f *testing.F) {
	addPlans(f)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, src []byte) {
		formatted, err := Format(src)
		if err != nil {
			return
		}
		before, _ := Parse("p.yaml", src, Options{Dir: dir})
		after, list := Parse("p.yaml", formatted, Options{Dir: dir})
		if (before == nil) != (after == nil) {
			t.Fatalf("%q\nbecomes %q: %v", src, formatted, list)
		}
		if before != nil {
			if diff := cmp.Diff(before.Tasks(), after.Tasks()); diff != "" {
				t.Fatalf("the tasks change:\n%s", diff)
			}
		}
	})
}
