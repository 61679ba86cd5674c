package workspace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// scan is how a folder differs from an index. Paths are relative to the folder and slash-separated.
type scan struct {
	changed []string // in both; what is known of the file says that it may differ
	missing []string // in the index only, or hidden by something else at its place
	extra   []extra  // in the folder only: files, and whole folders without any file of the index
	odd     []string // neither file, folder nor symbolic link; tracked ones are missing too
	locked  []string // folders that could be read only after their mode was changed
	subs    []string // submodules whose folder is not empty
}

// extra is something in a folder that the index does not know.
type extra struct {
	path   string
	folder bool
}

// scanner compares one folder with one index.
type scanner struct {
	ctx     context.Context
	entries []entry
	written stamp // when the index was written
	strict  bool  // also what git does not record: permissions, hard links
	mask    uint32
	out     scan
}

// scanFolder compares the files below dir with the entries of an index that was written at the given time. It reads no
// file, follows no symbolic link, and passes over .git at the top.
//
// A file counts as unchanged only when size, both times, inode, owner and kind are as recorded and it was last written
// before the index was: whoever changes it in the same instant is not overlooked.
func scanFolder(ctx context.Context, dir string, entries []entry, written stamp, strict bool) (*scan, error) {
	if !sort.SliceIsSorted(entries, func(i, j int) bool { return entries[i].path < entries[j].path }) {
		return nil, fmt.Errorf("%w: not sorted", errIndex)
	}
	s := &scanner{ctx: ctx, entries: entries, written: written, strict: strict, mask: umask()}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	if err := s.folder(fd, dir, "", 0, len(entries)); err != nil {
		return nil, err
	}
	return &s.out, nil
}

// folder compares one folder, given as an open descriptor that it closes, with the entries from lo to hi.
func (s *scanner) folder(fd int, full, prefix string, lo, hi int) error {
	f := os.NewFile(uintptr(fd), full)
	defer f.Close()
	if err := s.ctx.Err(); err != nil {
		return context.Cause(s.ctx)
	}
	if s.strict {
		if err := s.usualMode(fd, full); err != nil {
			return err
		}
	}
	present, err := f.ReadDir(-1)
	if err != nil {
		return err
	}
	kinds := make(map[string]fs.FileMode, len(present))
	for _, d := range present {
		if prefix != "" || d.Name() != ".git" {
			kinds[d.Name()] = d.Type()
		}
	}
	for i := lo; i < hi; {
		e := &s.entries[i]
		name, _, below := strings.Cut(e.path[len(prefix):], "/")
		if below {
			sub := prefix + name + "/"
			end := i + sort.Search(hi-i, func(k int) bool { return !strings.HasPrefix(s.entries[i+k].path, sub) })
			if kind, ok := kinds[name]; ok && kind.IsDir() {
				delete(kinds, name)
				child, err := s.open(fd, name, sub)
				if err != nil {
					return err
				}
				if err := s.folder(child, filepath.Join(full, name), sub, i, end); err != nil {
					return err
				}
			} else {
				for k := i; k < end; k++ {
					s.out.missing = append(s.out.missing, s.entries[k].path)
				}
			}
			i = end
			continue
		}
		i++
		kind, ok := kinds[name]
		if !ok {
			s.out.missing = append(s.out.missing, e.path)
			continue
		}
		if kind.IsDir() && !e.submodule {
			s.out.missing = append(s.out.missing, e.path)
			continue // the folder stays an extra
		}
		delete(kinds, name)
		if err := s.file(fd, name, e, kind); err != nil {
			return err
		}
	}
	for name, kind := range kinds {
		switch {
		case kind.IsDir():
			s.out.extra = append(s.out.extra, extra{path: prefix + name, folder: true})
		case kind.IsRegular() || kind&fs.ModeType == fs.ModeSymlink:
			s.out.extra = append(s.out.extra, extra{path: prefix + name})
		default:
			s.out.odd = append(s.out.odd, prefix+name)
		}
	}
	return nil
}

