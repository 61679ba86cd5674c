package workspace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"strings"
	"syscall"
	"time"
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
	f, err := os.OpenFile(dir, openFolder, 0)
	if err != nil {
		return nil, err
	}
	if err := s.folder(f, dir, "", 0, len(entries)); err != nil {
		return nil, err
	}
	return &s.out, nil
}

// searchable is the right to reach what is in a folder.
const searchable = 1

// openFolder refuses a symbolic link in the place of a folder.
const openFolder = os.O_RDONLY | syscall.O_DIRECTORY | syscall.O_NOFOLLOW

// folder compares one open folder, which it closes, with the entries from lo to hi.
func (s *scanner) folder(f *os.File, full, prefix string, lo, hi int) error {
	defer f.Close()
	if err := s.ctx.Err(); err != nil {
		return context.Cause(s.ctx)
	}
	if s.strict {
		if err := s.usualMode(f); err != nil {
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
				child, err := s.open(full+"/"+name, sub)
				if err != nil {
					return err
				}
				if err := s.folder(child, full+"/"+name, sub, i, end); err != nil {
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
		if err := s.file(full+"/"+name, e, kind); err != nil {
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
func (s *scanner) usualMode(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if usual := fs.FileMode(0o777 &^ s.mask); st.Mode().Perm() != usual {
		return f.Chmod(usual)
	}
	return nil
}

// open opens a folder, and gives its owner the right to look into it when nobody has it.
func (s *scanner) open(full, path string) (*os.File, error) {
	path = strings.TrimSuffix(path, "/")
	f, err := os.OpenFile(full, openFolder, 0)
	if err == nil {
		// Being able to list a folder does not mean being able to look at what is in it.
		if err = syscall.Access(full, searchable); err != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		if err := os.Chmod(full, 0o700); err != nil {
			return nil, &Error{
				Op: "read folder " + path, Kind: ErrUnreadable, Err: err, Hint: "make it readable for you; nothing was removed",
			}
		}
		s.out.locked = append(s.out.locked, path)
		f, err = os.OpenFile(full, openFolder, 0)
	}
	return f, err
}

// file compares one file with its entry.
func (s *scanner) file(full string, e *entry, kind fs.FileMode) error {
	if e.submodule {
		return s.submodule(full, e, kind)
	}
	var st syscall.Stat_t
	if err := syscall.Lstat(full, &st); err != nil {
		return &fs.PathError{Op: "lstat", Path: full, Err: err}
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
func (s *scanner) submodule(full string, e *entry, kind fs.FileMode) error {
	if !kind.IsDir() {
		s.out.changed = append(s.out.changed, e.path)
		return nil
	}
	f, err := s.open(full, e.path)
	if err != nil {
		return err
	}
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

// readIndex reads a private index and the time at which it was written.
func (r *Repository) readIndex(path string) ([]entry, stamp, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, stamp{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, stamp{}, err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, stamp{}, err
	}
	entries, err := parseIndex(b, r.idLength())
	return entries, stampOf(st.ModTime()), err
}

func stampOf(t time.Time) stamp { return stamp{uint32(t.Unix()), uint32(t.Nanosecond())} }
