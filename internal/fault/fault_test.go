package fault

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestListsAreWhatTheCodeSays holds the lists against the calls in the tree: a name that is misspelled, or a point
// that is in the list but nowhere in the code, would never be noticed otherwise.
func TestListsAreWhatTheCodeSays(t *testing.T) {
	call := regexp.MustCompile(`fault\.(Point|Mutant)\("([^"]*)"\)`)
	found := map[string][]string{}
	root := filepath.Join("..", "..", "internal")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range call.FindAllSubmatch(text, -1) {
			found[string(m[1])] = append(found[string(m[1])], string(m[2]))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string][]string{"Point": Points(), "Mutant": Mutants()} {
		got := found[kind]
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("fault.%s in the code (-listed +called):\n%s", kind, diff)
		}
	}
}

func TestNothingHappensWithoutTags(t *testing.T) {
	t.Setenv("ORC_FAULT", "git.ref:1")
	t.Setenv("ORC_MUTANT", "no-fence")
	t.Setenv("ORC_FAULT_HEARTBEAT", "1ms")
	if env := Environ(); env != nil {
		t.Skipf("built with faults: %q", env)
	}
	Point("git.ref")
	if beat := Heartbeat(); beat != 0 {
		t.Errorf("heartbeat %s", beat)
	}
	if Mutant("no-fence") {
		t.Error("a bug is planted in a build without tags")
	}
}
