package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"orchestrator/test/rig"
)

const (
	gitTasks   = 100
	gitFiles   = 10_000
	gitFolders = 100
	gitSlots   = 4
)

// byHand measures tasks with a workspace, saved work and a merge, against a script that does the same with
// `git worktree add`, `git commit`, `git merge` and `git worktree remove`.
func byHand(ctx context.Context, b benchmark) ([]measurement, error) {
	var floor, ours []time.Duration
	for range b.rounds {
		err := b.scratch(ctx, func(s *rig.Site) error {
			took, err := worktrees(ctx, s)
			floor = append(floor, took)
			return err
		})
		if err != nil {
			return nil, err
		}
		err = b.scratch(ctx, func(s *rig.Site) error {
			if err := tenThousand(ctx, s); err != nil {
				return err
			}
			took, err := orcRun(ctx, s, editPlan())
			ours = append(ours, took)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return []measurement{{
		name:  fmt.Sprintf("%d tasks edited, saved and merged, %d files", gitTasks, gitFiles),
		floor: median(floor), ours: median(ours), goal: "≤ 0.8",
	}}, nil
}

// tenThousand fills the site's repository.
func tenThousand(ctx context.Context, s *rig.Site) error {
	for i := range gitFiles {
		text := strings.Repeat(fmt.Sprintf("line of file %d\n", i), 1+i%60)
		if err := s.Write(fileName(i), text); err != nil {
			return err
		}
	}
	if err := s.Commit(ctx, "Start"); err != nil {
		return err
	}
	// As a clone of a real repository is: thousands of loose objects would measure the disk.
	_, err := s.Git(ctx, "repack", "-a", "-d", "-q")
	return err
}

func fileName(i int) string { return fmt.Sprintf("d%02d/f%04d.txt", i%gitFolders, i) }

// edit is the shell command of task i.
func edit(i int) string { return fmt.Sprintf("echo 'edit %d' >> %s", i, fileName(i)) }

func editPlan() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nname: edit\nconcurrency: %d\ntasks:\n", gitSlots)
	for i := range gitTasks {
		fmt.Fprintf(&b, "  t%d: {run: %q, writes: [%q]}\n", i, edit(i), fileName(i))
	}
	return b.String()
}

// worktrees does by hand what the plan asks for, gitSlots tasks at a time. Adding and removing worktrees at the same
// time fails now and then, and there is one branch to merge into: those steps take turns.
func worktrees(ctx context.Context, s *rig.Site) (time.Duration, error) {
	if err := tenThousand(ctx, s); err != nil {
		return 0, err
	}
	began := time.Now()
	integration := filepath.Join(s.Root, "integration")
	if _, err := s.Git(ctx, "worktree", "add", "--quiet", "-b", "integration", integration); err != nil {
		return 0, err
	}
	var admin, merge sync.Mutex
	work := make(chan int, gitTasks)
	for i := range gitTasks {
		work <- i
	}
	close(work)
	failed := make(chan error, gitSlots)
	var group sync.WaitGroup
	for range gitSlots {
		group.Go(func() {
			for i := range work {
				if err := taskByHand(ctx, s, i, integration, &admin, &merge); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		return 0, err
	default:
		return time.Since(began), nil
	}
}

func taskByHand(ctx context.Context, s *rig.Site, i int, integration string, admin, merge *sync.Mutex) error {
	folder, branch := filepath.Join(s.Root, fmt.Sprintf("wt%d", i)), fmt.Sprintf("task%d", i)
	locked := func(mu *sync.Mutex, args ...string) error {
		mu.Lock()
		defer mu.Unlock()
		_, err := s.Git(ctx, args...)
		return err
	}
	// The registration takes its turn; the checkout, which is most of the work, does not have to.
	if err := locked(admin, "worktree", "add", "--quiet", "--no-checkout", "-b", branch, folder, "integration"); err != nil {
		return err
	}
	if _, err := s.Git(ctx, "-C", folder, "reset", "--quiet", "--hard"); err != nil {
		return err
	}
	cmd := s.Command(ctx, "/bin/sh", "-c", edit(i))
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("edit: %w: %s", err, out)
	}
	if _, err := s.Git(ctx, "-C", folder, "commit", "--quiet", "--all", "--message="+branch); err != nil {
		return err
	}
	if err := locked(merge, "-C", integration, "merge", "--quiet", "--no-ff", "--no-edit", branch); err != nil {
		return err
	}
	return locked(admin, "worktree", "remove", "--force", folder)
}
