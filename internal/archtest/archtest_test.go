package archtest

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestHouseIsInOrder(t *testing.T) {
	root := filepath.Join("..", "..")
	architecture, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := Check(os.DirFS(root), string(architecture))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wrong {
		t.Error(w)
	}
}

// sound is a small tree without a fault; the cases of TestPlantedFaultsAreCaught each add one.
func sound() (tree map[string]string, architecture string) {
	tree = map[string]string{
		"cmd/orc/main.go":                           "// Command orc.\npackage main\nimport \"orchestrator/internal/cli\"",
		"internal/cli/cli.go":                       "// Package cli joins.\npackage cli\nimport (\"github.com/spf13/cobra\"; \"orchestrator/internal/provider/command\")",
		"internal/scheduler/task.go":                "// Package scheduler decides.\npackage scheduler\nimport \"time\"",
		"internal/scheduler/task_test.go":           "package scheduler\nimport \"pgregory.net/rapid\"",
		"internal/provider/provider.go":             "// Package provider is a port.\npackage provider\nimport \"orchestrator/internal/process\"",
		"internal/provider/command/command.go":      "// Package command runs.\npackage command\nimport \"orchestrator/internal/provider\"",
		"internal/provider/command/testdata/bad.go": "this is not Go",
		"examples/demo/repo/go.mod":                 "module other",
		"examples/demo/repo/main.go":                "package main\nimport \"example.com/whatever\"",
	}
	architecture = `
In prose, internal/nothing/ is not on the map.

` + "```" + `
cmd/orc/                    main
internal/
  internal/cli/             joins
  internal/scheduler/       decides
  internal/provider/        port
  internal/provider/command/
` + "```\n"
	return tree, architecture
}

func check(t *testing.T, tree map[string]string, architecture string) []string {
	t.Helper()
	files := fstest.MapFS{}
	for name, text := range tree {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	wrong, err := Check(files, architecture)
	if err != nil {
		t.Fatal(err)
	}
	return wrong
}

func TestSoundTreeHasNoFault(t *testing.T) {
	tree, architecture := sound()
	if wrong := check(t, tree, architecture); len(wrong) > 0 {
		t.Errorf("faults found in a sound tree: %q", wrong)
	}
}

func TestPlantedFaultsAreCaught(t *testing.T) {
	cases := []struct {
		name  string
		plant map[string]string
		draw  string // replaces the map
		want  []string
	}{
		{
			name:  "the domain imports a third party",
			plant: map[string]string{"internal/scheduler/x.go": "package scheduler\nimport \"golang.org/x/sys/unix\""},
			want:  []string{"internal/scheduler/x.go: golang.org/x/sys/unix does not belong here"},
		},
		{
			name:  "the domain imports a package of ours",
			plant: map[string]string{"internal/scheduler/x.go": "package scheduler\nimport \"orchestrator/internal/event\""},
			want:  []string{"internal/scheduler/x.go: internal/scheduler may not import internal/event"},
		},
		{
			name:  "a driver imports another driver",
			plant: map[string]string{"internal/provider/command/x.go": "package command\nimport \"orchestrator/internal/provider/fake\""},
			want:  []string{"internal/provider/command/x.go: internal/provider/command may not import internal/provider/fake"},
		},
		{
			name:  "a port imports its driver",
			plant: map[string]string{"internal/provider/x.go": "package provider\nimport \"orchestrator/internal/provider/command\""},
			want:  []string{"internal/provider/x.go: internal/provider may not import internal/provider/command"},
		},
		{
			name:  "somebody but the command imports cli",
			plant: map[string]string{"internal/provider/x.go": "package provider\nimport \"orchestrator/internal/cli\""},
			want:  []string{"internal/provider/x.go: internal/provider may not import internal/cli"},
		},
		{
			name:  "cobra outside of cli",
			plant: map[string]string{"internal/provider/x.go": "package provider\nimport \"github.com/spf13/cobra\""},
			want:  []string{"internal/provider/x.go: github.com/spf13/cobra does not belong here"},
		},
		{
			name:  "a test library in the program",
			plant: map[string]string{"internal/cli/x.go": "package cli\nimport \"github.com/google/go-cmp/cmp\""},
			want:  []string{"internal/cli/x.go: github.com/google/go-cmp/cmp does not belong here"},
		},
		{
			name:  "a third party that no fence names",
			plant: map[string]string{"internal/cli/x_test.go": "package cli\nimport \"example.com/new\""},
			want:  []string{"internal/cli/x_test.go: example.com/new does not belong here"},
		},
		{
			name:  "a package without a comment",
			plant: map[string]string{"internal/provider/provider.go": "package provider"},
			want:  []string{"internal/provider: no package comment"},
		},
		{
			name:  "a comment that does not begin with the package's name",
			plant: map[string]string{"internal/provider/provider.go": "// This is a port.\npackage provider"},
			want:  []string{"internal/provider: no package comment"},
		},
		{
			name:  "two package comments",
			plant: map[string]string{"internal/provider/x.go": "// Package provider again.\npackage provider"},
			want:  []string{"internal/provider: 2 package comments (provider.go, x.go)"},
		},
		{
			name:  "a package that no rule names",
			plant: map[string]string{"internal/attic/x.go": "// Package attic keeps.\npackage attic"},
			want: []string{
				"internal/attic: no rule says what it may import",
				"docs/architecture.md: internal/attic is not on the map",
			},
		},
		{
			name: "a map that shows what is not there and hides what is",
			draw: "```\ncmd/orc/\ninternal/cli/\ninternal/scheduler/\ninternal/provider/\ninternal/ghost/\n```\n",
			want: []string{
				"docs/architecture.md: internal/ghost is on the map but does not exist",
				"docs/architecture.md: internal/provider/command is not on the map",
			},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tree, architecture := sound()
			maps.Copy(tree, c.plant)
			if c.draw != "" {
				architecture = c.draw
			}
			if diff := cmp.Diff(c.want, check(t, tree, architecture)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBrokenFileIsAnErrorNotAPass(t *testing.T) {
	_, err := Check(fstest.MapFS{"internal/cli/x.go": {Data: []byte("package")}}, "")
	if err == nil {
		t.Error("a file that does not parse passed")
	}
}
