package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTableAlignsAndCuts(t *testing.T) {
	bold := paint{on: true}.bold
	var tab table
	tab.add(cell{text: "✓ done"}, plain("schema"), cell{text: "2m12s", right: true}, plain("+184 −2  4 files"))
	tab.add(cell{text: "✗ failed", style: bold}, plain("日本\x1b[31m"), cell{text: "9s", right: true}, plain("make docs-lint:\nexit 2"))
	tab.add(cell{text: "· waiting"}, plain("e2e"), cell{right: true}, plain(""))

	for width, want := range map[int][]string{
		0: {
			"  ✓ done     schema  2m12s  +184 −2  4 files",
			"  \x1b[1m✗ failed\x1b[0m   日本       9s  make docs-lint: exit 2",
			"  · waiting  e2e",
		},
		34: {
			"  ✓ done     schema  2m12s  +184 …",
			"  \x1b[1m✗ failed\x1b[0m   日本       9s  make …",
			"  · waiting  e2e",
		},
		12: {
			"  ✓ done",
			"  \x1b[1m✗ failed\x1b[0m",
			"  · waiting",
		},
	} {
		var out bytes.Buffer
		if err := tab.write(&out, "  ", width); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Join(want, "\n")+"\n", out.String()); diff != "" {
			t.Errorf("width %d (-want +got):\n%s", width, diff)
		}
	}
}
