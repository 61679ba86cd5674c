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

// agentGit is what can be learnt of the .git of a workspace without running or believing anything in it.
type agentGit struct {
	head    string            // commit id; empty = none that can be read
	broken  string            // why head is empty
	refs    map[string]string // every ref of it
	beside  map[string]string // those that the agent may have made
	objects string            // its own object folder; empty = the repository's
	index   []byte            // its index file; nil = none
	linked  bool              // a worktree of the repository
}

const (
	refCap    = 4 << 10
	packedCap = 64 << 20
	indexCap  = 1 << 30
)

// errOdd says that something in a .git is not what it should be.
var errOdd = errors.New("is not an ordinary file")

// readAgentGit looks at the .git of a workspace.
func (r *Repository) readAgentGit(dir string) (*agentGit, error) {
	a := &agentGit{refs: map[string]string{}, beside: map[string]string{}}
	path := filepath.Join(dir, ".git")
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.broken = "the folder has no .git any more"
		return a, nil
	case err != nil:
		return nil, err
	case st.Mode().IsRegular():
		return a, r.readLinked(a, path)
	case !st.IsDir():
		a.broken = ".git is neither a folder nor a file"
		return a, nil
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			a.broken = err.Error()
			return a, nil
		}
		return nil, err
	}
	defer root.Close()
	if st, err := root.Lstat("objects"); err == nil && st.IsDir() {
		a.objects = filepath.Join(path, "objects")
	}
	a.readRefs(root, root)
	a.index, err = readOrdinary(root, "index", indexCap)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.index = nil
	}
	return a, nil
}

// readLinked reads a worktree's git folder, which lies in the user's repository. It is believed only when it points
// back to the workspace.
func (r *Repository) readLinked(a *agentGit, gitFile string) error {
	b, err := readLimited(gitFile, refCap)
	if err != nil {
		a.broken = err.Error()
		return nil
	}
	to, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "gitdir: ")
	if ok && !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(gitFile), to)
	}
	to = filepath.Clean(to)
	if real, err := resolved(to); err == nil {
		to = real
	}
	if !ok || filepath.Dir(to) != filepath.Join(r.common, "worktrees") {
		a.broken = ".git points to another repository"
		return nil
	}
	back, err := readLimited(filepath.Join(to, "gitdir"), refCap)
	if err != nil || !samePath(strings.TrimSpace(string(back)), gitFile) {
		a.broken = ".git points to another worktree"
		return nil
	}
	own, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer own.Close()
	common, err := os.OpenRoot(r.common)
	if err != nil {
		return err
	}
	defer common.Close()
	a.linked = true
	a.readRefs(own, common)
	clear(a.beside) // they are in the user's repository and stay there
	a.index, err = readOrdinary(own, "index", indexCap)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func samePath(a, b string) bool {
	if a == b {
		return true
	}
	x, errA := resolved(a)
	y, errB := resolved(b)
	return errA == nil && errB == nil && x == y
}

// readRefs finds the commit of HEAD and the refs beside it.
func (a *agentGit) readRefs(own, common *os.Root) {
	if b, err := readOrdinary(common, "packed-refs", packedCap); err == nil {
		for l := range strings.Lines(string(b)) {
			id, ref, ok := strings.Cut(strings.TrimSuffix(l, "\n"), " ")
			if ok && checkID(id) == nil && strings.HasPrefix(ref, "refs/") {
				a.refs[ref] = id
				if !strings.HasPrefix(ref, "refs/tags/") { // the tags are the repository's, packed when the clone was made
					a.beside[ref] = id
				}
			}
		}
	}
	var skip error // nil: go on with the next
	for _, top := range []string{"refs/heads", "refs/tags", "refs/stash"} {
		err := fs.WalkDir(common.FS(), top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return skip // unreadable ones are no refs
			}
			if b, err := readOrdinary(common, path, refCap); err == nil {
				if id := strings.TrimSpace(string(b)); checkID(id) == nil {
					a.refs[path], a.beside[path] = id, id
				}
			}
			return nil
		})
		if err != nil {
			continue
		}
	}
	b, err := readOrdinary(own, "HEAD", refCap)
	if err != nil {
		a.broken = "HEAD cannot be read: " + err.Error()
		return
	}
	said := strings.TrimSpace(string(b))
	ref, symbolic := strings.CutPrefix(said, "ref: ")
	if symbolic {
		ref = strings.TrimSpace(ref)
		if said = a.refs[ref]; said == "" {
			if b, err := readOrdinary(common, ref, refCap); err == nil && fs.ValidPath(ref) {
				said = strings.TrimSpace(string(b))
			}
		}
	}
	if err := checkID(said); err != nil {
		a.broken = "HEAD names no commit"
		return
	}
	a.head = said
}

