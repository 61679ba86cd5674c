// Command orc runs coding agents on a plan, in parallel, and picks up where it stopped.
package main

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"orchestrator/internal/cli"
)

func main() {
	// Everything that we write may hold prompts, code and what agents said: it is for its owner's eyes.
	unix.Umask(0o077)
	os.Exit(cli.Main(context.Background(), cli.System(), os.Args[1:]))
}
