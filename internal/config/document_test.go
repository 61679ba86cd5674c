package config

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

const documentHead = `# Settings

Settings come from layers; a higher one wins. Maps are merged by key, everything else is replaced whole.

1. built in
2. the user's file: ` + "`$XDG_CONFIG_HOME/orc/config.yaml`, by default `~/.config/orc/config.yaml`" + `, on macOS too
3. the project's file, committed: ` + "`.orc/config.yaml`" + `
4. the project's local file, not committed: ` + "`.orc/config.local.yaml`" + `
5. the environment
6. flags

` + "`orc config show --origin`" + ` says where each value comes from.

`

func TestDocumentListsEveryKey(t *testing.T) {
	const path = "../../docs/configuration.md"
	want := documentHead + Table()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is stale: go test ./internal/config -run Document -update", path)
	}
}
