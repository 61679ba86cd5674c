package plan

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/internal/diagnostic"
)

// checkGolden compares what is said about each plan of a folder with the file beside it.
func checkGolden(t *testing.T, folder string, each func(t *testing.T, p *Plan, list diagnostic.List)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no plans in %s: %v", folder, err)
	}
	t.Chdir(filepath.Join("testdata", folder))
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			p, list, err := Load(name, Options{})
			if err != nil {
				t.Fatal(err)
			}
			each(t, p, list)
			var got bytes.Buffer
			if err := diagnostic.Write(&got, list, diagnostic.Text, diagnostic.Style{}); err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(name, ".yaml") + ".txt"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadPlansAreExplained(t *testing.T) {
	checkGolden(t, "bad", func(t *testing.T, p *Plan, list diagnostic.List) {
		if p != nil || !list.HasErrors() {
			t.Errorf("plan %v with findings %v", p, list)
		}
	})
}

func TestDoubtfulPlansAreWarnedOf(t *testing.T) {
	checkGolden(t, "warn", func(t *testing.T, p *Plan, list diagnostic.List) {
		if p == nil || list.HasErrors() {
			t.Errorf("no plan: %v", list)
		}
	})
}

func TestGoodPlansAreAccepted(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no plans: %v", err)
	}
	for _, file := range files {
		p, list, err := Load(file, Options{})
		if err != nil || p == nil || list.HasErrors() {
			t.Errorf("%s: %v %v", file, err, list)
		}
	}
}
