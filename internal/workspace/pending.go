package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// pending is what has to go into an index so that it stands for everything in a folder.
type pending struct {
	paths   []string // to be added or hashed again
	gone    []string // to be taken out
	notices []string // what a person should know
}

const (
	fewPaths    = 100 // as arguments of one command
	mostRetries = 100
)

// pending finds what in a folder is not in an index: changed files, removed ones, and new ones that are not ignored.
func (r *Repository) pending(ctx context.Context, dir, index string, entries []entry, found *scan) (*pending, error) {
	todo := &pending{paths: slices.Clone(found.changed), gone: found.missing}
	for _, p := range found.locked {
		todo.notice("folder %s was not readable; its permissions were changed to save it", p)
	}
	for _, p := range found.odd {
		todo.notice("%s is not a file: not saved", p)
	}
	for _, p := range found.subs {
		todo.notice("submodule %s: changes inside of it are not saved", p)
	}
	if len(found.extra) == 0 {
		return todo, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	others, err := r.others(ctx, root, dir, index, found.extra, todo)
	if err != nil {
		return nil, err
	}
	folders := map[string]bool{}
	for _, p := range others {
		if embedded, ok := strings.CutSuffix(p, "/"); ok {
			files, err := r.embedded(ctx, root, dir, index, embedded)
			if err != nil {
				return nil, err
			}
			todo.notice("%s is a git repository of its own: its files are saved, its history is not", embedded)
			for _, f := range files {
				todo.add(f)
			}
			continue
		}
		todo.add(p)
		folders[path.Dir(p)] = true
	}
	for folder := range folders {
		if err := todo.oddities(root, folder, found.odd); err != nil {
			return nil, err
		}
	}
	slices.Sort(todo.notices)
	return todo, nil
}

func (p *pending) notice(format string, args ...any) {
	p.notices = append(p.notices, fmt.Sprintf(format, args...))
}

// add takes a path unless git would refuse it.
func (p *pending) add(name string) {
	if refused(name) {
		p.notice("%q is a name that git does not take: not saved", name)
		return
	}
	p.paths = append(p.paths, name)
}

// oddities notes pipes, sockets and devices in a folder that has new files; git passes over them in silence.
func (p *pending) oddities(root *os.Root, folder string, known []string) error {
	f, err := root.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		if e.Type()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice|fs.ModeIrregular) != 0 && !slices.Contains(known, name) {
			p.notice("%s is not a file: not saved", name)
		}
	}
	return nil
}

// others lists the new files that are not ignored. A repository inside of the folder is listed as its path with a
// slash at the end.
func (r *Repository) others(ctx context.Context, root *os.Root, dir, index string, extras []extra, todo *pending) ([]string, error) {
	args := []string{"ls-files", "-z", "--others", "--exclude-standard"}
	provided := excluded(strings.TrimSuffix(strings.TrimSuffix(index, ".seal"), ".check"))
	if _, err := os.Lstat(provided); err == nil {
		args = append(args, "--exclude-from="+provided)
	}
	args = append(args, "--")
	if len(extras) <= fewPaths {
		for _, x := range extras {
			args = append(args, x.path)
		}
	}
	for range mostRetries {
		var warnings string
		c := r.inWorkspace(dir, index, args...)
		c.warnings = &warnings
		out, err := r.run(ctx, c)
		if err != nil {
			return nil, err
		}
		opened, err := openUp(root, warnings, todo)
		if err != nil {
			return nil, err
		}
		if opened == 0 {
			return fields(out), nil
		}
	}
	return nil, &Error{Op: "list new files", Kind: ErrUnreadable, Err: errors.New("too many folders that cannot be read")}
}

// openUp makes the folders readable that git could not read, and says how many there were.
func openUp(root *os.Root, warnings string, todo *pending) (int, error) {
	const said = "warning: could not open directory '"
	n := 0
	for {
		i := strings.Index(warnings, said)
		if i < 0 {
			return n, nil
		}
		warnings = warnings[i+len(said):]
		name, rest, ok := strings.Cut(warnings, "': ")
		if !ok {
			return n, nil
		}
		warnings = rest
		name = strings.TrimSuffix(name, "/")
		if err := root.Chmod(name, 0o700); err != nil {
			return n, &Error{
				Op: "read folder " + name, Kind: ErrUnreadable, Err: err, Hint: "make it readable for you; nothing was removed",
			}
		}
		todo.notice("folder %s was not readable; its permissions were changed to save it", name)
		n++
	}
}

