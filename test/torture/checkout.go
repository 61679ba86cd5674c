package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orchestrator/test/rig"
)

// checkout is everything of the user's that must not change: path or ref to a digest.
type checkout map[string]string

// look takes stock of the files, the index, HEAD, the configuration, hooks and stash, and the branches that are
// not orc's.
func look(ctx context.Context, s *rig.Site) (checkout, error) {
	all := checkout{}
	git := filepath.Join(s.Repo, ".git")
	err := filepath.WalkDir(s.Repo, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == git {
			return fs.SkipDir
		}
		return all.take(s.Repo, path, d)
	})
	if err != nil {
		return nil, fmt.Errorf("look at the checkout: %w", err)
	}
	for _, name := range []string{"HEAD", "ORIG_HEAD", "index", "config", "packed-refs", "logs/HEAD"} {
		path := filepath.Join(git, name)
		st, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = all.take(s.Repo, path, fs.FileInfoToDirEntry(st))
		}
		if err != nil {
			return nil, fmt.Errorf("look at the checkout: %w", err)
		}
	}
	refs, err := s.Git(ctx, "for-each-ref", "--format=%(refname) %(objectname)")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(refs) {
		name, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(name, "refs/orc/") && !strings.HasPrefix(name, "refs/heads/orc/") {
			all[name] = id
		}
	}
	return all, nil
}

func (c checkout) take(root, path string, d fs.DirEntry) error {
	name, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	st, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case st.Mode().IsRegular():
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		c[name] = fmt.Sprintf("%s %x", st.Mode(), sha256.Sum256(text))
	default:
		c[name] = st.Mode().String()
	}
	return nil
}

// differences names what was added, removed or changed.
func (c checkout) differences(now checkout) []string {
	var diff []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if value, ok := now[name]; !ok {
			diff = append(diff, name+" is gone")
		} else if value != c[name] {
			diff = append(diff, name+" changed")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, ok := c[name]; !ok {
			diff = append(diff, name+" is new")
		}
	}
	return diff
}
