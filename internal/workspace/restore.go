package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// RestoreBranch makes a branch at a commit. It never moves one that is there: ErrExists, unless it is at that very
// commit.
func (r *Repository) RestoreBranch(ctx context.Context, branch, commit string) error {
	op := "make branch " + branch
	if err := errors.Join(r.checkBranch(ctx, branch), checkID(commit)); err != nil {
		return err
	}
	refs, err := r.branchesBeside(ctx, branch)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	if err := checkRoom(op, branch, refs); err != nil {
		return err
	}
	err = r.move(ctx, "refs/heads/"+branch, commit, "", "restore")
	if errors.Is(err, ErrMoved) {
		return &Error{Op: op, Kind: ErrExists, Hint: "choose another name"}
	}
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	return nil
}

// RestoreFolder puts the files of a commit into a folder that does not exist yet: ErrExists. It has no .git.
func (r *Repository) RestoreFolder(ctx context.Context, dir, commit string) (err error) {
	op := "restore into " + dir
	if err := checkID(commit); err != nil {
		return &Error{Op: op, Err: err}
	}
	if !filepath.IsAbs(dir) {
		return &Error{Op: op, Err: errors.New("not an absolute path")}
	}
	scratch, err := os.MkdirTemp("", "orc-restore-")
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	defer func() {
		if rm := os.RemoveAll(scratch); rm != nil && err == nil {
			err = &Error{Op: op, Err: rm}
		}
	}()
	if err := os.Mkdir(dir, 0o777); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return &Error{Op: op, Kind: ErrExists, Hint: "choose a folder that does not exist yet"}
		}
		return &Error{Op: op, Err: err}
	}
	c := r.inWorkspace(dir, filepath.Join(scratch, "index"), "read-tree", "-m", "-u", "--no-recurse-submodules", commit)
	if _, err := r.run(ctx, c); err != nil {
		return &Error{Op: op, Err: filterError(err), Hint: fmt.Sprintf("what came so far is in %s", dir)}
	}
	return nil
}
