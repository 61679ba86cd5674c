package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The groups of commands, in the order of the help page.
const (
	groupStart  = "start"
	groupWatch  = "watch"
	groupSteer  = "steer"
	groupFinish = "finish"
	groupSetup  = "setup"
)

// Commands are listed in the order in which a person meets them.
func init() { cobra.EnableCommandSorting = false }

// newRoot puts the commands together.
func newRoot(a *App) *cobra.Command {
	root := &cobra.Command{
		Use:               "orc",
		Short:             "Run coding agents on a plan, in parallel, and pick up where you stopped",
		Args:              commandArgs,
		RunE:              a.bare,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.AddGroup(
		&cobra.Group{ID: groupStart, Title: "Start"},
		&cobra.Group{ID: groupWatch, Title: "Watch"},
		&cobra.Group{ID: groupSteer, Title: "Steer"},
		&cobra.Group{ID: groupFinish, Title: "Finish"},
		&cobra.Group{ID: groupSetup, Title: "Set up"},
	)
	a.bindGlobals(root.PersistentFlags())
	root.SetFlagErrorFunc(flagError)
	for _, group := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{groupStart, []*cobra.Command{newInit(a), newDoctor(a), newPlan(a), newRun(a)}},
		{groupWatch, []*cobra.Command{newStatus(a), newUI(a), newLogs(a), newShow(a), newDiff(a), newHistory(a)}},
		{groupSteer, []*cobra.Command{newAnswer(a), newApprove(a), newRetry(a), newCancel(a), newPause(a), newResume(a), newEdit(a)}},
		{groupFinish, []*cobra.Command{newMerge(a), newRestore(a), newClean(a)}},
		{groupSetup, []*cobra.Command{newConfig(a), newAgents(a), newTrust(a), newDB(a), newCompletion(a), newMan(a), newVersion(a)}},
	} {
		for _, c := range group.commands {
			c.GroupID = group.id
			root.AddCommand(c)
		}
	}
	root.AddCommand(newOwner(a), newMCP(a))
	root.AddCommand(newHelpTopics()...)
	root.SetHelpCommand(newHelp(a))
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { a.help(cmd) })
	return root
}

// commandArgs refuses words that are no sub-command of a command.
func commandArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
			names = append(names, c.Aliases...)
		}
		for _, alias := range c.SuggestFor {
			if strings.EqualFold(alias, args[0]) {
				return usageError(didYouMean(cmd.CommandPath()+" "+c.Name()), "unknown command %q", args[0])
			}
		}
	}
	h := cmd.CommandPath() + " --help"
	if best := closest(args[0], names); best != "" {
		h = didYouMean(cmd.CommandPath() + " " + best)
	}
	return usageError(h, "unknown command %q", args[0])
}

// groupCommand is a command that only has sub-commands.
func groupCommand(a *App, c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.Args = commandArgs
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		a.help(cmd)
		return nil
	}
	c.AddCommand(commands...)
	return c
}

// between refuses a wrong number of arguments; most < 0 means any number.
func between(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		h := "usage: " + cmd.UseLine()
		switch {
		case len(args) < least:
			return usageError(h, "%s wants %s", cmd.CommandPath(), arguments(cmd))
		case most >= 0 && len(args) > most:
			return usageError(h, "unexpected argument %q", args[most])
		}
		return nil
	}
}

// arguments returns what stands after the name in a command's usage line.
func arguments(cmd *cobra.Command) string {
	_, rest, _ := strings.Cut(cmd.Use, " ")
	return rest
}

// flagError explains a wrong flag.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usageError(cmd.CommandPath()+" --help", "%w", err)
	}
	name := unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		return usageError(cmd.CommandPath()+" --help", "unknown flag -%s", name)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	h := cmd.CommandPath() + " --help"
	if best := closest(name, names); best != "" {
		h = didYouMean("--" + best)
	}
	return usageError(h, "unknown flag --%s", name)
}

// bare is `orc` alone: where the live run of this repository is, or how to begin.
func (a *App) bare(cmd *cobra.Command, _ []string) error {
	live, err := a.liveRun(cmd.Context())
	if err != nil {
		return err
	}
	if live == nil {
		_, err := io.WriteString(a.Stdout, beginning)
		return err
	}
	if err := a.status(cmd.Context(), string(live.ID), nil, false); err != nil {
		return err
	}
	if a.globals.quiet {
		return nil
	}
	_, err = fmt.Fprintf(a.Stdout, "\n  orc logs TASK -f    what a task does\n  orc show TASK       its attempts and checks\n  orc --help          every command\n")
	return err
}

const beginning = `orc runs coding agents on a plan, in parallel, and picks up where you stopped.

  orc init             write .orc/config.yaml and a first plan.yaml
  orc run plan.yaml    run the plan; your checkout is not touched
  orc merge            bring the finished work into your branch

Every command: orc --help
`
