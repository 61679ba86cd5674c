package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newMan(a *App) *cobra.Command {
	return &cobra.Command{
		Use:     "man",
		Short:   "Print the manual page",
		Long:    "Prints one manual page with all commands, flags, variables and exit codes, for man(1).",
		Example: "  orc man | man -l -\n  orc man > ~/.local/share/man/man1/orc.1",
		Args:    between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(a.Stdout, manPage(cmd.Root()))
			return err
		},
	}
}

// manPage writes all commands as one page in the language of man(7). The libraries that do so leave out either the
// long texts or the lines of the examples.
func manPage(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH ORC 1 \"\" \"orc %s\" \"\"\n.nh\n.ad l\n", roffText(version))
	fmt.Fprintf(&b, ".SH NAME\norc \\- %s\n", roffText(lowerFirst(root.Short)))
	b.WriteString(".SH SYNOPSIS\n.B orc\n.I COMMAND\n[\\fIflags\\fR] [\\fIarguments\\fR]\n.SH OPTIONS\n")
	manFlags(&b, root.PersistentFlags())
	b.WriteString(".SH COMMANDS\n")
	manCommands(&b, root)
	for _, topic := range newHelpTopics() {
		title, text, _ := strings.Cut(strings.TrimSpace(topic.Long), "\n\n")
		fmt.Fprintf(&b, ".SH %s\n%s", roffText(strings.ToUpper(title)), roffProse(text))
	}
	return b.String()
}

// manCommands writes the commands below one, each with what it does, its flags and its examples.
func manCommands(b *strings.Builder, parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "help" {
			continue
		}
		if c.HasAvailableSubCommands() {
			manCommands(b, c)
			continue
		}
		fmt.Fprintf(b, ".SS \"%s\"\n", strings.ReplaceAll(roffText(c.UseLine()), `"`, `\(dq`))
		about := c.Long
		if about == "" {
			about = c.Short + "."
		}
		b.WriteString(roffProse(about))
		manFlags(b, c.NonInheritedFlags())
		if c.Example != "" {
			b.WriteString(".PP\n.RS 4\n" + roffLines(c.Example) + ".RE\n")
		}
	}
}

// manFlags writes flags with what they take and do.
func manFlags(b *strings.Builder, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		takes, does := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fmt.Fprintf(b, ".TP\n\\fB%s\\fR", roffText(name))
		if takes != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", roffText(takes))
		}
		fmt.Fprintf(b, "\n%s\n", roffText(does))
	})
}

// roffText takes the meaning from what has one in man(7).
func roffText(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "→", `\(->`, "·", `\(pc`, "≈", `\(~~`, "−", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

// roffProse fills the paragraphs of a text and keeps its indented lines as they are.
func roffProse(text string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		if b.Len() > 0 {
			b.WriteString(".PP\n")
		}
		if strings.HasPrefix(part, "  ") {
			b.WriteString(roffLines(part))
			continue
		}
		for line := range strings.SplitSeq(part, "\n") {
			b.WriteString(roffText(line) + "\n")
		}
	}
	return b.String()
}

// roffLines keeps the lines of a text as they are.
func roffLines(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i, l := range lines {
		lines[i] = roffText(l)
	}
	return ".nf\n" + strings.Join(lines, "\n") + "\n.fi\n"
}
