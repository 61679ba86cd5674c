// Package worktree makes workspaces that are linked worktrees of the repository, for people who want to see them in
// git worktree list. They are on no branch, so that nothing collides with the user's, and locked, so that nobody's
// git worktree prune takes their index and HEAD away. They share the repository's stash, configuration, hooks and
// refs: an agent in one can harm the repository, which an agent in a clone cannot.
package worktree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"orchestrator/internal/workspace"
)

// Worktree is the driver. Make it with New.
type Worktree struct{ repository *workspace.Repository }

var _ workspace.Driver = (*Worktree)(nil)

// New gives the driver for a repository.
func New(r *workspace.Repository) *Worktree { return &Worktree{repository: r} }

// Name is "worktree".
func (*Worktree) Name() string { return "worktree" }

// Create makes a worktree at s.Dir.
func (w *Worktree) Create(ctx context.Context, s workspace.Spec) error {
	if err := w.forget(ctx, s); err != nil {
		return err
	}
	if err := w.repository.Fill(ctx, s); err != nil {
		return err
	}
	if err := w.register(ctx, s); err != nil {
		return fmt.Errorf("make the worktree of %s: %w", s.Task, err)
	}
	return w.repository.Complete(s)
}

// register makes the folder known to the repository. Git wants to make the folder itself, so it makes an empty one
// beside it, whose .git is then moved over. Only this part needs the lock: several at once get into each other's way.
func (w *Worktree) register(ctx context.Context, s workspace.Spec) error {
	unlock, err := w.repository.LockWorktrees(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	beside := beside(s)
	if err := w.drop(beside); err != nil {
		return err
	}
	if err := w.repository.RemoveAll(beside); err != nil {
		return err
	}
	if err := w.repository.AddWorktree(ctx, beside, s.Base, "a workspace of orc run "+s.Run+", task "+s.Task); err != nil {
		return err
	}
	admin, err := w.admin(beside)
	if err != nil {
		return err
	}
	if admin == "" {
		return errors.New("git made no worktree")
	}
	// First the pointer to the final place, so that no step leaves something that cannot be found again.
	if err := os.WriteFile(filepath.Join(admin, "gitdir"), []byte(filepath.Join(s.Dir, ".git")+"\n"), 0o666); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(beside, ".git"), filepath.Join(s.Dir, ".git")); err != nil {
		return err
	}
	if err := w.repository.RemoveAll(beside); err != nil {
		return err
	}
	index, err := os.ReadFile(w.repository.PartialIndex(s))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(admin, "index"), index, 0o666)
}

// beside is where git makes the worktree first.
func beside(s workspace.Spec) string { return s.Dir + ".new" }

// Strip makes the repository forget the worktree; the files stay.
func (w *Worktree) Strip(ctx context.Context, s workspace.Spec) error {
	if err := w.forget(ctx, s); err != nil {
		return err
	}
	return w.repository.RemoveAll(filepath.Join(s.Dir, ".git"))
}

// Remove deletes the worktree and what the repository knows of it.
func (w *Worktree) Remove(ctx context.Context, s workspace.Spec) error {
	if err := w.repository.Discard(s); err != nil {
		return err
	}
	if err := w.repository.RemoveAll(beside(s)); err != nil {
		return err
	}
	return w.forget(ctx, s)
}

// forget removes what the repository knows of a worktree at s.Dir or beside it, in whatever state it is: git itself
// refuses to remove one that was killed while it was being made.
func (w *Worktree) forget(ctx context.Context, s workspace.Spec) error {
	unlock, err := w.repository.LockWorktrees(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return errors.Join(w.drop(s.Dir), w.drop(beside(s)))
}

// drop removes the admin folders of a worktree at dir. The lock is held.
func (w *Worktree) drop(dir string) error {
	for {
		admin, err := w.admin(dir)
		if err != nil || admin == "" {
			return err
		}
		if err := os.RemoveAll(admin); err != nil {
			return fmt.Errorf("forget the worktree at %s: %w", dir, err)
		}
	}
}

// admin finds the folder in the repository that belongs to the worktree at dir; empty = there is none.
func (w *Worktree) admin(dir string) (string, error) {
	top := filepath.Join(w.repository.CommonDir(), "worktrees")
	entries, err := os.ReadDir(top)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return "", err
	}
	wanted := map[string]bool{filepath.Join(dir, ".git"): true}
	if real, err := filepath.EvalSymlinks(filepath.Dir(dir)); err == nil {
		wanted[filepath.Join(real, filepath.Base(dir), ".git")] = true
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(top, e.Name(), "gitdir"))
		if err == nil && wanted[strings.TrimSuffix(string(b), "\n")] {
			return filepath.Join(top, e.Name()), nil
		}
	}
	return "", nil
}
