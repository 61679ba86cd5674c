package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// The page about errors is held to what the checker says to the plans that its own tests are made of.
func TestPlanErrorsNamesEveryCode(t *testing.T) {
	files, err := filepath.Glob("../plan/testdata/*/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded errors: %v", err)
	}
	explained := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z0-9-]+)( |$)`).FindAllStringSubmatch(topicPlanErrors, -1) {
		explained[m[1]] = true
	}
	said := regexp.MustCompile(`(?m)^\S+: (?:error|warning): .* \[([a-z0-9-]+)\]$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range said.FindAllStringSubmatch(string(text), -1) {
			if !explained[m[1]] {
				t.Errorf("orc help plan-errors does not explain %q, which %s has", m[1], file)
			}
		}
	}
}
