package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// acting are the commands that do something and print no document, or one that is a format of its own.
var acting = []string{
	"orc init", "orc plan import", "orc plan fmt", "orc plan schema", "orc ui", "orc answer", "orc pause", "orc approve", "orc retry", "orc cancel",
	"orc db backup", "orc config set", "orc config edit", "orc config schema", "orc completion",
	"orc man",
}

// streaming are those that print the events of a run as they happen: --json alone.
var streaming = []string{"orc run", "orc resume", "orc edit"}

// Each command has what the help page and a program need: a short text without a full stop, examples, and, unless it only
// acts, --json, --jq and --template with the fields of its document; its arguments complete to something.
func TestEveryCommandKeepsTheContract(t *testing.T) {
	root := newRoot(&App{})
	everyCommand(root, func(c *cobra.Command) {
		path := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short text %q", path, c.Short)
		}
		if c.IsAdditionalHelpTopicCommand() || c.HasAvailableSubCommands() && c.Annotations[jsonFields] == "" {
			return
		}
		if !strings.HasPrefix(c.Example, "  ") || !strings.Contains(c.Example, "orc ") {
			t.Errorf("%s: its help has no examples", path)
		}
		for _, name := range []string{"json", "jq", "template"} {
			want := !slices.Contains(acting, path) && (name == "json" || !slices.Contains(streaming, path))
			if has := c.Flags().Lookup(name) != nil; has != want {
				t.Errorf("%s: --%s: %v, want %v", path, name, has, want)
			}
		}
		if strings.Contains(c.Use, " ") && c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 {
			t.Errorf("%s: its arguments do not complete", path)
		}
	})
}
