package cli

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestManualPageHasEveryCommandAndIsGoodRoff(t *testing.T) {
	root := newRoot(&App{})
	page := manPage(root)
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if !sub.IsAvailableCommand() || sub.Name() == "help" || sub.IsAdditionalHelpTopicCommand() {
				continue
			}
			each(sub)
			if want := ".SS \"" + strings.ReplaceAll(sub.CommandPath(), "-", `\-`); !sub.HasAvailableSubCommands() && !strings.Contains(page, want) {
				t.Errorf("%s is missing", sub.CommandPath())
			}
		}
	}
	each(root)
	for i, r := range page {
		if r > 0x7e {
			t.Errorf("%q at %d: %q", r, i, page[max(i-30, 0):i])
		}
	}
	if strings.Count(page, "\n.nf\n") != strings.Count(page, "\n.fi\n") {
		t.Error("kept lines begin and do not end, or the other way round")
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		return // what it would say is checked where it is installed
	}
	cmd := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
	cmd.Stdin = strings.NewReader(page)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}
