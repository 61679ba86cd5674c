package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// excluded is the file beside a private index that names what was provided: it is no work, and never saved.
func excluded(index string) string { return index + ".exclude" }

// Provide brings files that git ignores from the user's checkout into a fresh workspace: some copied, some linked to.
// Paths are slash-separated and stay inside of both; what is tracked is not replaced. ErrProvide, saying which path, when
// one cannot be had. Nobody has worked in the workspace yet.
func (r *Repository) Provide(ctx context.Context, s Spec, copies, links []string) error {
	op := "set up the workspace of " + s.Task
	if err := r.check(s); err != nil {
		return &Error{Op: op, Err: err}
	}
	var patterns bytes.Buffer
	for _, p := range append(append([]string{}, copies...), links...) {
		patterns.WriteString(excludePattern(p) + "\n")
	}
	if err := os.WriteFile(excluded(s.Index), patterns.Bytes(), 0o600); err != nil {
		return &Error{Op: op, Err: err}
	}
	if err := excludeInClone(s.Dir, patterns.Bytes()); err != nil {
		return &Error{Op: op, Err: err}
	}
	from, err := os.OpenRoot(r.root)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	defer from.Close()
	to, err := os.OpenRoot(s.Dir)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	defer to.Close()
	for _, p := range copies {
		if err := provide(ctx, from, to, p, copyPath); err != nil {
			return &Error{Op: op, Kind: ErrProvide, Err: fmt.Errorf("copy %s: %w", p, err)}
		}
	}
	link := func(_ context.Context, from, to *os.Root, p string) error {
		if _, err := from.Stat(p); err != nil { // also when it leads out of the checkout
			return err
		}
		return to.Symlink(filepath.Join(r.root, filepath.FromSlash(p)), p)
	}
	for _, p := range links {
		if err := provide(ctx, from, to, p, link); err != nil {
			return &Error{Op: op, Kind: ErrProvide, Err: fmt.Errorf("link %s: %w", p, err)}
		}
	}
	return nil
}

// provide brings one path, which must be in the checkout and not yet in the workspace.
func provide(ctx context.Context, from, to *os.Root, p string, bring func(ctx context.Context, from, to *os.Root, p string) error) error {
	if !fs.ValidPath(p) || p == "." || refused(p) {
		return &Error{Op: "check the path", Kind: ErrInvalid}
	}
	if _, err := from.Lstat(p); errors.Is(err, fs.ErrNotExist) {
		return errors.New("it is not in your checkout")
	} else if err != nil {
		return err
	}
	if _, err := to.Lstat(p); err == nil {
		return errors.New("it is in the repository: every workspace has it as committed")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := to.MkdirAll(path.Dir(p), 0o777); err != nil {
		return err
	}
	return bring(ctx, from, to, p)
}

// copyPath copies a file, a symbolic link as such, or a folder with all that is in it.
func copyPath(ctx context.Context, from, to *os.Root, p string) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	st, err := from.Lstat(p)
	if err != nil {
		return err
	}
	switch {
	case st.Mode()&fs.ModeSymlink != 0:
		target, err := from.Readlink(p)
		if err != nil {
			return err
		}
		return to.Symlink(target, p)
	case st.IsDir():
		return copyFolder(ctx, from, to, p, st.Mode().Perm())
	case st.Mode().IsRegular():
		return copyFile(from, to, p, st.Mode().Perm())
	}
	return fmt.Errorf("%s is neither a file nor a folder", p)
}

func copyFolder(ctx context.Context, from, to *os.Root, p string, mode fs.FileMode) error {
	if err := to.Mkdir(p, mode|0o700); err != nil {
		return err
	}
	f, err := from.Open(p)
	if err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	for _, e := range entries {
		if err := copyPath(ctx, from, to, path.Join(p, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to *os.Root, p string, mode fs.FileMode) error {
	in, err := from.Open(p)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := to.OpenFile(p, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// excludePattern is the line of an exclude file that means exactly one path.
func excludePattern(p string) string {
	return "/" + strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, ` `, `\ `).Replace(p)
}

// excludeInClone keeps an agent's own `git add` from taking what was provided. A worktree shares that file with the
// user's repository, so there it stays as it is.
func excludeInClone(dir string, patterns []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if st, err := root.Lstat(".git"); err != nil || !st.IsDir() {
		return err
	}
	old, err := root.ReadFile(".git/info/exclude")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		old = append(old, '\n')
	}
	return root.WriteFile(".git/info/exclude", append(old, patterns...), 0o666)
}
