package document

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFormatGivesTheCanonicalLayout(t *testing.T) {
	inputs, err := filepath.Glob("testdata/format/*.in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	for _, input := range inputs {
		t.Run(filepath.Base(input), func(t *testing.T) {
			src, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Format(src)
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(input, ".in.yaml") + ".out.yaml"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("layout (-want +got):\n%s", diff)
			}
			again, err := Format(got)
			if err != nil || !bytes.Equal(again, got) {
				t.Errorf("formatting again changes the text (%v):\n%s", err, cmp.Diff(string(got), string(again)))
			}
		})
	}
}

func TestFormatRefusesWhatIsNotYAML(t *testing.T) {
	if _, err := Format([]byte("a: b: c")); err == nil || !strings.Contains(err.Error(), "line 1, column 4") {
		t.Errorf("got %v, want an error with the position", err)
	}
}

func FuzzFormat(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.yaml")
	for _, file := range files {
		if src, err := os.ReadFile(file); err == nil {
			f.Add(src)
		}
	}
	for _, s := range []string{
		"", "#", "a: |+\n x\n\n\n", "a:\n- - b\n  - c\n-\n  d: e\n", "? a\n: b\n", "a: &x\n   b: c\nd: *x\n",
		"a: 'it''s\n  x'\n", "- a:   b\n  c:  d\n", "\ta: b", "a: |2\n   x\n", "a: [b,\n c: {d: 'e',\n f: g}]", "a:\r\n    b: c\r\n",
		"--- \na: b\n...\n", "{\"a\":\n [1,\n 2]}", "a: b  # c\n\n\n\n   # d\n", "a: >-\n    x\n    y\n   # z\nb: 1", "a:\n   !!str b\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := Format(src)
		if err != nil {
			return
		}
		before, after := Read("", src), Read("", got)
		if (before.Root == nil) != (after.Root == nil) || before.Root != nil && !equal(before.Root, after.Root) {
			t.Fatalf("the meaning changed\nfrom %q\nto   %q", src, got)
		}
		if again, err := Format(got); err != nil || !bytes.Equal(again, got) {
			t.Fatalf("not idempotent (%v)\nfirst  %q\nsecond %q", err, got, again)
		}
	})
}
