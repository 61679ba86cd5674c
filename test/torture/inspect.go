package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// inspect checks what must hold when a run is over, disturbed or not.
func inspect(ctx context.Context, res *result, s *site) error {
	left, err := vanish(ctx, s, 20*time.Second)
	if err != nil {
		return err
	}
	for _, p := range left {
		res.fault("I4: left behind: %s", p)
	}
	if out, err := s.Git(ctx, "fsck", "--full", "--no-dangling", "--no-progress"); err != nil {
		res.fault("I6: git fsck: %v %s", err, out)
	}
	after, err := look(ctx, s.Site)
	if err != nil {
		return err
	}
	for _, change := range s.before.differences(after) {
		res.fault("I10: the user's repository: %s", change)
	}
	locks, err := locks(filepath.Join(s.Repo, ".git"))
	if err != nil {
		return err
	}
	for _, lock := range locks {
		res.fault("I10: a lock file is left: %s", lock)
	}
	return ctx.Err()
}

func locks(git string) (found []string, err error) {
	err = filepath.WalkDir(git, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && strings.HasSuffix(path, ".lock") {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for lock files: %w", err)
	}
	return found, nil
}
