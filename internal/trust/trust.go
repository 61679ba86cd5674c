// Package trust remembers which files a person has allowed to run commands: each by its absolute path and the hash
// of its content, so that a changed file is asked about again. The memory is one file in the user's own state
// folder. A memory that cannot be read, or that others could have written, trusts nothing.
package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Item is a file as it is about to be used.
type Item struct {
	Path     string   // absolute
	SHA256   string   // of its content, hex
	Commands []string // what it would run or set, as it stands there; for people
}

// Hash is the hash of a file's content as Item has it.
func Hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Digest is one hash for several items, whatever their order.
func Digest(items []Item) string {
	lines := make([]string, len(items))
	for i, it := range items {
		lines[i] = it.SHA256 + "\x00" + filepath.Base(it.Path) + "\n"
	}
	slices.Sort(lines)
	return Hash([]byte(strings.Join(lines, "")))
}

// Entry is a trusted file.
type Entry struct {
	Path   string    `json:"path"`
	SHA256 string    `json:"sha256"`
	At     time.Time `json:"at"` // when it was trusted, UTC
}

// file is the form of the memory.
type file struct {
	Schema  int     `json:"schema"`
	Trusted []Entry `json:"trusted"`
}

const (
	schema   = 1
	maxBytes = 16 << 20
)

// Store is the memory. Make it with Open.
type Store struct {
	path    string
	entries []Entry
}

// Open reads the memory at a path; one that does not exist is empty. The error says why it cannot be relied on; the
// store is empty then and refuses to be written.
func Open(path string) (*Store, error) {
	entries, err := read(path)
	if err != nil {
		return &Store{}, fmt.Errorf("read what is trusted: %w", err)
	}
	return &Store{path: path, entries: entries}, nil
}

func read(path string) ([]Entry, error) {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case st.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("%s can be written by others (%#o): chmod 600 it once you have looked at it", path, st.Mode().Perm())
	case st.Size() > maxBytes:
		return nil, fmt.Errorf("%s has %d bytes; at most %d are allowed", path, st.Size(), maxBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var f file
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if f.Schema != schema {
		return nil, fmt.Errorf("%s is of version %d, which this program does not know", path, f.Schema)
	}
	return f.Trusted, nil
}

// Broken says whether the memory could not be read.
func (s *Store) Broken() bool { return s.path == "" }

// Entries returns what is trusted, by path.
func (s *Store) Entries() []Entry { return slices.Clone(s.entries) }

// Unknown returns the items that are not trusted with the content that they have.
func (s *Store) Unknown(items []Item) []Item {
	var list []Item
	for _, it := range items {
		if !slices.ContainsFunc(s.entries, func(e Entry) bool { return e.Path == it.Path && e.SHA256 == it.SHA256 }) {
			list = append(list, it)
		}
	}
	return list
}

// Changed says whether a file is trusted with another content than it has.
func (s *Store) Changed(it Item) bool {
	return slices.ContainsFunc(s.entries, func(e Entry) bool { return e.Path == it.Path && e.SHA256 != it.SHA256 })
}

// Add trusts items with the content that they have; each replaces what was trusted at its path.
func (s *Store) Add(at time.Time, items ...Item) error {
	entries := slices.Clone(s.entries)
	for _, it := range items {
		entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.Path == it.Path })
		entries = append(entries, Entry{Path: it.Path, SHA256: it.SHA256, At: at.UTC()})
	}
	return s.write(entries)
}

// Revoke forgets a path, and everything below it if it is a folder. It returns what was forgotten.
func (s *Store) Revoke(path string) ([]Entry, error) {
	var gone []Entry
	kept := slices.DeleteFunc(slices.Clone(s.entries), func(e Entry) bool {
		hit := e.Path == path || strings.HasPrefix(e.Path, strings.TrimSuffix(path, string(filepath.Separator))+string(filepath.Separator))
		if hit {
			gone = append(gone, e)
		}
		return hit
	})
	if len(gone) == 0 {
		return nil, nil
	}
	return gone, s.write(kept)
}

// write replaces the memory whole or not at all.
func (s *Store) write(entries []Entry) (err error) {
	const op = "write what is trusted: %w"
	if s.path == "" {
		return fmt.Errorf(op, errors.New("it could not be read"))
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	text, err := json.MarshalIndent(file{Schema: schema, Trusted: append([]Entry{}, entries...)}, "", "  ")
	if err != nil {
		return fmt.Errorf(op, err)
	}
	dir := filepath.Dir(s.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf(op, err)
	}
	tmp, err := os.CreateTemp(dir, ".trust-*") // mode 0600
	if err != nil {
		return fmt.Errorf(op, err)
	}
	_, err = tmp.Write(append(text, '\n'))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), s.path)
	}
	if err != nil {
		return fmt.Errorf(op, errors.Join(err, os.Remove(tmp.Name())))
	}
	s.entries = entries
	return nil
}