// embedded lists the files of a repository inside of the folder, apart from those that are ignored and from its .git.
func (r *Repository) embedded(ctx context.Context, root *os.Root, dir, index, top string) ([]string, error) {
	var files []string
	err := fs.WalkDir(root.FS(), top, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return &Error{Op: "read " + p, Kind: ErrUnreadable, Err: err, Hint: "make it readable for you; nothing was removed"}
		}
		if strings.EqualFold(d.Name(), ".git") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() || d.Type()&fs.ModeSymlink != 0 {
			files = append(files, p)
		}
		return ctx.Err()
	})
	if err != nil || files == nil {
		return nil, err
	}
	c := r.inWorkspace(dir, index, "check-ignore", "-z", "--stdin", "--no-index")
	c.env = []string{"GIT_LITERAL_PATHSPECS=0"} // it knows no other; the dot keeps a leading colon from meaning anything
	c.stdin = strings.NewReader("./" + strings.Join(files, "\x00./") + "\x00")
	out, err := r.run(ctx, c)
	if err != nil && exitCode(err) != 1 {
		return nil, err
	}
	ignored := map[string]bool{}
	for _, p := range fields(out) {
		ignored[strings.TrimPrefix(p, "./")] = true
	}
	return slices.DeleteFunc(files, func(p string) bool { return ignored[p] }), nil
}

// readable makes sure that every file to be hashed can be read, by changing its permissions where that is needed.
func (p *pending) readable(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range p.paths {
		st, err := root.Lstat(name)
		if err != nil {
			return err
		}
		if !st.Mode().IsRegular() {
			continue
		}
		f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrPermission) {
			if err = root.Chmod(name, st.Mode().Perm()|0o400); err == nil {
				p.notice("%s was not readable; its permissions were changed to save it", name)
				f, err = root.Open(name)
			}
		}
		if err != nil {
			return &Error{
				Op: "read " + name, Kind: ErrUnreadable, Err: err, Hint: "make it readable for you; nothing was removed",
			}
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// updateIndex puts what is pending into an index, and the content of the files into the repository.
func (r *Repository) updateIndex(ctx context.Context, dir, index string, todo *pending) error {
	if len(todo.gone) > 0 {
		c := r.inWorkspace(dir, index, "update-index", "-z", "--force-remove", "--stdin")
		c.stdin = strings.NewReader(strings.Join(todo.gone, "\x00") + "\x00")
		if _, err := r.run(ctx, c); err != nil {
			return err
		}
	}
	if len(todo.paths) == 0 {
		return nil
	}
	if err := todo.readable(dir); err != nil {
		return err
	}
	c := r.inWorkspace(dir, index, "update-index", "-z", "--add", "--remove", "--replace", "--stdin")
	c.stdin, c.writes = strings.NewReader(strings.Join(todo.paths, "\x00")+"\x00"), true
	_, err := r.run(ctx, c)
	return filterError(err)
}

// writeTree writes an index as a tree.
func (r *Repository) writeTree(ctx context.Context, dir, index string) (string, error) {
	c := r.inWorkspace(dir, index, "write-tree")
	c.writes = true
	out, err := r.run(ctx, c)
	if err != nil {
		return "", err
	}
	return line(out), checkID(line(out))
}

// refused says whether git takes a path for an attack on a .git folder on some system, and so cannot save it.
func refused(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return true
		}
		for piece := range strings.SplitSeq(part, `\`) {
			plain := strings.ToLower(strings.Map(func(c rune) rune {
				if c >= 0x200c && c <= 0x200f || c >= 0x202a && c <= 0x202e || c >= 0x206a && c <= 0x206f || c == 0xfeff {
					return -1 // HFS+ does not see these
				}
				return c
			}, piece))
			plain, _, _ = strings.Cut(plain, ":")
			plain = strings.TrimRight(plain, ". ")
			if plain == ".git" || plain == "git~1" {
				return true
			}
		}
	}
	return false
}
