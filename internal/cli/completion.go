package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newCompletion(a *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion {bash|zsh|fish|powershell}",
		Short: "Print a script that completes commands, runs and tasks",
		Long: `Prints a script for your shell. It completes commands and flags, and the ids of live runs and tasks.

  bash        orc completion bash > ~/.local/share/bash-completion/completions/orc
  zsh         orc completion zsh > "${fpath[1]}/_orc"
  fish        orc completion fish > ~/.config/fish/completions/orc.fish
  powershell  orc completion powershell >> $PROFILE`,
		Example:   "  source <(orc completion bash)",
		Args:      between(1, 1),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(a.Stdout, true)
		case "zsh":
			return root.GenZshCompletion(a.Stdout)
		case "fish":
			return root.GenFishCompletion(a.Stdout, true)
		case "powershell", "pwsh":
			return root.GenPowerShellCompletionWithDesc(a.Stdout)
		}
		h := "one of: bash, zsh, fish, powershell"
		if best := closest(args[0], cmd.ValidArgs); best != "" {
			h = didYouMean(fmt.Sprintf("%s %s", cmd.CommandPath(), best))
		}
		return usageError(h, "there is no completion for %q", args[0])
	}
	return cmd
}
