// Package document reads YAML files that people write, such as plans and settings, for the packages that know what
// they mean: it turns text into nodes with positions, says in plain words what is wrong with the YAML, and reads
// values of the kinds that our files have. Anchors, aliases and merge keys work and are bounded; JSON is YAML.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"orchestrator/internal/diagnostic"
)

// Node is a node of the YAML tree.
type Node = yaml.Node

const (
	// MaxBytes is the greatest size of a file.
	MaxBytes = 64 << 20
	// repairs is how many mistakes in the YAML itself are stepped over, so that the rest can be checked as well.
	repairs = 20
	// repairBytes is the greatest size of a file that is read again after each repair.
	repairBytes = 1 << 20
)

// Reader holds one file and what was found in it.
type Reader struct {
	Source   *diagnostic.Source
	Root     *Node // nil: there is nothing in the file, or it is not YAML (then there are findings)
	findings diagnostic.List
	seen     map[finding]bool
	doubtful map[int]bool // lines whose YAML is wrong: what follows from that is not worth saying
	merged   int          // fields that came by merge keys
	swollen  bool         // that were too many
}

type finding struct {
	line, column  int
	code, message string
}

// Read parses text. name is how the person named the file.
func Read(name string, text []byte) *Reader {
	r := &Reader{
		Source:   diagnostic.NewSource(name, text),
		seen:     make(map[finding]bool),
		doubtful: make(map[int]bool),
	}
	if len(text) > MaxBytes {
		r.whole("too-large", fmt.Sprintf("the file has %d bytes; at most %d are allowed", len(text), MaxBytes), "")
		return r
	}
	if !r.checkCharacters() {
		return r
	}
	for range repairs {
		root, err := parse(text)
		if err == nil {
			r.Root = root
			return r
		}
		offset, ok := r.explain(err)
		if !ok || len(text) > repairBytes {
			return r
		}
		text = bytes.Clone(text)
		text[offset] = '_'
	}
	return r
}

// checkCharacters says no when the file is not text.
func (r *Reader) checkCharacters() bool {
	text := r.Source.Text
	for at := 0; at < len(text); {
		c := text[at]
		if c >= ' ' && c < utf8.RuneSelf || c == '\n' || c == '\t' || c == '\r' {
			at++
			continue
		}
		char, size := utf8.DecodeRune(text[at:])
		line, column := r.Source.Position(at)
		switch {
		case char == 0:
			r.add(line, column, 1, "not-text", "this is not a text file: it has a NUL byte", "")
		case char == utf8.RuneError && size < 2:
			r.add(line, column, 1, "not-utf8", "this is not valid UTF-8", "save the file as UTF-8")
		case char < ' ' || char == 0xfffe || char == 0xffff:
			r.add(line, column, 1, "control-character", fmt.Sprintf("control character %U", char), "remove it")
		default:
			at += size
			continue
		}
		return false
	}
	return true
}

// secondDocument is the error for a file with more than one document.
type secondDocument struct{ line, column int }

func (*secondDocument) Error() string { return "more than one document" }

// parse returns the root of the only document; nil when there is none.
func parse(text []byte) (root *Node, err error) {
	// The decoder is not ours; whatever it does with a strange file must not end the program.
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, fmt.Errorf("read YAML: %v", p)
		}
	}()
	loader, err := yaml.NewLoader(bytes.NewReader(text), yaml.WithUniqueKeys(false))
	if err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	var first, second yaml.Node
	if err := loader.Load(&first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := loader.Load(&second); err == nil {
		return nil, &secondDocument{line: second.Line, column: second.Column}
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	root = &first
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" && root.Value == "" {
		return nil, nil
	}
	return root, nil
}
