package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Head gives the branch that the user's checkout is on (empty = detached) and its commit. ErrNoCommits when there is
// none yet.
func (r *Repository) Head(ctx context.Context) (branch, commit string, err error) {
	const op = "read HEAD"
	out, err := r.run(ctx, r.inCheckout("symbolic-ref", "-q", "HEAD"))
	if err != nil && exitCode(err) != 1 {
		return "", "", &Error{Op: op, Err: err}
	}
	branch, _ = strings.CutPrefix(line(out), "refs/heads/")
	out, err = r.run(ctx, r.inCheckout("rev-parse", "--verify", "-q", "HEAD^{commit}"))
	if err != nil {
		if exitCode(err) == 1 {
			return branch, "", noCommits(op)
		}
		return branch, "", &Error{Op: op, Err: err}
	}
	commit = line(out)
	return branch, commit, checkID(commit)
}

// BranchExists says whether there is a branch of this name.
func (r *Repository) BranchExists(ctx context.Context, branch string) (bool, error) {
	_, err := r.run(ctx, r.plumbing("show-ref", "--verify", "-q", "refs/heads/"+branch))
	if exitCode(err) == 1 {
		return false, nil
	}
	if err != nil {
		return false, &Error{Op: "look for branch " + branch, Err: err}
	}
	return true, nil
}

func noCommits(op string) error {
	return &Error{Op: op, Kind: ErrNoCommits, Hint: "make a first commit: git add -A && git commit -m start"}
}

// Resolve gives the commit that a person means by rev. ErrUnknown, with the nearest branch as a hint, when there is
// none; ErrNoCommits in an empty repository.
func (r *Repository) Resolve(ctx context.Context, rev string) (string, error) {
	op := fmt.Sprintf("resolve %q", rev)
	if rev == "" || strings.ContainsAny(rev, "\x00\n") {
		return "", &Error{Op: op, Kind: ErrUnknown}
	}
	// The prefix keeps a name that starts with a dash from being an option; a ^, - or : that follows is checked by git.
	out, err := r.run(ctx, r.inCheckout("rev-parse", "--verify", "-q", "--end-of-options", rev+"^{commit}"))
	if err == nil {
		id := line(out)
		if err = checkID(id); err != nil {
			return "", &Error{Op: op, Kind: ErrUnknown, Err: err}
		}
		return id, nil
	}
	if exitCode(err) < 0 {
		return "", &Error{Op: op, Err: err}
	}
	if _, _, herr := r.Head(ctx); errors.Is(herr, ErrNoCommits) {
		return "", noCommits(op)
	}
	hint := "git branch -a and git tag show what there is"
	out, lerr := r.run(ctx, r.plumbing("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads", "refs/tags", "refs/remotes"))
	if lerr != nil {
		return "", &Error{Op: op, Kind: ErrUnknown, Err: lerr}
	}
	if near := nearest(rev, strings.Split(line(out), "\n")); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	return "", &Error{Op: op, Kind: ErrUnknown, Hint: hint}
}

// nearest is the name that a mistyped one was probably meant to be; empty = none is near.
func nearest(name string, names []string) string {
	best, distance := "", 1+max(1, len(name)/3)
	for _, n := range names {
		if n == "" {
			continue
		}
		d := edits(strings.ToLower(name), strings.ToLower(n))
		if i := strings.LastIndexByte(n, '/'); i >= 0 {
			d = min(d, edits(strings.ToLower(name), strings.ToLower(n[i+1:])))
		}
		if d < distance {
			best, distance = n, d
		}
	}
	return best
}

// edits is the number of single-byte changes between a and b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Dirtiness counts what is not committed in a checkout.
type Dirtiness struct {
	Staged     int
	Unstaged   int
	Untracked  int // a folder without any tracked file counts once
	Conflicted int
	both       int // staged and changed again
}

// Clean says that there is nothing uncommitted.
func (d Dirtiness) Clean() bool { return d == Dirtiness{} }

// String is a short summary: "2 staged, 1 untracked".
func (d Dirtiness) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{d.Conflicted, "conflicted"}, {d.Staged, "staged"}, {d.Unstaged, "not staged"}, {d.Untracked, "untracked"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	if parts == nil {
		return "clean"
	}
	return strings.Join(parts, ", ")
}

// Dirty is the number of files in the user's checkout that are not committed.
func (r *Repository) Dirty(ctx context.Context) (int, error) {
	d, err := r.Dirtiness(ctx)
	return d.Staged + d.Unstaged + d.Untracked + d.Conflicted - d.both, err
}

