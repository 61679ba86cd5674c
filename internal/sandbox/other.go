//go:build !linux

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
)

var errUnsupported = errors.New("there is no sandbox for this system")

func findBubblewrap(context.Context, Options) (*Sandbox, error) { return nil, errUnsupported }

func findLandlock(context.Context, Options) (*Sandbox, error) {
	return nil, errors.New("landlock and bubblewrap are Linux's")
}

// Main never runs a command on this system: nothing here can be confined.
func Main([]string) int {
	fmt.Fprintln(os.Stderr, "confine:", errUnsupported)
	return 126
}
