package workspace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// guard says whether a path is one that we may write or remove: strictly below the data folder, and neither in the
// user's repository nor around it, and as long as no other process has taken our place. Symbolic links on the way to
// it count as where they lead.
func (r *Repository) guard(path string) error {
	op := "check " + path
	refuse := func(why string) error {
		return &Error{Op: op, Kind: ErrOutside, Err: errors.New(why)}
	}
	if r.data == "" {
		return refuse("no data folder is set")
	}
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		return refuse("not a clean absolute path")
	}
	data, err := resolved(r.data)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	parent, err := resolved(filepath.Dir(path))
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	real := filepath.Join(parent, filepath.Base(path))
	if !within(data, real) || data == real {
		return refuse("not below " + r.data)
	}
	for _, own := range []string{r.root, r.common, r.gitDir} {
		if within(real, own) || within(own, real) {
			return &Error{
				Op: op, Kind: ErrOutside, Err: fmt.Errorf("it overlaps the repository at %s", own),
				Hint: "choose a data folder outside of the repository",
			}
		}
	}
	if err := r.fenced(context.Background()); err != nil { // no caller may wait here longer than the store lets it
		return &Error{Op: op, Err: err}
	}
	return nil
}

// resolved is the path without symbolic links; parts that do not exist yet stay as they are.
func resolved(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		return real, nil
	}
	if !errors.Is(err, fs.ErrNotExist) || filepath.Dir(path) == path {
		return "", err
	}
	parent, err := resolved(filepath.Dir(path))
	return filepath.Join(parent, filepath.Base(path)), err
}

// within says whether path is top or lies below it.
func within(top, path string) bool {
	return path == top || strings.HasPrefix(path, strings.TrimSuffix(top, string(filepath.Separator))+string(filepath.Separator))
}

// RemoveAll deletes a folder or file of ours with everything in it. It follows no symbolic link and is not stopped by
// folders without write permission. Nothing there is no error.
func (r *Repository) RemoveAll(path string) error {
	if err := r.guard(path); err != nil {
		return err
	}
	parent, err := os.OpenRoot(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.Close()
	return removeIn(parent, filepath.Base(path))
}

// removeIn deletes one name of an opened folder.
func removeIn(parent *os.Root, name string) error {
	err := parent.RemoveAll(name)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	st, err := parent.Lstat(name)
	if err != nil || !st.IsDir() {
		return errors.Join(err, parent.RemoveAll(name))
	}
	// Folders that their owner may not change, as Go's module cache has them: opened first, then emptied.
	if err := unlock(parent, name); err != nil {
		return err
	}
	return parent.RemoveAll(name)
}

// unlock makes a folder and all folders below it changeable for their owner.
func unlock(parent *os.Root, name string) error {
	if err := parent.Chmod(name, 0o700); err != nil {
		return err
	}
	dir, err := parent.OpenRoot(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := unlock(dir, e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyIndex copies an index to a path that does not exist, or replaces what is there at once. The copy keeps the time:
// git tells by it which files may have changed in the very moment in which the index was written.
func copyIndex(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	tmp := to + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := os.Chtimes(tmp, st.ModTime(), st.ModTime()); err != nil {
		return err
	}
	return os.Rename(tmp, to)
}

// removeFile deletes files; nothing there is no error.
func removeFile(paths ...string) error {
	var errs []error
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// umask is the process's file mode mask. Reading it means setting it, so it is done once.
var umask = sync.OnceValue(func() uint32 {
	m := syscall.Umask(0o077)
	syscall.Umask(m)
	return uint32(m)
})