// usualMode gives a folder the permissions that it would have if it were made afresh.
func (s *scanner) usualMode(fd int, full string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: full, Err: err}
	}
	if usual := 0o777 &^ s.mask; uint32(st.Mode)&0o7777 != usual {
		if err := unix.Fchmod(fd, usual); err != nil {
			return &fs.PathError{Op: "chmod", Path: full, Err: err}
		}
	}
	return nil
}

// open opens a folder below another one, and gives its owner the right to look into it when nobody has it.
func (s *scanner) open(fd int, name, path string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	child, err := unix.Openat(fd, name, flags, 0)
	if errors.Is(err, unix.EACCES) {
		if err := unix.Fchmodat(fd, name, 0o700, 0); err != nil {
			return -1, &Error{
				Op: "read " + path, Kind: ErrUnreadable, Err: err, Hint: "make it readable for you; nothing was removed",
			}
		}
		s.out.locked = append(s.out.locked, strings.TrimSuffix(path, "/"))
		child, err = unix.Openat(fd, name, flags, 0)
	}
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return child, nil
}

// file compares one file with its entry.
func (s *scanner) file(fd int, name string, e *entry, kind fs.FileMode) error {
	if e.submodule {
		return s.submodule(fd, name, e, kind)
	}
	var st unix.Stat_t
	if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if errors.Is(err, unix.EACCES) { // the folder may be read but not entered
			return &Error{Op: "read " + e.path, Kind: ErrUnreadable, Err: err, Hint: "make its folder accessible; nothing was removed"}
		}
		return &fs.PathError{Op: "stat", Path: e.path, Err: err}
	}
	mode := uint32(st.Mode)
	switch mode & modeKind {
	case modeRegular, modeSymlink:
	default:
		s.out.odd = append(s.out.odd, e.path)
		s.out.missing = append(s.out.missing, e.path)
		return nil
	}
	same := !e.flagged && mode&modeKind == e.mode&modeKind && uint32(st.Size) == e.size && uint32(st.Ino) == e.ino &&
		st.Uid == e.uid && st.Gid == e.gid && changeTime(&st) == e.ctime && modifyTime(&st) == e.mtime
	if mode&modeKind == modeRegular {
		same = same && (mode&0o100 != 0) == e.executable
		if s.strict {
			usual := uint32(0o666)
			if e.executable {
				usual = 0o777
			}
			same = same && st.Nlink == 1 && mode&0o7777 == usual&^s.mask
		}
	}
	if !s.strict {
		same = same && e.mtime.before(s.written)
	}
	if !same {
		s.out.changed = append(s.out.changed, e.path)
	}
	return nil
}

// submodule looks at the folder of a submodule, which is empty in a workspace unless the agent filled it.
func (s *scanner) submodule(fd int, name string, e *entry, kind fs.FileMode) error {
	if !kind.IsDir() {
		s.out.changed = append(s.out.changed, e.path)
		return nil
	}
	child, err := s.open(fd, name, e.path)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(child), name)
	defer f.Close()
	names, err := f.Readdirnames(1)
	if len(names) > 0 {
		s.out.subs = append(s.out.subs, e.path)
		s.out.changed = append(s.out.changed, e.path)
		return nil
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func changeTime(st *unix.Stat_t) stamp { return stamp{uint32(st.Ctim.Sec), uint32(st.Ctim.Nsec)} }
func modifyTime(st *unix.Stat_t) stamp { return stamp{uint32(st.Mtim.Sec), uint32(st.Mtim.Nsec)} }

// readIndex reads a private index and the time at which it was written.
func (r *Repository) readIndex(path string) ([]entry, stamp, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, stamp{}, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, stamp{}, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, stamp{}, err
	}
	entries, err := parseIndex(b, r.idLength())
	return entries, modifyTime(&st), err
}