// readOrdinary reads a regular file below a folder. A pipe there would be waited on for ever.
func readOrdinary(root *os.Root, name string, limit int64) ([]byte, error) {
	st, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s %w", name, errOdd)
	}
	if st.Size() > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, limit)
	}
	return root.ReadFile(name)
}

// importCommits copies what is reachable from the given commits out of the agent's own object folder into the
// repository: as data, with every object's id computed and its form checked, and with nothing of the agent's
// configuration in play. base is what the repository has already.
func (r *Repository) importCommits(ctx context.Context, objects, base string, commits ...string) error {
	if err := r.checkObjects(ctx, objects); err != nil {
		return err
	}
	env := []string{"GIT_ALTERNATE_OBJECT_DIRECTORIES=" + quotedAlternate(objects)}
	plain := [][2]string{{"core.commitGraph", "false"}, {"core.multiPackIndex", "false"}, {"pack.useBitmaps", "false"}}
	pack, err := os.CreateTemp(r.data, ".pack-")
	if err != nil {
		return err
	}
	defer pack.Close()
	if err := os.Remove(pack.Name()); err != nil {
		return err
	}
	c := r.plumbing("pack-objects", "--revs", "--stdout", "-q", "--delta-base-offset")
	c.env, c.config, c.stdout = env, plain, pack
	c.stdin = strings.NewReader(strings.Join(commits, "\n") + "\n^" + base + "\n")
	if _, err := r.run(ctx, c); err != nil {
		return err
	}
	if _, err := pack.Seek(0, 0); err != nil {
		return err
	}
	c = r.plumbing("unpack-objects", "-q", "--strict")
	c.stdin, c.writes = pack, true
	if _, err := r.run(ctx, c); err != nil {
		return err
	}
	c = r.plumbing(append(append([]string{"rev-list", "--objects", "--quiet"}, commits...), "^"+base, "--")...)
	_, err = r.run(ctx, c)
	return err
}

// checkObjects says whether an object folder of an agent's holds nothing but files, so that reading it ends, and
// borrows from nowhere but the repository.
func (r *Repository) checkObjects(ctx context.Context, objects string) error {
	if objects == "" {
		return errors.New("its object folder is gone")
	}
	root, err := os.OpenRoot(objects)
	if err != nil {
		return err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !d.Type().IsRegular() {
			err = fmt.Errorf("%s %w", path, errOdd)
		}
		return errors.Join(err, ctx.Err())
	})
	if err != nil {
		return err
	}
	b, err := readOrdinary(root, "info/alternates", refCap)
	if err == nil && string(b) != r.Alternates() {
		err = errors.New("it borrows objects from elsewhere")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Alternates is the content of objects/info/alternates of a folder that borrows the repository's objects.
func (r *Repository) Alternates() string {
	path := filepath.Join(r.common, "objects")
	if strings.HasPrefix(path, "#") || strings.ContainsAny(path, "\"\n") {
		path = quotedAlternate(path)
	}
	return path + "\n"
}

// quotedAlternate writes a path as GIT_ALTERNATE_OBJECT_DIRECTORIES wants it: a colon would start another one.
func quotedAlternate(path string) string {
	if !strings.ContainsAny(path, "\":\n\\") {
		return path
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(path) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ':
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
