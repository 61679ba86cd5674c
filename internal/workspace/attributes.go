package workspace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

const attributesFile = ".gitattributes"

// attributes gives a folder that holds the .gitattributes files of a tree and nothing else; empty = it has none. Git
// reads them from files only, and a merge without a checkout would not see that a file is binary or merged by lines.
func (r *Repository) attributes(ctx context.Context, tree string) (string, error) {
	if r.data == "" {
		return "", nil
	}
	r.attributesMu.Lock()
	defer r.attributesMu.Unlock()
	if r.attributesTree == tree {
		return r.attributesDir, nil
	}
	out, err := r.run(ctx, r.plumbing("ls-tree", "-r", "-z", "--full-tree", tree))
	if err != nil {
		return "", err
	}
	var ids, names []string
	for _, f := range fields(out) {
		meta, name, _ := strings.Cut(f, "\t")
		m := strings.Fields(meta)
		if path.Base(name) == attributesFile && len(m) == 3 && strings.HasPrefix(m[0], "100") {
			ids, names = append(ids, m[2]), append(names, name)
		}
	}
	dir := ""
	if names != nil {
		if dir, err = r.writeAttributes(ctx, ids, names); err != nil {
			return "", err
		}
	}
	r.attributesTree, r.attributesDir = tree, dir
	return dir, nil
}

// sameAttributes spares a later look: a tree is known to have the same files as another one.
func (r *Repository) sameAttributes(known, tree string) {
	r.attributesMu.Lock()
	defer r.attributesMu.Unlock()
	if r.attributesTree == known {
		r.attributesTree = tree
	}
}

// writeAttributes makes the folder unless it is there. Its name says what is in it.
func (r *Repository) writeAttributes(ctx context.Context, ids, names []string) (string, error) {
	sum := sha256.Sum256([]byte(strings.Join(ids, "\x00") + "\x00" + strings.Join(names, "\x00")))
	top := filepath.Join(r.data, "attributes")
	dir := filepath.Join(top, hex.EncodeToString(sum[:12]))
	if err := r.guard(dir); err != nil {
		return "", err
	}
	if _, err := os.Lstat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(top, 0o700); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(top, "new-")
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return "", err
	}
	defer root.Close()
	for i, name := range names {
		b, err := r.run(ctx, r.plumbing("cat-file", "blob", ids[i]))
		if err != nil {
			return "", err
		}
		if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
			return "", err
		}
		if err := root.WriteFile(name, b, 0o600); err != nil {
			return "", err
		}
	}
	err = os.Rename(tmp, dir)
	if err != nil {
		if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) { // another process made it
			return dir, r.RemoveAll(tmp)
		}
		return "", err
	}
	return dir, nil
}
