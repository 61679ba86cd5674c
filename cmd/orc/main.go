// Command orc runs coding agents on a plan, in parallel, and picks up where it stopped.
package main

import (
	"context"
	"os"
	"syscall"

	"orchestrator/internal/cli"
)

func main() { start(cli.System()) }

func start(app *cli.App) {
	// What we write may hold prompts, code and what agents said: it is for its owner's eyes. What commands and git
	// write for the user follows the user's own mask.
	app.Umask = syscall.Umask(0o077)
	os.Exit(cli.Main(context.Background(), app, os.Args[1:]))
}
