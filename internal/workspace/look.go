package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Look gives the tree of all that a workspace holds now, apart from what is ignored, without saving it as anybody's
// work: to be compared with s.Base by Changes and Diff. Nothing of the agent's may write meanwhile, or the tree is of
// no moment in particular. Like Seal it executes nothing that the agent left in .git.
func (r *Repository) Look(ctx context.Context, s Spec) (tree string, err error) {
	op := "look at the work of " + s.Task
	if err := errors.Join(r.check(s), checkID(s.Base)); err != nil {
		return "", &Error{Op: op, Err: err}
	}
	working := s.Index + ".look"
	if err := removeFile(working, working+".lock", working+".new"); err != nil {
		return "", &Error{Op: op, Err: err}
	}
	if err := copyIndex(working, s.Index); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", &Error{Op: op, Err: err}
	}
	agent, err := r.readAgentGit(s.Dir)
	if err != nil {
		return "", &Error{Op: op, Err: err}
	}
	if tree, _, err = r.saveFiles(ctx, s, working, agent, s.Base); err != nil {
		return "", &Error{Op: op, Err: err}
	}
	if err := removeFile(working); err != nil {
		return "", &Error{Op: op, Err: fmt.Errorf("remove the copy of the index: %w", err)}
	}
	return tree, nil
}
