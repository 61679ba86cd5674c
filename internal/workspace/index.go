package workspace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Kinds of index entries.
const (
	modeKind      = 0o170000
	modeRegular   = 0o100000
	modeSymlink   = 0o120000
	modeSubmodule = 0o160000
	modeExecutes  = 0o000111
)

// entry is one file of an index with what was known of it when it was written.
type entry struct {
	path       string
	mode       uint32
	size       uint32 // low bits
	ino        uint32 // low bits
	uid, gid   uint32
	ctime      stamp
	mtime      stamp
	flagged    bool // assume-unchanged, skip-worktree, intent-to-add or unmerged: not to be believed
	submodule  bool
	executable bool
}

// stamp is a time as an index has it.
type stamp struct{ sec, nsec uint32 }

func (s stamp) before(t stamp) bool { return s.sec < t.sec || s.sec == t.sec && s.nsec < t.nsec }

var errIndex = errors.New("index is damaged")

const (
	indexHeader  = 12
	entryFixed   = 40
	flagExtended = 0x4000
	flagAssume   = 0x8000
	flagStage    = 0x3000
	flagSkip     = 0x4000
	flagIntent   = 0x2000
	longestPath  = 1 << 16
	mostEntries  = 1 << 26
)

// parseIndex reads the entries of an index file of version 2, 3 or 4. Extensions are passed over. The content may be
// hostile: it is bounded by the file's own length.
func parseIndex(b []byte, idLength int) ([]entry, error) {
	if len(b) < indexHeader+idLength || !bytes.Equal(b[:4], []byte("DIRC")) {
		return nil, errIndex
	}
	version, count := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	if version < 2 || version > 4 {
		return nil, fmt.Errorf("%w: version %d", errIndex, version)
	}
	if count > mostEntries || int(count) > len(b)/(entryFixed+idLength+2)+1 {
		return nil, errIndex
	}
	entries := make([]entry, 0, count)
	rest := b[indexHeader : len(b)-idLength]
	previous := ""
	for range count {
		if len(rest) < entryFixed+idLength+2 {
			return nil, errIndex
		}
		u32 := func(i int) uint32 { return binary.BigEndian.Uint32(rest[i:]) }
		e := entry{
			ctime: stamp{u32(0), u32(4)}, mtime: stamp{u32(8), u32(12)}, ino: u32(20), mode: u32(24), uid: u32(28),
			gid: u32(32), size: u32(36),
		}
		at := entryFixed + idLength
		flags := binary.BigEndian.Uint16(rest[at:])
		at += 2
		e.flagged = flags&(flagAssume|flagStage) != 0
		if flags&flagExtended != 0 {
			if version < 3 || len(rest) < at+2 {
				return nil, errIndex
			}
			more := binary.BigEndian.Uint16(rest[at:])
			at += 2
			e.flagged = e.flagged || more&(flagSkip|flagIntent) != 0
		}
		stripped := 0
		if version == 4 {
			n, used := offsetVarint(rest[at:])
			if used == 0 || n > len(previous) {
				return nil, errIndex
			}
			at, stripped = at+used, n
		}
		end := bytes.IndexByte(rest[at:], 0)
		if end < 0 || end > longestPath {
			return nil, errIndex
		}
		if version == 4 {
			e.path = previous[:len(previous)-stripped] + string(rest[at:at+end])
			at += end + 1
		} else {
			e.path = string(rest[at : at+end])
			at = (at + end + 8) &^ 7
		}
		if at > len(rest) || len(e.path) > longestPath {
			return nil, errIndex
		}
		e.submodule = e.mode&modeKind == modeSubmodule
		e.executable = e.mode&modeExecutes != 0
		previous, rest = e.path, rest[at:]
		entries = append(entries, e)
	}
	return entries, nil
}

// offsetVarint reads git's variable-width number, in which every continuation adds one.
func offsetVarint(b []byte) (n, used int) {
	for i, c := range b {
		if i > 0 {
			n++
		}
		n = n<<7 | int(c&0x7f)
		if n > longestPath {
			return 0, 0
		}
		if c&0x80 == 0 {
			return n, i + 1
		}
	}
	return 0, 0
}

func (r *Repository) idLength() int {
	if r.format == "sha256" {
		return 32
	}
	return 20
}
