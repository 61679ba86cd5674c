package cli

import "github.com/spf13/cobra"

func newAgents(a *App) *cobra.Command { return &cobra.Command{Use: "agents"} }
