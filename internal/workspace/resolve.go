package workspace

import (
	"context"
	"errors"
	"path"
	"strconv"
)

// Conflicted is a merge that did not go through, for somebody to work on.
type Conflicted struct {
	Head     string // the integration that it was made for
	Files    string // commit with the files as the merge left them, conflict markers included; kept by a ref
	Conflict *ConflictError
	tip      string
	message  string
}

// Conflicted makes the commit that a workspace is cut from in which the conflict of an attempt's saved work is resolved.
// Conflict is nil when the work fits by now: Files is then the merge itself.
func (r *Repository) Conflicted(ctx context.Context, run, task string, number int, tip, message string) (Conflicted, error) {
	op := "look at the conflict of " + task
	if err := checkName("task", task); err != nil {
		return Conflicted{}, err
	}
	head, err := r.Integration(ctx, run)
	if err != nil {
		return Conflicted{}, err
	}
	found, err := r.objects(ctx, head+"^{tree}", tip+"^{commit}")
	if err != nil {
		return Conflicted{}, &Error{Op: op, Err: err}
	}
	if found[1].ID == "" {
		return Conflicted{}, &Error{Op: op, Kind: ErrUnknown}
	}
	c := Conflicted{Head: head, tip: tip, message: message}
	tree, err := r.mergeTrees(ctx, head, found[0].ID, tip)
	if errors.As(err, &c.Conflict) {
		tree = c.Conflict.Tree
	} else if err != nil {
		return Conflicted{}, &Error{Op: op, Err: err}
	}
	if c.Files, err = r.commit(ctx, tree, "Conflict of "+task, head); err != nil {
		return Conflicted{}, &Error{Op: op, Err: err}
	}
	ref := path.Join(runRefs(run), "extra", escaped(task), strconv.Itoa(number), "conflict")
	refs, err := r.readRefs(ctx, ref)
	if err != nil {
		return Conflicted{}, &Error{Op: op, Err: err}
	}
	if err := r.move(ctx, ref, c.Files, refs[ref], "conflict of "+task); err != nil {
		return Conflicted{}, &Error{Op: op, Err: err}
	}
	return c, nil
}

// StageConflict puts the git of a workspace that was just cut from c.Files, and in which nobody has worked, into the
// middle of the merge.
func (r *Repository) StageConflict(ctx context.Context, s Spec, c Conflicted) error {
	conflict := c.Conflict
	if conflict == nil {
		conflict = &ConflictError{}
	}
	if err := r.stage(ctx, s, c.Head, c.tip, c.message, conflict); err != nil {
		return &Error{Op: "stage the conflict of " + s.Task, Err: err}
	}
	return nil
}

// Markers lists those of the paths that have conflict markers in a tree.
func (r *Repository) Markers(ctx context.Context, tree string, paths []string) ([]string, error) {
	left, err := r.markers(ctx, tree, paths)
	if err != nil {
		return nil, &Error{Op: "look for conflict markers", Err: err}
	}
	return left, nil
}
