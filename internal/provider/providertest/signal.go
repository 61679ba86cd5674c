package providertest

import (
	"os"
	"os/signal"
	"syscall"
)

// ignoreTerm makes SIGTERM useless; it is handled and not ignored, as children would inherit the ignoring.
func ignoreTerm() { signal.Notify(make(chan os.Signal, 8), syscall.SIGTERM, syscall.SIGINT) }
