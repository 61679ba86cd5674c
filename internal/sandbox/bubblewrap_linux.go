package sandbox

import (
	"context"
	"fmt"
	"slices"
)

func findBubblewrap(ctx context.Context, o Options) (*Sandbox, error) {
	path, err := find("bwrap", "/", o.Env)
	if err != nil {
		return nil, fmt.Errorf("bubblewrap: bwrap is not installed")
	}
	if err := attempt(ctx, slices.Concat([]string{path}, bubblewrapArgs(nil, "/"), []string{"--", "/bin/sh", "-c", ":"})); err != nil {
		return nil, fmt.Errorf("bubblewrap: %w", err)
	}
	return &Sandbox{level: LevelBubblewrap, program: path}, nil
}