// Dirtiness counts what is not committed in the user's checkout. It does not refresh the user's index.
func (r *Repository) Dirtiness(ctx context.Context) (Dirtiness, error) {
	out, err := r.run(ctx, r.inCheckout("status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=normal", "--ignore-submodules=dirty"))
	if err != nil {
		return Dirtiness{}, &Error{Op: "look at the checkout", Err: err}
	}
	var d Dirtiness
	for _, f := range fields(out) {
		if len(f) < 4 {
			continue
		}
		switch f[0] {
		case '1', '2':
			if f[2] != '.' {
				d.Staged++
			}
			if f[3] != '.' {
				d.Unstaged++
			}
			if f[2] != '.' && f[3] != '.' {
				d.both++
			}
		case 'u':
			d.Conflicted++
		case '?':
			d.Untracked++
		}
	}
	return d, nil
}

// Submodules says whether a commit has submodules. Workspaces have an empty folder in their place.
func (r *Repository) Submodules(ctx context.Context, commit string) (bool, error) {
	if err := checkID(commit); err != nil {
		return false, &Error{Op: "look for submodules", Err: err}
	}
	out, err := r.run(ctx, r.plumbing("ls-tree", "-r", "--format=%(objecttype)", commit))
	if err != nil {
		return false, &Error{Op: "look for submodules", Err: err}
	}
	return bytes.Contains(out, []byte("commit")), nil
}

// CheckedOut says where a branch is checked out, in any worktree of the repository, and also while a rebase or a
// bisection that will come back to it is going on there.
func (r *Repository) CheckedOut(ctx context.Context, branch string) (path string, found bool, err error) {
	ref := "refs/heads/" + branch
	dirs := []string{r.common}
	linked, err := os.ReadDir(filepath.Join(r.common, "worktrees"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", false, &Error{Op: "list the worktrees", Err: err}
	}
	for _, e := range linked {
		dirs = append(dirs, filepath.Join(r.common, "worktrees", e.Name()))
	}
	for _, dir := range dirs {
		b, err := readLimited(filepath.Join(dir, "HEAD"), 1<<16)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", false, &Error{Op: "list the worktrees", Err: err}
		}
		said := strings.TrimSpace(string(b))
		if said == "ref: refs/heads/.invalid" { // HEAD is not kept in a file
			return r.listedCheckout(ctx, ref)
		}
		if said == "ref: "+ref {
			bare, err := r.bareAt(ctx, dir)
			if err != nil {
				return "", false, err
			}
			if !bare {
				return r.checkoutOf(dir), true, nil
			}
		}
		for _, name := range []string{"rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START", "rebase-merge/update-refs"} {
			b, err := readLimited(filepath.Join(dir, name), 1<<20)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return "", false, &Error{Op: "look for a rebase", Err: err}
			}
			for l := range strings.Lines(string(b)) {
				if l = strings.TrimSpace(l); l == ref || name == "BISECT_START" && l == branch {
					return r.checkoutOf(dir), true, nil
				}
			}
		}
	}
	return "", false, nil
}

// bareAt says whether a git folder has a HEAD but no checkout: that of a bare repository with linked worktrees.
func (r *Repository) bareAt(ctx context.Context, gitDir string) (bool, error) {
	if gitDir != r.common || r.gitDir == r.common {
		return false, nil
	}
	out, err := r.run(ctx, r.plumbing("rev-parse", "--is-bare-repository"))
	if err != nil {
		return false, &Error{Op: "look at the repository", Err: err}
	}
	return line(out) == "true", nil
}

// listedCheckout asks git where a branch is checked out, for repositories that keep their refs in tables.
func (r *Repository) listedCheckout(ctx context.Context, ref string) (path string, found bool, err error) {
	out, err := r.run(ctx, r.plumbing("worktree", "list", "--porcelain", "-z"))
	if err != nil {
		return "", false, &Error{Op: "list the worktrees", Err: err}
	}
	for _, f := range fields(out) {
		if p, ok := strings.CutPrefix(f, "worktree "); ok {
			path = p
		} else if f == "branch "+ref {
			return path, true, nil
		}
	}
	return "", false, nil
}

// checkoutOf is the folder of the checkout that a git folder belongs to.
func (r *Repository) checkoutOf(gitDir string) string {
	if gitDir == r.gitDir {
		return r.root
	}
	b, err := readLimited(filepath.Join(gitDir, "gitdir"), 1<<16)
	if err != nil {
		return filepath.Dir(gitDir) // the main one
	}
	return filepath.Dir(strings.TrimSpace(string(b)))
}

// readLimited reads a file that must not be longer than limit bytes.
func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return b, err
}
