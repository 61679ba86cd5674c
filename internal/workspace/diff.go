package workspace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// FileChange is what happened to one file.
type FileChange struct {
	Path    string // relative to the repository's top, slash-separated
	Added   int    // lines
	Deleted int    // lines
	Binary  bool   // lines are not counted
}

// Changes lists what differs between two commits or trees, by path; a renamed file counts as one removed and one added.
func (r *Repository) Changes(ctx context.Context, from, to string) ([]FileChange, error) {
	const op = "compare commits"
	if err := errors.Join(checkID(from), checkID(to)); err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	if from == to {
		return nil, nil
	}
	out, err := r.run(ctx, r.plumbing("diff-tree", "-r", "-z", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv", from, to, "--"))
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	var changes []FileChange
	for _, f := range fields(out) {
		n := strings.SplitN(f, "\t", 3)
		if len(n) != 3 {
			return nil, &Error{Op: op, Err: fmt.Errorf("git diff-tree said %q", f)}
		}
		c := FileChange{Path: n[2]}
		if n[0] == "-" {
			c.Binary = true
		} else {
			added, aerr := strconv.Atoi(n[0])
			deleted, derr := strconv.Atoi(n[1])
			if err := errors.Join(aerr, derr); err != nil {
				return nil, &Error{Op: op, Err: err}
			}
			c.Added, c.Deleted = added, deleted
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// DiffOptions say how a difference is shown.
type DiffOptions struct {
	Stat  bool     // a summary per file instead of the lines
	Color bool     // with escape sequences for a terminal
	Paths []string // only these files and folders, relative to the repository's top; nil = all
}

// Diff writes the difference between two commits for a person to read.
func (r *Repository) Diff(ctx context.Context, w io.Writer, from, to string, o DiffOptions) error {
	const op = "show the difference"
	if err := errors.Join(checkID(from), checkID(to)); err != nil {
		return &Error{Op: op, Err: err}
	}
	args := []string{"diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color"}
	if o.Color {
		args[len(args)-1] = "--color=always"
	}
	if o.Stat {
		args = append(args, "--stat")
	} else {
		args = append(args, "-p")
	}
	c := r.plumbing(append(append(args, from, to, "--"), o.Paths...)...)
	c.stdout = w
	if _, err := r.run(ctx, c); err != nil {
		return &Error{Op: op, Err: err}
	}
	return nil
}
