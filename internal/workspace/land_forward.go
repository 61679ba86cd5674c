package workspace

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// finishLanding moves the user's branch to what has been put together.
func (r *Repository) finishLanding(ctx context.Context, s LandSpec, l *landing) (Landing, error) {
	op := "move branch " + s.Branch
	out := Landing{Old: l.Old, New: l.Current, Merged: l.Merged, Skipped: l.Skip}
	if err := s.decide(l); err != nil {
		return Landing{}, &Error{Op: op, Err: err}
	}
	if l.Current != l.Old {
		path, used, err := r.CheckedOut(ctx, s.Branch)
		if err != nil {
			return Landing{}, err
		}
		if used {
			if err := r.forward(ctx, s.Branch, path, l); err != nil {
				return Landing{}, &Error{Op: op, Err: err}
			}
			out.CheckedOut = path
		} else if err := r.move(ctx, "refs/heads/"+s.Branch, l.Current, l.Old, "merge run "+s.Run); err != nil {
			return Landing{}, &Error{Op: op, Err: err, Hint: "it has new commits; abort the merge and start it again"}
		}
	}
	if err := r.clearLanding(ctx, s); err != nil {
		return out, &Error{Op: op, Err: err}
	}
	return out, nil
}

// forward moves a branch together with the checkout that is on it.
func (r *Repository) forward(ctx context.Context, branch, path string, l *landing) error {
	own := func(args ...string) call { return call{args: args, dir: path, ceiling: filepath.Dir(path)} }
	out, err := r.run(ctx, own("symbolic-ref", "-q", "HEAD"))
	if err != nil && exitCode(err) != 1 {
		return err
	}
	if line(out) != "refs/heads/"+branch {
		return &Error{
			Op: "update the files in " + path, Kind: ErrCheckedOut, Err: errors.New("a rebase or a bisection of it is going on"),
			Hint: "finish or abort that first",
		}
	}
	out, err = r.run(ctx, own("rev-parse", "--verify", "-q", "HEAD"))
	if err != nil {
		return err
	}
	if now := line(out); now == l.Current {
		return nil
	} else if now != l.Old {
		return &Error{
			Op: "update the files in " + path, Kind: ErrMoved, Err: fmt.Errorf("%s is at %s instead of %s", branch, now, l.Old),
			Hint: "abort the merge and start it again",
		}
	}
	if err := r.checkOverlap(ctx, own, path, l); err != nil {
		return err
	}
	c := own("merge", "--ff-only", "--no-stat", "-q", l.Current)
	c.writes = true
	_, err = r.run(ctx, c)
	return filterError(err)
}

// checkOverlap finds uncommitted changes that the landing would have to change too.
func (r *Repository) checkOverlap(ctx context.Context, own func(...string) call, path string, l *landing) error {
	changes, err := r.Changes(ctx, l.Old, l.Current)
	if err != nil {
		return err
	}
	touched := make(map[string]bool, len(changes))
	for _, c := range changes {
		for p := c.Path; p != ""; p = p[:max(strings.LastIndexByte(p, '/'), 0)] {
			touched[p] = true
		}
	}
	out, err := r.run(ctx, own("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=dirty"))
	if err != nil {
		return err
	}
	var way []string
	for _, f := range fields(out) {
		if len(f) > 3 && touched[strings.TrimSuffix(f[3:], "/")] {
			way = append(way, f[3:])
		}
	}
	if way == nil {
		return nil
	}
	return &Error{
		Op: "update the files in " + path, Kind: ErrDirty, Err: errors.New(strings.Join(way, ", ")),
		Hint: "commit or stash them, then try again",
	}
}
