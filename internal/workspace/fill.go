package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// partial is where a private index lies while its workspace is not complete yet.
func partial(index string) string { return index + ".part" }

// check says whether a spec may be worked on at all.
func (r *Repository) check(s Spec) error {
	if err := errors.Join(checkName("run", s.Run), checkName("task", s.Task), r.guard(s.Dir), r.guard(s.Index)); err != nil {
		return err
	}
	if within(s.Dir, s.Index) {
		return &Error{Op: "check " + s.Index, Kind: ErrOutside, Err: errors.New("the private index lies in the workspace")}
	}
	return nil
}

// Fill is the first half of a driver's Create: it removes what is left of an earlier workspace and puts the files of
// s.Base into s.Dir. The driver adds its .git, and Complete is the second half. ErrSeed when the seed is of no use.
func (r *Repository) Fill(ctx context.Context, s Spec) error {
	op := "make the workspace of " + s.Task
	if err := errors.Join(r.check(s), checkID(s.Base)); err != nil {
		return &Error{Op: op, Err: err}
	}
	if err := r.Discard(s); err != nil {
		return &Error{Op: op, Err: err}
	}
	for _, dir := range []string{filepath.Dir(s.Dir), filepath.Dir(s.Index)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return &Error{Op: op, Err: err}
		}
	}
	if s.Seed != nil {
		if err := r.sprout(ctx, s); err != nil {
			return &Error{Op: op, Err: err}
		}
		return nil
	}
	if err := os.Mkdir(s.Dir, 0o777); err != nil {
		return &Error{Op: op, Err: err}
	}
	return r.readTree(ctx, op, s)
}

// readTree brings the files and the private index of a workspace to s.Base. It touches only files that differ between
// the index and the base.
func (r *Repository) readTree(ctx context.Context, op string, s Spec) error {
	c := r.inWorkspace(s.Dir, partial(s.Index), "read-tree", "-m", "-u", "--no-recurse-submodules", s.Base)
	c.config = [][2]string{{"checkout.workers", "1"}}
	if _, err := r.run(ctx, c); err != nil {
		return &Error{Op: op, Err: filterError(err)}
	}
	return nil
}

// sprout makes a workspace from a seed and proves that it is one.
func (r *Repository) sprout(ctx context.Context, s Spec) error {
	if err := errors.Join(r.guard(s.Seed.Dir), r.guard(s.Seed.Index)); err != nil {
		return err
	}
	lost := func(err error) error { return &Error{Op: "use the seed", Kind: ErrSeed, Err: err} }
	if err := os.Rename(s.Seed.Index, partial(s.Index)); err != nil {
		return lost(err)
	}
	if err := os.Rename(s.Seed.Dir, s.Dir); err != nil {
		return lost(err)
	}
	if err := r.readTree(ctx, "move the seed to its base", s); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return lost(err)
	}
	if s.Seed.Fresh {
		return nil
	}
	entries, written, err := r.readIndex(partial(s.Index))
	if err != nil {
		return lost(err)
	}
	found, err := scanFolder(ctx, s.Dir, entries, written, true)
	if err != nil {
		return lost(err)
	}
	if n := found.differences(); n > 0 {
		return lost(fmt.Errorf("%d files are not as they should be", n))
	}
	return nil
}

// differences counts everything that a scan found.
func (s *scan) differences() int { return len(s.changed) + len(s.missing) + len(s.extra) + len(s.odd) }

// Complete is the last step of a driver's Create.
func (r *Repository) Complete(s Spec) error {
	if err := os.Rename(partial(s.Index), s.Index); err != nil {
		return &Error{Op: "complete the workspace of " + s.Task, Err: err}
	}
	return nil
}

// PartialIndex is where the private index lies between Fill and Complete, for a driver that gives the agent a copy.
func (r *Repository) PartialIndex(s Spec) string { return partial(s.Index) }

// Discard deletes the folder and the private index of a workspace, whatever state they are in.
func (r *Repository) Discard(s Spec) error {
	if err := r.check(s); err != nil {
		return err
	}
	if err := removeFile(s.Index, excluded(s.Index)); err != nil {
		return err
	}
	if err := r.RemoveAll(s.Dir); err != nil {
		return err
	}
	part := partial(s.Index)
	return removeFile(part, part+".lock", part+".new", s.Index+".seal", s.Index+".seal.lock", s.Index+".seal.new", s.Index+".lock", s.Index+".new")
}

// Saved says whether everything in a workspace that is not ignored is in the commit that its private index stands
// for. ErrUnsaved, naming a file, when not.
func (r *Repository) checkSaved(ctx context.Context, s Spec, entries []entry, found *scan) error {
	op := "check that the work of " + s.Task + " is saved"
	todo, err := r.pending(ctx, s.Dir, s.Index, entries, found)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	if len(todo.paths)+len(todo.gone) == 0 {
		return nil
	}
	tmp := s.Index + ".check"
	defer func() { _ = removeFile(tmp, tmp+".lock") }()
	if err := copyIndex(tmp, s.Index); err != nil {
		return &Error{Op: op, Err: err}
	}
	before, err := r.writeTree(ctx, s.Dir, tmp)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	if err := r.updateIndex(ctx, s.Dir, tmp, todo); err != nil {
		return &Error{Op: op, Err: err}
	}
	after, err := r.writeTree(ctx, s.Dir, tmp)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	if before == after {
		return nil
	}
	changes, err := r.Changes(ctx, before, after)
	if err != nil {
		return err
	}
	return &Error{
		Op: op, Kind: ErrUnsaved, Err: fmt.Errorf("%s and %d more", changes[0].Path, len(changes)-1),
		Hint: "the folder stays at " + s.Dir,
	}
}

// Purge brings the folder of a workspace back to exactly what its private index says: what is ignored, or does not
// count for git, goes. ErrUnsaved, and nothing is removed, when the folder holds something that was not saved.
func (r *Repository) Purge(ctx context.Context, s Spec) error {
	op := "clear the workspace of " + s.Task
	if err := r.check(s); err != nil {
		return err
	}
	entries, written, err := r.readIndex(s.Index)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	found, err := scanFolder(ctx, s.Dir, entries, written, true)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	if found.differences() == 0 {
		return nil
	}
	if err := r.checkSaved(ctx, s, entries, found); err != nil {
		return err
	}
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	defer root.Close()
	var goes, again []string
	for _, x := range found.extra {
		goes = append(goes, x.path)
	}
	goes = append(append(goes, found.odd...), found.changed...)
	for _, p := range goes {
		if err := removePath(root, p); err != nil {
			return &Error{Op: op, Err: err}
		}
	}
	again = append(append(again, found.changed...), found.missing...)
	if again == nil {
		return nil
	}
	c := r.inWorkspace(s.Dir, s.Index, "checkout-index", "-f", "-u", "-z", "--stdin")
	c.stdin = strings.NewReader(strings.Join(again, "\x00") + "\x00")
	if _, err := r.run(ctx, c); err != nil {
		return &Error{Op: op, Err: err}
	}
	return nil
}

// removePath deletes a path below an opened folder, none of whose parents is a symbolic link.
func removePath(root *os.Root, path string) error {
	dir, name := root, path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		sub, err := root.OpenRoot(path[:i])
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer sub.Close()
		dir, name = sub, path[i+1:]
	}
	return removeIn(dir, name)
}
