package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newHelp is `orc help`.
func newHelp(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | TOPIC]",
		Short: "Explain a command or a topic",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
			at, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []cobra.Completion
			for _, c := range at.Commands() {
				if !c.Hidden && strings.HasPrefix(c.Name(), word) {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			at := cmd.Root()
			for i, word := range args {
				var next *cobra.Command
				var names []string
				for _, c := range at.Commands() {
					names = append(names, c.Name())
					// A topic may have the name of a command: it is meant where nothing follows.
					if (c.Name() == word || c.HasAlias(word)) && (i == len(args)-1 || !c.IsAdditionalHelpTopicCommand()) {
						next = c
					}
				}
				if next == nil {
					h := at.CommandPath() + " --help"
					if best := closest(word, names); best != "" {
						h = didYouMean(cmd.CommandPath() + " " + best)
					}
					return usageError(h, "there is no help about %q", word)
				}
				at = next
			}
			// Flags such as --help appear on a command only once it is asked for them.
			at.InitDefaultHelpFlag()
			a.help(at)
			return nil
		},
	}
}

// help prints the help page of a command: examples first, then what it takes.
func (a *App) help(cmd *cobra.Command) {
	var b strings.Builder
	p := a.paint(a.Stdout)
	switch {
	case cmd.IsAdditionalHelpTopicCommand():
		b.WriteString(strings.TrimSpace(cmd.Long) + "\n")
	case !cmd.HasParent():
		writeRootHelp(&b, cmd, p)
	default:
		writeCommandHelp(&b, cmd, p)
	}
	// Nothing can be said about a stdout that is gone.
	_, _ = io.WriteString(a.Stdout, b.String())
}

// common are the commands that a newcomer needs, in the order of their use.
var common = []string{"init", "run", "status", "resume", "merge"}

func writeRootHelp(b *strings.Builder, root *cobra.Command, p paint) {
	fmt.Fprintf(b, "orc - %s\n\n%s\n", lowerFirst(root.Short), p.bold("Examples"))
	b.WriteString("  orc run plan.yaml                  run a plan; your checkout is not touched\n")
	b.WriteString("  orc status --json=id,state         what is done, for a script\n")
	b.WriteString("  orc resume                         go on after a stop or a crash\n")
	line := func(c *cobra.Command) { fmt.Fprintf(b, "  %-12s %s\n", c.Name(), c.Short) }
	first := map[string]bool{}
	fmt.Fprintf(b, "\n%s\n", p.bold("Most used"))
	for _, name := range common {
		if c, _, err := root.Find([]string{name}); err == nil && c != root {
			first[name] = true
			line(c)
		}
	}
	for _, g := range root.Groups() {
		title := false
		for _, c := range root.Commands() {
			if c.GroupID != g.ID || first[c.Name()] || !c.IsAvailableCommand() {
				continue
			}
			if !title {
				fmt.Fprintf(b, "\n%s\n", p.bold(g.Title))
				title = true
			}
			line(c)
		}
	}
	fmt.Fprintf(b, "\n%s\n", p.bold("Topics"))
	for _, c := range root.Commands() {
		if c.IsAdditionalHelpTopicCommand() {
			fmt.Fprintf(b, "  orc help %-14s %s\n", c.Name(), c.Short)
		}
	}
	fmt.Fprintf(b, "\n%s\n%s", p.bold("Flags of every command"), flagUsages(root.PersistentFlags()))
	b.WriteString("\nMore about a command: orc COMMAND --help\n")
}

func writeCommandHelp(b *strings.Builder, cmd *cobra.Command, p paint) {
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintf(b, "%s\n", strings.TrimSpace(text))
	if cmd.Example != "" {
		fmt.Fprintf(b, "\n%s\n%s\n", p.bold("Examples"), strings.TrimRight(cmd.Example, "\n"))
	}
	fmt.Fprintf(b, "\n%s\n  %s\n", p.bold("Usage"), cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(b, "\n%s\n", p.bold("Commands"))
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(b, "  %-12s %s\n", c.Name(), c.Short)
			}
		}
	}
	if cmd.HasAvailableLocalFlags() {
		fmt.Fprintf(b, "\n%s\n%s", p.bold("Flags"), flagUsages(cmd.LocalFlags()))
	}
	if fields := cmd.Annotations[jsonFields]; fields != "" {
		fmt.Fprintf(b, "\n%s\n%s\n", p.bold("JSON fields"), wrap(fields, 2, 100))
	}
	if cmd.HasAvailableInheritedFlags() {
		fmt.Fprintf(b, "\n%s\n%s", p.bold("Flags of every command"), flagUsages(cmd.InheritedFlags()))
	}
}

// flagUsages is a list of flags without the placeholder that pflag prints for a bare --json.
func flagUsages(f *pflag.FlagSet) string {
	return strings.ReplaceAll(f.FlagUsages(), ` FIELDS[="*"]`, `[=FIELDS]    `)
}

// wrap breaks a comma-separated list into lines.
func wrap(s string, indent, columns int) string {
	pad := strings.Repeat(" ", indent)
	var lines []string
	line := pad
	for word := range strings.SplitSeq(s, " ") {
		if len(line)+len(word)+1 > columns && strings.TrimSpace(line) != "" {
			lines = append(lines, line)
			line = pad
		}
		if line != pad {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
