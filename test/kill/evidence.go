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
	"time"

	"orchestrator/test/rig"
)

// ledger is the file to which the tasks' commands report.
type ledger string

// entry is one line of it.
type entry struct {
	offset              int64
	word, task, attempt string
}

func (l ledger) size() (int64, error) {
	st, err := os.Stat(string(l))
	if err != nil {
		return 0, fmt.Errorf("look at the ledger: %w", err)
	}
	return st.Size(), nil
}

func (l ledger) read() ([]entry, error) {
	text, err := os.ReadFile(string(l))
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	var entries []entry
	offset := int64(0)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 {
			entries = append(entries, entry{offset, fields[0], fields[1], fields[2]})
		}
		offset += int64(len(line))
	}
	return entries, nil
}

// merges counts the merge commits per task on the first-parent chain of the integration branch.
func (s *site) merges(ctx context.Context, run string) (count map[string]int, tip string, err error) {
	ref := "refs/orc/" + run + "/integration"
	tip, err = s.Git(ctx, "for-each-ref", "--format=%(objectname)", ref)
	if err != nil || tip == "" {
		return nil, "", err // killed before the branch was cut
	}
	out, err := s.Git(ctx, "log", "--first-parent", "--format=%(trailers:key=Orc-Task,valueonly,separator=%x20)", tip, "--not", "refs/orc/"+run+"/base")
	if err != nil {
		return nil, "", err
	}
	count = map[string]int{}
	for line := range strings.Lines(out) {
		if value := strings.TrimSpace(line); value != "" {
			count[value[strings.LastIndexByte(value, '/')+1:]]++
		}
	}
	return count, tip, nil
}

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

// compare holds the disturbed run against the undisturbed one.
func compare(res *result, p plan, want, got ending) {
	states, wanted := got.status.States(), want.status.States()
	for _, t := range p.tasks {
		if states[t.id] != wanted[t.id] {
			res.fault("%s is %s, undisturbed it is %s", t.id, states[t.id], wanted[t.id])
		}
	}
	if got.status.Run.State != want.status.Run.State {
		res.fault("the run is %s, undisturbed it is %s", got.status.Run.State, want.status.Run.State)
	}
	if got.tree != want.tree {
		res.fault("the integration branch has tree %s, undisturbed %s", got.tree, want.tree)
	}
}

// inspect checks what must hold when a run is over, disturbed or not.
func inspect(ctx context.Context, res *result, s *site) error {
	left, err := vanish(ctx, s, 20*time.Second)
	if err != nil {
		return err
	}
	for _, p := range left {
		res.fault("left behind: %s", p)
	}
	if out, err := s.Git(ctx, "fsck", "--full", "--no-dangling", "--no-progress"); err != nil {
		res.fault("git fsck: %v %s", err, out)
	}
	after, err := look(ctx, s.Site)
	if err != nil {
		return err
	}
	for _, change := range s.before.differences(after) {
		res.fault("the user's repository: %s", change)
	}
	locks, err := locks(filepath.Join(s.Repo, ".git"))
	if err != nil {
		return err
	}
	for _, lock := range locks {
		res.fault("a lock file is left: %s", lock)
	}
	st, err := s.Status(ctx)
	if err != nil {
		return err
	}
	merged, _, err := s.merges(ctx, st.Run.ID)
	if err != nil {
		return err
	}
	states := st.States()
	for _, id := range slices.Sorted(maps.Keys(merged)) {
		if merged[id] != 1 || states[id] != "completed" {
			res.fault("%s is %s and has %d merge commits", id, states[id], merged[id])
		}
	}
	return nil
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
